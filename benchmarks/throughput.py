"""Pairs per second: ``python -m benchmarks.throughput``.

Compare every form of SPINN with an implementation over lists of tensors and with ``torch.nn.LSTM``
of the same width. For an encoder, time the forward pass from leaves to sentence vectors and, in
training, the backward pass; leaves, trees and schedules are prepared in advance. For a whole model,
time everything from building batches of the numericalised set to scores or to updated weights. All
contestants read the same pairs with the same number of threads. Each is tried at several batch
sizes; then all take turns, each at its best batch size.

A form and its rivals have a process of their own, since forms in one process slow each other down:
the memory that one frees is handed out to the next. So rows of different forms are of different
minutes; what is measured within a round are the ratios.

The limit of a form is the time in which a large matrix product, which takes its turn in every round
too, would do the operations of the form's products.

Times are wall-clock times, or, for a single thread on a shared processor, CPU times
(``--clock cpu``).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, ClassVar

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
    slug,
    table,
    times,
    write_record,
)
from benchmarks.contest import (
    ALGORITHMS,
    BY_DEFAULT,
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
from benchmarks.limits import (
    Ceilings,
    Work,
    encoder_work,
    large_product,
    measure_ceilings,
    model_work,
    of_training,
    shares,
)
from benchmarks.processes import in_fresh_process
from spinn.data.dataset import PairDataset
from spinn.support.errors import ConfigurationError

PARTS = ("encoder", "model")
MODES = ("training", "inference")


@dataclass(frozen=True)
class Task:
    """The pairs, widths and device, the same for all contestants."""

    dataset: PairDataset
    vocabulary_size: int
    labels: int
    widths: Widths
    device: torch.device


@dataclass(frozen=True)
class Result:
    """The result of a contestant.

    Attributes
    ----------
    batch_size
        Its best batch size.
    trials
        Pairs per second at each batch size, in the trials.
    timings
        Times of the turns at the best batch size.

    """

    batch_size: int
    trials: dict[int, float]
    timings: Timings


Turn = Callable[[], object]
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}


class Starter:
    """Prepare the turns of contestants; inputs of the same layout are shared."""

    def __init__(self, task: Task, part: str, mode: str) -> None:
        self._task, self._part, self._training = task, part, mode == "training"
        shape = (task.vocabulary_size, task.widths.embedding)
        self._inputs: dict[tuple[Layout, int], list[EncoderInput]] = {}
        self._vectors = torch.randn(shape, generator=torch.Generator().manual_seed(1))

    def turns(self, contestant: Contestant, batch_sizes: Sequence[int]) -> dict[int, Turn]:
        """Return a turn, one pass over all pairs, for each batch size."""
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
    """Find the best batch size of each contestant, then run all in turns at their best.

    Parameters
    ----------
    turns
        A pass over the pairs, by contestant and batch size.
    pairs
        Number of pairs in a pass.
    device
        The device they use.
    trials, rounds
        Number of timed turns at each batch size, and at the best one.
    clock
        Returns seconds.

    """
    candidates = {(one, size): turn for one, sizes in turns.items() for size, turn in sizes.items()}
    trial_timings = alternate(candidates, rounds=trials, device=device, clock=clock)
    speeds = {
        one: {size: pairs / trial_timings[one, size].median for size in sizes}
        for one, sizes in turns.items()
    }
    best = {one: max(by_size, key=lambda size: by_size[size]) for one, by_size in speeds.items()}
    timings = alternate(
        {one: turns[one][size] for one, size in best.items()},
        rounds=rounds,
        warmups=0,
        device=device,
        clock=clock,
    )
    return {one: Result(best[one], speeds[one], timings[one]) for one in turns}


def times_rivals(
    one: Contestant, results: Mapping[Contestant, Result]
) -> tuple[float | None, float | None]:
    """Return the speed of a contestant relative to the list algorithm and to the faster LSTM.

    Rivals have the same precision. ``None`` means that a rival was not run, or is the contestant.
    """
    timings = results[one].timings
    lists = results.get(Contestant(one.form, "list", one.precision))
    layouts = (Contestant("LSTM", layout, one.precision) for layout in LSTM_ALGORITHMS)
    lstms = [results[rival].timings for rival in layouts if rival in results]
    lstm = min(lstms, key=lambda rival: rival.median, default=None)
    return (
        None if lists is None or one.algorithm == "list" else timings.times_faster(lists.timings),
        None if lstm is None or one.form == "LSTM" else timings.times_faster(lstm),
    )


def rows_of(
    task: Task, part: str, mode: str, results: Mapping[Contestant, Result], limit: Limit
) -> Iterator[dict[str, Any]]:
    """Yield the results of each contestant for JSON."""
    pairs = len(task.dataset)
    for one, result in results.items():
        if one.form == Limit.form:
            continue
        lists, lstm = times_rivals(one, results)
        work = work_of(task, part, mode, one.form)
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
            **limit.shares(work, one, results),
            "ceilings": limit.ceilings.as_dict(),
            "seconds": [round(seconds, 5) for seconds in result.timings.seconds],
            "trials": {str(size): round(speed, 1) for size, speed in result.trials.items()},
        }


@dataclass(frozen=True)
class Limit:
    """What the machine can do at best.

    Attributes
    ----------
    operations, product
        A large matrix product, and its operations.
    ceilings
        The rates of the machine when the program began.

    """

    operations: int
    product: Callable[[str], None]
    ceilings: Ceilings
    form: ClassVar[str] = "large product"

    @classmethod
    def contestant(cls, precision: str) -> Contestant:
        """Return the product in a precision as a contestant."""
        return Contestant(cls.form, "limit", precision)

    def shares(
        self, work: Work, one: Contestant, results: Mapping[Contestant, Result]
    ) -> dict[str, float]:
        """Return the shares of both ceilings; that of products within a round, as other ratios."""
        timings = results[one].timings
        product = results[self.contestant(one.precision)].timings
        found = shares(work, timings.median, self.ceilings, one.precision)
        share = work.operations / self.operations * timings.times_faster(product)
        return found | {"of_products": round(share, 5)}


def work_of(task: Task, part: str, mode: str, form: str) -> Work:
    """Return the least work of a turn."""
    if part == "encoder":
        work = encoder_work(form, task.widths, task.dataset)
    else:
        work = model_work(form, task.widths, task.dataset, task.labels)
    return of_training(work) if mode == "training" else work


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the results of one part and mode."""
    heads = ("form", "algorithm", "precision", "batch", "pairs/s", "limit", "x list", "x LSTM")
    cells = [
        (
            row["form"],
            ALGORITHMS[row["algorithm"]],
            row["precision"],
            row["batch_size"],
            figure(row["pairs_per_second"]),
            f"{row['of_products']:.0%}",
            times(row["times_list"]),
            times(row["times_lstm"]),
        )
        for row in rows
    ]
    say(f"\n{rows[0]['part']}, {rows[0]['mode']}\n\n{table(heads, cells)}")


