"""Utilities of the benchmarks: timing, tables, the machine, sentences, flags.

Contestants take turns (A B C A B C ...), and every turn is timed separately. Reported times are
medians over rounds. Ratios are medians of the ratios within rounds, so load that slows down a whole
round does not affect them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from spinn.data.corpus import Corpus
from spinn.data.dataset import PairDataset
from spinn.data.examples import PAIR
from spinn.data.options import CorpusOptions
from spinn.data.prepare import load_corpus
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.support.files import write_whole
from spinn.support.runtime import available_cores, choose_device, set_threads

RECORDS = Path(__file__).parent / "speed"

Name = TypeVar("Name")


# Timing.


@dataclass(frozen=True)
class Timings:
    """Times of one contestant.

    Attributes
    ----------
    seconds
        Duration of the turn in each round.

    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median duration in seconds."""
        return statistics.median(self.seconds)

    def times_faster(self, rival: Timings) -> float:
        """Return the speed relative to a rival that was timed in the same rounds."""
        pairs = zip(self.seconds, rival.seconds, strict=True)
        return statistics.median(other / this for this, other in pairs)


def alternate(
    turns: Mapping[Name, Callable[[], object]],
    *,
    rounds: int,
    warmups: int = 1,
    device: torch.device | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Name, Timings]:
    """Run contestants in turns and time every turn.

    Parameters
    ----------
    turns
        The function to time, by contestant.
    rounds
        Number of timed rounds.
    warmups
        Number of rounds before these, which are not timed (kernel selection, memory allocation).
    device
        The device they use; a GPU is synchronised before the clock is read.
    clock
        Returns seconds.

    """
    seconds: dict[Name, list[float]] = {name: [] for name in turns}
    with _frozen_garbage():
        for number in range(-warmups, rounds):
            for name, turn in turns.items():
                gc.collect()
                synchronise(device)
                start = clock()
                turn()
                synchronise(device)
                end = clock()
                if number >= 0:
                    seconds[name].append(end - start)
    return {name: Timings(tuple(durations)) for name, durations in seconds.items()}


@contextmanager
def _frozen_garbage() -> Iterator[None]:
    """Exclude existing objects from garbage collection, which makes it fast."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def synchronise(device: torch.device | None) -> None:
    """Wait for a GPU to finish its queued work."""
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


# Tables and records.


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; columns of numbers are aligned to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    right = [all(_is_number(row[place]) for row in cells) for place in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, right, strict=True)
        )
        return "| " + " | ".join(padded) + " |"

    rule = [
        "-" * (width - 1) + ":" if numeric else "-" * width
        for width, numeric in zip(widths, right, strict=True)
    ]
    return "\n".join([line(heads), line(rule), *map(line, cells)])


def _is_number(cell: str) -> bool:
    return all(character in "0123456789.,-x" for character in cell)


def figure(value: float | None) -> str:
    """Format a number with three significant digits; ``None`` as a dash."""
    if value is None:
        return "-"
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{places}f}"


def times(value: float | None) -> str:
    """Format a ratio; ``None`` as a dash."""
    return "-" if value is None else f"{value:.2f}x"


def write_record(path: Path | None, machine: dict[str, Any], record: dict[str, Any]) -> None:
    """Write the results of a benchmark and the description of the machine as JSON."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"machine": machine} | record, indent=1) + "\n")
        say(f"\nWritten: {path}")


def say(line: str) -> None:
    """Print a line and flush, so that it also appears immediately in a pipe."""
    print(line, flush=True)


# The machine.


def describe_machine(device: torch.device, threads: int) -> dict[str, Any]:
    """Describe the machine as far as results depend on it, without identifying it."""
    description: dict[str, Any] = {
        "processor": _processor(),
        "cores": available_cores(),
        "threads": threads,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if device.type == "cpu":
        description["vectors"] = torch.backends.cpu.get_cpu_capability()
    return description


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def slug(name: str) -> str:
    """Return a name as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def bf16_is_fast(device: torch.device) -> bool:
    """Measure whether bf16 matrix products are faster than fp32 ones.

    On processors without bf16 instructions they are many times slower, and torch's LSTM does not
    support bf16.
    """
    size = 4096 if device.type == "cuda" else 512
    single = torch.ones(size, size, device=device)
    half = single.bfloat16()
    turns = {"fp32": lambda: single @ single, "bf16": lambda: half @ half}
    timings = alternate(turns, rounds=5, warmups=2, device=device)
    return timings["bf16"].times_faster(timings["fp32"]) > 1.0


# Sentences.


def load_sentences(files: Sequence[str]) -> Corpus:
    """Read parsed pairs from files, or from the bundled corpus if there are none.

    Raises
    ------
    SpinnError
        If a file cannot be read, contains single sentences, or a pair has no parse.

    """
    given = CorpusOptions(train=list(files), cache=False)
    corpus = load_corpus(given if files else CorpusOptions(data="sample", cache=False))
    if corpus.kind != PAIR:
        raise ConfigurationError(
            "--files contains single sentences; benchmarks require files of pairs."
        )
    corpus.require_parses("train")
    return corpus


def sample(dataset: PairDataset, count: int, seed: int = 1) -> PairDataset:
    """Sample ``count`` pairs without replacement; if there are too few, repeat the whole set."""
    random = np.random.default_rng(seed)
    repeats = -(-count // len(dataset))
    rows = np.concatenate([random.permutation(len(dataset)) for _ in range(repeats)])
    return dataset.take(rows[:count])


def describe_sentences(dataset: PairDataset, files: Sequence[str]) -> dict[str, Any]:
    """Describe the sentences of a benchmark; files by name only."""
    lengths = dataset.lengths
    return {
        "files": [Path(name).name for name in files] or ["the bundled corpus"],
        "pairs": len(dataset),
        "words_in_premise": round(float(lengths[::2].mean()), 2),
        "words_in_hypothesis": round(float(lengths[1::2].mean()), 2),
        "longest": int(lengths.max()),
    }


# Command lines.


@dataclass(frozen=True)
class Place:
    """The device and the number of threads of a benchmark."""

    device: torch.device
    threads: int

    def enter(self) -> torch.device:
        """Set the number of threads of this process; return the device."""
        set_threads(self.threads)
        return self.device


def make_parser(text: str, name: str, *, files: bool = True) -> argparse.ArgumentParser:
    """Return a parser with the common flags; ``name`` is that of the benchmark."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=text)
    parser.add_argument(
        "--threads", type=positive, default=1, help="processor threads (default: 1)"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N (default: cpu)")
    parser.add_argument("--quick", action="store_true", help="a short run, as a check")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help=f"file for the results (default: benchmarks/speed/{name}.json; none with --quick)",
    )
    if files:
        parser.add_argument(
            "--files",
            nargs="+",
            default=[],
            metavar="FILE",
            help="parsed pairs in SNLI's format (default: the bundled corpus)",
        )
    return parser


def positive(text: str) -> int:
    """Parse a positive integer."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too small; give 1 or more")
    return number


def place_of(options: argparse.Namespace) -> Place:
    """Return the device and threads given by the flags.

    Raises
    ------
    ConfigurationError
        If there is no such device.

    """
    return Place(choose_device(options.device), options.threads)


def record_of(options: argparse.Namespace, name: str) -> Path | None:
    """Return the file for the results; ``None`` if they are not written."""
    if options.output is not None or options.quick:
        return options.output
    return RECORDS / f"{name}.json"


def run_program(main: Callable[[], None]) -> None:
    """Run a benchmark; print errors that the user can correct without a traceback."""
    try:
        main()
    except SpinnError as error:
        sys.exit(str(error))
