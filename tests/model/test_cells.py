"""The tree-LSTM: its equations in plain Python, its gradients and its dropout."""

from __future__ import annotations

import math

import pytest
import torch
from by_hand import Row, affine, check_equations, drawn, sigmoid, with_drawn_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import DEVICE, examples, gradcheck
from torch import nn

from spinn.model.cells import TreeLSTM


def compose_by_hand(cell: TreeLSTM, left: Row, right: Row, tracker: Row) -> Row:
    """Apply equations 5 to 7 of Bowman et al. (2016), number by number."""
    size = cell.hidden_size
    sums = affine(cell.gates.weight, cell.gates.bias, left[:size] + right[:size] + tracker)
    h, c = [], []
    for j in range(size):
        i, f_left, f_right, o = (sigmoid(sums[gate * size + j]) for gate in range(4))
        g = math.tanh(sums[4 * size + j])
        c.append(f_left * left[size + j] + f_right * right[size + j] + i * g)
        h.append(o * math.tanh(c[j]))
    return h + c


@given(
    size=st.integers(1, 4),
    tracker_size=st.integers(0, 3),
    count=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=examples(25))
def test_the_tree_lstm_is_its_equations(size, tracker_size, count, seed):
    cell = with_drawn_weights(TreeLSTM(size, tracker_size), seed)
    check_equations(cell, compose_by_hand, tracker_size, count, seed)


def test_left_and_right_are_not_alike():
    cell = with_drawn_weights(TreeLSTM(3), 0)
    left, right = drawn(1, 2, 6), drawn(2, 2, 6)
    assert not torch.allclose(cell(left, right), cell(right, left))


def test_hidden_state_stays_within_one_and_memory_adds_up():
    cell = TreeLSTM(2).double().to(DEVICE)
    nn.init.constant_(cell.gates.weight, 0.0)
    nn.init.constant_(cell.gates.bias, 100.0)  # all gates open, candidate 1
    left, right = drawn(1, 1, 4), drawn(2, 1, 4)
    h, c = cell(left, right).chunk(2, dim=1)
    torch.testing.assert_close(c, left[:, 2:] + right[:, 2:] + 1)
    torch.testing.assert_close(h, c.tanh())


@pytest.mark.parametrize("tracker_size", [0, 2])
def test_gradients_of_the_tree_lstm(tracker_size):
    cell = with_drawn_weights(TreeLSTM(2, tracker_size), 0)
    inputs = [drawn(seed, 3, 4).requires_grad_() for seed in (1, 2)]
    if tracker_size:
        inputs.append(drawn(3, 3, tracker_size).requires_grad_())
    assert gradcheck(cell, inputs)


def test_dropped_weights_are_the_same_for_a_whole_pass_and_none_in_evaluation():
    cell = with_drawn_weights(TreeLSTM(4, dropout=0.5), 0)
    torch.manual_seed(0)
    first, second = cell.draw(), cell.draw()
    kept = first.weight != 0
    assert 0.3 < kept.double().mean() < 0.7
    torch.testing.assert_close(first.weight[kept], 2 * cell.gates.weight[kept])
    assert not torch.equal(kept, second.weight != 0)
    assert torch.equal(first.bias, cell.gates.bias)
    row = drawn(1, 1, 8).expand(3, -1)
    assert torch.equal(first(row, row)[0], first(row, row)[2])
    assert torch.equal(cell.eval().draw().weight, cell.gates.weight)
