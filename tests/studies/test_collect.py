"""Kept results, and the tables made from them in the documentation."""

from __future__ import annotations

import json
import shutil
from math import sqrt
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from spinn.config import WRITTEN, Configuration, resolve
from spinn.studies import collect as program
from spinn.studies import results
from spinn.studies.collect import _portable, collect
from spinn.studies.expansion import ExpandedStudy, expand, save_expanded
from spinn.studies.measurement import FILE_NAME, Measurement, SplitMeasurement, save
from spinn.studies.results import (
    DOCUMENT,
    README,
    RESULTS,
    format_accuracy,
    full_table,
    read_record,
    replace_marked,
    short_table,
)
from spinn.studies.run import Run
from spinn.studies.statistics import score_interval
from spinn.studies.study import StudyHeader, override, read_study, study_file, study_names
from spinn.support.errors import SpinnError

DATA = ("train", "dev", "test", "also", "vectors", "data", "data_directory")
ELSEWHERE = {*DATA, "cache", "seed", "threads", "device"}


def header_of(name: str) -> StudyHeader:
    header = read_study(study_file(name)).header
    assert header is not None
    return header


@pytest.mark.parametrize(("path", "table"), [(README, short_table), (DOCUMENT, full_table)])
def test_the_documents_have_the_current_tables(path, table):
    text = path.read_text(encoding="utf-8")
    assert replace_marked(text, table()) == text, "run: python -m spinn.studies.collect"


def test_the_short_table_has_the_highlighted_rows():
    highlights = [row for name in study_names() for row in header_of(name).highlights]
    assert len(highlights) == 13
    models = [line.split(" | ")[1] for line in short_table().splitlines()[2:]]
    assert models == highlights


