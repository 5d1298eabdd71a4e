"""The nodes with a backward of their own, by hand and recorded, against the plain ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from machine import DEVICE, again, examples, gradcheck, plain_loops
from torch import Tensor

from spinn.extensions.gated_recursion import GatedRecursiveCell
from spinn.model.cells import TreeLSTM
from spinn.ops.nodes import NodeTable, PlainNodes
from spinn.ops.recorded import RecordedNodes
from spinn.ops.tree_lstm import Nodes

Cell = TreeLSTM | GatedRecursiveCell
tensor = partial(torch.tensor, device=DEVICE)


@dataclass(frozen=True)
class Group:
    """Compose some rows, then read some; numbers are taken modulo the rows there are."""

    children: list[tuple[int, int]]
    reads: list[int]


@st.composite
def groups(draw: st.DrawFn) -> Group:
    rows = st.integers(0, 40)
    return Group(
        draw(st.lists(st.tuples(rows, rows), min_size=1, max_size=4)),
        draw(st.lists(rows, max_size=4)),
    )


programs = st.lists(groups(), min_size=1, max_size=6)
seeds = st.integers(0, 2**16)


@dataclass(frozen=True)
class Setting:
    """Leaves ``[5, S]``, a cell, and a tracker's states ``[4, K]``, if it has one."""

    leaves: Tensor
    cell: Cell
    tracker: Tensor | None

    @classmethod
    def drawn(
        cls,
        kind: type[Cell],
        watched: int,
        seed: int,
        size: int = 3,
        dtype: torch.dtype = torch.float64,
    ) -> Setting:
        generator = torch.Generator().manual_seed(seed)
        cell = kind(size, watched).to(dtype)
        for weight in cell.parameters():
            torch.nn.init.normal_(weight, std=1.5 / size**0.5, generator=generator)

        def drawn(*shape: int) -> Tensor:
            values = torch.randn(*shape, dtype=dtype, generator=generator)
            return values.to(DEVICE).requires_grad_()

        leaves = drawn(5, cell.state_size)
        return cls(leaves, cell.to(DEVICE), drawn(4, watched) if watched else None)

    @property
    def weights(self) -> list[Tensor]:
        own = [] if self.tracker is None else [self.tracker]
        return [self.leaves, *self.cell.parameters(), *own]

    def run(self, kind: type[NodeTable], program: list[Group]) -> Tensor:
        """Follow a program, and gather all that it reads, ``[*, H]``."""
        compositions = sum(len(group.children) for group in program)
        nodes = kind(self.leaves, self.cell.draw(), compositions)
        there = len(self.leaves)
        found = [nodes.read(tensor([0, nodes.empty]))]
        for group in program:
            children = tensor(group.children) % there
            states = None if self.tracker is None else self.tracker[: len(children)]
            rows = nodes.compose(children, states)
            assert rows.tolist() == list(range(there, there + len(children)))
            there += len(children)
            if group.reads:
                found.append(nodes.read(tensor(group.reads) % there))
        found.append(nodes.read(tensor([there - 1])))
        return torch.cat(found)

    def gradients(self, read: Tensor) -> list[Tensor]:
        """Differentiate a sum in which every number that was read has a weight of its own."""
        factors = torch.linspace(-1, 1, read.numel(), dtype=read.dtype, device=DEVICE)
        loss = (read.flatten() * factors).sum()
        return list(
            torch.autograd.grad(loss, self.weights, materialize_grads=True, allow_unused=True)
        )


class PlainLoopNodes(Nodes):
    """The same with the plain loops, where there are compiled ones."""

    def __init__(self, *arguments: Any) -> None:
        with plain_loops():
            super().__init__(*arguments)


