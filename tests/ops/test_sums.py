"""Sums of a backward pass: kept within it, and new in the next."""

from __future__ import annotations

import torch
from torch.autograd.function import once_differentiable

from spinn.ops.sums import PassSums


class Count(torch.autograd.Function):
    """The identity; its backward counts in the sums of the pass."""

    @staticmethod
    def forward(ctx, given, sums):
        ctx.sums = sums
        return given.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        ctx.sums.get(lambda: torch.zeros(())).add_(1)
        return gradient, None


def test_the_parts_of_a_pass_share_sums_and_passes_do_not():
    sums: PassSums[torch.Tensor] = PassSums()
    given = torch.ones((), requires_grad=True)
    once = Count.apply(given, sums)
    twice = Count.apply(once, sums)
    seen = []
    given.register_hook(lambda gradient: seen.append(sums.get(lambda: torch.zeros(())).item()))
    for result in (twice, once, twice):
        torch.autograd.grad(result, given, retain_graph=True)
    assert seen == [2, 1, 2]


def test_outside_a_pass_sums_last_until_they_are_forgotten():
    sums: PassSums[list[int]] = PassSums()
    sums.get(list).append(1)
    assert sums.get(list) == [1]
    sums.forget()
    assert sums.get(list) == []
