"""Runs of language models from start to end: resumed to the bit, averaged, fine-tuned."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from machine import DEVICE, EXACT
from messages import messages
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close

from spinn.evaluation import plots
from spinn.language.config import LanguageConfiguration
from spinn.language.generation import generate
from spinn.language.perplexity import text_scores
from spinn.language.pretrained import load_language_model
from spinn.support.errors import ConfigurationError, DataError, SpinnError
from spinn.training import language_run
from spinn.training.language import LanguageTask
from spinn.training.log import read_metrics
from spinn.training.loop import Interruption
from spinn.training.run_directory import RunDirectory

SMALL: dict[str, Any] = {
    "embedding_size": 6,
    "hidden_size": 8,
    "layers": 2,
    "batch_size": 4,
    "epochs": 3,
    "learning_rate": 0.02,
    "log_steps": 3,
    "threads": 1,
    "device": str(DEVICE),
    "tensorboard": False,
}
STREAMS = SMALL | {"unit": "char", "steps": 9, "dev_streams": 2}
DROPS = {
    "word_dropout": 0.1,
    "input_dropout": 0.2,
    "layer_dropout": 0.2,
    "output_dropout": 0.2,
    "weight_dropout": 0.3,
    "activation_penalty": 2.0,
    "temporal_penalty": 1.0,
}
AVERAGED = {"optimizer": "nt-asgd", "learning_rate": 0.5, "schedule": "constant"}
# After one evaluation without improvement the weights are averaged: a rate too large makes it so.
TRIGGERED = AVERAGED | {"trigger_evaluations": 1, "learning_rate": 25.0, "clip": 0.0, "epochs": 6}
RUNS: dict[str, dict[str, Any]] = {
    "streams": {**STREAMS, **DROPS, "vary_steps": True},
    "a plateau": {**STREAMS, "schedule": "plateau", "optimizer": "sgd", "cell": "gru"},
    "sentences": {**SMALL, **DROPS, "unit": "word", "layout": "sentences"},
    "averages": {**STREAMS, **DROPS, **TRIGGERED, "vary_steps": True},
    "backward": {**SMALL, "unit": "word", "direction": "backward"},
}


@pytest.fixture(autouse=True)
def _no_plot(monkeypatch):
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write sentences in which each word has few that follow it."""
    random, lines = np.random.default_rng(0), []
    for _ in range(60):
        subject = random.choice(["a dog", "the cat", "one bird"])
        verb = random.choice(["runs", "sleeps", "sings"])
        lines.append(f"{subject} {verb} .\n")
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(lines))
    return str(path)


def configured(text: str, options: dict[str, Any], **others: Any) -> LanguageConfiguration:
    return LanguageConfiguration.resolve(options, {"text": [text]}, others)


