"""How much memory a piece of work takes: its peak, in a process of its own.

A process never gives all memory back, so a peak can be told only once in it. Each case therefore
runs in a fresh process: on a CPU its resident memory is read, on a GPU what torch has allocated.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Memory:
    """Bytes a process held, of its own memory or of the GPU's.

    Attributes
    ----------
    before
        When it began with what is measured.
    peak
        The most it ever held.

    """

    before: int
    peak: int

    @property
    def added(self) -> int:
        """What the measured part came to at its height."""
        return max(0, self.peak - self.before)


class MemoryMeter:
    """Measure the peak of what a process does from now on; make one in a fresh process."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        gc.collect()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._before = torch.cuda.memory_allocated(device)
        else:
            self._before = resident()

    def read(self) -> Memory:
        """Return the peak so far."""
        if self._device.type == "cuda":
            return Memory(self._before, torch.cuda.max_memory_allocated(self._device))
        return Memory(self._before, peak_resident())


def resident() -> int:
    """Return the bytes of memory this process holds now (its peak, where that cannot be told)."""
    return _status("VmRSS") or peak_resident()


def peak_resident() -> int:
    """Return the most bytes of memory this process ever held.

    Linux tells it for the running program. ``getrusage`` comes second, because there a program
    inherits the peak of the process it was started from.
    """
    peak = _status("VmHWM")
    if peak is not None:
        return peak
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name: str) -> int | None:
    """Look up a line of the process's status, in bytes; ``None`` where there is none."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = (line.split()[1] for line in lines if line.startswith(name + ":"))
    return next((int(kilobytes) * 1024 for kilobytes in found), None)


def in_fresh_process(
    function: Callable[Given, Result], *arguments: Given.args, **options: Given.kwargs
) -> Result | None:
    """Call a function of a module in a process of its own; ``None`` if it did not survive.

    The process starts as a new program: nothing of this one's memory is in its peak.
    """
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(function, *arguments, **options).result()
    except (BrokenProcessPool, MemoryError, torch.OutOfMemoryError):
        return None
    except RuntimeError as error:
        if "allocate memory" in str(error):  # torch, on a CPU
            return None
        raise
