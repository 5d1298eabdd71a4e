"""The results that are kept, the table made of them, and that the README has it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from benchmarks.collect import (
    README,
    _portable,
    accuracy,
    collect,
    read_record,
    table,
    with_table,
)
from spinn.errors import SpinnError
from spinn.laboratory.claims import experiment_file, experiment_names
from spinn.laboratory.grid import Experiment, Grid, expand, overlay, read_description
from spinn.laboratory.measurement import FILE_NAME, Measurement, SplitMeasurement, save
from spinn.laboratory.report import write_description
from spinn.laboratory.statistics import score_interval
from spinn.training.config import Configuration

DATA = ("train", "dev", "test", "also", "vectors", "data", "data_directory")
ELSEWHERE = {*DATA, "cache", "seed", "threads", "device"}
# Options that are gone, with the value that all experiments had and the package now implies.
GONE = {"dropout_unit": "token"}


def test_the_readme_has_the_table_of_the_results_as_they_are():
    text = README.read_text(encoding="utf-8")
    assert with_table(text, table()) == text, "run: python -m benchmarks.collect"


@pytest.mark.parametrize("name", experiment_names())
def test_results_are_of_the_experiment_as_it_is(name):
    """Every option that a kept configuration has is the one that repeating it would take."""
    description = read_description(experiment_file(name))
    assert description.claim is not None
    files: dict[str, Any] = {"data": "x"} if description.claim.needs else {}
    if "vectors" in description.claim.needs:
        files["vectors"] = "v.txt"
    further = set(description.claim.needs) - {"train", "dev", "test", "vectors"}
    also = {"also": [f"{one}=x" for one in further]} if further else {}
    grid = expand(overlay(description, files | also, {}, None), name)
    for row, kept in read_record(name)["rows"].items():
        wanted = grid.rows[row][0].as_dict()
        for group, options in kept["configuration"].items():
            if group == "policy" and wanted["trees"]["trees"] != "sampled":
                continue  # does nothing there
            for option, value in options.items():
                if option not in ELSEWHERE:
                    assert {**wanted[group], **GONE}[option] == value, (row, option)
        assert set(map(int, kept["runs"])) <= set(grid.seeds)
        for run in kept["runs"].values():
            best = max(line["accuracy"] for line in run["curve"])
            assert run["results"]["dev"]["accuracy"] == pytest.approx(best, abs=2e-3)


def a_run(one: Experiment, dev: float, further: dict[str, float]) -> None:
    """Make the folder of a run that is finished, as far as it matters here."""
    one.path.mkdir(parents=True)
    trees = {"gold": {"f1": 0.3 + dev}}
    results: dict[str, Any] = {"dev": {"accuracy": dev, "count": 1000, "trees": trees}}
    results |= {"seconds": 90 * one.seed, "weights": 1_234_567}
    results["also"] = {name: {"accuracy": value} for name, value in further.items()}
    lines = [{"kind": "train", "loss": 1}, {"kind": "dev", "epoch": 1, "accuracy": dev, "loss": 1}]
    for name, content in (
        ("config.json", one.configuration.as_dict()),
        ("results.json", results),
        ("checkpoints.json", {}),
    ):
        (one.path / name).write_text(json.dumps(content))
    (one.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    answers = SplitMeasurement(
        gold=np.zeros(50, dtype=np.int16),
        predicted=(np.arange(50) >= 50 * dev).astype(np.int16),
        premises=np.arange(50, dtype=np.int32),
        lengths=np.full(100, 3, dtype=np.int32),
        trees=None,
        gold_trees=[None] * 100,
    )
    save(Measurement({"dev": answers}, 1_234_567, 90.0 * one.seed), one.path / FILE_NAME)


def a_study(folder: Path, **options: Any) -> Grid:
    """Describe a study of the experiment on the bundled corpus, with options of its own."""
    files = {"train": ["/far/a.gz", "b"], "dev": ["c"], "also": ["7=/far/t7", "8=t8"]}
    description = overlay(read_description(experiment_file("sample")), files | options, {}, None)
    grid = expand(description, "sample")
    write_description(grid, folder)
    return grid


@pytest.fixture
def study(tmp_path) -> Path:
    """Make a study of three rows of which one has finished runs."""
    folder = tmp_path / "study"
    further = {1: {"7": 0.9, "8": 0.81}, 3: {"7": 0.9, "8": 0.79}}
    for one in a_study(folder).experiments(folder):
        if one.row == "bag of words" and one.seed in further:
            a_run(one, 0.50 if one.seed == 1 else 0.52, further[one.seed])
        elif one.seed == 1:
            one.path.mkdir()
    return folder


def test_a_finished_study_becomes_a_row_of_the_table(study, tmp_path):
    collect("sample", study, tmp_path)
    record = read_record("sample", tmp_path)
    assert list(record["rows"]) == ["bag of words"]
    kept = record["rows"]["bag of words"]
    assert kept["configuration"]["data"]["train"] == ["a.gz", "b"]
    assert kept["configuration"]["data"]["also"] == ["7=t7", "8=t8"]
    assert "seed" not in kept["configuration"]["training"]
    assert kept["runs"]["3"]["curve"] == [{"kind": "dev", "epoch": 1, "accuracy": 0.52, "loss": 1}]
    assert table(tmp_path).splitlines()[2:] == [
        "| bundled corpus | bag of words | `spinn ablate --experiment sample` | 1, 3 "
        "| 51.0 ± 1.4 [47.3, 54.7] | 90.0 ± 0.0, 80.0 ± 1.4 on 7, 8 | 81.0 ± 1.4 |  | 1.23 M | 3 |"
    ]


def test_the_table_of_a_study_is_kept_while_it_is_of_all_that_is(study, tmp_path):
    place = tmp_path / "sample.md"
    assert collect("sample", study, tmp_path) == []
    claim = read_description(experiment_file("sample")).claim
    assert claim is not None
    text = place.read_text(encoding="utf-8")
    assert text.startswith(f"# {claim.title}\n\n| row | seeds | dev | 95% CI |")
    assert "| bag of words | 2 | 51.00 ± 1.41 |" in text
    assert claim.remarks()[0] in text
    record = read_record("sample", tmp_path)
    record["rows"]["RL-SPINN"] = {"configuration": {}, "runs": {"1": "kept"}}
    (tmp_path / "sample.json").write_text(json.dumps(record))
    (line,) = collect("sample", study, tmp_path)
    assert line.startswith("sample.md is gone")
    assert not place.exists()
    assert collect("sample", study, tmp_path) == []


def kept_table(name: str) -> tuple[list[str], dict[str, list[str]]]:
    """Read the lines of an experiment's kept table, and the cells behind each row's name."""
    place = experiment_file(name).with_suffix(".md")
    if not place.is_file():
        pytest.skip("of this experiment no study was made at once")
    lines = place.read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines]
    return lines, {cells[0].removeprefix("| "): cells[1:] for cells in rows if len(cells) > 3}


@pytest.mark.parametrize("name", experiment_names())
def test_kept_tables_are_of_what_is_kept(name):
    lines, found = kept_table(name)
    claim = read_description(experiment_file(name)).claim
    assert claim is not None
    assert {f"- {remark}" for remark in claim.remarks()} <= set(lines)
    for row, kept in read_record(name)["rows"].items():
        seeds, dev, *_ = found[row]
        assert int(seeds) == len(kept["runs"])
        mean = fmean(run["results"]["dev"]["accuracy"] for run in kept["runs"].values())
        assert float(dev.split(" ± ")[0]) == pytest.approx(100 * mean, abs=0.0051)


@pytest.mark.parametrize("name", experiment_names())
def test_intervals_from_accuracies_alone_are_about_those_of_all_answers(name):
    """The README's intervals against the bootstrap over seeds and premises in the kept tables."""
    _, found = kept_table(name)
    for row, kept in read_record(name)["rows"].items():
        low, high = map(float, found[row][2].strip("[]").split(", "))
        scores = [run["results"]["dev"] for run in kept["runs"].values()]
        interval = score_interval([one["accuracy"] for one in scores], scores[0]["count"])
        width = high - low
        assert 0.85 * width < 100 * (interval.high - interval.low) < 1.25 * width
        assert 100 * interval.low == pytest.approx(low, abs=0.2 * width)
        assert 100 * interval.high == pytest.approx(high, abs=0.2 * width)


