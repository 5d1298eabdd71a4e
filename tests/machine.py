"""The machine: its pipes and memory, and the device that tests of tensors, models and runs use.

Pytest's ``--device`` names the device.

Numbers are drawn on the CPU and moved, so that they are the same on every device. The CPU does the
same sums in the same order every time; a GPU adds up gradients in any order, so that what is done
twice there comes to the same within rounding only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from spinn.ops.loops import TorchLoops
from spinn.support.runtime import choose_device

NEEDS_PIPES = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
OUT_OF_MEMORY = pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
"""The errors of a GPU and of a CPU, as ``error``."""
DEVICE: torch.device = choose_device(os.environ.get("SPINN_TEST_DEVICE", "cpu"))
EXACT = DEVICE.type == "cpu"
"""Whether what is done twice comes to the same to the bit."""


def examples(count: int) -> int:
    """Return how many examples Hypothesis draws: this many on the CPU, fewer on a GPU.

    Small tensors are slow there, and what differs from the CPU shows in few examples.
    """
    return count if EXACT else max(2, count // 6)


def plain_loops() -> AbstractContextManager[Any]:
    """Return a context in which operations begin with the plain loops, not the compiled ones."""
    return patch("spinn.ops.products.loops_for", lambda like, products: TorchLoops())


def again(tolerance: float) -> dict[str, float]:
    """Tell ``assert_close`` how close things done twice are: this close, and equal on the CPU."""
    return dict.fromkeys(("rtol", "atol"), 0.0 if EXACT else tolerance)


def alike(one: Tensor, other: Tensor) -> bool:
    """Return whether two results are equal: to the bit on the CPU, within rounding on a GPU."""
    return torch.equal(one, other) if EXACT else torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def random_state() -> Tensor:
    """Return the state of the generator that the device draws from by default."""
    return torch.get_rng_state() if EXACT else torch.cuda.get_rng_state(DEVICE)


def generator(seed: int) -> torch.Generator:
    """Make a generator for what the package itself draws on the device."""
    return torch.Generator(DEVICE).manual_seed(seed)


def gradcheck(function: Callable[..., Any], inputs: Any) -> bool:
    """Hold gradients against finite differences; done twice they need not be equal on a GPU."""
    return torch.autograd.gradcheck(function, inputs, nondet_tol=0.0 if EXACT else 1e-9)
