"""Running studies with small models: completion, resuming, skipping, failures, the overview."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from messages import messages
from toys import SMALL

from spinn.config_files import load_configuration
from spinn.studies import launcher, runner
from spinn.studies.expansion import ExpandedStudy, expand, load_expanded, save_expanded
from spinn.studies.launcher import visible_gpus
from spinn.studies.measurement import FILE_NAME, load, save
from spinn.studies.overview import comparison_row, write_overview
from spinn.studies.run import Run, RunState, check_folders, perform, run_state
from spinn.studies.runner import run_all
from spinn.studies.study import Row, Study
from spinn.support.errors import SpinnError
from spinn.training.claims import claimed
from spinn.training.run import resume

TRACKER = {"tracker": True, "tracker_size": 4, "trees": "sampled"}


def study(
    folder: Path, rows: dict[str, dict[str, Any]], seeds: tuple[int, ...] = (1,)
) -> ExpandedStudy:
    further = [f"more={folder / 'test.jsonl'}", f"most={folder / 'train.jsonl'}"]
    base = SMALL | {"device": "cpu", "data": str(folder), "also": further}
    described = tuple(Row(name, options) for name, options in rows.items())
    return expand(Study(base=base, rows=described, seeds=seeds), "toy")


@pytest.fixture(scope="module")
def made(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ExpandedStudy, Path]:
    """Run a study of two rows and two seeds in this process."""
    output = tmp_path_factory.mktemp("study")
    rows: dict[str, dict[str, Any]] = {"RL": TRACKER, "LSTM": {"encoder": "lstm"}}
    expanded = study(toy_folder, rows, (1, 2))
    for one in expanded.runs(output):
        perform(one.configuration, one.path)
    return expanded, output


@pytest.fixture
def copied(made: tuple[ExpandedStudy, Path], tmp_path: Path) -> tuple[ExpandedStudy, Path]:
    expanded, output = made
    shutil.copytree(output, tmp_path / "study")
    return expanded, tmp_path / "study"


def test_measured_accuracies_are_those_of_training(made):
    expanded, output = made
    for one in expanded.runs(output):
        assert run_state(one.path) is RunState.DONE
        results = json.loads((one.path / "results.json").read_text())
        measurement = load(one.path / FILE_NAME)
        assert measurement.weights == results["weights"]
        assert list(measurement.sets) == ["dev", "test", "more", "most"]
        for split, predictions in measurement.sets.items():
            scores = results["also"] if split in ("more", "most") else results
            assert predictions.correct.mean() == pytest.approx(scores[split]["accuracy"])
        assert results["also"]["more"] == results["test"]
        assert len(measurement.sets["most"].gold) == 24
        assert (measurement.sets["dev"].trees is None) == (one.row == "LSTM")


def test_the_overview_agrees_with_the_results_of_the_runs(copied):
    expanded, output = copied
    table = write_overview(expanded, output, None)
    assert table.against == "RL"
    results = [
        json.loads((one.path / "results.json").read_text())["test"]["trees"]
        for one in expanded.runs(output)
        if one.row == "RL"
    ]
    trees = table.rows[0].trees
    assert trees is not None
    assert trees.split == "test"
    row = table.rows[0]
    assert row.accuracy["more"].seeds == row.accuracy["test"].seeds
    assert "more" not in table.rows[1].comparison
    header = table.markdown().splitlines()[0]
    assert header.count("CI") == 2  # of dev and test only
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


def test_the_table_can_be_written_again_without_models(copied):
    expanded, output = copied
    before = write_overview(expanded, output, "LSTM").markdown()
    for one in expanded.runs(output):
        shutil.rmtree(one.path / "checkpoints")
    (output / "table.md").unlink()
    assert write_overview(expanded, output, "LSTM").markdown() == before
    assert (output / "table.md").read_text() == before


def test_the_overview_names_missing_runs(copied):
    expanded, output = copied
    first, second, *_ = expanded.runs(output)
    shutil.rmtree(first.path)
    (second.path / FILE_NAME).unlink()
    text = write_overview(expanded, output, None, {first.path: "the disk was full."}).markdown()
    assert "Missing: RL with seed 1, failed: the disk was full." in text
    assert "Missing: LSTM with seed 1, trained, not measured." in text
    with pytest.raises(SpinnError, match="no run of the study is finished"):
        write_overview(expanded, output / "elsewhere", None)
    with pytest.raises(SpinnError, match="'LTSM' is not a row; choose from 'RL', 'LSTM'"):
        comparison_row(expanded, "LTSM")


def test_done_runs_are_skipped_without_a_process(copied, monkeypatch, caplog):
    expanded, output = copied
    monkeypatch.setattr(runner, "RunProcess", None)  # starting one would fail
    with caplog.at_level(logging.INFO, "spinn"):
        outcomes = run_all(expanded.runs(output), 2)
    assert [outcome.state for outcome in outcomes] == ["done"] * 4
    assert caplog.messages == ["4 of 4 runs are done already."]


@pytest.mark.parametrize("predictions", ["missing", "of an earlier version"])
def test_a_trained_run_is_only_measured(copied, predictions):
    expanded, output = copied
    one = expanded.runs(output)[0]
    before = load(one.path / FILE_NAME)
    (one.path / FILE_NAME).unlink()
    if predictions != "missing":
        np.savez(one.path / FILE_NAME, version=np.array(1))
    assert run_state(one.path) is RunState.TRAINED
    metrics = (one.path / "metrics.jsonl").stat().st_mtime_ns
    perform(one.configuration, one.path)
    assert (one.path / "metrics.jsonl").stat().st_mtime_ns == metrics
    after = load(one.path / FILE_NAME)
    np.testing.assert_array_equal(after.sets["test"].predicted, before.sets["test"].predicted)


class _PowerCutError(Exception):
    """Simulated power cut."""


def broken_at(beginning: str, one: Run) -> None:
    """Perform a run until it logs a line with this beginning."""

    def cut(line: str) -> None:
        if line.startswith(beginning):
            raise _PowerCutError

    with pytest.raises(_PowerCutError), messages(cut):
        perform(one.configuration, one.path)


@pytest.mark.parametrize(
    ("beginning", "state"), [("epoch 1/2:", RunState.NEW), ("epoch 2/2:", RunState.BEGUN)]
)
def test_an_interrupted_run_resumes_to_the_same_result(made, tmp_path, beginning, state):
    expanded, output = made
    one = expanded.runs(tmp_path)[0]
    broken_at(beginning, one)
    assert run_state(one.path) is state
    with messages() as lines:
        perform(one.configuration, one.path)
    assert any(line.startswith("Resuming") for line in lines) == (state is RunState.BEGUN)
    mine, whole = load(one.path / FILE_NAME), load(output / one.name / FILE_NAME)
    np.testing.assert_array_equal(mine.sets["dev"].predicted, whole.sets["dev"].predicted)
    counts = [
        len((path / "metrics.jsonl").read_text().splitlines())
        for path in (one.path, output / one.name)
    ]
    assert counts[0] == counts[1]


def test_a_run_is_not_measured_if_its_data_changed(copied, tmp_path):
    expanded, output = copied
    one = expanded.runs(output)[0]
    (one.path / FILE_NAME).unlink()
    words = json.loads((one.path / "vocabulary.json").read_text())
    words["words"][-1] += "x"
    (one.path / "vocabulary.json").write_text(json.dumps(words))
    with pytest.raises(SpinnError, match="vocabulary is not that of the training files"):
        perform(one.configuration, one.path)


def test_runs_of_another_configuration_are_rejected(made, toy_folder):
    _, output = made
    other = study(toy_folder, {"RL": TRACKER | {"epochs": 3}, "LSTM": {"encoder": "lstm"}})
    with pytest.raises(SpinnError, match=r"RL-seed1: .* epochs 2 where the study has 3.*--output"):
        check_folders(other.runs(output))
    may_change = {"threads": 2, "device": "auto", "tensorboard": True, "log_steps": 7}
    elsewhere = study(toy_folder, {"RL": TRACKER | may_change})
    check_folders(elsewhere.runs(output))


def test_a_failure_is_reported_and_does_not_stop_other_runs(toy_folder, tmp_path):
    pytest.importorskip("torchtext")
    rows: dict[str, dict[str, Any]] = {
        "nowhere": {"data": str(tmp_path / "nowhere")},
        "bag": {"encoder": "bow"},
    }
    expanded = study(toy_folder, rows)
    with messages() as lines:
        lost, done = run_all(expanded.runs(tmp_path / "out"), 2)
    assert lost.state == "failed"
    assert "there is no such folder" in lost.reason
    assert "log.txt" in lost.reason
    assert done.state == "done"
    assert any(line.startswith("nowhere-seed1: failed: ") for line in lines)
    text = write_overview(expanded, tmp_path / "out", None).markdown()
    assert "seed 1, not begun; see nowhere-seed1/log.txt." in text
    assert any(line.startswith("bag-seed1: epoch 2/2: ") for line in lines)
    reasons = {lost.run.path: lost.reason}
    assert (
        "Missing: nowhere" in write_overview(expanded, tmp_path / "out", None, reasons).markdown()
    )


def test_ctrl_c_saves_active_runs_and_the_next_call_resumes_them(toy_folder, tmp_path):
    pytest.importorskip("torchtext")
    rows: dict[str, dict[str, Any]] = {
        "long": {"encoder": "bow", "epochs": 4000, "checkpoint_steps": 1},
        "waits": {"encoder": "lstm"},
    }
    runs = study(toy_folder, rows).runs(tmp_path)

    def interrupt(line: str) -> None:
        if line.startswith("long-seed1: epoch 2/"):
            signal.raise_signal(signal.SIGINT)

    with messages(interrupt):
        outcomes = run_all(runs, 1)
    assert [outcome.state for outcome in outcomes] == ["stopped", "stopped"]
    assert [run_state(one.path) for one in runs] == [RunState.BEGUN, RunState.NEW]
    assert "Stopping after this step" in (runs[0].path / "log.txt").read_text()

    def stop(line: str) -> None:
        if line.startswith("Resuming"):
            raise _PowerCutError

    with pytest.raises(_PowerCutError), messages(stop):
        resume(runs[0].path)


def test_each_corpus_is_cached_once_whatever_it_depends_on(toy_folder, tmp_path, monkeypatch):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("dog 1 2\n", encoding="utf-8")
    rows = {"drawn": {}, "given": {"vectors": str(vectors)}, "LSTM": {"encoder": "lstm"}}
    loaded = []
    monkeypatch.setattr(runner, "load_training_corpus", loaded.append)
    base = {"data": str(toy_folder), "cache": True}
    expanded = expand(Study(base, tuple(Row(name, one) for name, one in rows.items())), "toy")
    runner.cache_corpora(expanded.runs(tmp_path))
    assert [one.vectors and one.vectors.vectors for one in loaded] == [None, str(vectors)]


def test_gpus_are_distributed_only_if_there_are_several(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    assert visible_gpus() == ["2", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert visible_gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(launcher.torch.cuda, "device_count", lambda: 3)
    assert visible_gpus() == ["0", "1", "2"]


def test_a_process_gets_its_gpu(toy_folder, tmp_path):
    rows: dict[str, dict[str, Any]] = {"own": {"device": "cpu"}, "any": {"device": "auto"}}
    own, any_device = study(toy_folder, rows).runs(tmp_path)
    assert launcher.process_environment(own.configuration, "5").get("CUDA_VISIBLE_DEVICES") != "5"
    environment = launcher.process_environment(any_device.configuration, "5")
    assert environment["CUDA_VISIBLE_DEVICES"] == "5"


def test_processes_share_the_threads_unless_the_run_sets_them(toy_folder, tmp_path, monkeypatch):
    pytest.importorskip("torchtext")
    monkeypatch.setattr(runner, "available_cores", lambda: 7)
    rows: dict[str, dict[str, Any]] = {"shared": {"threads": 0}, "set": {"threads": 2}}
    runs = study(toy_folder, rows).runs(tmp_path)
    assert [one.state for one in run_all(runs, 2)] == ["done", "done"]
    saved = [load_configuration(one.path / "config.json") for one in runs]
    assert [one.training.threads for one in saved] == [3, 2]


def test_the_number_of_threads_does_not_depend_on_the_remaining_runs(
    toy_folder, tmp_path, monkeypatch
):
    """More threads would change the rounding of sums."""
    monkeypatch.setattr(runner, "available_cores", lambda: 4)
    rows: dict[str, dict[str, Any]] = {
        "one": {"threads": 0},
        "other": {"threads": 0, "encoder": "bow"},
    }
    runs = study(toy_folder, rows).runs(tmp_path)
    for left in (runs[:1], runs):
        run_all(left, 2)
    saved = [load_configuration(one.path / "config.json") for one in runs]
    assert [one.training.threads for one in saved] == [2, 2]


def test_the_reason_of_a_failure_is_not_taken_from_a_shared_log(toy_folder, tmp_path):
    pytest.importorskip("torchtext")
    (one,) = study(toy_folder, {"bag": {"encoder": "bow"}}).runs(tmp_path)
    one.path.mkdir()
    with claimed(one.path), (one.path / "log.txt").open("a") as log:

        def chat(line: str) -> None:
            log.write("epoch 2/6: from the other process\n")
            log.flush()

        with messages(chat):
            (outcome,) = run_all([one], 1)
    assert outcome.state == "failed"
    assert "another process is training this run" in outcome.reason
    assert "epoch" not in outcome.reason


def test_a_damaged_learning_curve_is_reported_with_its_line(copied):
    expanded, output = copied
    metrics = expanded.runs(output)[0].path / "metrics.jsonl"
    with metrics.open("a") as stream:
        stream.write('{"kind": "de')
    number = len(metrics.read_text().splitlines())
    with pytest.raises(SpinnError, match=rf"metrics\.jsonl, line {number}: it cannot be read"):
        write_overview(expanded, output, None)


@pytest.mark.parametrize("content", ["{", "[]", '{"name": 3}', '{"name": "a", "rows": 3}'])
def test_a_damaged_study_file_is_reported(tmp_path, content):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(SpinnError, match=r"study\.json: it cannot be read .* --table-only"):
        load_expanded(tmp_path)


def test_a_saved_study_is_loaded_unchanged(made):
    expanded, output = made
    save_expanded(expanded, output)
    assert load_expanded(output) == expanded


def test_a_run_is_resumed_on_the_device_of_the_command(copied, monkeypatch):
    expanded, output = copied
    one = expanded.runs(output)[0]
    saved = json.loads((one.path / "config.json").read_text())
    saved["training"]["device"] = "cuda:7"
    (one.path / "config.json").write_text(json.dumps(saved))
    (one.path / "results.json").unlink()
    (one.path / FILE_NAME).unlink()
    check_folders([one])
    with pytest.raises(SpinnError, match="GPU"):
        resume(one.path)
    perform(one.configuration.moved({"device": "cpu"}), one.path)
    assert run_state(one.path) is RunState.DONE


def test_a_run_of_another_process_is_not_touched(made, tmp_path):
    expanded, output = made
    one = expanded.runs(output)[0]
    path = tmp_path / "begun"
    path.mkdir()
    for name in ("config.json", "vocabulary.json"):
        shutil.copy(one.path / name, path)
    (path / "metrics.jsonl").write_text("one line\n")
    with claimed(path):
        with pytest.raises(SpinnError, match=r"begun: another process is training this run"):
            perform(one.configuration, path)
        assert (path / "metrics.jsonl").read_text() == "one line\n"
        assert (path / "config.json").exists()
    perform(one.configuration, path)
    assert run_state(path) is RunState.DONE


def test_runs_of_a_row_measured_on_different_pairs_are_rejected(copied):
    expanded, output = copied
    first, second = [one for one in expanded.runs(output) if one.row == "RL"]
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
        write_overview(expanded, output, None)
    assert str(first.path) in str(caught.value)
    assert str(second.path) in str(caught.value)
