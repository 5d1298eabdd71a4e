"""Running a study with real, tiny runs: what is done, resumed, skipped, refused, and reported."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import SMALL, silent

from spinn.errors import SpinnError
from spinn.studies import runner
from spinn.studies.measurement import FILE_NAME, load, save
from spinn.studies.overview import (
    choose_reference,
    read_study,
    write_description,
    write_report,
)
from spinn.studies.runner import check_folders, run_all, visible_gpus
from spinn.studies.study import Description, Experiment, Grid, expand
from spinn.studies.worker import State, perform, state_of
from spinn.training.checkpoint import claimed
from spinn.training.config import load_configuration
from spinn.training.run import resume

TRACKER = {"tracker": True, "tracker_size": 4, "trees": "sampled"}


def study(folder: Path, rows: dict[str, dict[str, Any]], seeds: tuple[int, ...] = (1,)) -> Grid:
    further = [f"more={folder / 'test.jsonl'}", f"most={folder / 'train.jsonl'}"]
    base = SMALL | {"data": str(folder), "also": further}
    written = list(rows.items())
    return expand(Description(base=base, rows=written, seeds=seeds), "toy")


@pytest.fixture(scope="module")
def made(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Grid, Path]:
    """Make a study of two rows and two seeds in this process."""
    output = tmp_path_factory.mktemp("study")
    rows: dict[str, dict[str, Any]] = {"RL": TRACKER, "LSTM": {"encoder": "lstm"}}
    grid = study(toy_folder, rows, (1, 2))
    for one in grid.experiments(output):
        perform(one.configuration, one.path, silent)
    return grid, output


@pytest.fixture
def copied(made: tuple[Grid, Path], tmp_path: Path) -> tuple[Grid, Path]:
    grid, output = made
    shutil.copytree(output, tmp_path / "study")
    return grid, tmp_path / "study"


def test_the_answers_are_those_that_training_reports(made):
    grid, output = made
    for one in grid.experiments(output):
        assert state_of(one.path) is State.DONE
        results = json.loads((one.path / "results.json").read_text())
        measurement = load(one.path / FILE_NAME)
        assert measurement.weights == results["weights"]
        assert list(measurement.sets) == ["dev", "test", "more", "most"]
        for split, answers in measurement.sets.items():
            told = results["also"] if split in ("more", "most") else results
            assert answers.correct.mean() == pytest.approx(told[split]["accuracy"])
        assert results["also"]["more"] == results["test"]
        assert len(measurement.sets["most"].gold) == 24
        assert (measurement.sets["dev"].trees is None) == (one.row == "LSTM")


def test_the_report_agrees_with_the_runs_own_results(copied):
    grid, output = copied
    table = write_report(grid, output, None)
    assert table.against == "RL"
    results = [
        json.loads((one.path / "results.json").read_text())["test"]["trees"]
        for one in grid.experiments(output)
        if one.row == "RL"
    ]
    trees = table.rows[0].trees
    assert trees is not None
    assert trees.split == "test"
    row = table.rows[0]
    assert row.accuracy["more"].seeds == row.accuracy["test"].seeds
    assert "more" not in table.rows[1].comparison
    header = table.markdown().splitlines()[0]
    assert header.count("CI") == 2  # of dev and test alone
    assert "| more | most | F1 gold |" in header
    assert trees.f1["gold"] == pytest.approx([result["gold"]["f1"] for result in results])
    assert trees.depth == pytest.approx([result["depth"] for result in results])
    for shape in ("left", "right", "balanced"):
        assert trees.f1[shape] == pytest.approx([result["shapes"][shape] for result in results])
    names = {path.name for path in output.iterdir() if path.is_file()}
    assert names == {
        "study.json", "table.md", "table.csv", "table.tex",
        "learning_curves.png", "accuracy.png", "trees.png",
    }  # fmt: skip


def test_the_table_can_be_made_again_without_models(copied):
    grid, output = copied
    before = write_report(grid, output, "LSTM").markdown()
    for one in grid.experiments(output):
        shutil.rmtree(one.path / "checkpoints")
    (output / "table.md").unlink()
    assert write_report(grid, output, "LSTM").markdown() == before
    assert (output / "table.md").read_text() == before


def test_the_report_names_what_is_missing(copied):
    grid, output = copied
    first, second, *_ = grid.experiments(output)
    shutil.rmtree(first.path)
    (second.path / FILE_NAME).unlink()
    text = write_report(grid, output, None, {first.path: "the disk was full."}).markdown()
    assert "Missing: RL with seed 1, failed: the disk was full." in text
    assert "Missing: LSTM with seed 1, trained, not measured." in text
    with pytest.raises(SpinnError, match="no run of the study is finished"):
        write_report(grid, output / "elsewhere", None)
    with pytest.raises(SpinnError, match="'LTSM' is no row; choose from 'RL', 'LSTM'"):
        choose_reference(grid, "LTSM")


def test_done_runs_are_skipped_without_a_process(copied, monkeypatch):
    grid, output = copied
    monkeypatch.setattr(runner, "_Worker", None)  # starting one would fail
    told: list[str] = []
    outcomes = run_all(grid.experiments(output), 2, told.append)
    assert [outcome.state for outcome in outcomes] == ["done"] * 4
    assert told == ["4 of 4 runs are done already."]


@pytest.mark.parametrize("answers", ["missing", "of an earlier version"])
def test_a_trained_run_is_only_measured(copied, answers):
    grid, output = copied
    one = grid.experiments(output)[0]
    before = load(one.path / FILE_NAME)
    (one.path / FILE_NAME).unlink()
    if answers != "missing":
        np.savez(one.path / FILE_NAME, version=np.array(1))
    assert state_of(one.path) is State.TRAINED
    metrics = (one.path / "metrics.jsonl").stat().st_mtime_ns
    perform(one.configuration, one.path, silent)
    assert (one.path / "metrics.jsonl").stat().st_mtime_ns == metrics
    after = load(one.path / FILE_NAME)
    np.testing.assert_array_equal(after.sets["test"].predicted, before.sets["test"].predicted)


class _PowerCutError(Exception):
    """Stands for a power cut."""


def broken_at(beginning: str, one: Experiment) -> None:
    """Perform a run and break it off where it says a line that begins so."""

    def say(line: str) -> None:
        if line.startswith(beginning):
            raise _PowerCutError

    with pytest.raises(_PowerCutError):
        perform(one.configuration, one.path, say)


@pytest.mark.parametrize(
    ("beginning", "state"), [("epoch 1/2:", State.NEW), ("epoch 2/2:", State.BEGUN)]
)
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(made, tmp_path, beginning, state):
    grid, output = made
    one = grid.experiments(tmp_path)[0]
    broken_at(beginning, one)
    assert state_of(one.path) is state
    told: list[str] = []
    perform(one.configuration, one.path, told.append)
    assert any(line.startswith("Resuming") for line in told) == (state is State.BEGUN)
    mine, whole = load(one.path / FILE_NAME), load(output / one.name / FILE_NAME)
    np.testing.assert_array_equal(mine.sets["dev"].predicted, whole.sets["dev"].predicted)
    lines = [len((path / "metrics.jsonl").read_text().splitlines())
             for path in (one.path, output / one.name)]  # fmt: skip
    assert lines[0] == lines[1]


def test_changed_data_are_refused_when_a_run_is_measured(copied, tmp_path):
    grid, output = copied
    one = grid.experiments(output)[0]
    (one.path / FILE_NAME).unlink()
    words = json.loads((one.path / "vocabulary.json").read_text())
    words["words"][-1] += "x"
    (one.path / "vocabulary.json").write_text(json.dumps(words))
    with pytest.raises(SpinnError, match="vocabulary is not that of the training files"):
        perform(one.configuration, one.path, silent)


def test_runs_of_another_configuration_are_refused(made, toy_folder):
    _, output = made
    other = study(toy_folder, {"RL": TRACKER | {"epochs": 3}, "LSTM": {"encoder": "lstm"}})
    with pytest.raises(SpinnError, match=r"RL-seed1: .* epochs 2 where the grid has 3.*--output"):
        check_folders(other.experiments(output))
    elsewhere = study(toy_folder, {"RL": TRACKER | {"threads": 2, "device": "auto"}})
    check_folders(elsewhere.experiments(output))  # where a run is computed may change


def test_a_failure_is_told_and_does_not_stop_the_rest(toy_folder, tmp_path):
    rows: dict[str, dict[str, Any]] = {
        "nowhere": {"data": str(tmp_path / "nowhere")},
        "bag": {"encoder": "bow"},
    }
    grid = study(toy_folder, rows)
    told: list[str] = []
    lost, done = run_all(grid.experiments(tmp_path / "out"), 2, told.append)
    assert lost.state == "failed"
    assert "there is no such folder" in lost.reason
    assert "log.txt" in lost.reason
    assert done.state == "done"
    assert any(line.startswith("nowhere-seed1: failed: ") for line in told)
    text = write_report(grid, tmp_path / "out", None).markdown()
    assert "seed 1, not begun; see nowhere-seed1/log.txt." in text
    assert any(line.startswith("bag-seed1: epoch 2/2: ") for line in told)
    reasons = {lost.experiment.path: lost.reason}
    assert "Missing: nowhere" in write_report(grid, tmp_path / "out", None, reasons).markdown()


def test_ctrl_c_saves_what_runs_and_a_second_call_goes_on(toy_folder, tmp_path):
    rows: dict[str, dict[str, Any]] = {
        "long": {"encoder": "bow", "epochs": 4000, "checkpoint_steps": 1},
        "waits": {"encoder": "lstm"},
    }
    experiments = study(toy_folder, rows).experiments(tmp_path)

    def say(line: str) -> None:
        if line.startswith("long-seed1: epoch 2/"):
            signal.raise_signal(signal.SIGINT)

    outcomes = run_all(experiments, 1, say)
    assert [outcome.state for outcome in outcomes] == ["stopped", "stopped"]
    assert [state_of(one.path) for one in experiments] == [State.BEGUN, State.NEW]
    assert "Stopping after this step" in (experiments[0].path / "log.txt").read_text()
    told: list[str] = []

    def stop(line: str) -> None:
        told.append(line)
        if line.startswith("Resuming"):
            raise _PowerCutError

    with pytest.raises(_PowerCutError):
        resume(experiments[0].path, stop)


def test_gpus_are_dealt_out_only_where_there_are_several(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    assert visible_gpus() == ["2", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert visible_gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(runner.torch.cuda, "device_count", lambda: 3)
    assert visible_gpus() == ["0", "1", "2"]


def test_a_worker_gets_its_gpu(toy_folder, tmp_path):
    rows: dict[str, dict[str, Any]] = {"own": {"device": "cpu"}, "any": {"device": "auto"}}
    own, any_device = study(toy_folder, rows).experiments(tmp_path)
    assert runner._environment(own.configuration, "5").get("CUDA_VISIBLE_DEVICES") != "5"
    environment = runner._environment(any_device.configuration, "5")
    assert environment["CUDA_VISIBLE_DEVICES"] == "5"


def test_workers_share_the_threads_unless_told_how_many(toy_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "available_cores", lambda: 7)
    rows: dict[str, dict[str, Any]] = {"shared": {"threads": 0}, "told": {"threads": 2}}
    experiments = study(toy_folder, rows).experiments(tmp_path)
    assert [one.state for one in run_all(experiments, 2, silent)] == ["done", "done"]
    saved = [load_configuration(one.path / "config.json") for one in experiments]
    assert [one.training.threads for one in saved] == [3, 2]


def test_a_run_that_is_left_alone_gets_no_more_threads_than_with_the_others(
    toy_folder, tmp_path, monkeypatch
):
    """More threads would change the last bits of its sums."""
    monkeypatch.setattr(runner, "available_cores", lambda: 4)
    rows: dict[str, dict[str, Any]] = {
        "one": {"threads": 0},
        "other": {"threads": 0, "encoder": "bow"},
    }
    experiments = study(toy_folder, rows).experiments(tmp_path)
    for left in (experiments[:1], experiments):
        run_all(left, 2, silent)
    saved = [load_configuration(one.path / "config.json") for one in experiments]
    assert [one.training.threads for one in saved] == [2, 2]


def test_the_reason_of_a_failure_is_the_runs_own_where_two_share_its_log(toy_folder, tmp_path):
    (one,) = study(toy_folder, {"bag": {"encoder": "bow"}}).experiments(tmp_path)
    one.path.mkdir()
    with claimed(one.path), (one.path / "log.txt").open("a") as log:

        def chat(line: str) -> None:
            log.write("epoch 2/6: from the other process\n")
            log.flush()

        (outcome,) = run_all([one], 1, chat)
    assert outcome.state == "failed"
    assert "another process is training this run" in outcome.reason
    assert "epoch" not in outcome.reason


def test_a_damaged_learning_curve_is_told_with_its_line(copied):
    grid, output = copied
    metrics = grid.experiments(output)[0].path / "metrics.jsonl"
    with metrics.open("a") as stream:
        stream.write('{"kind": "de')
    number = len(metrics.read_text().splitlines())
    with pytest.raises(SpinnError, match=rf"metrics\.jsonl, line {number}: it cannot be read"):
        write_report(grid, output, None)


@pytest.mark.parametrize("content", ["{", "[]", '{"name": 3}', '{"name": "a", "rows": 3}'])
def test_a_damaged_description_is_told(tmp_path, content):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(SpinnError, match=r"study\.json: it cannot be read .* --table-only"):
        read_study(tmp_path)


def test_a_description_is_read_as_it_was_written(made):
    grid, output = made
    write_description(grid, output)
    assert read_study(output) == grid


def test_a_run_goes_on_on_the_device_that_is_named_then(copied, monkeypatch):
    """Where it is computed is no part of what a run is."""
    grid, output = copied
    one = grid.experiments(output)[0]
    saved = json.loads((one.path / "config.json").read_text())
    saved["training"]["device"] = "cuda:7"
    (one.path / "config.json").write_text(json.dumps(saved))
    (one.path / "results.json").unlink()
    (one.path / FILE_NAME).unlink()
    check_folders([one])
    with pytest.raises(SpinnError, match="GPU"):
        resume(one.path, silent)
    perform(one.configuration.moved({"device": "cpu"}), one.path, silent)
    assert state_of(one.path) is State.DONE


def test_a_run_that_another_process_is_at_is_left_alone(made, tmp_path):
    grid, output = made
    one = grid.experiments(output)[0]
    path = tmp_path / "begun"
    path.mkdir()
    shutil.copy(one.path / "config.json", path)
    (path / "metrics.jsonl").write_text("one line\n")
    with claimed(path):
        with pytest.raises(SpinnError, match=r"begun: another process is training this run"):
            perform(one.configuration, path, silent)
        assert (path / "metrics.jsonl").read_text() == "one line\n"
        assert (path / "config.json").exists()
    perform(one.configuration, path, silent)
    assert state_of(path) is State.DONE


def test_runs_of_a_row_that_were_measured_on_different_pairs_are_refused(copied):
    grid, output = copied
    first, second = [one for one in grid.experiments(output) if one.row == "RL"]
    measurement = load(second.path / FILE_NAME)
    dev = measurement.sets["dev"]
    fewer = dataclasses.replace(
        dev,
        gold=dev.gold[1:],
        predicted=dev.predicted[1:],
        premises=dev.premises[1:],
        lengths=dev.lengths[2:],
        trees=None if dev.trees is None else dev.trees[2:],
        gold_trees=dev.gold_trees[2:],
    )
    changed = dataclasses.replace(measurement, sets={**measurement.sets, "dev": fewer})
    save(changed, second.path / FILE_NAME)
    with pytest.raises(SpinnError, match="were measured on different pairs") as caught:
        write_report(grid, output, None)
    assert str(first.path) in str(caught.value)
    assert str(second.path) in str(caught.value)