def parse() -> argparse.Namespace:
    """Parse the flags."""
    parser = make_parser("Throughput of SPINN and its rivals, and the ratios.", "throughput")
    add = parser.add_argument
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="(default: both)")
    add("--modes", nargs="+", choices=MODES, default=list(MODES), help="(default: both)")
    add("--forms", nargs="+", choices=list(FORMS), default=list(FORMS), help="(default: all)")
    add(
        "--algorithms",
        nargs="+",
        choices=list(ALGORITHMS),
        default=BY_DEFAULT,
        help="implementations (default: all but reference and fixed)",
    )
    add(
        "--precisions",
        nargs="+",
        choices=("fp32", "bf16"),
        help="of matrix products (default: fp32, and bf16 if it is faster on this processor)",
    )
    add("--hidden-size", type=positive, default=300, help="width of sentences (default: 300)")
    add("--tracker-size", type=positive, default=64, help="width of the tracker (default: 64)")
    add("--pairs", type=positive, help="pairs in a turn (default: 1024)")
    add("--batch-sizes", nargs="+", type=positive, help="pairs in a batch (default: 32 128 512)")
    add("--trials", type=positive, help="timed turns at each batch size (default: 2)")
    add("--rounds", type=positive, help="timed turns at the best batch size (default: 5)")
    add(
        "--clock",
        choices=list(CLOCKS),
        default="wall",
        help="wall-clock time or CPU time (default: wall)",
    )
    return _set_defaults(parser.parse_args())


def _set_defaults(options: argparse.Namespace) -> argparse.Namespace:
    """Set defaults that depend on ``--quick``, and check the flags."""
    quick = options.quick
    options.pairs = options.pairs or (64 if quick else 1024)
    options.batch_sizes = options.batch_sizes or ([32] if quick else [32, 128, 512])
    options.trials = options.trials or (1 if quick else 2)
    options.rounds = options.rounds or (2 if quick else 5)
    if max(options.batch_sizes) > options.pairs:
        raise ConfigurationError(
            f"--batch-sizes has {max(options.batch_sizes)} and a turn only {options.pairs} pairs; "
            "give more --pairs."
        )
    if options.clock == "cpu" and (options.threads > 1 or options.device != "cpu"):
        raise ConfigurationError(
            "--clock cpu sums the times of all threads and does not measure GPUs; "
            "it requires --threads 1 --device cpu."
        )
    return options