over_all_forms = pytest.mark.parametrize(
    ("cell", "nodes"),
    [
        (TreeLSTM, Nodes),
        (TreeLSTM, PlainLoopNodes),
        (TreeLSTM, RecordedNodes),
        (GatedRecursiveCell, RecordedNodes),
    ],
)
by_hand = pytest.mark.parametrize("nodes", [Nodes, PlainLoopNodes])
with_and_without_tracker = pytest.mark.parametrize("watched", [0, 2])


@over_all_forms
@with_and_without_tracker
@given(program=programs, seed=seeds)
@example(program=[Group([(0, 0)], [])], seed=0)
@example(program=[Group([(0, 1), (1, 0)], [5, 5]), Group([(5, 5), (5, 6)], [2])], seed=1)
def test_rows_and_gradients_are_those_of_the_plain_nodes(cell, nodes, watched, program, seed):
    setting = Setting.drawn(cell, watched, seed)
    actual, expected = setting.run(nodes, program), setting.run(PlainNodes, program)
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(actual, expected, **close)
    torch.testing.assert_close(setting.gradients(actual), setting.gradients(expected), **close)


@over_all_forms
@with_and_without_tracker
@given(program=programs, seed=seeds)
@settings(max_examples=examples(25))
def test_in_single_precision_they_agree_to_five_digits(cell, nodes, watched, program, seed):
    setting = Setting.drawn(cell, watched, seed, 16, torch.float32)
    actual, expected = setting.run(nodes, program), setting.run(PlainNodes, program)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(setting.gradients(actual), setting.gradients(expected), strict=True):
        assert (one - other).norm() <= 1e-5 * (1 + other.norm())


@by_hand
@with_and_without_tracker
@given(program=programs, seed=seeds)
@settings(max_examples=examples(25))
def test_in_bf16_those_by_hand_agree_with_full_precision_within_its_rounding(
    nodes, watched, program, seed
):
    """Products of bf16 carry 8 bits: states within 0.05, gradients within 5% of their norm."""
    setting = Setting.drawn(TreeLSTM, watched, seed, 16, torch.float32)
    with torch.no_grad():
        for weight in setting.cell.parameters():
            weight.mul_(0.5)
    expected = setting.run(PlainNodes, program)
    with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
        actual = setting.run(nodes, program)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0.05)
    assert_gradients_are_close(setting, actual, expected)


@pytest.mark.parametrize("cell", [TreeLSTM, GatedRecursiveCell])
@with_and_without_tracker
@given(program=programs, seed=seeds)
@settings(max_examples=examples(25))
def test_in_bf16_those_recorded_agree_with_the_plain_ones(cell, watched, program, seed):
    setting = Setting.drawn(cell, watched, seed, 16, torch.float32)
    with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
        expected, actual = (setting.run(kind, program) for kind in (PlainNodes, RecordedNodes))
    torch.testing.assert_close(actual, expected, rtol=0, atol=0.05)
    assert_gradients_are_close(setting, actual, expected)


