"""What the programs of this folder share: clocks, tables, the machine, real sentences, flags.

A comparison on a shared machine is only as good as its clock. So contestants take turns (A B C
A B C ...), each turn is one figure, the figure that is shown is the median, and a ratio is the
median of the ratios within rounds: what slows a whole round down leaves it alone.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
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
from spinn.errors import ConfigurationError, SpinnError
from spinn.files import write_whole
from spinn.runtime import available_cores, choose_device, set_threads

RECORDS = Path(__file__).parent / "speed"

Name = TypeVar("Name")


# Clocks.


@dataclass(frozen=True)
class Timings:
    """What the turns of one contestant took.

    Attributes
    ----------
    seconds
        Of each round.

    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median turn, in seconds."""
        return statistics.median(self.seconds)

    def times_faster(self, rival: Timings) -> float:
        """Say how many times faster this is than a rival that ran in the same rounds."""
        pairs = zip(self.seconds, rival.seconds, strict=True)
        return statistics.median(other / own for own, other in pairs)


def alternate(
    turns: Mapping[Name, Callable[[], object]],
    *,
    rounds: int,
    warmups: int = 1,
    device: torch.device | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Name, Timings]:
    """Let contestants take turns and time every turn.

    Parameters
    ----------
    turns
        What each contestant does in its turn.
    rounds
        How many timed turns each has.
    warmups
        How many rounds go before without being timed (kernels are chosen, memory is fetched).
    device
        Where they work; a GPU is waited for before the clock is read.
    clock
        Gives seconds.

    """
    seconds: dict[Name, list[float]] = {name: [] for name in turns}
    with _own_garbage():
        for number in range(-warmups, rounds):
            for name, turn in turns.items():
                gc.collect()
                synchronise(device)
                begun = clock()
                turn()
                synchronise(device)
                ended = clock()
                if number >= 0:
                    seconds[name].append(ended - begun)
    return {name: Timings(tuple(taken)) for name, taken in seconds.items()}


@contextmanager
def _own_garbage() -> Iterator[None]:
    """Let the collection of garbage look at new objects alone, not at all that was imported."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def synchronise(device: torch.device | None) -> None:
    """Wait until a GPU has done all it was given."""
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


# Tables and records.


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out a Markdown table; columns after the first that hold numbers stand to the right."""
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
    """Write a number with three digits that count; a dash where there is none."""
    if value is None:
        return "-"
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{places}f}"


def times(value: float | None) -> str:
    """Write a ratio."""
    return "-" if value is None else f"{value:.2f}x"


def write_record(path: Path | None, machine: dict[str, Any], record: dict[str, Any]) -> None:
    """Write the figures of a program as JSON, with the machine they were got on."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"machine": machine} | record, indent=1) + "\n")
        say(f"\nWritten: {path}")


def say(line: str) -> None:
    """Print a line at once, also where output is piped."""
    print(line, flush=True)


# The machine.


def describe_machine(device: torch.device, threads: int) -> dict[str, Any]:
    """Describe what the figures depend on; nothing that tells whose machine it is."""
    described: dict[str, Any] = {
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
        described["vectors"] = torch.backends.cpu.get_cpu_capability()
    return described


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def bf16_is_fast(device: torch.device) -> bool:
    """Tell, by trying, whether bf16 matrix products are faster than fp32 ones.

    On a processor without instructions for bf16 they are many times slower, and torch's LSTM
    cannot be run in it at all.
    """
    size = 4096 if device.type == "cuda" else 512
    single = torch.ones(size, size, device=device)
    half = single.bfloat16()
    turns = {"fp32": lambda: single @ single, "bf16": lambda: half @ half}
    taken = alternate(turns, rounds=5, warmups=2, device=device)
    return taken["bf16"].times_faster(taken["fp32"]) > 1.0


# Sentences.


def load_sentences(files: Sequence[str]) -> Corpus:
    """Read parsed pairs from files, or the bundled corpus where none are named.

    Raises
    ------
    SpinnError
        If a file cannot be read, has single sentences, or a pair has no parse.

    """
    named = CorpusOptions(train=list(files), cache=False)
    corpus = load_corpus(named if files else CorpusOptions(data="sample", cache=False))
    if corpus.kind != PAIR:
        raise ConfigurationError(
            "Pairs are measured, and --files has single sentences; give others."
        )
    corpus.require_parses("train")
    return corpus


def sample(dataset: PairDataset, count: int, seed: int = 1) -> PairDataset:
    """Draw so many pairs, without putting any back as long as there are others."""
    random = np.random.default_rng(seed)
    turns = -(-count // len(dataset))
    rows = np.concatenate([random.permutation(len(dataset)) for _ in range(turns)])
    return dataset.take(rows[:count])


def describe_sentences(dataset: PairDataset, files: Sequence[str]) -> dict[str, Any]:
    """Describe the sentences of a measurement; files by name alone."""
    lengths = dataset.lengths
    return {
        "files": [Path(name).name for name in files] or ["the bundled corpus"],
        "pairs": len(dataset),
        "words_in_premise": round(float(lengths[::2].mean()), 2),
        "words_in_hypothesis": round(float(lengths[1::2].mean()), 2),
        "longest": int(lengths.max()),
    }


# Programs.


@dataclass(frozen=True)
class Place:
    """Where a program measures."""

    device: torch.device
    threads: int

    def enter(self) -> torch.device:
        """Use so many threads in this process; return the device."""
        set_threads(self.threads)
        return self.device


def make_parser(text: str, name: str, *, files: bool = True) -> argparse.ArgumentParser:
    """Make a parser with the flags that all programs have; ``name`` is that of the record."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=text)
    parser.add_argument(
        "--threads", type=positive, default=1, help="processor threads (default: 1)"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N (default: cpu)")
    parser.add_argument("--quick", action="store_true", help="a short run, to see it work")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help=f"where the figures go (default: benchmarks/speed/{name}.json; of --quick, nowhere)",
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
    """Read a flag's number, from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too small; give 1 or more")
    return number


def place_of(options: argparse.Namespace) -> Place:
    """Return where the flags say to measure.

    Raises
    ------
    ConfigurationError
        If there is no such device.

    """
    return Place(choose_device(options.device), options.threads)


def record_of(options: argparse.Namespace, name: str) -> Path | None:
    """Return the file for the figures."""
    if options.output is not None or options.quick:
        return options.output
    return RECORDS / f"{name}.json"


def run_program(main: Callable[[], None]) -> None:
    """Run a program; a person's mistake ends it with one line."""
    try:
        main()
    except SpinnError as error:
        sys.exit(str(error))
