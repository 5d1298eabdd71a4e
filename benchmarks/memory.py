"""Memory of a training step: ``python -m benchmarks.memory``.

Measure the peak of every form and rival by batch size, on the batch with the most words. Each case
runs in a separate process: resident memory on a CPU, memory allocated by torch on a GPU. Memory
used before the step (libraries, weights, moments of the optimiser) and memory added by the step are
reported separately.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from benchmarks.common import (
    Place,
    describe_machine,
    describe_sentences,
    figure,
    load_sentences,
    make_parser,
    place_of,
    positive,
    record_of,
    run_program,
    sample,
    say,
    table,
    times,
    write_record,
)
from benchmarks.contest import (
    ALGORITHMS,
    BY_DEFAULT,
    FORMS,
    Contestant,
    ModelWork,
    Widths,
    contestants,
)
from benchmarks.processes import Memory, MemoryMeter, in_fresh_process
from spinn.data.batching import Batcher
from spinn.data.dataset import PairDataset

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Task:
    """The sizes, device and threads, the same for all contestants."""

    widths: Widths
    vocabulary_size: int
    labels: int
    place: Place


def largest_batch(dataset: PairDataset, size: int) -> PairDataset:
    """Return the pairs of the batch with the most words."""
    words = dataset.lengths.reshape(-1, 2).sum(axis=1)
    batches = Batcher(dataset, None, batch_size=size).order(0)
    return dataset.take(max(batches, key=lambda rows: int(words[rows].sum())))


def measure(contestant: Contestant, task: Task, pairs: PairDataset) -> Memory:
    """Measure two training steps on one batch; requires a fresh process."""
    device = task.place.enter()
    vectors = torch.randn(task.vocabulary_size, task.widths.embedding)
    work = ModelWork(contestant, task.widths, vectors, task.labels, device)
    # A step on two pairs first loads libraries and allocates the moments of the optimiser.
    small = pairs.take(pairs.lengths[::2].argsort()[:2])
    work.train(work.batches(small, 2, training=True))
    meter = MemoryMeter(device)
    for _ in range(2):
        work.train(work.batches(pairs, len(pairs), training=True))
    return meter.read()


def row_of(contestant: Contestant, pairs: PairDataset, memory: Memory | None) -> dict[str, Any]:
    """Return the results of a case for JSON, ``None`` if it ran out of memory."""
    row = asdict(contestant) | {"batch_size": len(pairs), "words": len(pairs.words)}
    if memory is None:
        return row | {"before_mib": None, "peak_mib": None, "added_mib": None}
    return row | {
        "before_mib": round(memory.before / MEBIBYTE, 1),
        "peak_mib": round(memory.peak / MEBIBYTE, 1),
        "added_mib": round(memory.added / MEBIBYTE, 1),
    }


def share_of_list(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> float | None:
    """Return the memory added by a step relative to the list algorithm; ``None`` if unknown."""
    same = ("form", "precision", "batch_size")
    lists = [
        other["added_mib"]
        for other in rows
        if other["algorithm"] == "list" and all(other[name] == row[name] for name in same)
    ]
    if row["algorithm"] == "list" or not lists or not lists[0] or row["added_mib"] is None:
        return None
    return float(row["added_mib"] / lists[0])


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the results."""
    heads = ("form", "algorithm", "precision", "batch", "peak MiB", "added MiB", "KiB/pair")
    cells = [
        (
            row["form"],
            ALGORITHMS[row["algorithm"]],
            row["precision"],
            row["batch_size"],
            figure(row["peak_mib"]),
            figure(row["added_mib"]),
            "-"
            if row["added_mib"] is None
            else figure(1024 * row["added_mib"] / row["batch_size"]),
            times(row["share_of_list"]),
        )
        for row in rows
    ]
    say("\n" + table((*heads, "of list's"), cells))


def parse() -> argparse.Namespace:
    """Parse the flags."""
    parser = make_parser("Peak memory of a training step.", "memory")
    add = parser.add_argument
    add("--forms", nargs="+", choices=list(FORMS), default=list(FORMS), help="(default: all)")
    add(
        "--algorithms",
        nargs="+",
        choices=list(ALGORITHMS),
        default=BY_DEFAULT,
        help="implementations (default: all but reference and fixed)",
    )
    add("--precisions", nargs="+", choices=("fp32", "bf16"), default=["fp32"])
    add("--hidden-size", type=positive, default=300, help="width of sentences (default: 300)")
    add("--tracker-size", type=positive, default=64, help="width of the tracker (default: 64)")
    add("--pairs", type=positive, help="pairs to choose the batch from (default: 4096)")
    add("--batch-sizes", nargs="+", type=positive, help="pairs in a batch (default: 32 128 512)")
    return parser.parse_args()


def main() -> None:
    """Measure all cases, print the table, write the record."""
    options = parse()
    place = place_of(options)
    machine = describe_machine(place.device, options.threads)
    corpus = load_sentences(options.files)
    dataset = sample(corpus.sets["train"], options.pairs or (128 if options.quick else 4096))
    widths = Widths(options.hidden_size, options.tracker_size, options.hidden_size)
    task = Task(widths, len(corpus.vocabulary), len(corpus.labels), place)
    rows: list[dict[str, Any]] = []
    for size in options.batch_sizes or ([32] if options.quick else [32, 128, 512]):
        pairs = largest_batch(dataset, size)
        for one in contestants(options.forms, options.algorithms, options.precisions):
            rows.append(row_of(one, pairs, in_fresh_process(measure, one, task, pairs)))
    rows = [row | {"share_of_list": share_of_list(row, rows)} for row in rows]
    show(rows)
    record = {"sentences": describe_sentences(dataset, options.files), "widths": vars(widths)}
    write_record(record_of(options, "memory"), machine, record | {"rows": rows})


if __name__ == "__main__":
    run_program(main)
