"""The tracker: its equations in plain Python, along a real machine, and the blind one."""

from __future__ import annotations

import math

import pytest
import torch
from by_hand import Row, affine, drawn, sigmoid, with_drawn_weights
from machine import DEVICE

from spinn.model.cells import TreeLSTM
from spinn.model.machine import Machine
from spinn.model.tracker import Blind, Tracker
from spinn.model.types import Leaves
from spinn.ops.nodes import NodeTable, node_table

HIDDEN, SIZE = 2, 3


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


def start() -> tuple[Leaves, NodeTable, Machine]:
    """Return two sentences, of two words and one, with all words on their buffers."""
    leaves = Leaves.of_lengths(drawn(1, 3, 2 * HIDDEN), torch.tensor([2, 1]))
    nodes = node_table(leaves.states, TreeLSTM(HIDDEN).double().to(DEVICE).draw(), 1)
    return leaves, nodes, Machine.load(leaves, nodes.empty)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("predicts", [False, True])
def test_tracker_is_an_lstm_over_views(plain, predicts):
    tracker = with_drawn_weights(Tracker(HIDDEN, SIZE, predicts=predicts), 0)
    leaves, nodes, machine = start()
    watch = tracker.watch(leaves, 4, plain=plain)
    rows = [([0.0] * SIZE, [0.0] * SIZE)] * 2
    for active in (2, 1, 1):
        views = nodes.read(machine.view(active).flatten()).reshape(active, 3 * HIDDEN)
        seen, policy = watch(nodes, machine, active)
        rows = [
            track_by_hand(tracker, view, *row)
            for view, row in zip(views.tolist(), rows[:active], strict=True)
        ]
        expected = torch.tensor([h for h, _ in rows], dtype=torch.float64)
        torch.testing.assert_close(seen.cpu(), expected)
        assert (policy is not None) == predicts
        if policy is not None:
            score = tracker.score
            logits = [affine(score.weight, score.bias, h) for h, _ in rows]
            torch.testing.assert_close(
                policy.logits.cpu(), torch.tensor(logits, dtype=torch.float64)
            )
            assert torch.equal(policy.legal, machine.legal(active))
        machine.shift(machine.legal(active)[:, 1])


def test_tracker_scores_transitions_only_if_it_predicts():
    assert Tracker(HIDDEN, SIZE, predicts=False).score is None
    score = Tracker(HIDDEN, SIZE, predicts=True).to(DEVICE).score
    assert score is not None
    assert score(torch.zeros(4, SIZE, device=DEVICE)).shape == (4, 2)


def test_a_blind_tracker_sees_nothing_and_has_no_weights():
    blind = Blind()
    leaves, nodes, machine = start()
    seen, policy = blind.watch(leaves, 4, plain=False)(nodes, machine, 1)
    assert seen.shape == (1, blind.size) == (1, 0)
    assert seen.dtype == torch.float64
    assert policy is None
    assert list(blind.parameters()) == []
