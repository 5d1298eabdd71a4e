"""Model cards: the ``README.md`` of a trained model that is shared.

A card has the YAML header that the Hugging Face Hub reads, the figures of the model, and how to
load it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from spinn.data.options import CorpusOptions
from spinn.model.build import count_parameters
from spinn.pretrained import TrainedModel, read_results
from spinn.support.files import as_json
from spinn.support.text import markdown_text

_ENGLISH = ("snli", "multinli", "sample")
_EXAMPLE = """
model = spinn.load({name})
model.predict(("A dog runs.", "An animal moves.")).label"""


def model_card(
    trained: TrainedModel,
    name: str,
    *,
    dtype: torch.dtype | None = None,
    license: str | None = None,
) -> str:
    """Return the card of a trained model.

    Parameters
    ----------
    trained
        The model.
    name
        The repository or folder that it is loaded from.
    dtype
        Type of the saved weights, if it is not that of the model.
    license
        Identifier of the licence of the weights on the Hub, such as ``"mit"``.

    Raises
    ------
    DataError
        If the file of its figures is damaged.

    """
    configuration = trained.configuration
    header: dict[str, Any] = {
        "library_name": "spinn-nli",
        "pipeline_tag": "text-classification",
        "tags": ["natural-language-inference", "sentence-encoder", "spinn"],
    }
    if configuration.data.data in _ENGLISH:
        header["language"] = "en"
    if license is not None:
        header["license"] = license
    rows = {
        "model": configuration.form,
        "data": f"`{_data_name(configuration.data)}`",
        "labels": ", ".join(f"`{markdown_text(label)}`" for label in trained.labels),
        "trained parameters": f"{count_parameters(trained.model):,}",
        **_scores(read_results(trained) or {}),
    }
    lines = ["---", *(f"{key}: {as_json(value)}" for key, value in header.items()), "---", ""]
    lines += [f"# {Path(name).name}", "", "| | |", "| --- | --- |"]
    lines += [f"| {key} | {value} |" for key, value in rows.items()]
    if dtype is not None:
        rounded = str(dtype).removeprefix("torch.")
        lines += ["", f"The weights are saved in {rounded}; the scores are those before rounding."]
    example = _EXAMPLE if trained.reads_prose else "\nmodel = spinn.load({name})"
    code = f"import spinn\n{example.format(name=as_json(name))}"
    lines += ["", "`config.json` has the whole configuration. Load the model with:", ""]
    return "\n".join([*lines, "```python", code, "```", ""])


def _data_name(options: CorpusOptions) -> str:
    """Return the name of the corpus, or of the training files, without their folders."""
    return ", ".join(Path(name).name for name in [options.data or "", *options.train] if name)


def _scores(results: dict[str, Any]) -> dict[str, str]:
    """Return the figures on dev and test that there are, as text."""
    figures = {
        "accuracy on": ("accuracy",),
        "F1 with the parser's trees on": ("trees", "gold", "f1"),
    }
    scores: dict[str, str] = {}
    for split in ("dev", "test"):
        for title, path in figures.items():
            value = _number(results, split, *path)
            if value is not None:
                scores[f"{title} {split}"] = f"{100 * value:.2f}%"
    return scores


def _number(values: Any, *path: str) -> float | None:
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    return values if isinstance(values, int | float) else None