def test_collecting_requires_a_clone(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr("sys.argv", ["collect"])
    with pytest.raises(SystemExit, match="run the command from a clone"):
        program.main()


@pytest.mark.parametrize("name", study_names())
def test_results_have_the_configurations_of_the_current_study(name):
    study = read_study(study_file(name))
    needs = header_of(name).needs
    files: dict[str, Any] = {"data": "x"} if needs else {}
    if "vectors" in needs:
        files["vectors"] = "v.txt"
    further = set(needs) - {"train", "dev", "test", "vectors"}
    also = {"also": [f"{one}=x" for one in further]} if further else {}
    expanded = expand(override(study, files | also, {}, None), name)
    for row, kept in read_record(name)["rows"].items():
        current = expanded.rows[row][0].values()
        for option, value in Configuration.of_dict(kept["configuration"]).values().items():
            if option not in (*ELSEWHERE, *WRITTEN):
                assert current[option] == value, (row, option)
        assert set(map(int, kept["runs"])) <= set(expanded.seeds)
        for run in kept["runs"].values():
            best = max(line["accuracy"] for line in run["curve"])
            assert run["results"]["dev"]["accuracy"] == pytest.approx(best, abs=2e-3)


def write_run(one: Run, dev: float, further: dict[str, float]) -> None:
    """Write the files of a finished run that are read here."""
    one.path.mkdir(parents=True)
    trees = {"gold": {"f1": 0.3 + dev}}
    scores: dict[str, Any] = {"dev": {"accuracy": dev, "count": 1000, "trees": trees}}
    scores |= {"seconds": 90 * one.seed, "weights": 1_234_567}
    scores["also"] = {name: {"accuracy": value} for name, value in further.items()}
    lines = [
        {"kind": "train", "step": 1, "epoch": 1, "loss": 1},
        {"kind": "dev", "step": 1, "epoch": 1, "accuracy": dev, "loss": 1},
    ]
    for name, content in (
        ("config.json", one.configuration.as_dict()),
        ("results.json", scores),
        ("checkpoints.json", {}),
    ):
        (one.path / name).write_text(json.dumps(content))
    (one.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    predictions = SplitMeasurement(
        gold=np.zeros(50, dtype=np.int16),
        predicted=(np.arange(50) >= 50 * dev).astype(np.int16),
        premises=np.arange(50, dtype=np.int32),
        lengths=np.full(100, 3, dtype=np.int32),
        trees=None,
        gold_trees=[None] * 100,
    )
    save(Measurement({"dev": predictions}, 1_234_567, 90.0 * one.seed), one.path / FILE_NAME)


def write_study(folder: Path, **options: Any) -> ExpandedStudy:
    """Expand the study of the bundled corpus with further options, and write it to a folder."""
    files = {"train": ["/far/a.gz", "b"], "dev": ["c"], "also": ["7=/far/t7", "8=t8"]}
    study = override(read_study(study_file("sample")), files | options, {}, None)
    expanded = expand(study, "sample")
    save_expanded(expanded, folder)
    return expanded


@pytest.fixture
def study(tmp_path) -> Path:
    """Write a study of three rows, one of which has finished runs."""
    folder = tmp_path / "study"
    further = {1: {"7": 0.9, "8": 0.81}, 3: {"7": 0.9, "8": 0.79}}
    for one in write_study(folder).runs(folder):
        if one.row == "bag of words" and one.seed in further:
            write_run(one, 0.50 if one.seed == 1 else 0.52, further[one.seed])
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
    assert kept["runs"]["3"]["curve"] == [
        {"kind": "dev", "step": 1, "epoch": 1, "accuracy": 0.52, "loss": 1}
    ]
    assert full_table(tmp_path).splitlines()[2:] == [
        "| bundled corpus | bag of words | `spinn ablate --experiment sample` | 1, 3 "
        "| 51.0 ± 1.4 [47.3, 54.7] | 90.0 ± 0.0, 80.0 ± 1.4 on 7, 8 | 81.0 ± 1.4 |  | 1.23 M | 3 |"
    ]


def test_seeds_from_before_a_further_test_set_remain_readable(study, tmp_path):
    collect("sample", study, tmp_path)
    record = read_record("sample", tmp_path)
    runs = record["rows"]["bag of words"]["runs"]
    del runs["3"]["results"]["also"]["8"]
    (tmp_path / "sample.json").write_text(json.dumps(record))
    assert "| 90.0 ± 0.0 on 7 |" in full_table(tmp_path)
    del runs["1"]["results"]["also"]
    (tmp_path / "sample.json").write_text(json.dumps(record))
    assert " on 7" not in full_table(tmp_path)


def test_the_table_of_a_study_is_kept_while_it_is_complete(study, tmp_path):
    place = tmp_path / "sample.md"
    assert collect("sample", study, tmp_path) == []
    header = header_of("sample")
    text = place.read_text(encoding="utf-8")
    assert text.startswith(f"# {header.title}\n\n| row | seeds | dev | 95% CI |")
    assert "| bag of words | 2 | 51.00 ± 1.41 |" in text
    assert header.remarks()[0] in text
    record = read_record("sample", tmp_path)
    record["rows"]["LSTM"] = {"configuration": {}, "runs": {"1": "kept"}}
    (tmp_path / "sample.json").write_text(json.dumps(record))
    (line,) = collect("sample", study, tmp_path)
    assert line.startswith("sample.md is deleted")
    assert not place.exists()
    assert collect("sample", study, tmp_path) == []


def kept_table(name: str) -> tuple[list[str], dict[str, list[str]]]:
    """Read the lines of a kept table, and the cells of each row by its name."""
    place = RESULTS / f"{name}.md"
    if not place.is_file():
        pytest.skip("not all runs of this study were kept from one folder")
    lines = place.read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines]
    return lines, {cells[0].removeprefix("| "): cells[1:] for cells in rows if len(cells) > 3}


@pytest.mark.parametrize("name", study_names())
def test_kept_tables_agree_with_kept_results(name):
    lines, found = kept_table(name)
    assert {f"- {remark}" for remark in header_of(name).remarks()} <= set(lines)
    for row, kept in read_record(name)["rows"].items():
        seeds, dev, *_ = found[row]
        assert int(seeds) == len(kept["runs"])
        mean = fmean(run["results"]["dev"]["accuracy"] for run in kept["runs"].values())
        assert float(dev.split(" ± ")[0]) == pytest.approx(100 * mean, abs=0.0051)


@pytest.mark.parametrize("name", study_names())
def test_score_intervals_approximate_the_bootstrap_intervals(name):
    _, found = kept_table(name)
    for row, kept in read_record(name)["rows"].items():
        low, high = map(float, found[row][2].strip("[]").split(", "))
        scores = [run["results"]["dev"] for run in kept["runs"].values()]
        interval = score_interval([one["accuracy"] for one in scores], scores[0]["count"])
        width, seeds = high - low, len(scores)
        # Resampling S seeds has (S - 1) / S of their variance.
        wider = sqrt(seeds / (seeds - 1)) if seeds > 1 else 1.0
        assert 0.85 * width < 100 * (interval.high - interval.low) < 1.25 * wider * width
        assert 100 * interval.low == pytest.approx(low, abs=0.2 * wider * width)
        assert 100 * interval.high == pytest.approx(high, abs=0.2 * wider * width)


def test_rows_without_new_runs_are_kept(study, tmp_path):
    before = {"rows": {"LSTM": {"configuration": {}, "runs": {"1": "kept"}}}}
    (tmp_path / "sample.json").write_text(json.dumps(before))
    assert collect("sample", study, tmp_path) == []
    rows = read_record("sample", tmp_path)["rows"]
    assert rows["LSTM"]["runs"] == {"1": "kept"}
    assert list(rows["bag of words"]["runs"]) == ["1", "3"]


def test_rows_that_the_study_no_longer_has_are_dropped_and_named(study, tmp_path):
    before = {"rows": {"RL-SPINN": {"configuration": {}, "runs": {"1": "kept"}}}}
    (tmp_path / "sample.json").write_text(json.dumps(before))
    assert collect("sample", study, tmp_path) == [
        "RL-SPINN: it is dropped, as the study has no such row."
    ]
    assert list(read_record("sample", tmp_path)["rows"]) == ["bag of words"]
    assert (tmp_path / "sample.md").is_file()


def kept_before(study: Path, tmp_path: Path, **options: Any) -> None:
    """Keep results of seeds 1 and 2 of the row; the study has seed 1 again."""
    collect("sample", study, tmp_path)
    record = read_record("sample", tmp_path)
    row = record["rows"]["bag of words"]
    row["configuration"]["training"] |= options
    row["runs"] = {"1": "before", "2": "before"}
    (tmp_path / "sample.json").write_text(json.dumps(record))


def test_seeds_without_new_runs_are_kept(study, tmp_path):
    kept_before(study, tmp_path, threads=7, decay=0.5)  # without effect
    (line,) = collect("sample", study, tmp_path)
    assert line.startswith("sample.md is deleted")  # its table would lack seed 2
    assert not (tmp_path / "sample.md").exists()
    runs = read_record("sample", tmp_path)["rows"]["bag of words"]["runs"]
    assert list(runs) == ["1", "2", "3"]
    assert runs["2"] == "before"
    assert runs["1"]["results"]["dev"]["accuracy"] == 0.5


def test_seeds_of_another_configuration_are_dropped_and_named(study, tmp_path):
    kept_before(study, tmp_path, epochs=99)
    (line,) = collect("sample", study, tmp_path)
    assert line == (
        "bag of words: seeds 1, 2 are dropped, they had epochs 99 where the study has 40."
    )
    assert list(read_record("sample", tmp_path)["rows"]["bag of words"]["runs"]) == ["1", "3"]


def test_an_option_missing_from_a_record_has_its_default(study, tmp_path):
    kept_before(study, tmp_path)
    record = read_record("sample", tmp_path)
    del record["rows"]["bag of words"]["configuration"]["training"]["token_budget"]
    (tmp_path / "sample.json").write_text(json.dumps(record))
    (line,) = collect("sample", study, tmp_path)
    assert line.startswith("sample.md is deleted")  # and no seed is dropped
    assert list(read_record("sample", tmp_path)["rows"]["bag of words"]["runs"]) == ["1", "2", "3"]


@pytest.mark.parametrize("missing", ["results.json", FILE_NAME])
def test_a_folder_without_results_is_rejected(study, tmp_path, missing):
    with pytest.raises(SpinnError, match="there is no study here"):
        collect("sample", tmp_path, tmp_path)
    for path in study.glob(f"*/{missing}"):
        path.unlink()
    with pytest.raises(SpinnError, match="no run of the study is finished"):
        collect("sample", study, tmp_path)
    assert not (tmp_path / "sample.json").exists()


def test_the_kept_table_has_all_finished_runs(study, tmp_path):
    (study / "table.md").write_text("an earlier table")
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
        (
            "sample",
            {"pool_batches": 99},
            "given trees' differs from sample: pool_batches 99 where",
        ),
        (
            "listops",
            {"test": ["t"], "seeds": [1]},
            "'SPINN-PI-NT, given trees' differs from listops: ",
        ),
        ("listops-ppo", {"test": ["t"]}, "'SPINN-PI-NT, given trees' is not a row of listops-ppo"),
        ("sample", {"seeds": [3, 4]}, r"seeds \[4\] are not seeds of sample"),
    ],
)
def test_another_study_is_rejected(tmp_path, name, options, cause):
    folder = tmp_path / "study"
    write_study(folder, **{option: value for option, value in options.items() if option != "seeds"})
    content = json.loads((folder / "study.json").read_text())
    content["seeds"] = options.get("seeds", content["seeds"])
    (folder / "study.json").write_text(json.dumps(content))
    with pytest.raises(SpinnError, match=cause):
        collect(name, folder, tmp_path)
    assert not list(tmp_path.glob("*.json"))


def test_no_paths_are_kept():
    portable = _portable(resolve({"data": "/home/me/snli", "vectors": "/home/me/glove.txt"}))
    assert "/home" not in json.dumps(portable)
    assert portable["data"]["data"] == "snli"
    assert portable["vectors"]["vectors"] == "glove.txt"


def test_accuracies_of_one_seed_have_no_deviation():
    assert format_accuracy([0.7345]) == "73.5"
    assert format_accuracy([0.70, 0.72, 0.74]) == "72.0 ± 2.0"


def test_only_the_part_between_the_marks_is_written():
    text = "a\n<!-- results -->\nold\n<!-- end of results -->\nb\n"
    written = replace_marked(text, "| new |\n")
    assert written == "a\n<!-- results -->\n\n| new |\n\n<!-- end of results -->\nb\n"
    assert replace_marked(written, "| new |\n") == written
