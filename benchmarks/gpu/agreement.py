"""Compare training on the device with training on the CPU.

Every form takes a few hundred steps on each, with the same weights, batches and random numbers:
dropout is disabled, and other random numbers are generated on the CPU. The label losses are
compared. In fp32 (without TF32) the first steps are compared one by one, before rounding errors
grow, and the means over the last quarter; in bf16 means only. Forms that sample trees are compared
by means only, since one different tree changes all later steps.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, TimeoutError, as_completed
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from benchmarks.gpu.program import Part, run_part
from spinn.config import Configuration, resolve
from spinn.data.batching import Batch, Batcher
from spinn.data.corpus import Corpus
from spinn.learning.optimizers import make_optimizer
from spinn.model.build import build_embedding
from spinn.model.gumbel import gumbel_noise
from spinn.support.runtime import arithmetic, available_cores, set_threads

TRACKER = {"tracker": True, "tracker_size": 16}
RL = {**TRACKER, "trees": "sampled", "samples": 2, "baseline": "leave-one-out"}
FORMS: dict[str, dict[str, Any]] = {
    "SPINN-PI-NT": {},
    "SPINN-PI": TRACKER,
    "SPINN": {**TRACKER, "trees": "predicted"},
    "RL-SPINN": RL,
    "RL-SPINN, greedy baseline": {**TRACKER, "trees": "sampled"},
    "RL-SPINN, PPO": {**RL, "parser": "own", "policy_updates": 2},
    "SPINN, fixed shapes": {**TRACKER, "trees": "predicted", "engine": "fixed"},
    "Gumbel Tree-LSTM": {"encoder": "gumbel"},
    "LSTM": {"encoder": "lstm"},
    "BiLSTM": {"encoder": "bilstm"},
    "bag of words": {"encoder": "bow"},
    "gated recursion": {"composition": "gated-recursive"},
    "aligned leaves": {"leaf_context": "aligned"},
}
SAMPLING = {name for name, options in FORMS.items() if options.get("trees") == "sampled"} | {
    "Gumbel Tree-LSTM"
}
NO_DROPOUT = {"embedding_dropout": 0.0, "leaf_dropout": 0.0, "classifier_dropout": 0.0}
SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "embedding_size": 64,
    "classifier_width": 64,
    "learning_rate": 1e-3,
    "schedule": "constant",
}
STEPS, BATCH_SIZE = {"fp32": 120, "bf16": 100}, 32
GPU_WORKERS = 10  # small steps do not use a whole GPU
FIRST = 50  # number of steps that are compared one by one
TOLERANCES = {"fp32": {"step": 2e-3, "mean": 0.02}, "bf16": {"mean": 0.05}}  # nats
SAMPLING_TOLERANCE = 0.06  # of means, for forms that sample trees


def main(part: Part) -> None:
    """Train every form, several in parallel; compare with the losses of ``--against``, if given."""
    other = part.arguments.against
    expected = None if other is None else json.loads(other.read_text(encoding="utf-8"))["losses"]
    precisions = ("fp32",) if expected is None else ("fp32", "bf16")
    steps = {name: 8 if part.quick else STEPS[name] for name in precisions}
    part.keep(steps=steps, batch_size=BATCH_SIZE, tolerances=TOLERANCES, losses={})
    if expected is not None:
        part.keep(compared=[])
    # The slowest forms first, so that the time limit cuts none of them.
    names = sorted(FORMS, key=lambda name: name not in SAMPLING)
    jobs = [(name, precision) for precision in precisions for name in names]
    threads = part.arguments.threads
    workers = GPU_WORKERS if part.device.type == "cuda" else max(1, available_cores() // threads)
    with ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=set_up, initargs=(threads,)
    ) as pool:
        running = {
            pool.submit(
                train, name, part.arguments.corpus, part.device, precision, steps[precision]
            ): (name, precision)
            for name, precision in jobs
        }
        try:
            for future in as_completed(running, timeout=part.ends - time.monotonic()):
                _record(part, *running[future], future, expected)
        except TimeoutError:
            part.time_left()
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list((pool._processes or {}).values()):
                process.kill()


def set_up(threads: int) -> None:
    """Set up a worker process."""
    set_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def _record(
    part: Part,
    name: str,
    precision: str,
    future: Future[list[float]],
    expected: dict[str, list[float]] | None,
) -> None:
    """Record the losses of a form, or its error."""
    try:
        losses = future.result()
    except Exception as error:  # the other forms continue
        part.add("errors", {"form": name, "precision": precision, "message": repr(error)[:1000]})
        return
    if precision == "fp32":
        part.record["losses"][name] = [round(loss, 6) for loss in losses]
    if expected is not None and name in expected:
        part.add("compared", compare(name, precision, losses, expected[name]))
    part.keep()


def train(name: str, folder: Path, device: torch.device, precision: str, steps: int) -> list[float]:
    """Train from the same weights on the same batches; return the label losses."""
    corpus = Corpus.load(folder)
    options = SMALL | NO_DROPOUT | FORMS[name]
    configuration = resolve(options, {"precision": precision, "device": "cpu"})
    torch.manual_seed(1)
    embedding = build_embedding(len(corpus.vocabulary), configuration.embedding)
    model = configuration.build_model(embedding, len(corpus.labels)).to(device)
    objective = configuration.build_objective().to(device)
    optimizer = make_optimizer(configuration.optimizer, model, objective)
    losses: list[Tensor] = []
    with random_on_cpu():
        model.train()
        for batch in islice(_batches(configuration, corpus, model.by_height), steps):
            batch = batch.to(device)
            with arithmetic(device, precision):
                result = objective(model, batch, 0.5)
            optimizer.zero_grad(set_to_none=True)
            result.loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            if result.trees is not None:
                _improve(configuration, objective, model, result.trees, optimizer, device)
            losses.append(result.sums["loss"] / len(batch))
    return torch.stack(losses).tolist()


def _improve(
    configuration: Configuration,
    objective: Any,
    model: Any,
    trees: Any,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> None:
    """Take the additional policy updates of PPO."""
    assert configuration.ppo is not None
    for _ in range(configuration.ppo.policy_updates - 1):
        with arithmetic(device, configuration.training.precision):
            loss, _ = objective.improve(model, trees)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def _batches(configuration: Configuration, corpus: Corpus, by_height: bool) -> Iterator[Batch]:
    batcher = Batcher(
        corpus.sets["train"],
        configuration.teacher_source or configuration.source,
        batch_size=BATCH_SIZE,
        seed=1,
        by_height=by_height,
    )
    epoch = 0
    while True:
        yield from batcher.batches(epoch)
        epoch += 1


@contextmanager
def random_on_cpu() -> Iterator[None]:
    """Generate uniform and Gumbel numbers on the CPU, so that they are the same on all devices."""
    uniform = torch.rand

    def rand(*size: Any, device: Any = None, **options: Any) -> Tensor:
        return uniform(*size, **options).to(device)

    def noise(like: Tensor, depth: int, count: int) -> Tensor:
        return gumbel_noise(like.new_empty(0, device="cpu"), depth, count).to(like.device)

    with (
        mock.patch("torch.rand", rand),
        mock.patch("spinn.model.gumbel.gumbel_noise", noise),
    ):
        yield


def compare(
    name: str, precision: str, losses: list[float], expected: list[float]
) -> dict[str, Any]:
    """Compare two series of losses."""
    count = min(len(losses), len(expected))
    last = max(1, count // 4)
    gaps = [abs(one - other) for one, other in zip(losses, expected, strict=False)]
    mean = abs(fmean(losses[count - last : count]) - fmean(expected[count - last : count]))
    bounds = {"mean": SAMPLING_TOLERANCE} if name in SAMPLING else TOLERANCES[precision]
    first = max(gaps[:FIRST])
    return {
        "form": name,
        "precision": precision,
        "steps": count,
        "largest_of_first_steps": round(first, 7),
        "largest": round(max(gaps), 6),
        "of_last_means": round(mean, 6),
        "last_mean": round(fmean(losses[count - last : count]), 4),
        "within": mean <= bounds["mean"] and first <= bounds.get("step", float("inf")),
    }


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flag of the record to compare with."""
    parser.add_argument("--against", type=Path)


if __name__ == "__main__":
    run_part(main, add_flags)
