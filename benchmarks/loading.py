"""Speed of data loading: ``python -m benchmarks.loading``.

Measure the throughput of the loader with and without trees and schedules, the time from the command
to the first batch in a new process, and the time to cache, load and iterate over a set of the size
of SNLI, which is built by repeating the available pairs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import (
    alternate,
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
    synchronise,
    table,
    write_record,
)
from benchmarks.startup import STAGES
from spinn.data.batching import Batcher
from spinn.data.corpus import Corpus
from spinn.data.dataset import PairDataset
from spinn.trees import tree_source

SNLI_PAIRS = 549_367  # pairs of SNLI's training set with a gold label
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Kind:
    """A kind of batch.

    Attributes
    ----------
    trees
        The source of its trees; ``None`` for batches without trees.
    schedule
        ``"none"``, ``"by height"``, or ``"shared"`` for a schedule that shares equal subtrees.

    """

    trees: str | None
    schedule: str = "none"

    def batcher(self, dataset: PairDataset, batch_size: int) -> Batcher:
        """Return a loader of such batches."""
        return Batcher(
            dataset,
            None if self.trees is None else tree_source(self.trees),
            batch_size=batch_size,
            by_height=self.schedule != "none",
            share=self.schedule == "shared",
        )


KINDS = (
    Kind(None),
    Kind("gold"),
    Kind("gold", "by height"),
    Kind("gold", "shared"),
    Kind("balanced", "by height"),
    Kind("random"),
    Kind("random", "by height"),
    Kind("random-shift", "by height"),
)


def build_all(batcher: Batcher, device: torch.device) -> None:
    """Build all batches of an epoch and move them to the device."""
    for batch in batcher.batches():
        batch.to(device)
    synchronise(device)


def measure_loader(
    dataset: PairDataset, batch_size: int, rounds: int, device: torch.device
) -> list[dict[str, Any]]:
    """Time each kind of batch on the same pairs, in turns."""
    turns = {kind: partial(build_all, kind.batcher(dataset, batch_size), device) for kind in KINDS}
    timings = alternate(turns, rounds=rounds, device=device)
    return [
        {
            "trees": kind.trees,
            "schedule": kind.schedule,
            "pairs_per_second": round(len(dataset) / timings[kind].median),
        }
        for kind in KINDS
    ]


def measure_startup(corpus: Corpus, rounds: int) -> dict[str, float]:
    """Start new processes that build a first batch; return median seconds of each stage."""
    starts = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "corpus"
        corpus.save(folder)
        for _ in range(rounds + 1):
            starts.append(_start(folder))
    # The first process may have read the libraries from disk.
    return {
        stage: round(statistics.median(start[stage] for start in starts[1:]), 4)
        for stage in starts[0]
    }


def _start(folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.startup", str(folder)]
    start = time.perf_counter()
    process = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    total = time.perf_counter() - start
    stages: dict[str, float] = json.loads(process.stdout)
    rest = total - sum(stages[stage] for stage in STAGES)
    return stages | {"start and stop Python": rest, "all": total}


def measure_cache(
    corpus: Corpus, pairs: int, batch_size: int, device: torch.device
) -> dict[str, float]:
    """Return the seconds to cache a set of ``pairs`` pairs, to load it, and to iterate over it."""
    train = sample(corpus.sets["train"], pairs)
    large = replace(corpus, sets={"train": train}, unparsed={"train": corpus.unparsed["train"]})
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "corpus"
        start = time.perf_counter()
        large.save(folder)
        seconds["write"] = time.perf_counter() - start
        size = sum(file.stat().st_size for file in folder.iterdir())
        start = time.perf_counter()
        batcher = Kind("gold", "by height").batcher(Corpus.load(folder).sets["train"], batch_size)
        seconds["load"] = time.perf_counter() - start
        start = time.perf_counter()
        next(batcher.batches())
        seconds["order an epoch and build the first batch"] = time.perf_counter() - start
        start = time.perf_counter()
        build_all(batcher, device)
        seconds["build an epoch"] = time.perf_counter() - start
    rounded = {stage: round(duration, 4) for stage, duration in seconds.items()}
    return {"pairs": pairs, "megabytes": round(size / 1e6, 1)} | rounded


def show_loader(rows: Sequence[dict[str, Any]]) -> None:
    """Print the throughput of the loader."""
    cells = [
        (row["trees"] or "none", row["schedule"], figure(row["pairs_per_second"])) for row in rows
    ]
    say("\n" + table(("trees", "schedule", "pairs/s"), cells))


def show_stages(title: str, seconds: dict[str, float]) -> None:
    """Print the seconds of each stage."""
    say(
        "\n"
        + table((title, "seconds"), [(stage, figure(value)) for stage, value in seconds.items()])
    )


def parse() -> argparse.Namespace:
    """Parse the flags."""
    parser = make_parser("Speed of the loader, of start-up, and of the cache.", "loading")
    add = parser.add_argument
    add("--batch-size", type=positive, default=128, help="pairs in a batch (default: 128)")
    add("--pairs", type=positive, help="pairs that the loader reads (default: 20,000)")
    add("--cache-pairs", type=positive, help=f"pairs in the cached set (default: {SNLI_PAIRS:,})")
    add("--rounds", type=positive, help="timed turns (default: 5)")
    return parser.parse_args()


def main() -> None:
    """Run all measurements, print tables, write the record."""
    options = parse()
    device = place_of(options).enter()
    machine = describe_machine(device, options.threads)
    rounds = options.rounds or (1 if options.quick else 5)
    corpus = load_sentences(options.files)
    dataset = sample(corpus.sets["train"], options.pairs or (500 if options.quick else 20_000))
    loader = measure_loader(dataset, options.batch_size, rounds, device)
    show_loader(loader)
    startup = measure_startup(corpus, rounds)
    show_stages("from the command to the first batch", startup)
    large = options.cache_pairs or (5_000 if options.quick else SNLI_PAIRS)
    cache = measure_cache(corpus, large, options.batch_size, device)
    show_stages(f"a set of {large:,} pairs", {name: cache[name] for name in list(cache)[2:]})
    record = {"sentences": describe_sentences(dataset, options.files), "loader": loader}
    record |= {"startup": startup, "cache": cache}
    write_record(record_of(options, "loading"), machine, record)


if __name__ == "__main__":
    run_program(main)
