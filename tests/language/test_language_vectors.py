"""Embeddings of a language model that begin with the vectors of a file."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from machine import DEVICE, EXACT
from messages import messages
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close

from spinn.commands.main import main
from spinn.evaluation import plots
from spinn.language.config import LanguageConfiguration
from spinn.language.pretrained import load_language_model
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.training import language_run
from spinn.training.language import LanguageTask
from spinn.training.loop import Interruption
from spinn.training.run_directory import RunDirectory

VECTORS = {"dog": [3.0, -4.0, 5.0], "cat": [-2.0, 6.0, 1.0], "elsewhere": [9.0, 9.0, 9.0]}


@pytest.fixture(autouse=True)
def _no_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    lines = [f"{word} {' '.join(map(str, numbers))}\n" for word, numbers in VECTORS.items()]
    path = tmp_path / "vectors.txt"
    path.write_text("".join(lines))
    return path


def configured(path: Path, **others: Any) -> LanguageConfiguration:
    text = path.parent / "text.txt"
    text.write_text("a dog sees the cat\nthe cat sees a dog\n" * 10)
    small = {
        "text": [str(text)],
        "vectors": str(path),
        "data_directory": str(path.parent),
        "embedding_size": 3,
        "layers": 1,
        "batch_size": 2,
        "steps": 5,
        "dev_streams": 1,
        "epochs": 2,
        "threads": 1,
        "device": str(DEVICE),
        "tensorboard": False,
    }
    return LanguageConfiguration.resolve({}, small, others)


def stored(path: Path) -> dict[str, Tensor]:
    return load_file(RunDirectory(path).checkpoint("last") / "weights.safetensors")


def test_embeddings_begin_with_the_vectors_and_others_are_drawn(vectors, tmp_path):
    with messages() as lines:
        language_run.train_language_model(
            configured(vectors, learning_rate=0.0, weight_decay=0.0), tmp_path / "run"
        )
    assert any(line.endswith("2 of 8 words, 33.3% of train") for line in lines)
    trained = load_language_model(tmp_path / "run")
    table = dict(zip(trained.vocabulary.words, trained.model.embedding.weight, strict=True))
    for word in ("dog", "cat"):
        assert table.pop(word).tolist() == VECTORS[word]
    drawn = torch.stack(list(table.values()))
    assert 1 < drawn.std() < 8  # that of the vectors is 4, and that without them 0.06
    assert len(drawn.unique(dim=0)) == len(drawn)


def test_they_are_trained_further_and_a_run_resumes_without_the_file(
    vectors, tmp_path, monkeypatch
):
    configuration = configured(vectors)
    language_run.train_language_model(configuration, tmp_path / "whole")
    forward, steps = LanguageTask.forward, iter(range(1, 10**6))

    def stopping(task: LanguageTask, *arguments: Any) -> Any:
        if next(steps) == 3:
            signal.raise_signal(signal.SIGINT)
        return forward(task, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(LanguageTask, "forward", stopping)
        with pytest.raises(Interruption):
            language_run.train_language_model(configuration, tmp_path / "run")
    vectors.unlink()
    shutil.rmtree(vectors.parent / "cache")
    language_run.resume_language_model(tmp_path / "run")
    for name, weight in stored(tmp_path / "whole").items():
        tolerance = 0 if EXACT else 1e-4
        assert_close(stored(tmp_path / "run")[name], weight, rtol=tolerance, atol=tolerance)
    trained = load_language_model(tmp_path / "run")
    row = trained.vocabulary.words.index("dog")
    found = trained.model.embedding.weight[row]
    assert found.tolist() != VECTORS["dog"]
    assert_close(found.detach(), torch.tensor(VECTORS["dog"]), rtol=0, atol=0.2)
    # Fine-tuning begins with the trained embeddings.
    options = {"learning_rate": 0.0, "epochs": 1, "weight_decay": 0.0}
    language_run.finetune_language_model(tmp_path / "run", options, tmp_path / "fine")
    fine = load_language_model(tmp_path / "fine").model.embedding.weight
    assert torch.equal(fine, trained.model.embedding.weight)


def test_vectors_that_do_not_fit_are_refused(vectors, tmp_path):
    for others, message in [
        ({"embedding_size": 4}, "of .* 3: give --embedding-size 3"),
        ({"vectors": str(tmp_path / "none.txt")}, "none.txt"),
    ]:
        with pytest.raises(SpinnError, match=message):
            language_run.train_language_model(configured(vectors, **others), tmp_path / "run")
    vectors.write_text("DOG 1 2 3\n")
    with pytest.raises(ConfigurationError, match="has a vector of no word of the text"):
        language_run.train_language_model(configured(vectors), tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize("others", [{"unit": "char"}, {"embeddings_of": "RUN"}])
def test_vectors_are_those_of_words_and_not_those_of_another_model(vectors, others):
    with pytest.raises(ConfigurationError, match="--vectors does nothing here; it belongs to"):
        configured(vectors, **others)


def test_models_over_fragments_have_none(vectors, capsys):
    arguments = ["lm", "train", "--unit", "fragment", "--train", "trees.txt"]
    assert main([*arguments, "--vectors", str(vectors)]) == 2
    assert "--vectors does nothing here; it belongs to models of text." in capsys.readouterr().err
