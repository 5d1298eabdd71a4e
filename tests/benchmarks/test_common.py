"""Clocks, tables and samples of the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.common import (
    Timings,
    alternate,
    describe_machine,
    describe_sentences,
    figure,
    load_sentences,
    make_parser,
    record_of,
    sample,
    table,
    write_record,
)
from spinn.data.dataset import PairDataset
from spinn.support.errors import SpinnError
from spinn.transitions import is_valid

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "dev.jsonl"


class Clock:
    """A clock that goes forward only when something is done."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, seconds: float) -> None:
        self.done.append(name)
        # Each round takes longer than the one before it, for all alike.
        self.now += seconds * self.done.count(name)


def test_contestants_take_turns_and_the_warm_up_is_not_timed() -> None:
    clock = Clock()
    turns = {
        "A": lambda: clock.work("A", 1.0),
        "B": lambda: clock.work("B", 2.0),
        "C": lambda: clock.work("C", 0.5),
    }
    timings = alternate(turns, rounds=3, warmups=1, clock=clock)
    assert "".join(clock.done) == "ABC" * 4
    assert timings["A"].seconds == (2.0, 3.0, 4.0)
    assert timings["B"].seconds == (4.0, 6.0, 8.0)
    assert timings["C"].median == 1.5


def test_a_ratio_is_the_median_of_the_ratios_within_rounds() -> None:
    # The second round was slow for both, the third for the rival alone.
    own, rival = Timings((1.0, 5.0, 1.0)), Timings((2.0, 10.0, 30.0))
    assert own.times_faster(rival) == 2.0
    assert rival.times_faster(own) == 0.5
    with pytest.raises(ValueError, match="shorter"):
        own.times_faster(Timings((1.0,)))


def test_a_table_is_markdown_with_numbers_to_the_right() -> None:
    lines = table(("form", "pairs/s"), [("SPINN", figure(12_345.6)), ("LSTM", figure(7.891))])
    assert lines.splitlines() == [
        "| form  | pairs/s |",
        "| ----- | ------: |",
        "| SPINN |  12,346 |",
        "| LSTM  |    7.89 |",
    ]
    assert [figure(0.12345), figure(45.67), figure(None)] == ["0.123", "45.7", "-"]


def tiny_set() -> PairDataset:
    """Two pairs of sentences of 1, 2, 3 and 1 words."""
    return PairDataset(
        np.array([5, 6, 7, 8, 9, 10, 11], dtype=np.int32),
        np.array([0, 1, 3, 6, 7]),
        np.array([3, 3, 3, 2, 3, 3, 2, 3, 2, 3], dtype=np.int8),
        np.array([0, 2]),
    )


def test_a_sample_repeats_pairs_only_when_there_are_no_others() -> None:
    drawn = sample(tiny_set(), 5)
    assert sorted(drawn.labels.tolist()[:2]) == [0, 2]
    assert sorted(drawn.labels.tolist()[2:4]) == [0, 2]
    assert len(drawn) == 5
    assert np.array_equal(drawn.words, sample(tiny_set(), 5).words)


def test_real_sentences_come_with_trees_and_are_described_without_folders() -> None:
    data = sample(load_sentences([str(SAMPLE)]).sets["train"], 8)
    steps, offsets = data.transitions, data.transition_offsets
    for number, length in enumerate(data.lengths):
        assert is_valid(steps[offsets[number] : offsets[number + 1]], int(length))
    described = describe_sentences(data, [str(SAMPLE)])
    assert described["files"] == ["dev.jsonl"]
    assert described["pairs"] == 8
    assert described["longest"] == data.lengths.max()


def test_pairs_without_a_parse_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("spacy")
    row = {"gold_label": "neutral", "sentence1": "a dog", "sentence2": "a cat"}
    path = tmp_path / "unparsed.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(SpinnError, match=r"unparsed\.jsonl"):
        load_sentences([str(path)])


def test_a_record_tells_of_the_machine_and_not_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "speed" / "some.json"
    write_record(path, describe_machine(torch.device("cpu"), 3), {"rows": [1]})
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["rows"] == [1]
    assert record["machine"]["threads"] == 3
    assert record["machine"]["torch"] == torch.__version__
    assert set(record["machine"]) == {
        "processor",
        "cores",
        "threads",
        "device",
        "load",
        "system",
        "python",
        "torch",
        "vectors",
    }


def test_a_quick_run_leaves_the_record_alone() -> None:
    parser = make_parser("", "throughput")
    assert record_of(parser.parse_args([]), "throughput") is not None
    assert record_of(parser.parse_args(["--quick"]), "throughput") is None
    named = parser.parse_args(["--quick", "--output", "here.json"])
    assert record_of(named, "throughput") == Path("here.json")


def test_threads_are_counted_from_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser("", "throughput").parse_args(["--threads", "0"])
    assert "too small" in capsys.readouterr().err