def assert_gradients_are_close(setting: Setting, actual: Tensor, expected: Tensor) -> None:
    assert actual.dtype == torch.float32
    for one, other in zip(setting.gradients(actual), setting.gradients(expected), strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() <= 0.05 * (0.1 + other.norm())


PROGRAM = [Group([(0, 1), (2, 3)], [5]), Group([(5, 6), (4, 5)], [7, 7, 1])]


@over_all_forms
@with_and_without_tracker
def test_the_gradients_pass_gradcheck(cell, nodes, watched):
    setting = Setting.drawn(cell, watched, 3, 2)

    def read(*weights: Tensor) -> Tensor:
        return setting.run(nodes, PROGRAM)

    assert gradcheck(read, tuple(setting.weights))


@over_all_forms
def test_the_gradients_of_a_second_backward_pass_start_from_nothing(cell, nodes):
    setting = Setting.drawn(cell, 2, 4)
    loss = setting.run(nodes, PROGRAM).sum()
    first = torch.autograd.grad(loss, setting.weights, retain_graph=True)
    second = torch.autograd.grad(loss, setting.weights)
    torch.testing.assert_close(first, second, **again(1e-9))


@over_all_forms
def test_a_backward_pass_to_some_of_the_weights_leaves_nothing_to_the_next(cell, nodes):
    setting = Setting.drawn(cell, 2, 4)
    loss = setting.run(nodes, PROGRAM).sum()
    whole = torch.autograd.grad(loss, setting.weights, retain_graph=True)
    part = torch.autograd.grad(loss, setting.tracker, retain_graph=True)
    torch.testing.assert_close(part, whole[-1:], **again(1e-9))
    torch.testing.assert_close(torch.autograd.grad(loss, setting.weights), whole, **again(1e-9))


@over_all_forms
def test_weights_that_change_before_the_backward_pass_are_an_error(cell, nodes):
    setting = Setting.drawn(cell, 2, 4)
    loss = setting.run(nodes, PROGRAM).sum()
    with torch.no_grad():
        next(setting.cell.parameters()).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(loss, setting.weights)


@dataclass(frozen=True)
class Average:
    """A cell that uses neither the tracker's states nor one of its weights."""

    weight: Tensor
    unused: Tensor
    hidden_size = 3
    table = RecordedNodes

    @property
    def weights(self) -> tuple[Tensor, ...]:
        return self.weight, self.unused

    def __call__(self, left: Tensor, right: Tensor, tracker: Tensor | None) -> Tensor:
        return (left + right) / 2 * self.weight


@pytest.mark.parametrize("watched", [None, 0, 2])
def test_a_cell_need_not_use_all_that_it_is_given(watched):
    leaves, weight, unused = (
        torch.full(shape, 0.5, dtype=torch.float64, device=DEVICE).requires_grad_()
        for shape in ((3, 3), (3,), (2,))
    )
    found = []
    for kind in (RecordedNodes, PlainNodes):
        nodes = kind(leaves, Average(weight, unused), 1)
        tracker = None if watched is None else leaves[:1, :watched].detach().requires_grad_()
        read = nodes.read(nodes.compose(tensor([[0, 1]]), tracker))
        needed = [leaves, weight, unused]
        found.append(
            torch.autograd.grad(read.sum(), needed, allow_unused=True, materialize_grads=True)
        )
    torch.testing.assert_close(*found)


@over_all_forms
def test_compositions_that_nobody_reads_leave_no_trace(cell, nodes):
    setting = Setting.drawn(cell, 2, 6)
    assert setting.tracker is not None
    found = []
    for kind in (nodes, PlainNodes):
        made = kind(setting.leaves, setting.cell.draw(), 2)
        rows = made.compose(tensor([[0, 1]]), setting.tracker[:1])
        read = made.read(rows)
        made.compose(tensor([[5, 2]]), setting.tracker[1:2])
        found.append(torch.autograd.grad(read.sum(), setting.weights))
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-9)


@over_all_forms
def test_nothing_is_kept_where_no_gradient_is_wanted(cell, nodes):
    setting = Setting.drawn(cell, 0, 5)
    with torch.no_grad():
        read = setting.run(nodes, PROGRAM)
    assert read.grad_fn is None
    torch.testing.assert_close(read, setting.run(nodes, PROGRAM))


@over_all_forms
def test_a_chain_of_thousands_of_groups(cell, nodes):
    """Carried through every group, the gradients of all rows would take minutes and gigabytes."""
    count, size = 4000, 64
    drawn = cell(size).to(DEVICE)
    leaves = torch.randn(2, drawn.state_size).to(DEVICE).requires_grad_()
    chain = nodes(leaves, drawn.draw(), count)
    row = tensor([0])
    for _ in range(count):
        row = chain.compose(torch.stack([row, torch.ones_like(row)], dim=1))
    (chain.read(row) * torch.linspace(-1, 1, size, device=DEVICE)).sum().backward()
    assert leaves.grad is not None
    assert leaves.grad.isfinite().all()
    assert leaves.grad[1].abs().sum() > 0