@pytest.fixture(scope="module")
def whole(text: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Train the runs above without interruption, each when it is first asked for."""
    base, done = tmp_path_factory.mktemp("whole"), {}

    def trained(name: str) -> Path:
        if name not in done:
            done[name] = base / name.replace(" ", "-")
            language_run.train_language_model(configured(text, RUNS[name]), done[name])
        return done[name]

    return trained


def stored(path: Path, which: str = "last") -> dict[str, Tensor]:
    return load_file(RunDirectory(path).checkpoint(which) / "weights.safetensors")


def figures(path: Path) -> list[dict[str, Any]]:
    lines = read_metrics(RunDirectory(path).metrics)
    return [{k: v for k, v in line.items() if k not in ("seconds", "speed")} for line in lines]


def rule(path: Path) -> dict[str, Any]:
    return RunDirectory(path).training_state()["optimizer"]["param_groups"][0]


def stop_after(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ask the run to stop in the step of a number, from 1."""
    forward, steps = LanguageTask.forward, iter(range(1, 10**6))

    def counted(task: LanguageTask, *arguments: Any) -> Any:
        if next(steps) == step:
            signal.raise_signal(signal.SIGINT)
        return forward(task, *arguments)

    monkeypatch.setattr(LanguageTask, "forward", counted)


@pytest.mark.parametrize("name", list(RUNS))
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_a_resumed_run_equals_an_uninterrupted_one(name, share, text, whole, tmp_path, monkeypatch):
    expected, path = whole(name), tmp_path / "run"
    steps = figures(expected)[-1]["step"]
    with monkeypatch.context() as patch:
        stop_after(patch, int(share * steps))
        with pytest.raises(Interruption):
            language_run.train_language_model(configured(text, RUNS[name]), path)
    language_run.resume_language_model(path)
    for which in ("last", "best"):
        one, other = stored(path, which), stored(expected, which)
        for key, value in one.items():
            if EXACT:
                assert torch.equal(value, other[key]), (which, key)
            else:
                assert_close(value, other[key], rtol=1e-3, atol=1e-4)
    if EXACT:
        assert figures(path) == figures(expected)


def test_a_run_learns_and_reports_perplexity_and_speed(whole):
    path = whole("sentences")
    lines = read_metrics(RunDirectory(path).metrics)
    dev = [line for line in lines if line["kind"] == "dev"]
    assert dev[-1]["perplexity"] < dev[0]["perplexity"] < 13
    for line in dev:
        assert line["perplexity"] == pytest.approx(np.exp(line["loss"]), rel=1e-4)
        assert line["bits"] == pytest.approx(line["loss"] / np.log(2), rel=1e-4)
    assert all(line["speed"] > 0 for line in lines if line["kind"] == "train")
    results = json.loads((path / "results.json").read_text())
    assert {"dev", "test"} <= set(results)
    assert results["dev"]["tokens"] == 30


def test_the_averages_are_saved_and_evaluated_and_the_last_weights_kept(whole):
    path = whole("averages")
    state = rule(path)
    assert state["averaging"]
    assert state["averaged"] > 0
    saved = RunDirectory(path).training_state()["optimizer"]["state"]
    weights = list(stored(path).values())
    assert len(saved) == len(weights)
    assert any(not any(torch.equal(one["average"], w) for w in weights) for one in saved.values())
    trained = load_language_model(path, "last")
    corpus = language_run.load_text(trained.configuration.data, trained.vocabulary)
    scores = text_scores(trained.model, corpus.sets["dev"].tokens, size=2)
    last = [line for line in figures(path) if line["kind"] == "dev"][-1]
    assert scores.loss == pytest.approx(last["loss"], rel=1e-4)


def test_fine_tuning_begins_with_the_averages_and_stops_by_the_rule(whole, tmp_path):
    base, path = whole("streams"), tmp_path / "fine"
    still = {"learning_rate": 1e-12, "epochs": 1, "clip": 0.0}
    language_run.finetune_language_model(base, still, path)
    plain = {"optimizer": "sgd", "epochs": 1}  # not averaged, so nothing of averaging is used
    language_run.finetune_language_model(base, plain, tmp_path / "plain")
    assert rule(path)["averaging"]
    for name, weight in stored(base, "best").items():
        assert_close(stored(path, "best")[name], weight, rtol=1e-5, atol=1e-6)
    assert load_language_model(path).configuration.optimizer.average_from == "start"
    wild = {"learning_rate": 40.0, "trigger_evaluations": 1, "epochs": 50, "clip": 0.0}
    with messages() as lines:
        language_run.finetune_language_model(base, wild, tmp_path / "wild")
    assert sum("train perplexity" in line for line in lines) < 50
    assert "The averaged weights have stopped improving on dev; stopping." in lines


def test_embeddings_of_another_model_are_not_trained(text, whole, tmp_path, monkeypatch):
    base = str(whole("sentences"))
    averages = {"optimizer": "nt-asgd", "average_from": "start"}
    options = {**RUNS["backward"], **averages, "embeddings_of": base}
    language_run.train_language_model(configured(text, options), tmp_path / "a")
    embeddings = stored(Path(base), "best")["embedding.weight"]
    assert torch.equal(stored(tmp_path / "a")["embedding.weight"], embeddings)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(Interruption):
            language_run.train_language_model(configured(text, options), tmp_path / "resumed")
    language_run.resume_language_model(tmp_path / "resumed")
    for name, weight in stored(tmp_path / "a").items():
        assert_close(stored(tmp_path / "resumed")[name], weight, rtol=1e-6, atol=1e-7)
    for wrong, message in [
        ({"embedding_size": 7}, "have width 7, those of .* 6: give --embedding-size 6"),
        ({"unit": "char"}, "is a model of words; give --unit word"),
    ]:
        with pytest.raises(ConfigurationError, match=message):
            language_run.train_language_model(configured(text, options, **wrong), tmp_path / "b")


def test_windows_scale_the_rate_of_their_step_only(text, tmp_path, monkeypatch):
    rates = []
    made = language_run.LanguageTask.make_optimizer

    def noting(task: LanguageTask) -> Any:
        optimizer = made(task)
        step = optimizer.step
        optimizer.step = lambda: (rates.append(optimizer.param_groups[0]["lr"]), step())
        return optimizer

    monkeypatch.setattr(LanguageTask, "make_optimizer", noting)
    constant = {"schedule": "constant", "learning_rate": 0.5}
    configuration = configured(
        text, STREAMS, vary_steps=True, optimizer="nt-asgd", epochs=1, **constant
    )
    language_run.train_language_model(configuration, tmp_path / "run")
    task_lengths = np.array(rates) / 0.5 * 9
    assert_close(task_lengths, task_lengths.round())
    assert len(set(rates)) > 2
    logged = {line["rate"] for line in figures(tmp_path / "run") if line["kind"] == "train"}
    assert logged == {0.5}


def test_generation_continues_the_prefix_repeatably(whole):
    trained = load_language_model(whole("sentences"))
    text = generate(trained, "a dog", length=12, seed=5)
    assert text.startswith("a dog")
    assert text == generate(trained, "a dog", length=12, seed=5)
    assert text != generate(trained, "a dog", length=12, seed=6)
    assert "<" not in generate(trained, length=300)
    greedy = generate(trained, "a", length=8, temperature=0)
    assert greedy == generate(trained, "a", length=8, temperature=1.0, top_k=1, seed=9)


def test_the_generated_distribution_is_that_of_the_model(whole):
    trained = load_language_model(whole("sentences"))
    with torch.no_grad():
        scores = trained.model.decode(trained.model(torch.tensor([[2]])).raw[-1, 0])
    scores[:2] = -torch.inf
    expected = torch.softmax(scores / 0.7, 0)
    first = [generate(trained, length=1, temperature=0.7, seed=s) for s in range(400)]
    likeliest = int(expected.argmax())
    word = trained.vocabulary.words[likeliest]
    found = sum(text.split()[:1] == [word] for text in first) / 400
    assert found == pytest.approx(float(expected[likeliest]), abs=0.08)


def test_resuming_with_another_text_is_refused(whole, text, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(whole("streams"), path)
    other = tmp_path / "other.txt"
    other.write_text(Path(text).read_text()[:-9])
    with pytest.raises(SpinnError, match=r"set is not the one that the run began with.*--text"):
        language_run.resume_language_model(path, {"text": [str(other)]})


def test_a_run_that_exists_is_not_overwritten(whole, text):
    with pytest.raises(SpinnError, match="lm train --resume"):
        language_run.train_language_model(configured(text, STREAMS), whole("streams"))


def test_weights_of_another_configuration_are_refused(whole, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(whole("streams"), path)
    values = json.loads((path / "config.json").read_text())
    values["language"]["hidden_size"] = 10**9
    (path / "config.json").write_text(json.dumps(values))
    with pytest.raises(DataError, match="belong to another configuration"):
        load_language_model(path)


def test_without_dev_the_training_text_is_evaluated(text, tmp_path):
    results = language_run.train_language_model(
        configured(text, STREAMS, split="100", epochs=1), tmp_path / "run"
    )
    assert "train" in results
    assert "dev" not in results


def test_a_base_has_the_shape_of_the_new_model(whole, text, tmp_path):
    with pytest.raises(ConfigurationError, match="--hidden-size"):
        language_run.finetune_language_model(whole("streams"), {"hidden_size": 5}, tmp_path / "run")
