"""Runs from start to end: resumed to the bit, stopped, diverged, and what they leave on disk."""

from __future__ import annotations

import json
import logging
import math
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from machine import DEVICE, EXACT, alike
from messages import messages
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor
from toys import FORMS, SMALL, small_configuration, write_corpus, write_expressions

from spinn.config import Configuration, resolve
from spinn.data.batching import Batch, Batcher
from spinn.data.options import CorpusOptions, VectorOptions
from spinn.data.prepare import load_corpus
from spinn.evaluation import plots
from spinn.evaluation.evaluate import evaluate
from spinn.inference import Inference
from spinn.learning.schedules import LearningRate
from spinn.pretrained import Interface, load_trained
from spinn.support import tensor_files
from spinn.support.errors import ConfigurationError, DataError, SpinnError
from spinn.training import pairs, run
from spinn.training.log import Log, read_metrics
from spinn.training.loggers import LOGGERS, Evaluated, Figures, Logger
from spinn.training.loop import Interruption, Trainer
from spinn.training.pairs import PairTask
from spinn.training.run_directory import RunDirectory
from spinn.transitions import Transition, check
from spinn.trees import tree_source

BATCHES = 6  # of the toy's 44 pairs, 8 in a batch
DROPOUT = {"embedding_dropout": 0.3, "leaf_dropout": 0.2, "classifier_dropout": 0.2}
# Runs in which everything is drawn that can be, so that a resumed run has much to get wrong.
RESUMED: dict[str, dict[str, Any]] = {
    "random trees": {"trees": "random", **DROPOUT, "schedule": "plateau"},
    "running mean": {**FORMS["RL-SPINN"], **DROPOUT, "baseline": "mean", "samples": 2},
    "scheduled sampling": {**FORMS["SPINN"], "scheduled_sampling": 0.8, "optimizer": "sgd"},
    "PPO": {**FORMS["RL-SPINN"], **DROPOUT, "policy_updates": 3, "entropy_weight": 0.1},
    "PPO of a parser": {
        **FORMS["RL-SPINN"],
        **DROPOUT,
        "tracker": False,
        "parser": "own",
        "parser_size": 5,
        "leaf_norm": "batch",
        "baseline": "leave-one-out",
        "samples": 2,
        "policy_updates": 3,
        "policy_learning_rate": 0.02,
    },
    "a parser that is kept": {
        **FORMS["RL-SPINN"],
        **DROPOUT,
        "tracker": False,
        "parser": "own",
        "parser_size": 5,
        "policy_updates": 2,
        "policy_epochs": 1,
        "weight_decay": 0.1,
    },
    "policy at its own rate": {
        **FORMS["RL-SPINN"],
        "policy_learning_rate": 0.02,
        "classifier_norm": "batch",
        "optimizer": "rmsprop",
    },
    "gumbel": {**FORMS["Gumbel Tree-LSTM"], **DROPOUT, "temperature_end": 0.3, "pooling": "max"},
}


plot_learning_curve = plots.plot_learning_curve


@pytest.fixture(autouse=True)
def _no_plot(monkeypatch):
    """Leave out the plot, which takes longer than the run; one test wants it."""
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)


