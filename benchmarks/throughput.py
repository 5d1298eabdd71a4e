"""How many pairs a second: ``python -m benchmarks.throughput``.

Every form of SPINN against the same form over lists of tensors and against ``torch.nn.LSTM`` of the
same width. An encoder alone goes from leaves to sentences and, in training, back; leaves, trees and
the schedule of those who go by height are there. A whole model goes from rows of the numericalised
set, out of which its batches are cut, to updated weights or to scores. All read the same pairs with
the same threads. Each is tried at several batch sizes; then all take turns, each at the batch size
that suited it best.

Seconds are those on the wall, or, for one thread on a processor that others use too, those for
which the processor worked on the program (``--clock cpu``).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch

from benchmarks.common import (
    Timings,
    alternate,
    bf16_is_fast,
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
    FORMS,
    LSTM_ALGORITHMS,
    Contestant,
    EncoderInput,
    EncoderWork,
    Layout,
    ModelWork,
    Widths,
    contestants,
)
from spinn.data.dataset import PairDataset
from spinn.errors import ConfigurationError

PARTS = ("encoder", "model")
MODES = ("training", "inference")


@dataclass(frozen=True)
class Task:
    """What all contestants do: on which pairs, at which widths, where."""

    dataset: PairDataset
    vocabulary_size: int
    labels: int
    widths: Widths
    device: torch.device


@dataclass(frozen=True)
class Result:
    """How a contestant fared.

    Attributes
    ----------
    batch_size
        The one that suited it best.
    trials
        Pairs a second at each batch size, in the trials.
    timings
        Of the turns at its best batch size.

    """

    batch_size: int
    trials: dict[int, float]
    timings: Timings


Turn = Callable[[], object]
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}


class Starter:
    """Make contestants' turns; what several of them can share is made once."""

    def __init__(self, task: Task, part: str, mode: str) -> None:
        self._task, self._part, self._training = task, part, mode == "training"
        shape = (task.vocabulary_size, task.widths.embedding)
        self._inputs: dict[tuple[Layout, int], list[EncoderInput]] = {}
        self._vectors = torch.randn(shape, generator=torch.Generator().manual_seed(1))

    def turns(self, contestant: Contestant, batch_sizes: Sequence[int]) -> dict[int, Turn]:
        """Give for each batch size a turn: one pass over all pairs."""
        if self._part == "encoder":
            return self._encoder_turns(contestant, batch_sizes)
        return self._model_turns(contestant, batch_sizes)

    def _encoder_turns(self, contestant: Contestant, batch_sizes: Sequence[int]) -> dict[int, Turn]:
        work = EncoderWork(contestant, self._task.widths, self._task.device)

        def turn(size: int) -> Turn:
            key = (work.layout, size)
            if key not in self._inputs:
                self._inputs[key] = work.prepare_set(self._task.dataset, size)
            return partial(work.train if self._training else work.infer, self._inputs[key])

        return {size: turn(size) for size in batch_sizes}

    def _model_turns(self, contestant: Contestant, batch_sizes: Sequence[int]) -> dict[int, Turn]:
        task = self._task
        work = ModelWork(contestant, task.widths, self._vectors, task.labels, task.device)

        def turn(size: int) -> None:
            batches = work.batches(task.dataset, size, training=self._training)
            if self._training:
                work.train(batches)
            else:
                work.infer(batches)

        return {size: partial(turn, size) for size in batch_sizes}


def compete(
    turns: Mapping[Contestant, Mapping[int, Turn]],
    pairs: int,
    device: torch.device,
    *,
    trials: int,
    rounds: int,
    clock: Clock = time.perf_counter,
) -> dict[Contestant, Result]:
    """Find each contestant's best batch size, and let all take turns at theirs.

    Parameters
    ----------
    turns
        A pass over the pairs, for each contestant at each batch size.
    pairs
        How many pairs a pass reads.
    device
        Where they run.
    trials, rounds
        Timed turns of each batch size to choose it by, and of the best one.
    clock
        Gives seconds.

    """
    every = {(one, size): turn for one, sizes in turns.items() for size, turn in sizes.items()}
    tried = alternate(every, rounds=trials, device=device, clock=clock)
    speeds = {
        one: {size: pairs / tried[one, size].median for size in sizes}
        for one, sizes in turns.items()
    }
    best = {one: max(tried_at, key=lambda size: tried_at[size]) for one, tried_at in speeds.items()}
    last = alternate(
        {one: turns[one][size] for one, size in best.items()},
        rounds=rounds,
        warmups=0,
        device=device,
        clock=clock,
    )
    return {one: Result(best[one], speeds[one], last[one]) for one in turns}


def times_rivals(
    one: Contestant, results: Mapping[Contestant, Result]
) -> tuple[float | None, float | None]:
    """Say how many times faster a contestant is than lists, and than the better LSTM.

    Both rivals are of its own precision; ``None`` where one did not take part, or is itself.
    """
    own = results[one].timings
    lists = results.get(Contestant(one.form, "list", one.precision))
    layouts = (Contestant("LSTM", layout, one.precision) for layout in LSTM_ALGORITHMS)
    lstms = [results[rival].timings for rival in layouts if rival in results]
    lstm = min(lstms, key=lambda timings: timings.median, default=None)
    return (
        None if lists is None or one.algorithm == "list" else own.times_faster(lists.timings),
        None if lstm is None or one.form == "LSTM" else own.times_faster(lstm),
    )


