"""The rivals are fair: with SPINN's (or the LSTM's) weights they give its results and gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.rivals import ListSPINN, PaddedLSTM
from spinn.model.cells import TreeLSTM
from spinn.model.sequence import SequenceLSTM
from spinn.model.spinn import SPINN
from spinn.model.tracker import Tracker
from spinn.model.types import Encoder, Encoding, Leaves, Plan
from spinn.transitions import random_uniform

HIDDEN, TRACKER = 3, 4
LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=5)
Run = Callable[[Leaves], Encoding]


def make_states(lengths: list[int], width: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(len(lengths))
    ordered = torch.tensor(sorted(lengths, reverse=True))
    return torch.randn(int(ordered.sum()), width, dtype=torch.float64), ordered


def make_trees(lengths: Tensor, seed: int) -> Tensor:
    trees = random_uniform(lengths.numpy(), np.random.default_rng(seed))
    return torch.from_numpy(trees.astype(np.int64))


def make_encoder(tracker: int, *, predicts: bool = False) -> SPINN:
    torch.manual_seed(1)
    watching = Tracker(HIDDEN, tracker, predicts=predicts) if tracker else None
    return SPINN(TreeLSTM(HIDDEN, tracker), watching).double()


def gradients(
    encoder: Encoder, states: Tensor, lengths: Tensor, run: Run
) -> tuple[Encoding, list[Tensor]]:
    """Encode, and take the gradients of leaves and weights of a loss that all results enter."""
    states = states.clone().requires_grad_()
    encoding = run(Leaves.of_lengths(states, lengths))
    loss = (encoding.sentences * torch.arange(HIDDEN)).sum()
    if encoding.tracker is not None:
        loss = loss + encoding.tracker.square().sum()
    if encoding.policy is not None and encoding.transitions is not None:
        loss = loss + encoding.policy.log_prob(encoding.transitions).sum()
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
@given(lengths=LENGTHS, seed=st.integers(0, 99), copies=st.integers(1, 2))
def test_lists_give_what_spinn_gives_with_given_trees(
    tracker: int, lengths: list[int], seed: int, copies: int
) -> None:
    encoder = make_encoder(tracker)
    states, ordered = make_states(lengths, encoder.leaf_size)
    plan = Plan.given(make_trees(ordered.repeat_interleave(copies), seed))
    rival = ListSPINN(encoder.composition, encoder.tracker)
    ours = gradients(encoder, states, ordered, lambda leaves: encoder(leaves.repeat(copies), plan))
    theirs = gradients(rival, states, ordered, lambda leaves: rival(leaves.repeat(copies), plan))
    assert_same(ours, theirs)


@pytest.mark.parametrize("choice", ["given", "greedy", "sampled"])
@settings(max_examples=15)
@given(lengths=LENGTHS, seed=st.integers(0, 99))
def test_lists_give_what_spinn_gives_where_a_tracker_predicts(
    choice: str, lengths: list[int], seed: int
) -> None:
    encoder = make_encoder(TRACKER, predicts=True)
    states, ordered = make_states(lengths, encoder.leaf_size)
    plans = {"given": Plan.given(make_trees(ordered, seed)), "greedy": Plan()}
    plan = plans.get(choice, Plan.sampled())
    rival = ListSPINN(encoder.composition, encoder.tracker)
    assert rival.policy is encoder.policy

    def run(one: Encoder, leaves: Leaves) -> Encoding:
        torch.manual_seed(seed)  # the same coins for both
        return one(leaves, plan)

    ours = gradients(encoder, states, ordered, lambda leaves: run(encoder, leaves))
    theirs = gradients(rival, states, ordered, lambda leaves: run(rival, leaves))
    assert_same(ours, theirs)
    assert ours[0].policy is not None
    assert theirs[0].policy is not None
    assert torch.equal(theirs[0].policy.legal, ours[0].policy.legal)
    torch.testing.assert_close(theirs[0].policy.logits, ours[0].policy.logits)


def test_lists_without_a_tracker_that_predicts_require_trees() -> None:
    for tracker in (0, TRACKER):
        encoder = make_encoder(tracker)
        states, ordered = make_states([2], encoder.leaf_size)
        with pytest.raises(ValueError, match="give them"):
            ListSPINN(encoder.composition, encoder.tracker)(Leaves.of_lengths(states, ordered))


@settings(max_examples=15)
@given(lengths=LENGTHS)
def test_the_padded_lstm_gives_what_the_packed_one_gives(lengths: list[int]) -> None:
    torch.manual_seed(1)
    packed = SequenceLSTM(HIDDEN).double()
    padded = PaddedLSTM(packed.lstm)
    states, ordered = make_states(lengths, HIDDEN)
    assert_same(
        gradients(packed, states, ordered, packed), gradients(padded, states, ordered, padded)
    )


def test_a_padded_lstm_does_not_read_backwards() -> None:
    with pytest.raises(ValueError, match="one direction"):
        PaddedLSTM(SequenceLSTM(4, bidirectional=True).lstm)
