"""Time of an epoch of SNLI, extrapolated from a number of batches.

Time whole training steps on real sentences, including building batches and moving them to the
device, without evaluation. A few batches serve as warm-up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice

from benchmarks.common import synchronise
from benchmarks.contest import Contestant, ModelWork
from benchmarks.gpu.program import Part, model_work, plain_loops, run_part
from spinn.data.batching import Batch

SNLI_PAIRS = 549_367  # pairs of the training set with a gold label
PLAIN = ", plain loops"  # as they are without Triton
CONTESTANTS = (
    ("SPINN-PI-NT", "spinn"),
    ("SPINN-PI", "fixed"),
    ("SPINN", "fixed"),
    ("RL-SPINN", "fixed"),
    ("LSTM", "packed"),
    ("RL-SPINN", "fixed" + PLAIN),
    ("SPINN-PI", "spinn"),
    ("SPINN", "spinn"),
    ("RL-SPINN", "spinn"),
)
BATCHES = 16
WARMUPS = 3
SIZES = (128, 512)


def main(part: Part) -> None:
    """Time every form in bf16 and fp32."""
    part.keep(snli_pairs=SNLI_PAIRS, scaled_from_batches=2 if part.quick else BATCHES, rows=[])
    for precision in ("bf16", "fp32"):
        for form, algorithm in CONTESTANTS:
            contestant = Contestant(form, algorithm.removesuffix(PLAIN), precision)
            work = model_work(part, contestant)
            for size in (16,) if part.quick else SIZES:
                if not part.time_left(5):
                    return
                with plain_loops() if algorithm.endswith(PLAIN) else nullcontext():
                    pairs, seconds = _time(part, contestant, work, size)
                part.add(
                    "rows",
                    {
                        "form": form,
                        "algorithm": algorithm,
                        "precision": precision,
                        "batch_size": size,
                        "pairs": pairs,
                        "pairs_per_second": round(pairs / seconds, 1),
                        "seconds_per_epoch": round(seconds * SNLI_PAIRS / pairs, 1),
                    },
                )


def _time(part: Part, contestant: Contestant, work: ModelWork, size: int) -> tuple[int, float]:
    """Train on some batches; return the number of pairs and the seconds."""
    dataset = part.corpus.sets["train"]
    warmups, timed = (1, 2) if part.quick else (WARMUPS, BATCHES)
    if contestant.algorithm == "fixed":  # shapes are captured once, not in every epoch
        _train(work, work.batches(dataset, size, training=True), warmups + timed)
    batches = work.batches(dataset, size, training=True)
    work.train(islice(batches, warmups))
    synchronise(part.device)
    start = time.perf_counter()
    pairs = _train(work, batches, timed)
    synchronise(part.device)
    return pairs, time.perf_counter() - start


def _train(work: ModelWork, batches: Iterator[Batch], count: int) -> int:
    """Train on the next ``count`` batches; return their number of pairs."""
    sizes = []

    def counted() -> Iterator[Batch]:
        for batch in islice(batches, count):
            sizes.append(len(batch))
            yield batch

    work.train(counted())
    return sum(sizes)


if __name__ == "__main__":
    run_part(main)
