"""Several processes against one: the same weights and figures, one voice, one end."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from crew import (
    PATIENCE,
    Crew,
    all_well,
    check_norm,
    command,
    crash_last,
    draw,
    fail_somewhere,
    forbid_writing,
    freeze,
    freeze_first,
    kill_second,
    note_saves,
    on_cpu,
    poison_last,
    resume,
    slow_evaluation,
    stop_last,
    train,
    train_greedily,
    train_in_turn,
)
from safetensors.torch import load_file
from torch import Tensor
from toys import FORMS, write_corpus, write_expressions

from spinn.commands.main import main
from spinn.data.batching import Batcher
from spinn.data.prepare import load_corpus
from spinn.evaluation import plots
from spinn.model.policy import TransitionPolicy
from spinn.support.errors import ConfigurationError
from spinn.support.runtime import set_threads
from spinn.training import distributed, run
from spinn.training.log import read_metrics
from spinn.training.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
NORMS = {"leaf_norm": "batch", "classifier_norm": "batch"}
# Without dropout and samples nothing differs but the order of sums; SGD does not magnify that, as
# an optimiser would that divides small gradients by their size.
STILL = {
    "embedding_dropout": 0.0,
    "leaf_dropout": 0.0,
    "classifier_dropout": 0.0,
    "optimizer": "sgd",
    "learning_rate": 0.002,
    "log_steps": 1,
}
SAME: dict[str, dict[str, Any]] = {
    "batch norm": {**STILL, **NORMS},
    "teacher": {**STILL, **FORMS["SPINN"], **NORMS, "label_smoothing": 0.1},
    "random trees": {**STILL, **FORMS["SPINN-PI"], "trees": "random"},
    "LSTM": {**STILL, **NORMS, "encoder": "lstm", "leaf_context": "bilstm"},
    "next word": {**STILL, "encoder": "bow", "leaf_context": "lstm", "language_weight": 0.5},
    "token budget": {**STILL, "leaf_norm": "none", "token_budget": 80, "batch_size": 128},
}
DRAWN: dict[str, Any] = {
    "embedding_dropout": 0.3,
    "leaf_dropout": 0.2,
    "classifier_dropout": 0.2,
    "samples": 2,
    **FORMS["RL-SPINN"],
    **NORMS,
}


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a corpus of five batches of 8 pairs and one of 2, which is too few for three."""
    return write_corpus(tmp_path_factory.mktemp("uneven"), train=42)


@pytest.fixture(autouse=True)
def _no_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)


def stored(path: Path) -> dict[str, Tensor]:
    return load_file(RunDirectory.open(path).checkpoint("last") / "weights.safetensors")


def figures(path: Path) -> list[dict[str, Any]]:
    """Read the metrics, without what a clock measured."""
    lines = read_metrics(RunDirectory.open(path).metrics)
    return [{k: v for k, v in line.items() if k not in ("seconds", "speed")} for line in lines]


def assert_same_to_rounding(one: Path, other: Path, *, atol: float = 1e-6) -> None:
    weights, others = stored(one), stored(other)
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        torch.testing.assert_close(value, others[name], rtol=0, atol=atol, msg=name)
    lines, other_lines = figures(one), figures(other)
    assert len(lines) == len(other_lines)
    for line, other_line in zip(lines, other_lines, strict=True):
        assert line == pytest.approx(other_line, abs=1e-4)


def flags(folder: Path, path: Path, **options: Any) -> list[str]:
    """Write a small configuration as a person would give it on the command line."""
    file = path.with_suffix(".json")
    configuration = on_cpu(folder, **options)
    file.write_text(json.dumps(configuration.as_dict()))
    return ["train", "--config", str(file), "--output", str(path)]


# The same as one process.


@pytest.mark.parametrize(
    ("kind", "count", "names"),
    [
        ("even", 2, ["random trees", "LSTM", "token budget"]),
        ("uneven", 3, ["batch norm", "teacher", "next word"]),
        ("single sentences", 3, ["batch norm", "teacher"]),
    ],
)
def test_processes_train_the_model_that_one_would(toy_folder, uneven, tmp_path, kind, count, names):
    """Batches of 8, and a last one of 4 for two processes, of 2 for three."""
    folder = toy_folder if kind == "even" else uneven
    if kind == "single sentences":
        folder = write_expressions(tmp_path / "expressions", train=42)
    runs = [(tmp_path / name, SAME[name]) for name in names]
    all_well(count, train_in_turn, folder, runs)
    for path, options in runs:
        alone = tmp_path / "alone" / path.name
        run.train(on_cpu(folder, **options), alone)
        assert_same_to_rounding(alone, path)
        results, expected = (json.loads((p / "results.json").read_text()) for p in (path, alone))
        assert results["test"]["loss"] == pytest.approx(expected["test"]["loss"], abs=1e-5)
        assert results["best_epoch"] == expected["best_epoch"]


