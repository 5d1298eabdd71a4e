"""The two compositions and the tracker: their equations in plain Python, and their gradients."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import DEVICE, examples, gradcheck
from torch import Tensor, nn

from spinn.model.cells import GatedRecursiveCell, Tracker, TreeLSTM

Row = list[float]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def affine(weight: Tensor, bias: Tensor, inputs: Row) -> Row:
    pairs = zip(weight.tolist(), bias.tolist(), strict=True)
    return [sum(w * x for w, x in zip(row, inputs, strict=True)) + b for row, b in pairs]


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double().to(DEVICE)


def with_drawn_weights(module: nn.Module, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for weight in module.double().parameters():
        nn.init.normal_(weight, generator=generator)
    return module.to(DEVICE)


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


@pytest.mark.parametrize(
    ("kind", "by_hand"), [(TreeLSTM, compose_by_hand), (GatedRecursiveCell, recur_by_hand)]
)
@given(
    size=st.integers(1, 4),
    tracker_size=st.integers(0, 3),
    count=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=examples(25))
def test_compositions_are_their_equations(kind, by_hand, size, tracker_size, count, seed):
    cell = with_drawn_weights(kind(size, tracker_size), seed)
    left, right = drawn(seed + 1, count, cell.state_size), drawn(seed + 2, count, cell.state_size)
    tracker = drawn(seed + 3, count, tracker_size) if tracker_size else None
    watched = tracker.tolist() if tracker is not None else [[]] * count
    expected = [
        by_hand(cell, *rows) for rows in zip(left.tolist(), right.tolist(), watched, strict=True)
    ]
    composed = cell(left, right, tracker)
    torch.testing.assert_close(composed.cpu(), torch.tensor(expected, dtype=torch.float64))


def test_a_gate_lets_a_child_through_as_it_is():
    cell = GatedRecursiveCell(4).double().to(DEVICE)
    with torch.no_grad():
        cell.outer.weight.zero_()
        cell.outer.bias.copy_(torch.tensor([-100.0, 100.0, -100.0, 0.0]).repeat_interleave(4))
    left, right = drawn(1, 3, 4), drawn(2, 3, 4)
    right = nn.functional.layer_norm(right, (4,))
    torch.testing.assert_close(cell(left, right), right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [TreeLSTM, GatedRecursiveCell])
def test_left_and_right_are_not_alike(kind):
    cell = with_drawn_weights(kind(3), 0)
    left, right = drawn(1, 2, cell.state_size), drawn(2, 2, cell.state_size)
    assert not torch.allclose(cell(left, right), cell(right, left))


def test_hidden_state_stays_within_one_and_memory_adds_up():
    cell = TreeLSTM(2).double().to(DEVICE)
    nn.init.constant_(cell.gates.weight, 0.0)
    nn.init.constant_(cell.gates.bias, 100.0)  # all gates open, candidate 1
    left, right = drawn(1, 1, 4), drawn(2, 1, 4)
    h, c = cell(left, right).chunk(2, dim=1)
    torch.testing.assert_close(c, left[:, 2:] + right[:, 2:] + 1)
    torch.testing.assert_close(h, c.tanh())


@pytest.mark.parametrize("kind", [TreeLSTM, GatedRecursiveCell])
@pytest.mark.parametrize("tracker_size", [0, 2])
def test_gradients_of_the_compositions(kind, tracker_size):
    cell = with_drawn_weights(kind(2, tracker_size), 0)
    inputs = [drawn(seed, 3, cell.state_size).requires_grad_() for seed in (1, 2)]
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


def test_weights_of_the_gated_recursive_cell_are_dropped_in_both_its_layers():
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


def track_by_hand(tracker: Tracker, view: Row, h: Row, c: Row) -> tuple[Row, Row]:
    cell, size = tracker.cell, tracker.size
    recurrent = affine(cell.weight_hh, cell.bias_hh, h)
    sums = [
        x + y for x, y in zip(affine(cell.weight_ih, cell.bias_ih, view), recurrent, strict=True)
    ]
    new_h, new_c = [], []
    for j in range(size):
        i, f, g, o = (sums[gate * size + j] for gate in range(4))
        new_c.append(sigmoid(f) * c[j] + sigmoid(i) * math.tanh(g))
        new_h.append(sigmoid(o) * math.tanh(new_c[j]))
    return new_h, new_c


def test_tracker_is_an_lstm_over_views():
    tracker = with_drawn_weights(Tracker(2, 3, predicts=True), 0)
    state = tracker.initial_state(drawn(1, 1, 4), 2)
    rows = [([0.0] * 3, [0.0] * 3)] * 2
    for time in range(3):
        view = drawn(10 + time, 2, 6)
        state = tracker(view, state)
        rows = [
            track_by_hand(tracker, one, *row) for one, row in zip(view.tolist(), rows, strict=True)
        ]
        for part in range(2):
            expected = torch.tensor([row[part] for row in rows], dtype=torch.float64)
            torch.testing.assert_close(state[part].cpu(), expected)


def test_tracker_starts_from_zero_in_the_type_of_the_leaves():
    for state in Tracker(2, 3, predicts=False).initial_state(drawn(1, 1, 4), 5):
        assert state.shape == (5, 3)
        assert state.dtype == torch.float64
        assert not state.any()


def test_tracker_scores_transitions_only_if_it_predicts():
    assert Tracker(2, 3, predicts=False).score is None
    score = Tracker(2, 3, predicts=True).to(DEVICE).score
    assert score(torch.zeros(4, 3, device=DEVICE)).shape == (4, 2)