def rows_of(
    part: str, mode: str, results: Mapping[Contestant, Result], pairs: int
) -> Iterator[dict[str, Any]]:
    """Give the figures of each contestant, ready for JSON."""
    for one, result in results.items():
        lists, lstm = times_rivals(one, results)
        yield {
            "part": part,
            "mode": mode,
            "form": one.form,
            "algorithm": one.algorithm,
            "precision": one.precision,
            "batch_size": result.batch_size,
            "pairs_per_second": round(pairs / result.timings.median, 1),
            "times_list": None if lists is None else round(lists, 3),
            "times_lstm": None if lstm is None else round(lstm, 3),
            "seconds": [round(taken, 5) for taken in result.timings.seconds],
            "trials": {str(size): round(speed, 1) for size, speed in result.trials.items()},
        }


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the figures of one part and mode."""
    heads = ("form", "algorithm", "precision", "batch", "pairs/s", "x list", "x LSTM")
    cells = [
        (
            row["form"],
            ALGORITHMS[row["algorithm"]],
            row["precision"],
            row["batch_size"],
            figure(row["pairs_per_second"]),
            times(row["times_list"]),
            times(row["times_lstm"]),
        )
        for row in rows
    ]
    say(f"\n{rows[0]['part']}, {rows[0]['mode']}\n\n{table(heads, cells)}")


def parse() -> argparse.Namespace:
    """Read the flags."""
    parser = make_parser("Throughput of SPINN, of its rivals, and their ratios.", "throughput")
    add = parser.add_argument
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="(default: both)")
    add("--modes", nargs="+", choices=MODES, default=list(MODES), help="(default: both)")
    add("--forms", nargs="+", choices=list(FORMS), default=list(FORMS), help="(default: all)")
    add(
        "--algorithms",
        nargs="+",
        choices=list(ALGORITHMS),
        default=[name for name in ALGORITHMS if name != "reference"],
        help="ways to compute them (default: all but reference)",
    )
    add(
        "--precisions",
        nargs="+",
        choices=("fp32", "bf16"),
        help="of matrix products (default: fp32, and bf16 where the processor is fast in it)",
    )
    add("--hidden-size", type=positive, default=300, help="width of sentences (default: 300)")
    add("--tracker-size", type=positive, default=64, help="width of the tracker (default: 64)")
    add("--pairs", type=positive, help="pairs in a turn (default: 1024)")
    add("--batch-sizes", nargs="+", type=positive, help="pairs in a batch (default: 32 128 512)")
    add("--trials", type=positive, help="timed turns of each at each batch size (default: 2)")
    add("--rounds", type=positive, help="timed turns of each at its best one (default: 5)")
    add(
        "--clock",
        choices=list(CLOCKS),
        default="wall",
        help="seconds on the wall, or of the processor (default: wall)",
    )
    return _filled(parser.parse_args())


def _filled(options: argparse.Namespace) -> argparse.Namespace:
    """Fill in what was left open."""
    quick = options.quick
    options.pairs = options.pairs or (64 if quick else 1024)
    options.batch_sizes = options.batch_sizes or ([32] if quick else [32, 128, 512])
    options.trials = options.trials or (1 if quick else 2)
    options.rounds = options.rounds or (2 if quick else 5)
    if max(options.batch_sizes) > options.pairs:
        raise ConfigurationError(
            f"--batch-sizes goes up to {max(options.batch_sizes)} and a turn has "
            f"{options.pairs} pairs; give more --pairs."
        )
    if options.clock == "cpu" and (options.threads > 1 or options.device != "cpu"):
        raise ConfigurationError(
            "--clock cpu adds up the seconds of all threads and knows of no GPU; "
            "it needs --threads 1 --device cpu."
        )
    return options


def choose_precisions(named: Sequence[str] | None, device: torch.device) -> list[str]:
    """Return the precisions to run, those named or those of use here.

    Raises
    ------
    ConfigurationError
        If bf16 is asked of a processor that has no fast way to compute it.

    """
    if named is None:
        return ["fp32", "bf16"] if bf16_is_fast(device) else ["fp32"]
    if "bf16" in named and not bf16_is_fast(device):
        raise ConfigurationError(
            "--precisions bf16: this processor is no faster in bf16; give fp32 alone."
        )
    return list(named)


def main() -> None:
    """Run the contests, print tables, write the record."""
    options = parse()
    place = place_of(options)
    device = place.enter()
    precisions = choose_precisions(options.precisions, device)
    machine = describe_machine(device, options.threads)
    corpus = load_sentences(options.files)
    dataset = sample(corpus.sets["train"], options.pairs)
    widths = Widths(options.hidden_size, options.tracker_size, options.hidden_size)
    task = Task(dataset, len(corpus.vocabulary), len(corpus.labels), widths, device)
    taking_part = contestants(options.forms, options.algorithms, precisions)
    say(f"{machine['processor']}, {options.threads} thread(s), torch {machine['torch']}")
    rows: list[dict[str, Any]] = []
    for part, mode in product(options.parts, options.modes):
        new = contest(task, part, mode, taking_part, options)
        show(new)
        rows += new
    record: dict[str, Any] = {
        "sentences": describe_sentences(dataset, options.files),
        "widths": vars(widths),
        "clock": options.clock,
        "rows": rows,
    }
    write_record(record_of(options, "throughput"), machine, record)


def contest(
    task: Task,
    part: str,
    mode: str,
    taking_part: Sequence[Contestant],
    options: argparse.Namespace,
) -> list[dict[str, Any]]:
    """Let contestants compete in one part and mode; return the figures of each."""
    starter = Starter(task, part, mode)
    pairs = len(task.dataset)
    results = compete(
        {one: starter.turns(one, options.batch_sizes) for one in taking_part},
        pairs,
        task.device,
        trials=options.trials,
        rounds=options.rounds,
        clock=CLOCKS[options.clock],
    )
    return list(rows_of(part, mode, results, pairs))


if __name__ == "__main__":
    run_program(main)
