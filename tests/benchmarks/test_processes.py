"""Peaks of memory are those of a new process."""

from __future__ import annotations

import os

import numpy as np
import torch

from benchmarks.processes import Memory, MemoryMeter, in_fresh_process, peak_resident

MEBIBYTE = 2**20


def hold(mebibytes: int) -> tuple[int, Memory]:
    """Hold so much for a moment."""
    meter = MemoryMeter(torch.device("cpu"))
    block = np.ones(mebibytes * MEBIBYTE, dtype=np.int8)
    del block
    return os.getpid(), meter.read()


def die() -> None:
    os._exit(9)


def test_a_peak_is_measured_in_a_process_of_its_own_and_not_inherited() -> None:
    burden = np.ones(600 * MEBIBYTE, dtype=np.int8)
    measured = in_fresh_process(hold, 64)
    assert measured is not None
    process, memory = measured
    assert process != os.getpid()
    assert 60 * MEBIBYTE < memory.added < 120 * MEBIBYTE
    assert memory.peak < burden.nbytes <= peak_resident()


def test_a_process_that_does_not_survive_has_no_result() -> None:
    assert in_fresh_process(die) is None
