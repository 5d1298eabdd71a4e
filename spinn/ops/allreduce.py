"""Differentiable sums over the processes of a training run; the identity in a single process.

The group is torch's default process group, if initialised. The result in each process depends on
the values of all processes, so the backward pass sums gradients over processes too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd.function import once_differentiable


def world_size() -> int:
    """Return the number of processes in the run."""
    initialized = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if initialized else 1


def all_sum(value: Tensor) -> Tensor:
    """Sum a tensor of any shape over all processes; every process must call this.

    The gradient is that of the sum of the losses of all processes.
    """
    if world_size() == 1:
        return value
    return _AllSum.apply(value)


def part_of_mean(values: Tensor) -> Tensor:
    """Divide the sum of this process's values by the number of values of all processes.

    The sum of the results over processes is the mean. A process may have no values; the mean of no
    values at all is 0.
    """
    if world_size() == 1 and values.numel():
        return values.mean()
    return part_of_ratio(values.sum(), values.numel())


def part_of_ratio(total: Tensor, count: int) -> Tensor:
    """Divide a sum of this process by a count that is summed over all processes.

    The sum of the results over processes is the ratio of both sums; it is 0 if the count is.
    """
    if world_size() == 1:
        return total / max(1, count)
    whole = all_sum(total.new_tensor(count, dtype=torch.float32))
    return total / whole.clamp(min=1)


def mean(values: Tensor) -> Tensor:
    """Return the mean of the values of all processes."""
    return all_sum(part_of_mean(values))


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
