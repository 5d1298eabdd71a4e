"""Sums over the processes that train one model together; in a single process, the value itself.

The group is torch's own default process group, wherever one is up. What a model computes from such
a sum in one process depends on the values of all, so gradients are summed up in the same way.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd.function import once_differentiable


def world_size() -> int:
    """Count the processes that train together."""
    up = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if up else 1


def all_sum(value: Tensor) -> Tensor:
    """Sum a tensor of any shape over all processes, each of which has to call this.

    The gradient is that of the sum of what all processes make of the result.
    """
    if world_size() == 1:
        return value
    return _AllSum.apply(value)


class _AllSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return _summed(value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return _summed(gradient)


def _summed(value: Tensor) -> Tensor:
    total = value.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total
