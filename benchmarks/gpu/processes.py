"""Checks of torchrun with one process, of sampling on the device, and of peak memory.

The process group of torchrun uses nccl on a GPU and gloo on a CPU. A model in
DistributedDataParallel must take the same steps as without it, and ``train.py`` must complete a
run.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import distributed as group
from torch.nn.parallel import DistributedDataParallel

from benchmarks.contest import FORMS, Contestant, ModelWork
from benchmarks.gpu.program import Part, model_work, run_part
from spinn.model.types import Plan
from spinn.training import distributed
from spinn.training.pairs import TrainingStep

REPOSITORY = Path(__file__).parents[2]
BATCH_SIZE = 64
SIZES = (128, 512, 2048)
DRAWS = 20_000
END_TO_END = (
    *("--tracker", "--rl", "--parser", "shared", "--epochs", "1"),
    *("--max-words", "10", "--hidden-size", "32"),
    *("--no-tensorboard", "--batch-size", "256"),
)


def main(part: Part) -> None:
    """Run all checks; errors are recorded, and the other checks continue."""
    if part.arguments.joined:
        with distributed.joined():
            part.keep(wrapped=wrapped_steps(part))
        return
    for name, check in (
        ("torchrun", wrapped_by_torchrun),
        ("train", trained_by_torchrun),
        ("sampling", sampling),
        ("memory", memory),
    ):
        if not part.time_left(5):
            return
        try:
            part.keep(**{name: check(part)})
        except Exception as error:
            part.add("errors", {"check": name, "message": repr(error)[:1000]})


def _torchrun(part: Part, *command: str) -> dict[str, Any]:
    """Run a program in one process of torchrun; return its status, time and error output."""
    start = time.monotonic()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=1"]
    run = subprocess.run(
        [*torchrun, *command],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": str(part.arguments.threads)},
        capture_output=True,
        text=True,
        timeout=max(10.0, part.ends - time.monotonic()),
        check=False,
    )
    seconds = round(time.monotonic() - start, 1)
    return {"status": run.returncode, "seconds": seconds, "stderr": run.stderr[-600:]}


def wrapped_by_torchrun(part: Part) -> dict[str, Any]:
    """Take the steps of :func:`wrapped_steps` under torchrun."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "record.json")
        flags = ["--corpus", str(part.arguments.corpus), "--device", str(part.device)]
        flags += ["--seconds", "60", "--output", str(output), "--joined"]
        result = _torchrun(part, "-m", "benchmarks.gpu.processes", *flags)
        record = json.loads(output.read_text(encoding="utf-8")) if output.is_file() else {}
    return result | record


def wrapped_steps(part: Part) -> dict[str, Any]:
    """Take three steps of PI-NT and SPINN, with and without DistributedDataParallel."""
    results: dict[str, Any] = {"backend": str(group.get_backend_config())}
    for form in ("SPINN-PI-NT", "SPINN"):
        work = _work(part, form)
        weights = []
        for wrapped in (False, True):
            model = copy.deepcopy(work.model)
            step: torch.nn.Module = TrainingStep(model, copy.deepcopy(work.objective))
            if wrapped:
                step = DistributedDataParallel(
                    step, broadcast_buffers=False, find_unused_parameters=True
                )
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            model.eval()  # without dropout, which would differ
            for batch in islice(work.batches(part.corpus.sets["train"], 32, training=True), 3):
                optimizer.zero_grad()
                step(batch, 0.0).loss.backward()
                optimizer.step()
            weights.append(torch.cat([weight.flatten() for weight in model.parameters()]))
        results[form] = {"largest_difference": (weights[0] - weights[1]).abs().max().item()}
    total = torch.ones(1000, device=part.device)
    group.all_reduce(total)
    results["all_reduce"] = bool((total == 1).all())
    return results


def trained_by_torchrun(part: Part) -> dict[str, Any]:
    """Train RL-SPINN for an epoch of short sentences with ``train.py``."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--data", str(part.arguments.corpus), "--device", str(part.device)]
        flags += ["--output", str(Path(folder, "run")), *END_TO_END]
        if part.quick:
            flags += ["--max-words", "5"]
        return _torchrun(part, "train.py", *flags)


def sampling(part: Part) -> dict[str, Any]:
    """Check that trees are sampled on the device with the probabilities of the policy."""
    work = _work(part, "RL-SPINN")
    batch = next(work.batches(part.corpus.sets["train"], BATCH_SIZE, training=True))
    work.model.eval()
    words, lengths = batch.words[:3, :1].repeat(1, DRAWS), torch.full((DRAWS,), 3)
    with torch.no_grad():
        torch.manual_seed(1)
        encoding = work.model(words, lengths, Plan.sampled()).encoding
        again = work.model(words, lengths, Plan.sampled()).encoding
        torch.manual_seed(1)
        same = work.model(words, lengths, Plan.sampled()).encoding
    policy = encoding.policy
    probability = policy.log_probs[2, 0, 0].exp().item()
    frequency = (encoding.transitions[2] == 2).float().mean().item()
    return {
        "device": str(encoding.transitions.device),
        "probability_of_reduce": round(probability, 4),
        "share_of_reduce": round(frequency, 4),
        "within": abs(probability - frequency) < 0.02,
        "seeded": torch.equal(encoding.transitions, same.transitions)
        and not torch.equal(encoding.transitions, again.transitions),
    }


def memory(part: Part) -> list[dict[str, Any]]:
    """Measure peak memory of a training step by form and batch size; not on a CPU."""
    if part.device.type != "cuda":
        return []
    rows = []
    for form in FORMS:
        for size in SIZES:
            work = _work(part, form)
            batch = next(work.batches(part.corpus.sets["train"], size, training=True))
            torch.cuda.reset_peak_memory_stats(part.device)
            before = torch.cuda.memory_allocated(part.device)
            work.train([batch])
            peak = torch.cuda.max_memory_allocated(part.device)
            row = {"form": form, "batch_size": size, "words": int(batch.lengths.sum())}
            rows.append(row | {"before_mib": before // 2**20, "peak_mib": peak // 2**20})
    return rows


def _work(part: Part, form: str) -> ModelWork:
    algorithm = "packed" if form == "LSTM" else "spinn"
    return model_work(part, Contestant(form, algorithm, "fp32"))


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flag of the process that torchrun starts."""
    parser.add_argument("--joined", action="store_true")


if __name__ == "__main__":
    run_part(main, add_flags)
