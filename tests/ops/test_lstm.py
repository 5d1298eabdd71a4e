"""The LSTM cell with a backward of its own, against torch's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from machine import DEVICE, examples, gradcheck, plain_loops
from torch import Tensor, nn

from spinn.model.cells import TreeLSTM
from spinn.ops.lstm import LSTMSteps, PlainSteps, State
from spinn.ops.nodes import NodeTable
from spinn.ops.tree_lstm import Nodes

INPUTS, SIZE = 3, 2
# How many sentences take each step: they end one by one.
runs = st.lists(st.integers(1, 5), min_size=1, max_size=6).map(
    lambda sizes: sorted(sizes, reverse=True)
)
seeds = st.integers(0, 2**16)
Step = Callable[[NodeTable, Tensor, State], State]
ways = pytest.mark.parametrize("way", ["compiled", "plain loops", "another table"])


class Read:
    """A table of rows without states of their own."""

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows

    def read(self, rows: Tensor) -> Tensor:
        return self._rows[rows]


class Setting:
    """A cell, inputs ``[n, I]`` of every step, and initial states ``[n, K]``."""

    def __init__(
        self,
        sizes: list[int],
        seed: int,
        *,
        inputs: int = INPUTS,
        size: int = SIZE,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        generator = torch.Generator().manual_seed(seed)

        def drawn(*shape: int) -> Tensor:
            values = torch.randn(*shape, dtype=dtype, generator=generator)
            return values.to(DEVICE).requires_grad_()

        self.cell = nn.LSTMCell(inputs, size).to(dtype)
        for weight in self.cell.parameters():
            nn.init.normal_(weight, std=1.5 / size**0.5, generator=generator)
        self.cell.to(DEVICE)
        self.inputs = [drawn(count, inputs) for count in sizes]
        self.state = drawn(sizes[0], size), drawn(sizes[0], size)

    @property
    def weights(self) -> list[Tensor]:
        return [*self.cell.parameters(), *self.inputs, *self.state]

    def table(self, way: str) -> Any:
        """Return a table whose rows are the inputs of all steps."""
        rows = torch.cat(self.inputs)
        if way in ("another table", "plain"):
            return Read(rows)
        cell = TreeLSTM(rows.shape[1]).to(rows).draw()
        with plain_loops() if way == "plain loops" else nullcontext():
            return Nodes(torch.cat([rows, torch.zeros_like(rows)], dim=1), cell, 0)

    def step(self, way: str) -> Step:
        with plain_loops() if way == "plain loops" else nullcontext():
            kind = PlainSteps if way == "plain" else LSTMSteps
            return kind(self.cell, self.inputs[0], sum(map(len, self.inputs)))

    def states(self, way: str) -> list[State]:
        """Take all steps; return the states from the first on."""
        table, step, first = self.table(way), self.step(way), 0
        states = [self.state]
        for inputs in self.inputs:
            count = len(inputs)
            rows = torch.arange(first, first + count, device=DEVICE)[:, None]
            hidden, memory = states[-1]
            states.append(step(table, rows, (hidden[:count], memory[:count])))
            first += count
        return states

    def run(self, way: str) -> Tensor:
        """Take all steps; gather the hidden states of each, and the last memory cells."""
        states = self.states(way)
        return torch.cat([*(hidden for hidden, _ in states[1:]), states[-1][1]])

    def gradients(self, found: Tensor) -> tuple[Tensor, ...]:
        factors = torch.linspace(-1, 1, found.numel(), dtype=found.dtype, device=DEVICE)
        return torch.autograd.grad((found.flatten() * factors).sum(), self.weights)


@ways
@given(sizes=runs, seed=seeds)
@example(sizes=[1], seed=0)
@example(sizes=[5, 5, 1, 1], seed=1)
def test_states_and_gradients_are_those_of_torch(way, sizes, seed):
    setting = Setting(sizes, seed)
    actual, expected = setting.run(way), setting.run("plain")
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(actual, expected, **close)
    torch.testing.assert_close(setting.gradients(actual), setting.gradients(expected), **close)


@ways
@given(sizes=runs, seed=seeds)
@settings(max_examples=examples(25))
def test_in_single_precision_they_agree_to_five_digits(way, sizes, seed):
    setting = Setting(sizes, seed, inputs=24, size=16, dtype=torch.float32)
    actual, expected = setting.run(way), setting.run("plain")
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(setting.gradients(actual), setting.gradients(expected), strict=True):
        assert (one - other).norm() <= 1e-5 * (1 + other.norm())


@ways
@given(sizes=runs, seed=seeds)
@settings(max_examples=examples(25))
def test_in_bf16_they_agree_within_its_rounding(way, sizes, seed):
    """Products of bf16 carry 8 bits: states within 0.05, gradients within 5% of their norm."""
    setting = Setting(sizes, seed, inputs=24, size=16, dtype=torch.float32)
    with torch.no_grad():
        for weight in setting.cell.parameters():
            weight.mul_(0.3)
    expected = setting.run("plain")
    with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
        actual = setting.run(way)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, expected, rtol=0, atol=0.05)
    for one, other in zip(setting.gradients(actual), setting.gradients(expected), strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() <= 0.05 * (0.1 + other.norm())


@ways
def test_the_gradients_pass_gradcheck(way):
    setting = Setting([3, 2, 1], 3)

    def found(*weights: Tensor) -> Tensor:
        return setting.run(way)

    assert gradcheck(found, tuple(setting.weights))


@ways
def test_steps_that_nobody_looks_at_leave_no_trace(way):
    setting = Setting([2, 2, 2], 4)
    weights = list(setting.cell.parameters())
    found = [
        torch.autograd.grad(setting.states(one)[-2][0].sum(), weights) for one in (way, "plain")
    ]
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-9)


@ways
def test_without_gradients_the_states_are_the_same(way):
    """Steps then share the memory of inputs and outputs."""
    setting = Setting([3, 3, 2, 1], 5)
    with torch.no_grad():
        actual = setting.run(way)
    torch.testing.assert_close(actual, setting.run("plain"), rtol=1e-9, atol=1e-9)