@pytest.mark.parametrize(
    ("sizes", "idle"),
    [
        *[([5, 4], False), ([1, 6], False), ([3, 3, 2], False), ([1, 1, 1], False)],
        *[([4, 3, 2], True), ([1, 1], True)],
    ],
)
def test_global_batch_norm_is_that_of_all_rows(sizes, idle):
    all_well(len(sizes), check_norm, sizes, idle)


def test_sentences_of_one_word_leave_no_process_waiting(tmp_path):
    """Neither composition nor tracker has anything to do in some shares, and in some batches."""
    folder = write_corpus(tmp_path / "corpus", train=12)
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    for row in rows[:10]:
        for side in ("sentence1", "sentence2"):
            row |= {side: "word1", f"{side}_binary_parse": "word1"}
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    whole = {**STILL, "batch_size": 12, "epochs": 3}  # of which the first process has no tree
    runs = [
        (tmp_path / "tracker", {**whole, **FORMS["SPINN-PI"]}),
        (tmp_path / "reference", {**whole, "engine": "reference"}),
        (tmp_path / "small", {"batch_size": 3, **FORMS["SPINN-PI"]}),
        (tmp_path / "teacher", {"batch_size": 3, **FORMS["SPINN"]}),
        (tmp_path / "policy", {"batch_size": 3, **FORMS["RL-SPINN"]}),
    ]
    all_well(3, train_in_turn, folder, runs)
    for path, options in runs[:2]:
        alone = tmp_path / "alone" / path.name
        run.train(on_cpu(folder, **options), alone)
        assert_same_to_rounding(alone, path)


# What is drawn.


def test_no_two_processes_draw_the_same_numbers(tmp_path):
    all_well(3, draw, tmp_path)
    drawn = [torch.load(tmp_path / f"drawn{rank}") for rank in range(3)]
    torch.manual_seed(3)
    assert torch.equal(drawn[0].flatten(), torch.rand(20))  # the first draws as a single process
    rows = torch.cat(drawn)
    assert len(rows.unique(dim=0)) == len(rows)


@pytest.mark.parametrize("single", [False, True])
def test_reinforce_with_every_baseline_comes_to_an_end(uneven, tmp_path, single):
    folder = write_expressions(tmp_path / "expressions", train=42) if single else uneven
    options = {**DRAWN, "entropy_weight": 0.1, "epochs": 1}
    baselines = ("mean", "greedy", "leave-one-out")
    runs = [(tmp_path / name, {**options, "baseline": name}) for name in baselines]
    all_well(3, train_in_turn, folder, runs)
    for path, _ in runs:
        last = [line for line in figures(path) if line["kind"] == "train"][-1]
        assert last["reward"] == pytest.approx(-last["loss"], abs=1e-5)
        assert 0 < last["entropy"] < 0.7
    state = RunDirectory.open(tmp_path / "mean").training_state()["objective"]
    assert state["baseline.seen"] == 6


PPO = {**STILL, **FORMS["RL-SPINN"], "policy_updates": 3, "learning_rate": 0.05, "clip": 0.5}
OWN_PARSER = {"tracker": False, "parser": "own", "parser_size": 6, "leaf_norm": "batch"}


def test_gradients_that_are_one_tensor_are_taken_apart():
    """As of two biases that are added; each is scaled in place."""
    one, other = (torch.zeros(2, requires_grad=True) for _ in range(2))
    gradients = torch.autograd.grad((one + other).sum(), [one, other])
    first, second = distributed.summed(gradients)
    first.mul_(3)
    assert second.tolist() == [1, 1]


def test_processes_update_a_policy_as_one_would(uneven, tmp_path, monkeypatch):
    """With the most probable trees in place of samples, which would differ."""
    runs = [
        (tmp_path / "tracker", {**PPO, "baseline": "none", "samples": 2}),
        (tmp_path / "parser", {**PPO, **OWN_PARSER, "baseline": "greedy", "entropy_weight": 0.1}),
    ]
    all_well(3, train_greedily, uneven, runs)
    monkeypatch.setattr(TransitionPolicy, "sample", TransitionPolicy.argmax)
    for path, options in runs:
        alone, once = tmp_path / "alone" / path.name, tmp_path / "once" / path.name
        run.train(on_cpu(uneven, **options), alone)
        assert_same_to_rounding(alone, path, atol=1e-5)
        run.train(on_cpu(uneven, **{**options, "policy_updates": 1}), once)
        score = next(name for name in stored(path) if name.endswith("tracker.score.bias"))
        assert not torch.allclose(stored(once)[score], stored(path)[score], atol=1e-3)


