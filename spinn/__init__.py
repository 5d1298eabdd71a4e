"""SPINN, the shift-reduce sentence encoder, for natural language inference.

The names below are imported when they are first used: ``import spinn`` does not load PyTorch.

>>> import spinn
>>> model = spinn.load("runs/spinn-seed1")
>>> model.predict(("A dog runs.", "An animal moves.")).label
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spinn.data.examples import Sentence
    from spinn.model.encoder import SPINNEncoder
    from spinn.prediction import Prediction, SentenceTrace, Tree
    from spinn.predictor import Predictor

    load = Predictor.load

__version__ = "0.2.0"
__all__ = ["Prediction", "Predictor", "SPINNEncoder", "Sentence", "SentenceTrace", "Tree", "load"]

_MODULES = {
    "load": "spinn.predictor",
    "Predictor": "spinn.predictor",
    "Prediction": "spinn.prediction",
    "Sentence": "spinn.data.examples",
    "SentenceTrace": "spinn.prediction",
    "Tree": "spinn.prediction",
    "SPINNEncoder": "spinn.model.encoder",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_MODULES[name])
    value = module.Predictor.load if name == "load" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return all names, also those that were not used yet."""
    return sorted({*globals(), *__all__})
