"""Pairs per second of every form and rival on the device, and fractions of the device's limits.

Time the encoder and the whole model in training and inference at several batch sizes; in fp32
training only. Results are medians of a few passes over a few batches, after a warm-up pass. The
list algorithm is timed at one batch size. The last measurements are missing if the time limit is
reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from statistics import median
from typing import Any

import torch

from benchmarks.common import alternate, describe_sentences, sample
from benchmarks.contest import FORMS, LSTM_ALGORITHMS, Contestant, Widths
from benchmarks.gpu.program import Part, run_part
from benchmarks.limits import (
    Ceilings,
    encoder_work,
    measure_ceilings,
    model_work,
    of_training,
    shares,
)
from benchmarks.throughput import Starter, Task

WIDTHS = Widths()
SIZES = (128, 512, 2048)
LIST_SIZES = (512,)
ROUNDS = 3
LIMIT = 1.5  # seconds for the timed passes of a measurement, without the first
BATCHES = {128: 4, 512: 2, 2048: 1}  # batches per pass, by batch size


def main(part: Part) -> None:
    """Measure the limits of the device, then all contestants, the most important cases first."""
    training = part.corpus.sets["train"]
    ceilings = measure_ceilings(part.device, quick=part.quick)
    counts = {32: 2} if part.quick else BATCHES
    samples = {size: sample(training, size * count) for size, count in counts.items()}
    part.keep(
        ceilings=ceilings.as_dict(),
        sentences=describe_sentences(training, ["the prepared corpus"]),
        widths=vars(WIDTHS),
        rows=[],
    )
    for precision, mode, where in product(
        ("bf16", "fp32"), ("training", "inference"), ("encoder", "model")
    ):
        if (precision, mode) == ("fp32", "inference"):
            continue
        for size, dataset in samples.items():
            labels = len(part.corpus.labels)
            task = Task(dataset, len(part.corpus.vocabulary), labels, WIDTHS, part.device)
            starter = Starter(task, where, mode)
            for contestant in _contestants(precision, size, part.quick):
                if not part.time_left(LIMIT):
                    return
                _measure(part, task, starter, contestant, (where, mode, size), ceilings)


def _contestants(precision: str, size: int, quick: bool) -> Iterator[Contestant]:
    for form in FORMS:
        if form == "LSTM":
            algorithms: tuple[str, ...] = LSTM_ALGORITHMS
        else:
            own = ("spinn",) if form == "SPINN-PI-NT" else ("spinn", "fixed")
            algorithms = (*own, "list") if size in LIST_SIZES or quick else own
        for algorithm in algorithms:
            if not (quick and form == "SPINN-PI"):
                yield Contestant(form, algorithm, precision)


def _measure(
    part: Part,
    task: Task,
    starter: Starter,
    contestant: Contestant,
    place: tuple[str, str, int],
    ceilings: Ceilings,
) -> None:
    """Add the result of a contestant, or its error, to the record."""
    where, mode, size = place
    count = encoder_work if where == "encoder" else _model_work(task)
    work = count(contestant.form, WIDTHS, task.dataset)
    if mode == "training":
        work = of_training(work)
    row = {**vars(contestant), "part": where, "mode": mode, "batch_size": size}
    try:
        turn = starter.turns(contestant, [size])[size]
        first = alternate({"": turn}, rounds=1, warmups=1, device=part.device)[""].median
        rounds = max(1, min(ROUNDS, int(LIMIT / first)))
        timings = alternate({"": turn}, rounds=rounds, warmups=0, device=part.device)[""]
    except (RuntimeError, torch.OutOfMemoryError) as error:
        part.add("errors", row | {"message": str(error)[:500]})
        return
    seconds = median([first, *timings.seconds])
    row["pairs_per_second"] = round(len(task.dataset) / seconds, 1)
    part.add("rows", row | shares(work, seconds, ceilings, contestant.precision))


def _model_work(task: Task) -> Any:
    return lambda form, widths, dataset: model_work(form, widths, dataset, task.labels)


if __name__ == "__main__":
    run_part(main)
