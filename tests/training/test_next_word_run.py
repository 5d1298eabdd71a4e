"""Runs with the loss of the next word: it falls, they resume, and test sets change nothing."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from machine import EXACT
from messages import messages
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close
from toys import FORMS, SMALL, WORDS, small_configuration

from spinn.config import resolve
from spinn.evaluation import plots
from spinn.pretrained import load_trained
from spinn.training import run
from spinn.training.log import read_metrics
from spinn.training.loop import Interruption
from spinn.training.pairs import PairTask
from spinn.training.run_directory import RunDirectory

LEAVES = {"leaf_context": "lstm", "language_weight": 0.5}


@pytest.fixture(autouse=True)
def _no_plot(monkeypatch):
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)


def stored(path: Path) -> dict[str, Tensor]:
    return load_file(RunDirectory.open(path).checkpoint("last") / "weights.safetensors")


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        if EXACT:
            assert torch.equal(value, other[name]), name
        else:
            assert_close(value, other[name], rtol=1e-3, atol=1e-4, msg=name)


def test_the_loss_falls_where_each_word_tells_the_next(tmp_path):
    random = np.random.default_rng(0)
    for split, count in (("train", 60), ("dev", 10)):
        rows = []
        for start, length in random.integers((0, 3), (12, 7), size=(count, 2)).tolist():
            words = " ".join(WORDS[(start + place) % 12] for place in range(length))
            rows.append({"gold_label": "neutral", "sentence1": words, "sentence2": words})
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{split}.jsonl").write_text(text)
    options = {**LEAVES, "encoder": "bow", "epochs": 12, "learning_rate": 0.03}
    with messages() as lines:
        run.train(small_configuration(tmp_path, **options), tmp_path / "run")
    lines_of_metrics = read_metrics(RunDirectory.open(tmp_path / "run").metrics)
    figures = [line["language"] for line in lines_of_metrics if "language" in line]
    assert figures[0] > 2
    assert figures[-1] < 1
    assert any(" language " in line for line in lines if line.startswith("epoch 1/12: train"))


RESUMED: dict[str, dict[str, Any]] = {
    "encoder": {"encoder": "lstm", "language_weight": 0.5},
    "REINFORCE": {**FORMS["RL-SPINN"], **LEAVES, "baseline": "mean", "samples": 2},
}


@pytest.mark.parametrize("name", list(RESUMED))
def test_a_run_is_resumed_as_if_it_had_not_stopped(toy_folder, tmp_path, monkeypatch, name):
    configuration = small_configuration(toy_folder, **RESUMED[name])
    run.train(configuration, tmp_path / "whole")
    forward, steps = PairTask.forward, iter(range(1, 10**6))

    def stopping(task: PairTask, *arguments: Any) -> Any:
        if next(steps) == 4:
            signal.raise_signal(signal.SIGINT)
        return forward(task, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(PairTask, "forward", stopping)
        with pytest.raises(Interruption):
            run.train(configuration, tmp_path / "run")
    state = RunDirectory.open(tmp_path / "run").training_state()
    assert {"next_word.bias", "next_word.map.weight"} <= state["objective"].keys()
    run.resume(tmp_path / "run")
    assert_same(stored(tmp_path / "run"), stored(tmp_path / "whole"))
    one, other = (RunDirectory.open(tmp_path / n).training_state() for n in ("run", "whole"))
    assert_same(one["objective"], other["objective"])
    # The model is complete without the weights of the loss.
    trained = load_trained(tmp_path / "run")
    assert not any("next_word" in weight for weight in trained.model.state_dict())


def test_words_that_only_test_sets_have_change_nothing(toy_folder, tmp_path):
    vectors = tmp_path / "vectors.txt"
    random = np.random.default_rng(0)
    names = [*WORDS, "surely", "maybe", "never", "elsewhere"]
    lines = [f"{name} {' '.join(map(str, random.normal(size=6)))}\n" for name in names]
    vectors.write_text("".join(lines))
    found = []
    for name in ("with", "without"):
        folder = Path(shutil.copytree(toy_folder, tmp_path / name))
        if name == "with":
            text = (folder / "test.jsonl").read_text()
            (folder / "test.jsonl").write_text(text.replace("word3", "elsewhere"))
        options = {"vectors": str(vectors), "data": str(folder), **LEAVES}
        options["data_directory"] = str(tmp_path)  # which gets a binary copy of the vectors
        own = {key: value for key, value in SMALL.items() if key != "embedding_size"}
        run.train(resolve(own, options), tmp_path / f"run-{name}")
        weights = stored(tmp_path / f"run-{name}")
        del weights["leaves.embedding.trained_rows"]
        words = load_trained(tmp_path / f"run-{name}").vocabulary.words
        found.append((weights.pop("leaves.embedding.trained"), words, weights))
    (table, words, weights), (other, others, other_weights) = found
    assert words == [*others, "elsewhere"]
    assert torch.equal(table[:-1], other)
    assert_same(weights, other_weights)
