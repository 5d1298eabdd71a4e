"""Peak memory of a function, measured in a separate process.

A process does not return all memory to the system, so a peak can be measured only once per process.
On a CPU the resident memory is measured, on a GPU the memory allocated by torch.
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

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Memory:
    """Memory of a process, or of the GPU, in bytes.

    Attributes
    ----------
    before
        Memory before the measured work.
    peak
        Maximum over the life of the process.

    """

    before: int
    peak: int

    @property
    def added(self) -> int:
        """Memory added by the measured work at its peak."""
        return max(0, self.peak - self.before)


class MemoryMeter:
    """Measure peak memory from now on; must be created in a fresh process."""

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
    """Return the resident memory of this process in bytes, or its peak if that is unknown."""
    return _status("VmRSS") or peak_resident()


def peak_resident() -> int:
    """Return the peak resident memory of this process in bytes.

    On Linux it is read from ``/proc``, since the value of ``getrusage`` includes the peak of the
    parent process.
    """
    peak = _status("VmHWM")
    if peak is not None:
        return peak
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name: str) -> int | None:
    """Return an entry of the process's status in bytes; ``None`` if it is not available."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    values = (line.split()[1] for line in lines if line.startswith(name + ":"))
    return next((int(kilobytes) * 1024 for kilobytes in values), None)


def in_fresh_process(
    function: Callable[Arguments, Result], *arguments: Arguments.args, **options: Arguments.kwargs
) -> Result | None:
    """Call a function of a module in a new process; return ``None`` if it runs out of memory.

    The process is spawned, so its peak does not include memory of this one.
    """
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(function, *arguments, **options).result()
    except (BrokenProcessPool, MemoryError, torch.OutOfMemoryError):
        return None
    except RuntimeError as error:
        if "allocate memory" in str(error):  # raised by torch on a CPU
            return None
        raise
