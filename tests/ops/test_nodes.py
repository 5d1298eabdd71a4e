"""The node table, against a twin that concatenates and indexes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from spinn.ops.nodes import NodeTable

WIDTH = 4


class PlainTable:
    """The same by plain autograd: the rows written so far, one after another."""

    def __init__(self, capacity: int, like: Tensor) -> None:
        self._rows = like[:0]

    def write(self, rows: Tensor) -> Tensor:
        start = len(self._rows)
        self._rows = torch.cat([self._rows, rows])
        return torch.arange(start, len(self._rows))

    def read(self, rows: Tensor, width: int | None = None) -> Tensor:
        return self._rows[rows][:, :width]


AnyTable = NodeTable | PlainTable


@dataclass(frozen=True)
class Step:
    """Read some rows (numbers are taken modulo the rows there are), write as many new ones."""

    left: list[int]
    right: list[int]
    narrow: bool


@st.composite
def steps(draw: st.DrawFn) -> Step:
    count = draw(st.integers(1, 4))
    rows = st.lists(st.integers(0, 30), min_size=count, max_size=count)
    return Step(draw(rows), draw(rows), draw(st.booleans()))


def run(
    make: Callable[[int, Tensor], AnyTable], leaves: Tensor, weight: Tensor, program: list[Step]
) -> Tensor:
    """Write leaves, then step by step what is computed of earlier rows; add up all that is read."""
    table = make(len(leaves) + sum(len(step.left) for step in program), leaves)
    used = len(table.write(leaves))
    total = leaves.new_zeros(())
    for number, step in enumerate(program, start=1):
        left = table.read(torch.tensor(step.left) % used)
        right = table.read(torch.tensor(step.right) % used, 2 if step.narrow else None)
        total = total + number * right.square().sum()
        right = torch.cat([right] * (WIDTH // right.shape[1]), dim=1)
        used += len(table.write(torch.tanh(left @ weight + right)))
    return total + table.read(torch.arange(used)).sum()


def drawn(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()


@given(leaves=st.integers(1, 4), program=st.lists(steps(), max_size=6))
@example(leaves=1, program=[Step([0, 0, 0], [0, 0, 0], False)] * 4)
def test_values_and_gradients_are_those_of_the_twin(leaves, program):
    rows, weight = drawn(leaves, WIDTH), drawn(WIDTH, WIDTH)
    totals = [run(make, rows, weight, program) for make in (NodeTable, PlainTable)]
    torch.testing.assert_close(totals[0], totals[1])
    ours, theirs = (
        torch.autograd.grad(total, [rows, weight], allow_unused=True) for total in totals
    )
    torch.testing.assert_close(ours, theirs)


PROGRAM = [Step([0, 1], [1, 1], False), Step([2, 3, 0], [3, 3, 4], True), Step([6], [5], False)]


def test_gradcheck():
    assert torch.autograd.gradcheck(
        lambda rows, weight: run(NodeTable, rows, weight, PROGRAM),
        [drawn(2, WIDTH), drawn(WIDTH, WIDTH)],
    )


def test_a_second_backward_pass_gives_the_same_gradients():
    rows, weight = drawn(2, WIDTH), drawn(WIDTH, WIDTH)
    total = run(NodeTable, rows, weight, PROGRAM)
    first = torch.autograd.grad(total, [rows, weight], retain_graph=True)
    second = torch.autograd.grad(total, [rows, weight], retain_graph=True)
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_two_losses_of_one_table_may_be_differentiated_one_after_the_other():
    rows = drawn(3, WIDTH)
    table = NodeTable(5, rows)
    table.write(rows)
    early = table.read(torch.tensor([0, 2])).pow(2).sum()
    table.write(table.read(torch.tensor([0, 1])) * 3)
    late = table.read(torch.tensor([3, 4, 2])).pow(3).sum()
    (of_late,) = torch.autograd.grad(late, rows, retain_graph=True)
    (of_early,) = torch.autograd.grad(early, rows, retain_graph=True)
    (of_both,) = torch.autograd.grad(early + late, rows)
    torch.testing.assert_close(of_early + of_late, of_both)
    expected = torch.stack([2 * rows[0], 0 * rows[1], 2 * rows[2]])
    torch.testing.assert_close(of_early, expected)


def test_a_row_that_is_read_many_times_gathers_all_gradients():
    rows = drawn(2, WIDTH)
    table = NodeTable(2, rows)
    table.write(rows)
    total = table.read(torch.tensor([0] * 5 + [1])).sum() + 10 * table.read(torch.tensor([0])).sum()
    total.backward()
    assert rows.grad.tolist() == [[15.0] * WIDTH, [1.0] * WIDTH]


def test_width_reads_the_first_columns_alone():
    rows = drawn(2, WIDTH)
    table = NodeTable(2, rows)
    table.write(rows)
    part = table.read(torch.tensor([1, 0, 1]), 3)
    assert torch.equal(part, rows[[1, 0, 1], :3])
    part.sum().backward()
    assert rows.grad.tolist() == [[1, 1, 1, 0], [2, 2, 2, 0]]


def test_rows_are_numbered_as_they_are_written():
    table = NodeTable(5, drawn(1, WIDTH))
    assert table.write(drawn(2, WIDTH)).tolist() == [0, 1]
    assert table.write(drawn(3, WIDTH)).tolist() == [2, 3, 4]
    assert table.used == 5


@pytest.mark.parametrize("needs_gradient", [False, True])
def test_rows_without_gradient_stand_beside_rows_with_one(needs_gradient):
    constant, rows = drawn(2, WIDTH).detach(), drawn(1, WIDTH)
    rows.requires_grad_(needs_gradient)
    table = NodeTable(3, constant)
    table.write(constant)
    table.write(rows)
    total = table.read(torch.tensor([0, 2, 2])).sum()
    assert total.requires_grad == needs_gradient
    if needs_gradient:
        total.backward()
        assert rows.grad.tolist() == [[2.0] * WIDTH]


def test_rows_of_lower_precision_get_gradients_of_their_own():
    rows = drawn(2, WIDTH).detach().bfloat16().requires_grad_()
    table = NodeTable(2, torch.zeros(1, WIDTH))
    table.write(rows)
    read = table.read(torch.tensor([1]))
    assert read.dtype == torch.float32
    read.sum().backward()
    assert rows.grad.dtype == torch.bfloat16
    assert rows.grad.tolist() == [[0.0] * WIDTH, [1.0] * WIDTH]
