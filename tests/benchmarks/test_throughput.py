"""The contest for throughput: batch sizes, ratios, and one tiny run from end to end."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import throughput
from benchmarks.common import Timings
from benchmarks.contest import Contestant
from benchmarks.throughput import Result, compete, times_rivals
from spinn.support.errors import ConfigurationError

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "dev.jsonl"
OURS, LISTS = Contestant("SPINN", "spinn"), Contestant("SPINN", "list")
PACKED, PADDED = Contestant("LSTM", "packed"), Contestant("LSTM", "padded")


def test_each_contestant_runs_at_the_batch_size_that_suits_it() -> None:
    now = 0.0

    def take(seconds: float) -> None:
        nonlocal now
        now += seconds

    turns = {
        OURS: {8: lambda: take(2.0), 16: lambda: take(1.0)},
        LISTS: {8: lambda: take(3.0), 16: lambda: take(4.0)},
    }
    results = compete(turns, 12, torch.device("cpu"), trials=1, rounds=2, clock=lambda: now)
    assert results[OURS] == Result(16, {8: 6.0, 16: 12.0}, Timings((1.0, 1.0)))
    assert results[LISTS] == Result(8, {8: 4.0, 16: 3.0}, Timings((3.0, 3.0)))


def test_ratios_are_with_lists_and_with_the_better_lstm() -> None:
    seconds = {OURS: 1.0, LISTS: 3.0, PACKED: 2.5, PADDED: 2.0}
    results = {one: Result(8, {}, Timings((own,))) for one, own in seconds.items()}
    assert times_rivals(OURS, results) == (3.0, 2.0)
    assert times_rivals(LISTS, results) == (None, pytest.approx(2 / 3))
    assert times_rivals(PADDED, results) == (None, None)
    del results[LISTS], results[PADDED]
    assert times_rivals(OURS, results) == (None, 2.5)


def test_a_batch_holds_no_more_than_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["throughput", "--pairs", "100", "--batch-sizes", "128"])
    with pytest.raises(ConfigurationError, match="more --pairs"):
        throughput.main()


def test_the_processors_clock_is_for_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["throughput", "--clock", "cpu", "--threads", "2"])
    with pytest.raises(ConfigurationError, match="--threads 1"):
        throughput.main()


def test_a_tiny_run_prints_and_writes_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.json"
    flags = "--quick --precisions fp32 --hidden-size 4 --tracker-size 3 --pairs 4 --batch-sizes 2 4"
    flags += f" --rounds 1 --forms SPINN-PI-NT LSTM --files {SAMPLE} --output {record}"
    monkeypatch.setattr(sys, "argv", ["throughput", *flags.split()])
    throughput.main()
    written = json.loads(record.read_text(encoding="utf-8"))
    rows = written["rows"]
    ways = ("spinn", "list", "packed", "padded")
    assert [(row["part"], row["mode"], row["algorithm"]) for row in rows] == [
        (part, mode, way)
        for part in ("encoder", "model")
        for mode in ("training", "inference")
        for way in ways
    ]
    assert all(set(row["trials"]) == {"2", "4"} for row in rows)
    assert all(row["pairs_per_second"] > 0 for row in rows)
    assert rows[0]["times_list"] == pytest.approx(
        rows[1]["seconds"][0] / rows[0]["seconds"][0], rel=0.05
    )
    assert str(tmp_path) not in record.read_text(encoding="utf-8")
    assert "| SPINN-PI-NT | lists of tensors" in capsys.readouterr().out
