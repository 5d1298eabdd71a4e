"""The rivals are fair: with SPINN's (or the LSTM's) weights they give its results and gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from benchmarks.rivals import ListSPINN, PaddedLSTM
from spinn.model.baselines import SequenceLSTM
from spinn.model.encoder import SPINN, Choice, Encoding, Leaves
from spinn.transitions import random_uniform

HIDDEN, TRACKER = 3, 4
LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=5)
Run = Callable[[Tensor], Encoding]


def make_leaves(lengths: list[int], width: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(len(lengths))
    ordered = torch.tensor(sorted(lengths, reverse=True))
    return torch.randn(int(ordered.sum()), width, dtype=torch.float64), ordered


def make_trees(lengths: Tensor, seed: int) -> Tensor:
    trees = random_uniform(lengths.numpy(), np.random.default_rng(seed))
    return torch.from_numpy(trees.astype(np.int64))


def make_encoder(tracker: int, *, predicts: bool = False) -> SPINN:
    torch.manual_seed(1)
    return SPINN(HIDDEN, tracker, predicts=predicts).double()


def gradients(encoder: nn.Module, states: Tensor, run: Run) -> tuple[Encoding, list[Tensor]]:
    """Encode, and take the gradients of leaves and weights of a loss that all results enter."""
    states = states.clone().requires_grad_()
    encoding = run(states)
    loss = (encoding.sentences * torch.arange(HIDDEN)).sum()
    if encoding.tracker is not None:
        loss = loss + encoding.tracker.square().sum()
    if encoding.policy is not None and encoding.transitions is not None:
        loss = loss + encoding.policy.log_probability(encoding.transitions).sum()
    wanted = [states, *encoder.parameters()]
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    return encoding, [
        torch.zeros_like(own) if gradient is None else gradient
        for own, gradient in zip(wanted, found, strict=True)
    ]


def assert_same(ours: tuple[Encoding, list[Tensor]], theirs: tuple[Encoding, list[Tensor]]) -> None:
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(theirs[0].sentences, ours[0].sentences, **close)
    torch.testing.assert_close(theirs[0].tracker, ours[0].tracker, **close)
    torch.testing.assert_close(theirs[0].transitions, ours[0].transitions)
    for own, other in zip(ours[1], theirs[1], strict=True):
        torch.testing.assert_close(other, own, **close)


@pytest.mark.parametrize("tracker", [0, TRACKER])
@settings(max_examples=15)
@given(lengths=LENGTHS, seed=st.integers(0, 99))
def test_lists_give_what_spinn_gives_with_given_trees(
    tracker: int, lengths: list[int], seed: int
) -> None:
    encoder = make_encoder(tracker)
    states, ordered = make_leaves(lengths, encoder.leaf_size)
    trees = make_trees(ordered, seed)
    rival = ListSPINN.like(encoder)
    ours = gradients(encoder, states, lambda leaves: encoder(Leaves(leaves, ordered), trees))
    theirs = gradients(rival, states, lambda leaves: rival(Leaves(leaves, ordered), trees))
    assert_same(ours, theirs)


@pytest.mark.parametrize("choice", list(Choice))
@settings(max_examples=15)
@given(lengths=LENGTHS, seed=st.integers(0, 99))
def test_lists_give_what_spinn_gives_where_a_tracker_predicts(
    choice: Choice, lengths: list[int], seed: int
) -> None:
    encoder = make_encoder(TRACKER, predicts=True)
    states, ordered = make_leaves(lengths, encoder.leaf_size)
    trees = make_trees(ordered, seed) if choice is Choice.GIVEN else None
    rival = ListSPINN.like(encoder)

    def run(one: SPINN, leaves: Tensor) -> Encoding:
        torch.manual_seed(seed)  # the same coins for both
        return one(Leaves(leaves, ordered), trees, choice)

    ours = gradients(encoder, states, lambda leaves: run(encoder, leaves))
    theirs = gradients(rival, states, lambda leaves: run(rival, leaves))
    assert_same(ours, theirs)
    assert ours[0].policy is not None
    assert theirs[0].policy is not None
    assert torch.equal(theirs[0].policy.legal, ours[0].policy.legal)
    torch.testing.assert_close(theirs[0].policy.scores, ours[0].policy.scores)


def test_lists_refuse_what_they_do_not_do() -> None:
    with pytest.raises(ValueError, match="root"):
        ListSPINN.like(SPINN(HIDDEN, pooling="max"))
    rival = ListSPINN(HIDDEN)
    states, ordered = make_leaves([2], rival.leaf_size)
    leaves = Leaves(states.float(), ordered)
    with pytest.raises(ValueError, match="once"):
        rival(leaves, make_trees(ordered, 0), copies=2)
    with pytest.raises(ValueError, match="wanted"):
        rival(leaves)


@settings(max_examples=15)
@given(lengths=LENGTHS)
def test_the_padded_lstm_gives_what_the_packed_one_gives(lengths: list[int]) -> None:
    torch.manual_seed(1)
    packed = SequenceLSTM(HIDDEN).double()
    padded = PaddedLSTM.like(packed)
    states, ordered = make_leaves(lengths, HIDDEN)
    ours = gradients(packed, states, lambda leaves: packed(Leaves(leaves, ordered)))
    theirs = gradients(padded, states, lambda leaves: padded(Leaves(leaves, ordered)))
    assert_same(ours, theirs)


def test_a_padded_lstm_does_not_read_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        PaddedLSTM.like(SequenceLSTM(4, bidirectional=True))
