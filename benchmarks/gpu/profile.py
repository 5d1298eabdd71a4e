"""Profile a training step on the device: kernels, launches, gaps, synchronisations.

A step of PI-NT and one of RL-SPINN run under torch's profiler, after warm-up. In a separate step
synchronisations with the host are counted by line of code.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.profiler import ProfilerActivity, profile

from benchmarks.common import synchronise
from benchmarks.contest import Contestant, ModelWork
from benchmarks.gpu.program import Part, model_work, run_part
from spinn.data.batching import Batch

FORMS = ("SPINN-PI-NT", "RL-SPINN")
BATCH_SIZE = 128
SHOWN = 15
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx")
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


def main(part: Part) -> None:
    """Profile a step of each form in bf16."""
    for form in FORMS:
        if not part.time_left(5):
            return
        contestant = Contestant(form, "spinn", "bf16")
        work = model_work(part, contestant)
        size = 16 if part.quick else BATCH_SIZE
        dataset = part.corpus.sets["train"]
        batches = list(islice(work.batches(dataset, size, training=True), 3))
        for _ in range(2):
            work.train(batches)
        synchronise(part.device)
        start = time.perf_counter()
        work.train(batches[:1])
        synchronise(part.device)
        seconds = time.perf_counter() - start
        part.add(
            "steps",
            {
                "form": form,
                "batch_size": size,
                "steps_in_tree": int(2 * batches[0].lengths.max() - 1),
                "milliseconds": round(1000 * seconds, 2),
                **profiled(work, batches[0], part.device),
                "waits_by_line": waits_by_line(work, batches[0], part.device),
            },
        )


def profiled(work: ModelWork, batch: Batch, device: torch.device) -> dict[str, Any]:
    """Profile a step; return counts of launches and waits, and the times of kernels."""
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        work.train([batch])
        synchronise(device)
    events = profiler.events() or []
    calls = Counter(event.name for event in events if event.device_type == DeviceType.CPU)
    kernels = [event for event in events if event.device_type == DeviceType.CUDA]
    spans = sorted((kernel.time_range.start, kernel.time_range.end) for kernel in kernels)
    busy, gaps = _busy_and_gaps(spans)
    shown = kernels or [event for event in events if event.name.startswith("aten::")]
    return {
        "kernels": len(kernels),
        "launches": sum(calls[name] for name in LAUNCHES),
        "waits": sum(calls[name] for name in WAITS),
        "copies_to_host": sum("DtoH" in kernel.name for kernel in kernels),
        "milliseconds_busy": round(busy / 1000, 2),
        "milliseconds_in_gaps": round(gaps / 1000, 2),
        "most": _most(shown),
    }


def _busy_and_gaps(spans: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the total time with a running kernel, and the gaps between, in microseconds."""
    busy = gaps = 0.0
    last = spans[0][0] if spans else 0.0
    for start, end in spans:
        gaps += max(0.0, start - last)
        busy += max(0.0, end - max(start, last))
        last = max(last, end)
    return busy, gaps


def _most(events: list[Any]) -> list[dict[str, Any]]:
    """Return the kernels with the longest total time."""
    times: dict[str, list[float]] = defaultdict(list)
    for event in events:
        times[event.name].append(event.time_range.end - event.time_range.start)
    longest = sorted(times.items(), key=lambda item: -sum(item[1]))[:SHOWN]
    return [
        {"name": name[:100], "calls": len(calls), "milliseconds": round(sum(calls) / 1000, 3)}
        for name, calls in longest
    ]


def waits_by_line(work: ModelWork, batch: Batch, device: torch.device) -> dict[str, int]:
    """Count the waits of the host in a step by line, from the warnings of torch."""
    if device.type != "cuda":
        return {}
    with _sync_warnings() as caught:
        work.train([batch])
    lines = Counter(f"{Path(warning.filename).name}:{warning.lineno}" for warning in caught)
    return dict(lines.most_common())


@contextmanager
def _sync_warnings() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield caught
        finally:
            torch.cuda.set_sync_debug_mode("default")


if __name__ == "__main__":
    run_part(main)