def test_rows_that_a_study_lacks_are_kept(study, tmp_path):
    before = {"rows": {"RL-SPINN": {"configuration": {}, "runs": {"1": "kept"}}}}
    (tmp_path / "sample.json").write_text(json.dumps(before))
    assert collect("sample", study, tmp_path) == []
    rows = read_record("sample", tmp_path)["rows"]
    assert rows["RL-SPINN"]["runs"] == {"1": "kept"}
    assert list(rows["bag of words"]["runs"]) == ["1", "3"]


def kept_before(study: Path, tmp_path: Path, **options: Any) -> None:
    """Record seeds 1 and 2 of the row; seed 1 comes again with the study."""
    collect("sample", study, tmp_path)
    record = read_record("sample", tmp_path)
    row = record["rows"]["bag of words"]
    row["configuration"]["training"] |= options
    row["runs"] = {"1": "before", "2": "before"}
    (tmp_path / "sample.json").write_text(json.dumps(record))


def test_seeds_that_a_study_lacks_are_kept(study, tmp_path):
    kept_before(study, tmp_path, threads=7, decay=0.5)  # which does nothing with its schedule
    assert collect("sample", study, tmp_path) == []
    runs = read_record("sample", tmp_path)["rows"]["bag of words"]["runs"]
    assert list(runs) == ["1", "2", "3"]
    assert runs["2"] == "before"
    assert runs["1"]["results"]["dev"]["accuracy"] == 0.5