def choose_precisions(given: Sequence[str] | None, device: torch.device) -> list[str]:
    """Return the precisions given, or by default fp32 and, if it is faster, bf16.

    Raises
    ------
    ConfigurationError
        If bf16 is given and not faster than fp32.

    """
    if given is None:
        return ["fp32", "bf16"] if bf16_is_fast(device) else ["fp32"]
    if "bf16" in given and not bf16_is_fast(device):
        raise ConfigurationError(
            "--precisions bf16: bf16 is not faster on this processor; give fp32 only."
        )
    return list(given)


def main() -> None:
    """Run all comparisons, print tables, write the record."""
    options = parse()
    device = place_of(options).device
    precisions = choose_precisions(options.precisions, device)
    participants = contestants(options.forms, options.algorithms, precisions)
    machine = describe_machine(device, options.threads)
    say(f"{machine['processor']}, {options.threads} thread(s), torch {machine['torch']}")
    task = read_task(options)
    measured: list[dict[str, Any]] = []
    for group in groups_of(participants):
        say(f"Measuring {group[0].form} in {group[0].precision} ...")
        new = in_fresh_process(measure, options, task, group)
        if new is None:
            raise ConfigurationError(f"{group[0].form}: memory ran out; give fewer --pairs.")
        measured += new
    rows: list[dict[str, Any]] = []
    for part, mode in product(options.parts, options.modes):
        of_both = [row for row in measured if (row["part"], row["mode"]) == (part, mode)]
        show(of_both)
        rows += of_both
    record: dict[str, Any] = {
        "sentences": describe_sentences(task.dataset, options.files),
        "widths": vars(task.widths),
        "clock": options.clock,
        "rows": rows,
    }
    write_record(record_of(options, f"throughput-{slug(machine['processor'])}"), machine, record)


def read_task(options: argparse.Namespace) -> Task:
    """Return the pairs and widths that the flags name."""
    corpus = load_sentences(options.files)
    return Task(
        sample(corpus.sets["train"], options.pairs),
        len(corpus.vocabulary),
        len(corpus.labels),
        Widths(options.hidden_size, options.tracker_size, options.hidden_size),
        place_of(options).device,
    )


def groups_of(participants: Sequence[Contestant]) -> list[list[Contestant]]:
    """Return the contestants of each form and precision, with the LSTMs that they meet."""
    keys = dict.fromkeys((one.precision, one.form) for one in participants)
    return [
        [one for one in participants if (one.precision, one.form) == (precision, form)]
        + [one for one in participants if one.precision == precision and one.form == "LSTM" != form]
        for precision, form in keys
    ]


def measure(
    options: argparse.Namespace, task: Task, group: Sequence[Contestant]
) -> list[dict[str, Any]]:
    """Compare the contestants of a group in all parts and modes; return the rows of its form."""
    place_of(options).enter()
    precisions = tuple(dict.fromkeys(one.precision for one in group))
    ceilings = measure_ceilings(task.device, quick=options.quick, precisions=precisions)
    limit = Limit(*large_product(task.device, quick=options.quick), ceilings)
    return [
        row
        for part, mode in product(options.parts, options.modes)
        for row in contest(task, part, mode, group, options, limit)
        if row["form"] == group[0].form
    ]


def contest(
    task: Task,
    part: str,
    mode: str,
    participants: Sequence[Contestant],
    options: argparse.Namespace,
    limit: Limit,
) -> list[dict[str, Any]]:
    """Compare contestants in one part and mode; return the results of each."""
    starter = Starter(task, part, mode)
    turns = {one: starter.turns(one, options.batch_sizes) for one in participants}
    size = options.batch_sizes[0]  # any
    for precision in {one.precision for one in participants}:
        turns[limit.contestant(precision)] = {size: partial(limit.product, precision)}
    results = compete(
        turns,
        len(task.dataset),
        task.device,
        trials=options.trials,
        rounds=options.rounds,
        clock=CLOCKS[options.clock],
    )
    return list(rows_of(task, part, mode, results, limit))


if __name__ == "__main__":
    run_program(main)
