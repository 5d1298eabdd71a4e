"""Composition by height, against a twin that composes node by node through the cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from spinn.model.cells import TreeLSTM
from spinn.ops.levels import compose_levels
from spinn.schedule import Schedule, build_schedule
from spinn.transitions import left_branching, random_uniform

SIZE = 3


def plain(leaves: Tensor, cell: TreeLSTM, schedule: Schedule) -> Tensor:
    nodes = list(leaves)
    for left, right in zip(schedule.left.tolist(), schedule.right.tolist(), strict=True):
        nodes.append(cell(nodes[left][None], nodes[right][None])[0])
    return torch.stack([nodes[root] for root in schedule.roots.tolist()])[:, : cell.hidden_size]


def make_schedule(lengths: list[int], seed: int, share: bool) -> Schedule:
    random, sizes = np.random.default_rng(seed), np.array(lengths)
    words = random.integers(2, 4, (max(lengths), len(lengths)), dtype=np.int32)
    return build_schedule(random_uniform(sizes, random), sizes, words if share else None)


def make_inputs(
    schedule: Schedule, words: int, seed: int, size: int = SIZE, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, TreeLSTM]:
    generator = torch.Generator().manual_seed(seed)
    count = words if schedule.words is None else len(schedule.words)
    cell = TreeLSTM(size).to(dtype)
    for weight in cell.parameters():
        torch.nn.init.normal_(weight, std=2 / size**0.5, generator=generator)
    leaves = torch.randn(count, 2 * size, dtype=dtype, generator=generator)
    return leaves.requires_grad_(), cell


def fast(leaves: Tensor, cell: TreeLSTM, schedule: Schedule) -> Tensor:
    return compose_levels(leaves, cell.gates.weight, cell.gates.bias, schedule)


def gradients(roots: Tensor, leaves: Tensor, cell: TreeLSTM) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    wanted = torch.randn(roots.shape, dtype=roots.dtype, generator=generator)
    weights = [leaves, cell.gates.weight, cell.gates.bias]
    loss = (roots * wanted).sum()
    return list(torch.autograd.grad(loss, weights, materialize_grads=True, allow_unused=True))


ragged = st.lists(st.integers(1, 8), min_size=1, max_size=5)
seeds = st.integers(0, 2**16)


@given(lengths=ragged, seed=seeds, share=st.booleans())
@example(lengths=[1], seed=0, share=False)
@example(lengths=[1, 1], seed=0, share=True)
@example(lengths=[8, 8, 8, 2, 1], seed=3, share=True)
def test_roots_and_gradients_are_those_of_the_plain_twin(lengths, seed, share):
    schedule = make_schedule(lengths, seed, share)
    leaves, cell = make_inputs(schedule, sum(lengths), seed)
    expected, actual = plain(leaves, cell, schedule), fast(leaves, cell, schedule)
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(actual, expected, **close)
    torch.testing.assert_close(
        gradients(actual, leaves, cell), gradients(expected, leaves, cell), **close
    )


@given(lengths=ragged, seed=seeds, share=st.booleans())
@settings(max_examples=25)
def test_in_single_precision_they_agree_to_five_digits(lengths, seed, share):
    schedule = make_schedule(lengths, seed, share)
    leaves, cell = make_inputs(schedule, sum(lengths), seed, 16, torch.float32)
    expected, actual = plain(leaves, cell, schedule), fast(leaves, cell, schedule)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(
        gradients(actual, leaves, cell), gradients(expected, leaves, cell), strict=True
    ):
        assert (one - other).norm() <= 1e-5 * (1 + other.norm())


@given(lengths=ragged, seed=seeds, share=st.booleans())
@settings(max_examples=25)
def test_in_bf16_they_agree_within_its_rounding(lengths, seed, share):
    """Products of bf16 carry 8 bits: states within 0.05, gradients within 5% of their norm."""
    schedule = make_schedule(lengths, seed, share)
    leaves, cell = make_inputs(schedule, sum(lengths), seed, 16, torch.float32)
    with torch.no_grad():
        cell.gates.weight.mul_(0.5)
    expected = plain(leaves, cell, schedule)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = fast(leaves, cell, schedule)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, expected, rtol=0, atol=0.05)
    for one, other in zip(
        gradients(actual, leaves, cell), gradients(expected, leaves, cell), strict=True
    ):
        assert one.dtype == torch.float32
        assert (one - other).norm() <= 0.05 * (0.1 + other.norm())


@pytest.mark.parametrize("share", [False, True])
def test_the_gradient_passes_gradcheck(share):
    schedule = make_schedule([4, 3, 1], 5, share)
    leaves, cell = make_inputs(schedule, 8, 5, 2)

    def roots(leaves: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return compose_levels(leaves, weight, bias, schedule)

    assert torch.autograd.gradcheck(roots, (leaves, cell.gates.weight, cell.gates.bias))


def test_nothing_is_kept_for_a_gradient_that_nobody_wants():
    schedule = make_schedule([3, 2], 0, False)
    leaves, cell = make_inputs(schedule, 5, 0)
    with torch.no_grad():
        roots = fast(leaves, cell, schedule)
    assert roots.grad_fn is None
    torch.testing.assert_close(roots, fast(leaves, cell, schedule))


def test_a_chain_of_thousands_of_levels():
    length = 3000
    schedule = build_schedule(left_branching(length)[:, None], np.array([length]))
    leaves, cell = make_inputs(schedule, length, 0)
    fast(leaves, cell, schedule).sum().backward()
    assert leaves.grad is not None
    assert torch.isfinite(leaves.grad).all()
    assert leaves.grad[-1].abs().sum() > 0
