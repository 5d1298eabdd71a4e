"""Runs of language models over fragments, from start to end and resumed."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from labelled_trees import PROGRAM, SENTENCES
from machine import DEVICE, EXACT
from safetensors.torch import load_file

from spinn import load
from spinn.data.fragments.corpus import load_fragments
from spinn.evaluation import plots
from spinn.language.fragments import (
    FragmentConfiguration,
    fragment_scores,
    is_fragment_model,
    load_fragment_model,
    read_fragment_configuration,
)
from spinn.support.errors import ConfigurationError, DataError, SpinnError
from spinn.training import fragment_run
from spinn.training.fragments import FragmentTask
from spinn.training.log import read_metrics
from spinn.training.loop import Interruption
from spinn.training.run_directory import RunDirectory

SMALL: dict[str, Any] = {
    "minimum_count": 2,
    "embedding_size": 6,
    "type_size": 3,
    "hidden_size": 8,
    "layers": 2,
    "batch_size": 2,
    "epochs": 3,
    "learning_rate": 0.02,
    "log_steps": 2,
    "type_loss": 0.5,
    "threads": 1,
    "device": str(DEVICE),
    "tensorboard": False,
}


@pytest.fixture(autouse=True)
def _no_plot(monkeypatch):
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write sentences that differ in a word."""
    path = tmp_path_factory.mktemp("trees") / "trees.txt"
    words = ("dog", "cat", "bird")
    path.write_text("\n".join(one.replace("dog", word) for one in SENTENCES for word in words))
    return str(path)


def configured(trees: str, **others: Any) -> FragmentConfiguration:
    return FragmentConfiguration.resolve(SMALL, {"train": [trees]}, others)


@pytest.fixture(scope="module")
def run(trees: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a model."""
    path = tmp_path_factory.mktemp("run") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "plot_learning_curve", lambda *arguments: None)
        fragment_run.train_fragment_model(configured(trees), path)
    return path


def test_results_are_those_of_the_best_weights_on_sets_that_were_not_trained_on(run):
    trained = load_fragment_model(run)
    results = json.loads((run / "results.json").read_text())
    corpus = load_fragments(trained.configuration.data, trained.vocabulary)
    assert results.keys() >= {"form", "best_epoch", "seconds", "weights", "dev", "test"}
    assert "train" not in results
    for split in ("dev", "test"):
        scores = fragment_scores(trained.model.to(DEVICE), corpus.sets[split])
        assert results[split]["loss"] == pytest.approx(scores.loss, rel=1e-5)
        assert results[split]["fragments"] == scores.tokens == len(corpus.sets[split].fragments)
    lines = read_metrics(run / "metrics.jsonl")
    assert {line["kind"] for line in lines} == {"train", "dev"}
    assert all("type_loss" in line for line in lines if line["kind"] == "train")


def test_perplexity_does_not_depend_on_the_batch_size(run):
    trained = load_fragment_model(run)
    dataset = load_fragments(trained.configuration.data, trained.vocabulary).sets["train"]
    losses = [fragment_scores(trained.model, dataset, batch_size=size).loss for size in (1, 3, 99)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-6)


def stop_after(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ask the run to stop in the step of a number, from 1."""
    forward, steps = FragmentTask.forward, iter(range(1, 10**6))

    def counted(task: FragmentTask, *arguments: Any) -> Any:
        if next(steps) == step:
            signal.raise_signal(signal.SIGINT)
        return forward(task, *arguments)

    monkeypatch.setattr(FragmentTask, "forward", counted)


@pytest.mark.parametrize("step", [2, 6])
def test_a_resumed_run_equals_an_uninterrupted_one(step, trees, run, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, step)
        with pytest.raises(Interruption):
            fragment_run.train_fragment_model(configured(trees), tmp_path / "run")
    fragment_run.resume_fragment_model(tmp_path / "run")
    for which in ("last", "best"):
        one, other = (
            load_file(RunDirectory(path).checkpoint(which) / "weights.safetensors")
            for path in (tmp_path / "run", run)
        )
        for name, value in one.items():
            if EXACT:
                assert torch.equal(value, other[name])
            else:
                torch.testing.assert_close(value, other[name], rtol=1e-3, atol=1e-4)


def test_other_trees_are_refused_when_a_run_is_resumed(trees, run, tmp_path):
    fewer = tmp_path / "fewer.txt"
    fewer.write_text("\n".join(SENTENCES))
    with pytest.raises(SpinnError, match="the train set is not the one"):
        fragment_run.resume_fragment_model(run, {"train": [str(fewer)]})


def test_the_run_is_no_model_of_pairs_and_says_what_it_is(run):
    assert is_fragment_model(run)
    with pytest.raises(SpinnError, match="language model; use it with `spinn lm`"):
        load(run)


@pytest.mark.parametrize(
    ("name", "change", "cause"),
    [
        ("config.json", ('"hidden_size": 8', '"hidden_size": 9'), "belong to another config"),
        ("config.json", ('"hidden_size": 8', '"hidden_size": 0'), "must be at least 1"),
        ("config.json", ('"layers"', '"lairs"'), "no option called 'lairs'"),
        ("vocabulary.json", ('"lowercase": true', '"lowercase": 1'), "is not true or false"),
        ("vocabulary.json", ('"types": [', '"types": ["new", '), "cannot be read|another config"),
        ("vocabulary.json", ("{", "["), "cannot be read"),
    ],
)
def test_damaged_folders_are_refused(name, change, cause, run, tmp_path):
    for path in run.rglob("*.*"):
        copy = tmp_path / path.relative_to(run)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            copy.write_bytes(path.read_bytes())
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text.replace(*change, 1))
    assert (tmp_path / name).read_text() != text
    with pytest.raises((DataError, ConfigurationError), match=cause):
        load_fragment_model(tmp_path)


def test_a_model_does_not_need_its_files(tmp_path):
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "a.py").write_text(PROGRAM)
    configuration = configured(str(tmp_path / "programs"), epochs=1)
    fragment_run.train_fragment_model(configuration, tmp_path / "run")
    (tmp_path / "programs" / "a.py").unlink()
    (tmp_path / "programs").rmdir()
    trained = load_fragment_model(tmp_path / "run")
    assert trained.writes_programs
    with pytest.raises(DataError, match="no such file"):
        load_fragments(trained.configuration.data, trained.vocabulary)


def test_options_without_effect_and_unknown_ones_are_refused(trees, run):
    assert read_fragment_configuration(run) == configured(trees)
    with pytest.raises(ConfigurationError, match="--momentum does nothing"):
        configured(trees, momentum=0.5)
    with pytest.raises(ConfigurationError, match="no option called 'cell'"):
        configured(trees, cell="gru")
    with pytest.raises(ConfigurationError, match="--unit cannot be 'word'"):
        configured(trees, unit="word")
