"""Models with random weights that the tests serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the page requires fastapi")
pytest.importorskip("uvicorn", reason="the page requires uvicorn")

TRACKER = {"tracker": True, "tracker_size": 4, "trees": "predicted"}
FORMS: dict[str, dict[str, Any]] = {
    "spinn": TRACKER,
    "other": {**TRACKER, "hidden_size": 6},
    "given": {},
    "lstm": {"encoder": "lstm"},
}


def trained_model(folder: Path, **options: Any) -> Any:
    import torch
    from toys import small_configuration, small_model

    from spinn.data.prepare import load_corpus
    from spinn.pretrained import TrainedModel

    configuration = small_configuration(folder, device="cpu", **options)
    corpus = load_corpus(configuration.data)
    torch.manual_seed(7)
    model = small_model(configuration, corpus).to("cpu").eval()
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight *= 4
    return TrainedModel(model, configuration, corpus.vocabulary, corpus.labels, corpus.format)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Serve three models of pairs, one without trees, and one of single sentences."""
    from toys import write_corpus, write_expressions

    from spinn.predictor import Predictor
    from spinn.serve.served import ServedModel

    pairs = write_corpus(tmp_path_factory.mktemp("pairs"))
    expressions = write_expressions(tmp_path_factory.mktemp("expressions"))
    trained = {name: trained_model(pairs, **options) for name, options in FORMS.items()}
    trained["expressions"] = trained_model(expressions, **TRACKER)
    return {name: ServedModel(name, Predictor(one)) for name, one in trained.items()}