def test_seeds_of_another_configuration_go_and_are_named(study, tmp_path):
    kept_before(study, tmp_path, epochs=99)
    (line,) = collect("sample", study, tmp_path)
    assert line == ("bag of words: seeds 1, 2 are gone, they had epochs 99 where the grid has 8.")
    assert list(read_record("sample", tmp_path)["rows"]["bag of words"]["runs"]) == ["1", "3"]


def test_an_option_that_is_newer_than_a_record_is_at_its_default_there(study, tmp_path):
    kept_before(study, tmp_path)
    record = read_record("sample", tmp_path)
    del record["rows"]["bag of words"]["configuration"]["training"]["balance_labels"]
    (tmp_path / "sample.json").write_text(json.dumps(record))
    assert collect("sample", study, tmp_path) == []


@pytest.mark.parametrize("missing", ["results.json", FILE_NAME])
def test_a_folder_without_results_is_refused(study, tmp_path, missing):
    with pytest.raises(SpinnError, match="there is no study here"):
        collect("sample", tmp_path, tmp_path)
    for path in study.glob(f"*/{missing}"):
        path.unlink()
    with pytest.raises(SpinnError, match="no run of the study is finished"):
        collect("sample", study, tmp_path)
    assert not (tmp_path / "sample.json").exists()


def test_a_run_that_the_last_table_did_not_have_is_in_the_one_that_is_kept(study, tmp_path):
    (study / "table.md").write_text("of an earlier time")
    collect("sample", study, tmp_path)
    shutil.copytree(study / "bag-of-words-seed3", study / "bag-of-words-seed2")
    configuration = json.loads((study / "bag-of-words-seed2" / "config.json").read_text())
    configuration["training"]["seed"] = 2
    (study / "bag-of-words-seed2" / "config.json").write_text(json.dumps(configuration))
    collect("sample", study, tmp_path)
    assert "| bag of words | 3 | 51.33 " in (tmp_path / "sample.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "options", "cause"),
    [
        ("sample", {"batch_size": 99}, "'RL-SPINN' is not sample's: it has batch_size 99 where"),
        ("sick", {"vectors": "v"}, "'RL-SPINN' is not sick's: it has"),
        ("snli-79k", {"vectors": "v"}, "it has a row 'RL-SPINN' that snli-79k has not"),
        ("sample", {"seeds": [3, 4]}, r"seeds \[4\] are none of sample's"),
    ],
)
def test_a_study_of_something_else_is_refused(tmp_path, name, options, cause):
    folder = tmp_path / "study"
    a_study(folder, **{option: value for option, value in options.items() if option != "seeds"})
    content = json.loads((folder / "study.json").read_text())
    content["seeds"] = options.get("seeds", content["seeds"])
    (folder / "study.json").write_text(json.dumps(content))
    with pytest.raises(SpinnError, match=cause):
        collect(name, folder, tmp_path)
    assert not list(tmp_path.glob("*.json"))


def test_nothing_of_the_machine_is_kept():
    configuration = Configuration().as_dict()
    configuration["data"] |= {"data": "/home/me/snli", "vectors": "/home/me/glove.txt"}
    assert "/home" not in json.dumps(_portable(configuration))
    assert configuration["data"]["data"] == "snli"


def test_accuracies_of_one_seed_have_no_deviation():
    assert accuracy([0.7345]) == "73.5"
    assert accuracy([0.70, 0.72, 0.74]) == "72.0 ± 2.0"


def test_only_what_lies_between_the_marks_is_written():
    text = "a\n<!-- results -->\nold\n<!-- end of results -->\nb\n"
    written = with_table(text, "| new |\n")
    assert written == "a\n<!-- results -->\n\n| new |\n\n<!-- end of results -->\nb\n"
    assert with_table(written, "| new |\n") == written