# Going on.


def interrupted(folder: Path, path: Path, count: int, **options: Any) -> None:
    """Train with so many processes, and stop the last of them in the second epoch."""
    arguments = flags(folder, path, **options)
    crew = Crew(count, command, folder, arguments, stop_last)
    assert crew.statuses() == [130] * count


@pytest.mark.parametrize("count", [1, 2])
def test_a_run_of_three_processes_is_resumed_by_others(uneven, tmp_path, count):
    options = SAME["teacher"]
    run.train(on_cpu(uneven, **options), tmp_path / "alone")
    path = tmp_path / "run"
    interrupted(uneven, path, 3, **options)
    assert RunDirectory.open(path).training_state()["progress"]["step"] == 8
    if count == 1:
        run.resume(path)
    else:
        all_well(count, resume, path)
    assert_same_to_rounding(tmp_path / "alone", path)


def test_a_run_goes_on_exactly_with_as_many_processes(uneven, tmp_path):
    whole, path = tmp_path / "whole", tmp_path / "run"
    options = {**DRAWN, "baseline": "mean"}
    all_well(2, train, uneven, whole, options)
    interrupted(uneven, path, 2, **options)
    all_well(2, resume, path)
    assert_same_to_rounding(whole, path, atol=0.0)


# One voice, one hand.


def test_only_the_first_process_writes_and_speaks(toy_folder, tmp_path):
    path = tmp_path / "run"
    options = {"tensorboard": True, "checkpoint_steps": 4}
    crew = Crew(2, command, tmp_path, flags(toy_folder, path, **options), forbid_writing)
    assert crew.statuses() == [0, 0]
    said = (tmp_path / "err0").read_text().splitlines()
    assert sum(line.startswith("epoch 2/2: train loss") for line in said) == 1
    assert any("on 2 processes (cpu)" in line for line in said)
    assert (tmp_path / "err1").read_text() == (tmp_path / "out1").read_text() == ""
    steps = [(line["kind"], line["step"]) for line in figures(path)]
    assert len(steps) == len(set(steps)) > 0
    assert len(list((path / "tensorboard").iterdir())) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_one_process_saves_once_and_ends_all(toy_folder, tmp_path, number):
    path = tmp_path / "run"
    arguments = flags(toy_folder, path, epochs=1000, log_steps=1, patience=0)
    crew = Crew(2, command, tmp_path, arguments, note_saves)
    end = time.monotonic() + PATIENCE
    while not (path / "metrics.jsonl").exists() and time.monotonic() < end:
        time.sleep(0.05)
    crew.signal(1, number)
    assert crew.statuses() == [130, 130]
    saves = [line.split() for line in (tmp_path / "saves").read_text().splitlines()]
    step = RunDirectory.open(path).training_state()["progress"]["step"]
    assert saves.count(["0", str(step)]) == 1
    assert {rank for rank, _ in saves} == {"0"}
    said = (tmp_path / "err0").read_text()
    assert said.count("Stopped and saved. Go on with: torchrun --standalone") == 1
    assert (tmp_path / "err1").read_text() == ""


# Trouble.


def test_an_error_in_one_process_is_an_error_in_all(tmp_path):
    all_well(2, fail_somewhere, tmp_path)
    heard = [(tmp_path / f"heard{rank}").read_text().splitlines() for rank in range(2)]
    expected = ["process 0 failed"] * 2 + ["process 1 failed"] * 2 + ["process 0 failed"]
    assert heard == [expected, expected]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "nowhere"], "nowhere: there is no such folder"),
        (["train", "--predict"], "--predict needs a tracker"),
        (["train", "--no-such-option"], "unrecognized arguments"),
        (["train", "--resume", "nowhere"], "nowhere: this is no run"),
        (["evaluate", "nowhere"], "evaluate runs in one process"),
        (["lm", "evaluate", "nowhere"], "lm evaluate runs in one process"),
        (["lm", "train", "--text", "nowhere"], "nowhere: there is no such file"),
        (["lm", "train", "--resume", "nowhere"], "nowhere: this is no run"),
        (["lm", "train", "--text", "a", "--batch-size", "1"], "start at most 1 of them, not 2."),
    ],
)
def test_a_persons_error_is_told_once_and_ends_all(tmp_path, arguments, message):
    assert Crew(2, command, tmp_path, arguments).statuses() == [2, 2]
    assert (tmp_path / "err0").read_text().count(message) == 1
    assert (tmp_path / "err1").read_text() == ""


