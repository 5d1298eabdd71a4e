"""Growth of time and memory: ``python -m benchmarks.scaling``.

Measure a training step of an encoder over random sentences of one length and shape. One quantity is
varied at a time (sentences per batch, words per sentence, width, threads), the others keep their
defaults. Time and memory are reported per word, so linear growth appears as a constant. If the
length varies, the number of words in the batch is constant. Every case runs in a separate process.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from benchmarks.common import (
    Place,
    alternate,
    describe_machine,
    figure,
    make_parser,
    place_of,
    positive,
    record_of,
    run_program,
    say,
    table,
    write_record,
)
from benchmarks.contest import ALGORITHMS, FORMS, Contestant, EncoderWork, Widths, contestants
from benchmarks.processes import MemoryMeter, in_fresh_process
from spinn.support.runtime import available_cores
from spinn.transitions import TransitionArray
from spinn.trees import tree_source

AXES = ("batch", "length", "width", "threads")
SHAPES = ("balanced", "left", "random")


@dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes
    ----------
    sentences, length, shape
        Number of sentences, number of words in each, and the shape of the trees.
    width
        Width of a sentence vector.
    threads
        Number of processor threads.

    """

    sentences: int
    length: int
    shape: str
    width: int
    threads: int

    @property
    def words(self) -> int:
        """Number of words of all sentences."""
        return self.sentences * self.length


@dataclass(frozen=True)
class Cost:
    """Seconds of a training step, and bytes in addition to the process's memory before it."""

    seconds: float
    memory: int


def draw_trees(case: Case) -> TransitionArray:
    """Return transitions ``[T, B]`` of the shape of the case."""
    lengths = np.full(case.sentences, case.length, dtype=np.int64)
    draw = tree_source(case.shape).draw
    assert draw is not None
    return draw(lengths, np.empty((0, 0), dtype=np.int8), np.random.default_rng(1))


def measure(
    contestant: Contestant, case: Case, device: torch.device, rounds: int, tracker_size: int
) -> Cost:
    """Measure memory in a first training step and time in the following ones."""
    Place(device, case.threads).enter()
    work = EncoderWork(contestant, Widths(case.width, tracker_size), device)
    small = Case(2, 4, "balanced", case.width, case.threads)
    lengths = np.full(small.sentences, small.length, dtype=np.int64)
    work.train([work.prepare(lengths, draw_trees(small))])
    lengths = np.full(case.sentences, case.length, dtype=np.int64)
    inputs = [work.prepare(lengths, draw_trees(case))]
    meter = MemoryMeter(device)
    work.train(inputs)
    memory = meter.read().added
    timings = alternate(
        {"step": lambda: work.train(inputs)}, rounds=rounds, warmups=0, device=device
    )
    return Cost(timings["step"].median, memory)


def cases_of(axis: str, base: Case, values: Sequence[int], words: int) -> Iterator[Case]:
    """Yield cases that vary one quantity; lengths with every shape and a total of ``words``."""
    for value in values:
        if axis == "batch":
            yield replace(base, sentences=value)
        elif axis == "width":
            yield replace(base, width=value)
        elif axis == "threads":
            yield replace(base, threads=value)
        else:
            sentences = max(1, words // value)
            for shape in SHAPES:
                yield replace(base, sentences=sentences, length=value, shape=shape)


def values_of(options: argparse.Namespace) -> dict[str, list[int]]:
    """Return the values of each axis."""
    cores = available_cores()
    lengths = [10, 30, 100, 300, 1000, 3000, 10_000]
    return {
        "batch": options.batch_sizes or ([4, 16] if options.quick else [1, 8, 32, 128, 512, 2048]),
        "length": options.lengths or ([10, 100] if options.quick else lengths),
        "width": options.widths or ([32, 64] if options.quick else [50, 100, 300, 600, 1000]),
        "threads": options.thread_counts or sorted({1, 2, 4, 8, cores} & set(range(cores + 1))),
    }


def row_of(axis: str, contestant: Contestant, case: Case, cost: Cost | None) -> dict[str, Any]:
    """Return the results of a case for JSON, ``None`` if it ran out of memory."""
    figures: dict[str, Any] = {"seconds": None, "microseconds_per_word": None}
    figures["bytes_per_word"] = None
    if cost is not None:
        figures = {
            "seconds": round(cost.seconds, 6),
            "microseconds_per_word": round(1e6 * cost.seconds / case.words, 3),
            "bytes_per_word": round(cost.memory / case.words),
        }
    return {"axis": axis} | asdict(contestant) | asdict(case) | figures


def show(axis: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print the results of one axis."""
    heads = ("form", "algorithm", "sentences", "words each", "trees", "width", "threads")
    cells = [
        (
            row["form"],
            ALGORITHMS[row["algorithm"]],
            *(row[name] for name in ("sentences", "length", "shape", "width", "threads")),
            figure(row["microseconds_per_word"]),
            "-" if row["bytes_per_word"] is None else figure(row["bytes_per_word"] / 1024),
        )
        for row in rows
    ]
    say(f"\n{axis}\n\n{table((*heads, 'us/word', 'KiB/word'), cells)}")


def parse() -> argparse.Namespace:
    """Parse the flags."""
    parser = make_parser("Time and memory of a training step per word.", "scaling", files=False)
    add = parser.add_argument
    add("--axes", nargs="+", choices=AXES, default=list(AXES), help="(default: all)")
    add("--forms", nargs="+", choices=list(FORMS), default=["SPINN-PI-NT", "SPINN-PI"])
    add("--algorithms", nargs="+", choices=list(ALGORITHMS), default=["spinn"])
    add("--batch-sizes", nargs="+", type=positive, help="sentences (default: 1 to 2048)")
    add("--lengths", nargs="+", type=positive, help="words in a sentence (default: 10 to 10,000)")
    add("--widths", nargs="+", type=positive, help="widths of sentences (default: 50 to 1000)")
    add(
        "--thread-counts",
        nargs="+",
        type=positive,
        help="(default: 1 to the number of cores)",
    )
    add("--sentences", type=positive, help="sentences per batch on other axes (default: 256)")
    add("--length", type=positive, help="words per sentence on other axes (default: 20)")
    add("--words", type=positive, help="words per batch on the axis length (default: 20,000)")
    add("--hidden-size", type=positive, help="width on other axes (default: 300)")
    add("--tracker-size", type=positive, default=64, help="width of the tracker (default: 64)")
    add("--rounds", type=positive, help="timed steps of each case (default: 3)")
    return parser.parse_args()


def base_of(options: argparse.Namespace) -> Case:
    """Return the case with the default of every quantity."""
    quick = options.quick
    return Case(
        options.sentences or (16 if quick else 256),
        options.length or (10 if quick else 20),
        "random",
        options.hidden_size or (64 if quick else 300),
        options.threads,
    )


def main() -> None:
    """Measure all axes, print tables, write the record."""
    options = parse()
    device = place_of(options).device
    machine = describe_machine(device, options.threads)
    values, base = values_of(options), base_of(options)
    words = options.words or (400 if options.quick else 20_000)
    rounds = options.rounds or (1 if options.quick else 3)
    rows: list[dict[str, Any]] = []
    for axis in options.axes:
        new = [
            row_of(
                axis,
                one,
                case,
                in_fresh_process(measure, one, case, device, rounds, options.tracker_size),
            )
            for one in contestants(options.forms, options.algorithms, ["fp32"])
            for case in cases_of(axis, base, values[axis], words)
        ]
        show(axis, new)
        rows += new
    write_record(record_of(options, "scaling"), machine, {"rows": rows})


if __name__ == "__main__":
    run_program(main)