@pytest.fixture(scope="module")
def whole(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Train the runs above without interruption, each when it is first asked for."""
    base, done = tmp_path_factory.mktemp("whole"), {}

    def trained(name: str) -> Path:
        if name not in done:
            done[name] = base / name.replace(" ", "-")
            run.train(small_configuration(toy_folder, **RESUMED[name]), done[name])
        return done[name]

    return trained


def stored(path: Path, which: str = "last") -> dict[str, Tensor]:
    return load_file(RunDirectory.open(path).checkpoint(which) / "weights.safetensors")


def figures(path: Path) -> list[dict[str, Any]]:
    """Read the metrics, without what a clock measured."""
    lines = read_metrics(RunDirectory.open(path).metrics)
    return [{k: v for k, v in line.items() if k not in ("seconds", "speed")} for line in lines]


def results(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((path / "results.json").read_text())
    del content["seconds"]
    return content


def same_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)


def assert_same_run(one: Path, other: Path) -> None:
    """Compare two runs: to the bit on the CPU, and within rounding on a GPU."""
    for which in ("last", "best"):
        assert same_weights(stored(one, which), stored(other, which)), which
    lines, other_lines = figures(one), figures(other)
    found, expected = results(one), results(other)
    if EXACT:
        assert lines == other_lines
        assert found == expected
        return
    for line, other_line in zip(lines, other_lines, strict=True):
        assert line.pop("kind") == other_line.pop("kind")
        assert line == pytest.approx(other_line, rel=1e-4, abs=1e-5)
    for split in ("dev", "test"):
        assert found[split]["loss"] == pytest.approx(expected[split]["loss"], rel=1e-4)


@contextmanager
def at_step(monkeypatch: pytest.MonkeyPatch, step: int, act: Callable[[], Any]) -> Iterator[None]:
    """Do something while the ``step``-th step from here (from 1) is being made."""
    made, forward = 0, PairTask.forward

    def counted(self: PairTask, *arguments: Any) -> Any:
        nonlocal made
        made += 1
        if made == step:
            act()
        return forward(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(PairTask, "forward", counted)
        yield


def stop() -> None:
    signal.raise_signal(signal.SIGINT)


# Resuming.


@pytest.mark.parametrize(
    ("name", "step"),
    [
        *(("random trees", step) for step in (1, 3, BATCHES, 8, 2 * BATCHES)),
        *(("running mean", step) for step in (4, 9)),
        *(("scheduled sampling", step) for step in (2, BATCHES)),
        ("PPO", 4),
        *(("PPO of a parser", step) for step in (2, 9)),
        *(("a parser that is kept", step) for step in (4, BATCHES, 8)),
        *(("policy at its own rate", step) for step in (5, 8)),
        *(("gumbel", step) for step in (3, 8)),
    ],
)
def test_a_run_stopped_at_a_step_goes_on_to_the_same_end(
    toy_folder, tmp_path, monkeypatch, whole, name, step
):
    path = tmp_path / "run"
    with (
        at_step(monkeypatch, step, stop),
        pytest.raises(Interruption),
    ):
        run.train(small_configuration(toy_folder, **RESUMED[name]), path)
    assert RunDirectory.open(path).training_state()["progress"]["step"] == step
    assert not (path / "results.json").exists()
    torch.manual_seed(999)  # another process would be in another state
    run.resume(path)
    assert_same_run(path, whole(name))


@pytest.mark.parametrize("name", ["random trees", "running mean"])
def test_a_run_stopped_between_epochs_goes_on_to_the_same_end(toy_folder, tmp_path, whole, name):
    path = tmp_path / "run"

    def stop_after_evaluation(line: str) -> None:
        if line.startswith("epoch 1/2: train"):
            stop()

    with pytest.raises(Interruption), messages(stop_after_evaluation):
        run.train(small_configuration(toy_folder, **RESUMED[name]), path)
    state = RunDirectory.open(path).training_state()["progress"]
    assert (state["epoch"], state["batch"]) == (1, 0)
    run.resume(path)
    assert_same_run(path, whole(name))


@pytest.mark.parametrize("name", RESUMED)
def test_runs_on_single_sentences_go_on_to_the_same_end(
    toy_expressions, tmp_path, monkeypatch, name
):
    configuration = small_configuration(toy_expressions, **RESUMED[name])
    run.train(configuration, tmp_path / "whole")
    with at_step(monkeypatch, 7, stop), pytest.raises(Interruption):
        run.train(configuration, tmp_path / "run")
    run.resume(tmp_path / "run")
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_a_run_can_be_stopped_again_and_again(toy_folder, tmp_path, monkeypatch, whole):
    path, name = tmp_path / "run", "running mean"
    with at_step(monkeypatch, 2, stop), pytest.raises(Interruption):
        run.train(small_configuration(toy_folder, **RESUMED[name]), path)
    for further in (1, 3, 5):
        with at_step(monkeypatch, further, stop), pytest.raises(Interruption):
            run.resume(path)
    run.resume(path)
    assert_same_run(path, whole(name))


def test_a_run_killed_in_a_step_goes_on_from_its_last_checkpoint(
    toy_folder, tmp_path, monkeypatch, caplog
):
    """Metrics written after that checkpoint are written again, not twice."""
    options = {**RESUMED["random trees"], "checkpoint_steps": 4, "log_steps": 1}
    configuration = small_configuration(toy_folder, **options)
    run.train(configuration, tmp_path / "whole")

    def power_cut() -> None:
        raise MemoryError

    path = tmp_path / "run"
    with at_step(monkeypatch, 12, power_cut), pytest.raises(MemoryError):
        run.train(configuration, path)
    assert [line["step"] for line in figures(path)][-3:] == [9, 10, 11]
    with open(path / "metrics.jsonl", "a", encoding="utf-8") as stream:
        stream.write('{"kind": "train", "epo')  # the line it was writing
    with caplog.at_level(logging.INFO, "spinn"):
        run.resume(path)
    assert f"Resuming {path} at epoch 2, batch 3." in caplog.messages
    assert_same_run(path, tmp_path / "whole")


def test_an_evaluation_without_its_checkpoint_is_not_logged_twice(
    toy_folder, tmp_path, monkeypatch
):
    """The last step of the epoch has a checkpoint, and the process is killed after evaluating."""
    options = {**RESUMED["random trees"], "checkpoint_steps": BATCHES}
    configuration = small_configuration(toy_folder, **options)
    run.train(configuration, tmp_path / "whole")
    path, save = tmp_path / "run", RunDirectory.save

    def power_cut(self: RunDirectory, step: int, *arguments: Any, **keywords: Any) -> None:
        if (self.path / "checkpoints.json").exists():
            raise MemoryError
        save(self, step, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "save", power_cut)
        with pytest.raises(MemoryError):
            run.train(configuration, path)
    assert figures(path)[-1]["kind"] == "dev"
    run.resume(path)
    assert_same_run(path, tmp_path / "whole")


def test_resuming_a_finished_run_only_tests_it_again(tmp_path, whole):
    path = Path(shutil.copytree(whole("random trees"), tmp_path / "run"))
    run.resume(path)
    assert_same_run(path, whole("random trees"))


def test_a_run_from_a_machine_without_a_gpu_goes_on_with_one(toy_folder, tmp_path, monkeypatch):
    path, configuration = tmp_path / "run", small_configuration(toy_folder, device="cpu")
    with at_step(monkeypatch, 2, stop), pytest.raises(Interruption):
        run.train(configuration, path)
    corpus = load_corpus(configuration.data)
    opened = RunDirectory.open(path)
    task = PairTask(configuration, corpus, load_trained(path, "last").model)
    trainer = Trainer(task, configuration.training, configuration.schedule, opened, Log([]))
    trainer.state.device = torch.device("cuda")
    seeds: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed", seeds.append)
    trainer.resume()
    assert trainer.progress.step == 2
    assert seeds == [configuration.training.seed]


def test_resuming_a_run_with_changed_training_files_is_refused(tmp_path, monkeypatch):
    folder, path = write_corpus(tmp_path / "corpus"), tmp_path / "run"
    with at_step(monkeypatch, 2, stop), pytest.raises(Interruption):
        run.train(small_configuration(folder), path)
    text = (folder / "train.jsonl").read_text().replace("word3", "novel")
    (folder / "train.jsonl").write_text(text)
    with pytest.raises(SpinnError, match="vocabulary is not that of the training files"):
        run.resume(path)


@pytest.mark.parametrize(
    ("group", "options"),
    [
        ("model", {"hidden_size": 16}),
        ("reinforce", {"baseline": "greedy"}),
        ("reinforce", {"policy_learning_rate": 0.5}),
    ],
)
def test_resuming_with_an_edited_configuration_is_refused_in_one_line(
    tmp_path, whole, group, options
):
    path = Path(shutil.copytree(whole("running mean"), tmp_path / "run"))
    content = json.loads((path / "config.json").read_text())
    content[group] |= options
    (path / "config.json").write_text(json.dumps(content))
    with pytest.raises(SpinnError, match=r"config\.json"):
        run.resume(path)


def test_resuming_without_a_checkpoint_or_a_run_says_so(toy_folder, tmp_path):
    with pytest.raises(SpinnError, match="this is no run"):
        run.resume(tmp_path)
    configuration = small_configuration(toy_folder)
    corpus = load_corpus(configuration.data)
    path = tmp_path / "run"
    RunDirectory.create(
        path, configuration, Interface(corpus.vocabulary, corpus.labels, corpus.kind)
    )
    with pytest.raises(SpinnError, match="no last checkpoint yet"):
        run.resume(path)


def test_resuming_from_a_damaged_checkpoint_names_the_file(tmp_path, whole):
    path = Path(shutil.copytree(whole("random trees"), tmp_path / "run"))
    state = RunDirectory.open(path).checkpoint("last") / "training.pt"
    state.write_bytes(state.read_bytes()[:200])
    with pytest.raises(DataError, match=r"training\.pt: it cannot be read"):
        run.resume(path)


# Stopping.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_after_the_step_and_is_given_back(
    toy_folder, tmp_path, monkeypatch, caplog, number
):
    before = signal.getsignal(number)
    path = tmp_path / "run"
    with (
        caplog.at_level(logging.INFO, "spinn"),
        at_step(monkeypatch, 2, lambda: signal.raise_signal(number)),
        pytest.raises(Interruption) as caught,
    ):
        run.train(small_configuration(toy_folder), path)
    assert signal.getsignal(number) is before
    assert str(caught.value) == str(path)
    assert RunDirectory.open(path).training_state()["progress"]["step"] == 2
    assert "Stopping after this step; press Ctrl-C again to stop without saving." in caplog.messages


def test_a_closed_terminal_that_sends_several_signals_still_saves(
    toy_folder, tmp_path, monkeypatch
):
    def close() -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGHUP):
            signal.raise_signal(number)

    path = tmp_path / "run"
    with at_step(monkeypatch, 2, close), pytest.raises(Interruption):
        run.train(small_configuration(toy_folder), path)
    assert RunDirectory.open(path).training_state()["progress"]["step"] == 2


def test_a_second_signal_ends_the_run_at_once(toy_folder, tmp_path, monkeypatch):
    def stop_twice() -> None:
        stop()
        stop()

    path = tmp_path / "run"
    with at_step(monkeypatch, 2, stop_twice), pytest.raises(KeyboardInterrupt):
        run.train(small_configuration(toy_folder), path)
    with pytest.raises(SpinnError, match="no last checkpoint"):
        RunDirectory.open(path).checkpoint("last")


def test_a_signal_in_the_last_evaluation_leaves_nothing_to_resume(toy_folder, tmp_path):
    def stop_at_the_end(line: str) -> None:
        if line.startswith("epoch 2/2: train"):
            stop()

    with messages(stop_at_the_end):
        run.train(small_configuration(toy_folder), tmp_path / "run")
    assert results(tmp_path / "run")["test"]["count"] == 20


def test_training_works_in_a_thread_that_may_not_handle_signals(toy_folder, tmp_path):
    path = tmp_path / "run"
    arguments = (small_configuration(toy_folder, epochs=1), path)
    thread = threading.Thread(target=run.train, args=arguments)
    thread.start()
    thread.join()
    assert results(path)["best_epoch"] == 1


# Seeds.


@pytest.mark.parametrize("name", ["random trees", "running mean"])
def test_the_seed_decides_all_numbers(toy_folder, tmp_path, whole, name):
    torch.manual_seed(12345)  # what was drawn before must not matter
    for label, seed in (("same", 1), ("other", 2)):
        configuration = small_configuration(toy_folder, **RESUMED[name], seed=seed)
        run.train(configuration, tmp_path / label)
    assert_same_run(tmp_path / "same", whole(name))
    assert not same_weights(stored(tmp_path / "other"), stored(whole(name)))
    assert figures(tmp_path / "other") != figures(whole(name))


# What a run leaves.


def test_a_run_that_is_there_is_refused_and_left_as_it_was(toy_folder, whole):
    path = whole("random trees")

    def times() -> dict[Path, int]:
        files = (file for file in path.rglob("*") if file.name != ".lock")
        return {file: file.stat().st_mtime_ns for file in files}

    before = times()
    with pytest.raises(SpinnError, match="there is a run here already"):
        run.train(small_configuration(toy_folder), path)
    assert times() == before


def test_only_the_named_checkpoints_are_kept(toy_folder, tmp_path):
    path = tmp_path / "run"
    run.train(small_configuration(toy_folder, checkpoint_steps=2, epochs=3), path)
    named = json.loads((path / "checkpoints.json").read_text())
    assert named["last"].startswith(f"step-{3 * BATCHES:08d}")
    assert set(named) == {"best", "last"}
    kept = {folder.name for folder in (path / "checkpoints").iterdir()}
    assert kept == set(named.values())


def fake_accuracies(monkeypatch: pytest.MonkeyPatch, *accuracies: float) -> None:
    """Let the dev evaluations after each epoch report these accuracies."""
    left = list(accuracies)

    def told(*arguments: Any, **keywords: Any) -> Any:
        evaluation = evaluate(*arguments, **keywords)
        kind = type("Report", (type(evaluation.report),), {"accuracy": left.pop(0)})
        report = kind(evaluation.report.labels)
        vars(report).update(vars(evaluation.report))
        return replace(evaluation, report=report)

    monkeypatch.setattr(pairs, "evaluate", told)


def test_the_best_model_is_the_one_that_is_tested(toy_folder, tmp_path, monkeypatch):
    fake_accuracies(monkeypatch, 0.5, 0.7, 0.6, 0.7)
    path = tmp_path / "run"
    configuration = small_configuration(toy_folder, epochs=4, learning_rate=0.05)
    returned = run.train(configuration, path)
    assert RunDirectory.open(path).checkpoint("best").name == f"step-{2 * BATCHES:08d}"
    assert not same_weights(stored(path, "best"), stored(path, "last"))
    assert returned["best_epoch"] == 2  # the first of the two that are equally good
    dev_lines = [line for line in figures(path) if line["kind"] == "dev"]
    assert returned["dev"]["loss"] == pytest.approx(dev_lines[1]["loss"], abs=1e-6)
    losses = [line["loss"] for line in dev_lines]
    assert len(set(losses)) == len(losses)
    assert json.loads((path / "results.json").read_text()) == returned
    corpus = load_corpus(configuration.data)
    model = load_trained(path).model.to(DEVICE)
    again = evaluate(model, corpus.sets["test"], corpus.labels, configuration.source)
    assert returned["test"]["loss"] == pytest.approx(again.report.loss, rel=1e-5)


def test_patience_ends_a_run_that_no_longer_gets_better(toy_folder, tmp_path, monkeypatch, caplog):
    fake_accuracies(monkeypatch, 0.3, 0.5, 0.5, 0.4, 0.9)
    configuration = small_configuration(toy_folder, epochs=9, patience=2)
    with caplog.at_level(logging.INFO, "spinn"):
        returned = run.train(configuration, tmp_path / "run")
    assert returned["best_epoch"] == 2
    assert sum(line["kind"] == "dev" for line in figures(tmp_path / "run")) == 4
    assert "No better result on dev for 2 epochs; stopping early." in caplog.messages


def test_a_run_that_was_out_of_patience_does_not_go_on_when_resumed(
    toy_folder, tmp_path, monkeypatch
):
    fake_accuracies(monkeypatch, 0.5, 0.4, 0.9)
    path = tmp_path / "run"
    run.train(small_configuration(toy_folder, epochs=9, patience=1), path)
    before = figures(path)
    run.resume(path)
    assert figures(path) == before


def test_plateau_schedule_remembers_its_decays_when_resumed(toy_folder, tmp_path, monkeypatch):
    options = {"epochs": 4, "schedule": "plateau", "decay": 0.5, "log_steps": BATCHES}
    configuration = small_configuration(toy_folder, **options)
    fake_accuracies(monkeypatch, 0.5, 0.4, 0.6, 0.6)
    run.train(configuration, tmp_path / "whole")
    rates = [line["rate"] for line in figures(tmp_path / "whole") if line["kind"] == "train"]
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.005])
    path = tmp_path / "run"
    fake_accuracies(monkeypatch, 0.5, 0.4, 0.6, 0.6)
    with at_step(monkeypatch, 2 * BATCHES + 2, stop), pytest.raises(Interruption):
        run.train(configuration, path)
    run.resume(path)
    assert_same_run(path, tmp_path / "whole")


def test_metrics_tell_what_happened(toy_folder, tmp_path):
    path = tmp_path / "run"
    configuration = small_configuration(toy_folder, log_steps=4, schedule="cosine", warmup=0.3)
    run.train(configuration, path)
    lines = read_metrics(RunDirectory.open(path).metrics)
    assert [(line["kind"], line["step"]) for line in lines] == [
        ("train", 4),
        ("train", 6),
        ("dev", 6),
        ("train", 8),
        ("train", 12),
        ("dev", 12),
    ]
    assert [line["epoch"] for line in lines] == pytest.approx([4 / 6, 1, 1, 8 / 6, 2, 2], abs=1e-5)
    schedule = LearningRate(configuration.schedule, 2 * BATCHES)
    for line in lines:
        if line["kind"] == "train":
            assert line["rate"] == pytest.approx(0.01 * schedule.share(line["step"] - 1), abs=1e-6)
            assert line["speed"] > 0
    assert all(0 <= line["accuracy"] <= 1 and line["loss"] > 0 for line in lines)
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)


def test_a_run_without_a_test_set_is_measured_on_dev_alone(tmp_path):
    folder = write_corpus(tmp_path / "corpus")
    (folder / "test.jsonl").unlink()
    assert "test" not in run.train(small_configuration(folder), tmp_path / "run")


def test_a_run_without_a_dev_set_is_refused(tmp_path):
    folder = write_corpus(tmp_path / "corpus")
    (folder / "dev.jsonl").unlink()
    with pytest.raises(ConfigurationError, match="There is no dev set; name its files with --dev"):
        run.train(small_configuration(folder), tmp_path / "run")


def test_symmetries_of_labels_that_have_none_are_refused_before_training(toy_folder, tmp_path):
    with pytest.raises(ConfigurationError, match="--symmetries is for logic"):
        run.train(small_configuration(toy_folder, symmetries=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_plot_and_tensorboard_logs_are_left(toy_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "plot_learning_curve", plot_learning_curve)
    path = tmp_path / "run"
    run.train(small_configuration(toy_folder, epochs=1, tensorboard=True), path)
    assert (path / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    (logs,) = (path / "tensorboard").iterdir()
    found = EventAccumulator(str(logs), {"tensors": 0, "images": 0}).Reload()
    assert {"loss/dev", "accuracy/train", "score/best"} <= set(found.Tags()["scalars"])
    assert len(found.Images("confusion/dev")) == 1
    assert "trees/dev/text_summary" in found.Tags()["tensors"]
    assert b"hidden_size" in logs.read_bytes()  # the hyperparameters


def test_registered_loggers_receive_what_the_metrics_file_has(toy_folder, tmp_path, monkeypatch):
    received: dict[str, list[Any]] = {"made": [], "write": [], "evaluated": [], "ended": []}

    class Listing(Logger):
        def __init__(self, opened: RunDirectory, configuration: Configuration) -> None:
            received["made"].append((opened.path, configuration.training.seed))

        def write(self, kind: str, step: int, figures: Figures, record: dict[str, Any]) -> None:
            received["write"].append(record)
            assert {name: round(value, 6) for name, value in figures.items()}.items() <= (
                record.items()
            )

        def evaluated(self, step: int, evaluated: Evaluated) -> None:
            received["evaluated"].append(evaluated)

        def ended(self, step: int, best: float) -> None:
            received["ended"].append(best)

        def close(self) -> None:
            received["closed"] = []

    monkeypatch.setitem(LOGGERS, "list", Listing)
    path = tmp_path / "run"
    configuration = small_configuration(toy_folder, **FORMS["SPINN"], epochs=2)
    returned = run.train(configuration, path)
    assert received["made"] == [(path, configuration.training.seed)]
    assert received["write"] == read_metrics(path / "metrics.jsonl")
    assert received["ended"] == [pytest.approx(returned["dev"]["accuracy"])]
    assert "closed" in received
    first, last = received["evaluated"]
    assert set(last.labels) == {"entailment", "neutral", "contradiction"}
    assert first.confusion.sum() == last.confusion.sum() > 0
    assert len(last.trees) == 4
    check(last.trees[0].transitions, len(last.trees[0].words))
    assert not (path / "tensorboard").exists()


def test_loggers_change_no_weight(toy_folder, tmp_path):
    for name, tensorboard in (("with", True), ("without", False)):
        options = {**FORMS["SPINN"], "epochs": 2, **DROPOUT, "tensorboard": tensorboard}
        run.train(small_configuration(toy_folder, **options), tmp_path / name)
    assert weights_in(tmp_path / "with") == weights_in(tmp_path / "without")


def weights_in(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(path.glob("checkpoints/*/weights.safetensors"))]


# Learning.


@pytest.mark.parametrize("form", FORMS)
def test_a_toy_is_learned(tmp_path, form):
    folder = write_corpus(tmp_path / "corpus", train=132, held_out=40)  # too few depend on the seed
    options = {**FORMS[form], "epochs": 10, "learning_rate": 0.03}
    returned = run.train(small_configuration(folder, **options), tmp_path / "run")
    losses = [line["loss"] for line in figures(tmp_path / "run") if line["kind"] == "train"]
    assert losses[-1] < 0.6 * losses[0]
    assert returned["dev"]["accuracy"] > returned["dev"]["majority"] + 0.1


def test_a_parser_that_shares_aligned_words_parses_pairs(toy_folder, tmp_path):
    options = {**FORMS["SPINN"], "leaf_context": "aligned"}
    run.train(small_configuration(toy_folder, **options), tmp_path / "run")
    model = load_trained(tmp_path / "run").model.to(DEVICE)
    pairs = load_corpus(small_configuration(toy_folder).data).sets["dev"]
    together = Inference(model, tree_source("predicted")).parse(pairs).trees
    half = len(pairs) // 2
    alone = Inference(model, tree_source("predicted")).parse(pairs.take(np.arange(half))).trees
    assert all(map(np.array_equal, alone, together))


@pytest.mark.parametrize("form", ["SPINN-PI-NT", "SPINN", "RL-SPINN", "lstm", "bow"])
def test_single_sentences_are_learned(tmp_path, form):
    folder = write_expressions(tmp_path / "expressions", train=160)
    rates = dict.fromkeys(DROPOUT, 0.0) | {"learning_rate": 0.015, "epochs": 5}
    options = {**rates, **FORMS.get(form, {"encoder": form}), "classifier_width": 16}
    returned = run.train(small_configuration(folder, **options), tmp_path / "run")
    assert returned["dev"]["accuracy"] > returned["dev"]["majority"] + 0.1


def test_bf16_stays_close_to_fp32(toy_folder, tmp_path):
    by_precision = {}
    for precision in ("fp32", "bf16"):
        path = tmp_path / precision
        options = {**FORMS["SPINN"], "precision": precision, "epochs": 1}
        run.train(small_configuration(toy_folder, **options), path)
        by_precision[precision] = figures(path)
        assert {tensor.dtype for tensor in stored(path).values() if tensor.is_floating_point()} == {
            torch.float32
        }
    assert by_precision["fp32"] != by_precision["bf16"]
    for one, other in zip(by_precision["fp32"], by_precision["bf16"], strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=0.03)


@pytest.mark.parametrize("form", ["SPINN-PI", "SPINN"])
@pytest.mark.parametrize("more", [True, False])
def test_epochs_may_differ_in_how_many_batches_they_have(toy_folder, tmp_path, form, more):
    """They do where batches are cut by a token budget, from pools that are shuffled."""
    dataset = load_corpus(small_configuration(toy_folder).data).sets["train"]

    def counts(seed: int) -> list[int]:
        batcher = Batcher(dataset, None, batch_size=8, token_budget=80, pool_batches=3, seed=seed)
        return [len(batcher.order(epoch)) for epoch in range(2)]

    first, second = next(
        found
        for found in map(counts, range(100))
        if (found[1] > found[0]) == more and found[0] != found[1]
    )
    seed = next(seed for seed in range(100) if counts(seed) == [first, second])
    options = {
        **FORMS[form],
        "token_budget": 80,
        "batch_size": 128,
        "pool_batches": 3,
        "log_steps": 100,
        "seed": seed,
    }
    run.train(small_configuration(toy_folder, **options), tmp_path / "run")
    lines = [(line["kind"], line["epoch"], line["step"]) for line in figures(tmp_path / "run")]
    assert lines == [
        ("train", 1, first),
        ("dev", 1, first),
        ("train", 2, first + second),
        ("dev", 2, first + second),
    ]


@pytest.mark.parametrize("more", [{}, {"tracker": True, "leaf_norm": "batch"}])
def test_a_parser_that_is_kept_gives_the_trees_of_all_later_epochs(
    toy_folder, tmp_path, monkeypatch, more
):
    """Also with a tracker in the encoder, for which the parser is run at every step."""
    options = {**RESUMED["a parser that is kept"], **more, "epochs": 3}
    given: dict[int, Tensor] = {}
    saved: list[dict[str, Tensor]] = []
    forward, save = PairTask.forward, RunDirectory.save

    def watch(self: PairTask, batch: Batch, epoch: float) -> Any:
        if epoch >= 1:
            assert batch.transitions is not None
            for row, trees in zip(batch.rows.tolist(), batch.transitions.T, strict=False):
                given[row] = trees[trees != Transition.PAD]
        else:
            assert batch.transitions is None
        return forward(self, batch, epoch)

    def note(self: RunDirectory, step: int, model: Any, *arguments: Any, **more: Any) -> None:
        saved.append({key: value.clone() for key, value in model.state_dict().items()})
        save(self, step, model, *arguments, **more)

    monkeypatch.setattr(PairTask, "forward", watch)
    monkeypatch.setattr(RunDirectory, "save", note)
    path, configuration = tmp_path / "run", small_configuration(toy_folder, **options)
    run.train(configuration, path)
    first, *later = saved
    for after in later:
        for name, weight in after.items():
            if name.startswith("encoder."):
                frozen = name.startswith("encoder.parser.")
                assert alike(weight, first[name]) == frozen, name
    data = load_corpus(configuration.data).sets["train"]
    model = load_trained(path).model.to(DEVICE)
    trees = Inference(model, tree_source("sampled")).parse(data).trees
    assert len(given) == len(data)
    assert all(given[row].tolist() == trees[2 * row].tolist() for row in given)
    assert {"entropy" in line for line in figures(path) if line["epoch"] > 1} == {False}


# Trouble.


@contextmanager
def poisoned(monkeypatch: pytest.MonkeyPatch, step: int, factor: float) -> Iterator[list[Any]]:
    """Multiply the loss of one step with a number; give the batch's rows."""
    made, forward, seen = 0, PairTask.forward, []

    def spoil(self: PairTask, batch: Any, epoch: float) -> Any:
        nonlocal made
        made += 1
        result = forward(self, batch, epoch)
        if made == step:
            seen.extend(batch.rows.tolist())
            result = replace(result, loss=result.loss * factor)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(PairTask, "forward", spoil)
        yield seen


@pytest.mark.parametrize("factor", [math.nan, math.inf, 1e38])
def test_a_loss_that_is_no_number_stops_the_run_and_names_the_batch(
    toy_folder, tmp_path, monkeypatch, factor
):
    path = tmp_path / "run"
    configuration = small_configuration(toy_folder, checkpoint_steps=1)
    with (
        poisoned(monkeypatch, BATCHES + 3, factor) as rows,
        pytest.raises(SpinnError, match="lower --learning-rate or --clip") as caught,
    ):
        run.train(configuration, path)
    message = str(caught.value)
    assert (
        f"epoch 2, batch 3 (training pairs {', '.join(map(str, rows))} of those that were read,"
        in message
    )
    kept = RunDirectory.open(path)
    assert kept.training_state()["progress"]["step"] == BATCHES + 2
    assert all(torch.isfinite(tensor).all() for tensor in stored(path).values())
    run.resume(path)  # without the poison it goes on
    assert results(path)["test"]["count"] == 20


def test_a_full_disk_stops_the_run_and_leaves_it_to_be_resumed(
    toy_folder, tmp_path, monkeypatch, whole
):
    path, save, saved = tmp_path / "run", tensor_files.save_file, 0

    def fill_up(*arguments: Any) -> None:
        nonlocal saved
        saved += 1
        if saved == 2:
            raise OSError(28, "No space left on device")
        save(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(tensor_files, "save_file", fill_up)
        with pytest.raises(SpinnError, match="No space left on device"):
            run.train(small_configuration(toy_folder, **RESUMED["random trees"]), path)
    assert RunDirectory.open(path).training_state()["progress"]["step"] == BATCHES
    run.resume(path)
    assert_same_run(path, whole("random trees"))


def test_a_full_disk_in_the_tensorboard_logs_does_not_end_training(
    toy_folder, tmp_path, monkeypatch, caplog
):
    from torch.utils.tensorboard.writer import SummaryWriter

    def fill_up(*arguments: Any, **keywords: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SummaryWriter, "add_scalar", fill_up)
    monkeypatch.setattr(SummaryWriter, "close", fill_up)
    run.train(small_configuration(toy_folder, epochs=1, tensorboard=True), tmp_path / "run")
    assert "dev" in results(tmp_path / "run")
    said = [line for line in caplog.messages if "No space left on device" in line]
    assert len(said) == 1
    assert "TensorBoard logs cannot be written" in said[0]


def test_trees_that_the_data_do_not_have_are_refused_before_training(tmp_path):
    pytest.importorskip("spacy", reason="it tokenises sentences without a tree")
    folder = write_corpus(tmp_path / "corpus")
    lines = (folder / "train.jsonl").read_text().splitlines()
    row = json.loads(lines[4])
    del row["sentence2_binary_parse"]
    lines[4] = json.dumps(row)
    (folder / "train.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"train\.jsonl, line 5: .*parse"):
        run.train(small_configuration(folder), tmp_path / "run")
    with pytest.raises(DataError, match=r"train\.jsonl, line 5"):
        run.train(small_configuration(folder, **FORMS["SPINN"]), tmp_path / "run")
    run.train(small_configuration(folder, trees="balanced"), tmp_path / "run")


def test_a_new_run_gets_a_folder_that_is_not_there_yet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    configuration = Configuration()
    first = run.new_run_path(configuration)
    assert first == Path("runs/spinn-pi-nt-seed1")
    first.mkdir(parents=True)
    assert run.new_run_path(configuration) == Path("runs/spinn-pi-nt-seed1-2")


def test_a_sentence_too_long_to_be_read_needs_no_parse(tmp_path):
    pytest.importorskip("spacy", reason="it tokenises sentences without a tree")
    folder = write_corpus(tmp_path / "corpus")
    long = {"gold_label": "neutral", "sentence1": "word " * 90, "sentence2": "maybe ."}
    with (folder / "train.jsonl").open("a") as stream:
        stream.write(json.dumps(long) + "\n")
    options = {"trees": "gold", "epochs": 1}
    with pytest.raises(SpinnError, match="no parse"):
        run.train(small_configuration(folder, **options), tmp_path / "all")
    run.train(small_configuration(folder, **options, max_words=40), tmp_path / "some")


@pytest.mark.parametrize(
    ("name", "vectors", "options", "have"),
    [
        ("embedding_size", True, {"embedding_size": 7}, "vectors of its own"),
        ("embeddings", False, {"embeddings": "fixed"}, "no vectors"),
        ("unknown", False, {"embeddings": "fixed", "unknown": "random"}, "no vectors"),
    ],
)
def test_options_that_do_nothing_with_the_vectors_of_a_prepared_corpus(
    toy_folder, tmp_path, name, vectors, options, have
):
    pytest.importorskip("torchtext", reason="it reads vector files")
    given = None
    if vectors:
        (tmp_path / "vectors.txt").write_text("word1 1 2 3\nword2 4 5 6\n")
        given = VectorOptions(str(tmp_path / "vectors.txt"))
    texts = CorpusOptions(data=str(toy_folder), cache=False)
    load_corpus(texts, vectors=given).save(tmp_path / "prepared")
    base = {key: SMALL[key] for key in ("epochs", "threads", "device")}
    configuration = resolve(base, {"data": str(tmp_path / "prepared"), **options})
    with pytest.raises(SpinnError, match=rf"does nothing here; the prepared corpus has {have}"):
        run.train(configuration, tmp_path / "run")
