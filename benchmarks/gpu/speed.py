"""Pairs a second of every form and rival on the device, and the shares of its ceilings.

Encoder alone and whole model, training and inference, in fp32 and bf16, at several batch sizes;
medians of a few passes. One pass warms up. The plain list-based algorithm is timed at one batch
size. What was measured last may be missing where the time box was too small.
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
PAIRS = 2048
ROUNDS = 3
BOX = 6.0  # seconds that one figure may take before its rounds are cut


def main(part: Part) -> None:
    """Measure the ceilings, then everything, the most telling first."""
    dataset = sample(part.corpus.sets["train"], 64 if part.quick else PAIRS)
    ceilings = measure_ceilings(part.device, quick=part.quick)
    part.keep(
        ceilings=ceilings.as_dict(),
        sentences=describe_sentences(dataset, ["the prepared corpus"]),
        widths=vars(WIDTHS),
        rows=[],
    )
    task = Task(dataset, len(part.corpus.vocabulary), len(part.corpus.labels), WIDTHS, part.device)
    for precision, where, mode in product(
        ("bf16", "fp32"), ("encoder", "model"), ("training", "inference")
    ):
        starter = Starter(task, where, mode)
        for contestant in _contestants(precision, part.quick):
            if not part.time_left(BOX):
                return
            _measure(part, task, starter, contestant, (where, mode), ceilings)


def _contestants(precision: str, quick: bool) -> Iterator[Contestant]:
    for form in FORMS:
        for algorithm in LSTM_ALGORITHMS if form == "LSTM" else ("spinn", "list"):
            if not (quick and form == "SPINN-PI"):
                yield Contestant(form, algorithm, precision)


def _measure(
    part: Part,
    task: Task,
    starter: Starter,
    contestant: Contestant,
    place: tuple[str, str],
    ceilings: Ceilings,
) -> None:
    """Add a row for each batch size; one that fails is noted and left."""
    where, mode = place
    sizes = LIST_SIZES if contestant.algorithm == "list" else SIZES
    sizes = (32,) if part.quick else sizes
    count = encoder_work if where == "encoder" else _model_work(task)
    work = count(contestant.form, WIDTHS, task.dataset)
    if mode == "training":
        work = of_training(work)
    row = {**vars(contestant), "part": where, "mode": mode}
    try:
        for size, turn in starter.turns(contestant, sizes).items():
            rounds = ROUNDS
            first = alternate({"": turn}, rounds=1, warmups=1, device=part.device)[""].median
            if first * ROUNDS > BOX:
                rounds = 1
            taken = alternate({"": turn}, rounds=rounds, warmups=0, device=part.device)[""]
            seconds = median([first, *taken.seconds])
            part.add(
                "rows",
                row
                | {
                    "batch_size": size,
                    "pairs_per_second": round(len(task.dataset) / seconds, 1),
                    **shares(work, seconds, ceilings, contestant.precision),
                },
            )
    except (RuntimeError, torch.OutOfMemoryError) as error:
        part.add("errors", row | {"told": str(error)[:500]})


def _model_work(task: Task) -> Any:
    return lambda form, widths, dataset: model_work(form, widths, dataset, task.labels)


if __name__ == "__main__":
    run_part(main)