def test_a_loss_that_is_no_number_in_one_process_stops_all(uneven, tmp_path):
    path = tmp_path / "run"
    crew = Crew(3, command, tmp_path, flags(uneven, path), poison_last)
    assert crew.statuses() == [2, 2, 2]
    said = (tmp_path / "err0").read_text()
    assert said.count("The loss is nan") == 1
    assert "at epoch 2, batch 2 (training pairs " in said
    named = said.split("training pairs ")[1].split(" of ")[0].split(", ")
    train_set = load_corpus(on_cpu(uneven).data).sets["train"]
    batch = Batcher(train_set, None, batch_size=8, seed=1).order(1)[1]
    assert [int(row) for row in named] == batch.tolist()  # of all processes
    assert RunDirectory.open(path).training_state()["progress"]["step"] == 6


def test_a_process_that_crashes_leaves_no_other_waiting(uneven, tmp_path):
    crew = Crew(3, command, tmp_path, flags(uneven, tmp_path / "run"), crash_last)
    statuses = crew.statuses()
    assert None not in statuses
    assert 0 not in statuses


@pytest.mark.parametrize("act", [freeze, kill_second])
def test_a_process_that_does_not_answer_is_named(uneven, tmp_path, act):
    path = tmp_path / "run"
    crew = Crew(3, command, tmp_path, flags(uneven, path), act)
    assert crew.statuses(frozen=1)[::2] == [2, 2]
    assert (tmp_path / "err0").read_text().splitlines()[-1] == (
        "spinn: Rank 1 does not answer; it has ended or hangs. Stop all processes, and continue "
        "with --resume and the folder of the run."
    )
    assert (tmp_path / "err2").read_text() == ""
    assert RunDirectory.open(path).training_state()["progress"]["step"] == 6


def test_the_others_report_a_rank_0_that_does_not_answer(uneven, tmp_path):
    crew = Crew(3, command, tmp_path, flags(uneven, tmp_path / "run"), freeze_first)
    assert crew.statuses(frozen=0)[1:] == [2, 2]
    assert "\nspinn: Rank 0 does not answer" in "\n" + (tmp_path / "err1").read_text()


def test_work_of_rank_0_may_take_longer_than_a_step(uneven, tmp_path):
    crew = Crew(2, command, tmp_path, flags(uneven, tmp_path / "run"), slow_evaluation)
    assert crew.statuses() == [0, 0]


def test_a_process_that_finds_no_others_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    assert main(["train"]) == 2
    assert capsys.readouterr().err.endswith("Start them with torchrun.\n")


@pytest.fixture
def _two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)


@pytest.mark.usefixtures("_two_processes")
def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert distributed.own_device(torch.device("cuda")) == torch.device("cuda", 1)
    assert distributed.own_device(torch.device("cpu")) == torch.device("cpu")
    with pytest.raises(ConfigurationError, match="all processes on one GPU; give --device cuda"):
        distributed.own_device(torch.device("cuda", 1))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigurationError, match="There are 2 processes and 1 GPUs"):
        distributed.own_device(torch.device("cuda"))


@pytest.mark.usefixtures("_two_processes")
def test_only_the_first_process_logs(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "spinn")
    logger = logging.getLogger("spinn.training.run")

    @distributed.logging_in_first()
    def log(line: str) -> None:
        logger.warning(line)

    log("of rank 1")
    assert not caplog.messages
    monkeypatch.setattr(distributed, "rank", lambda: 0)
    log("of rank 0")
    assert caplog.messages == ["of rank 0"]
    assert logging.getLogger("spinn").level == logging.INFO


def test_processes_share_the_threads_of_a_machine(monkeypatch):
    before = torch.get_num_threads()
    try:
        set_threads(0)
        alone = torch.get_num_threads()
        set_threads(0, processes=2)
        assert torch.get_num_threads() == max(1, alone // 2)
        set_threads(3, processes=2)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


# As people start it.


def test_torchrun_trains(toy_folder, tmp_path):
    pytest.importorskip("torchtext")
    path = tmp_path / "run"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc-per-node", "2"]
    arguments = flags(toy_folder, path, epochs=1)[1:]
    done = subprocess.run(
        [*launcher, str(ROOT / "train.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("epoch 1/1: train loss") == 1
    assert json.loads((path / "results.json").read_text())["test"]["count"] == 20
