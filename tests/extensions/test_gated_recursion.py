"""The gated recursive cell: its equations in plain Python, its gradients and dropout."""

from __future__ import annotations

import math

import pytest
import torch
from by_hand import Row, affine, check_equations, drawn, sigmoid, with_drawn_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import DEVICE, examples, gradcheck
from torch import nn

from spinn.extensions.gated_recursion import GatedRecursiveCell
from spinn.model.cells import COMPOSITIONS


def recur_by_hand(cell: GatedRecursiveCell, left: Row, right: Row, tracker: Row) -> Row:
    """Apply the gated recursive cell, number by number."""
    size = cell.hidden_size
    inner = affine(cell.inner.weight, cell.inner.bias, left + right + tracker)
    activated = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in inner]  # GELU
    outer = affine(cell.outer.weight, cell.outer.bias, activated)
    mixed = []
    for j in range(size):
        g_left, g_right, g_new = (sigmoid(outer[gate * size + j]) for gate in range(3))
        mixed.append(g_left * left[j] + g_right * right[j] + g_new * outer[3 * size + j])
    mean = sum(mixed) / size
    spread = math.sqrt(sum((x - mean) ** 2 for x in mixed) / size + cell.norm.eps)
    scale, shift = cell.norm.weight.tolist(), cell.norm.bias.tolist()
    return [a * (x - mean) / spread + b for x, a, b in zip(mixed, scale, shift, strict=True)]


@given(
    size=st.integers(1, 4),
    tracker_size=st.integers(0, 3),
    count=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=examples(25))
def test_the_cell_is_its_equations(size, tracker_size, count, seed):
    cell = with_drawn_weights(GatedRecursiveCell(size, tracker_size), seed)
    check_equations(cell, recur_by_hand, tracker_size, count, seed)


def test_a_gate_lets_a_child_through_as_it_is():
    cell = GatedRecursiveCell(4).double().to(DEVICE)
    with torch.no_grad():
        cell.outer.weight.zero_()
        cell.outer.bias.copy_(torch.tensor([-100.0, 100.0, -100.0, 0.0]).repeat_interleave(4))
    left, right = drawn(1, 3, 4), drawn(2, 3, 4)
    right = nn.functional.layer_norm(right, (4,))
    torch.testing.assert_close(cell(left, right), right, rtol=1e-4, atol=1e-4)


def test_left_and_right_are_not_alike():
    cell = with_drawn_weights(GatedRecursiveCell(3), 0)
    left, right = drawn(1, 2, 3), drawn(2, 2, 3)
    assert not torch.allclose(cell(left, right), cell(right, left))


@pytest.mark.parametrize("tracker_size", [0, 2])
def test_gradients_of_the_cell(tracker_size):
    cell = with_drawn_weights(GatedRecursiveCell(2, tracker_size), 0)
    inputs = [drawn(seed, 3, 2).requires_grad_() for seed in (1, 2)]
    if tracker_size:
        inputs.append(drawn(3, 3, tracker_size).requires_grad_())
    assert gradcheck(cell, inputs)


def test_weights_are_dropped_in_both_layers():
    cell = with_drawn_weights(GatedRecursiveCell(4, dropout=0.5), 0)
    torch.manual_seed(0)
    drawn_once = cell.draw()
    for name in ("inner", "outer"):
        whole = getattr(cell, name)
        found = getattr(drawn_once, f"{name}_weight")
        kept = found != 0
        assert 0.3 < kept.double().mean() < 0.7
        torch.testing.assert_close(found[kept], 2 * whole.weight[kept])
        assert torch.equal(getattr(drawn_once, f"{name}_bias"), whole.bias)
    assert torch.equal(cell.eval().draw().outer_weight, cell.outer.weight)


def test_the_cell_is_registered():
    assert COMPOSITIONS["gated-recursive"] is GatedRecursiveCell
