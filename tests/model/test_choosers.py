"""Choosers: given, mixed, greedy and sampled transitions of one time step."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from machine import DEVICE, random_state

from spinn.model.choosers import Chooser, Given, Greedy, Mixed, Sampled
from spinn.model.policy import TransitionPolicy
from spinn.transitions import Transition

S, R, PAD = int(Transition.SHIFT), int(Transition.REDUCE), int(Transition.PAD)
tensor = partial(torch.tensor, device=DEVICE)
STEPS = tensor([[S, S, S], [S, S, PAD], [R, S, PAD], [PAD, R, PAD]])


def policy_of(*logits: tuple[float, float], legal: object = None) -> TransitionPolicy:
    """Return the policy of a step with these logits of REDUCE and SHIFT, both legal by default."""
    values = tensor(logits)
    allowed = torch.ones_like(values).bool() if legal is None else tensor(legal)
    return TransitionPolicy(values, allowed)


PREFERRED = policy_of((5.0, 0.0), (0.0, 5.0), (5.0, 0.0))


def test_given_transitions_are_followed_whatever_the_policy():
    chooser = Given(STEPS.to(torch.int8))
    assert torch.equal(chooser.transitions, STEPS)
    for policy in (None, PREFERRED):
        chosen = chooser(2, 2, policy)
        assert chosen.tolist() == [R, S]
        assert chosen.dtype == torch.long


def test_greedy_takes_the_most_probable_and_sampled_draws():
    assert Greedy()(0, 3, PREFERRED).tolist() == [R, S, R]
    count = 2000
    even = policy_of(*[(0.0, 0.0)] * count)
    torch.manual_seed(0)
    drawn = Sampled()(0, count, even)
    assert 0.4 < (drawn == R).double().mean().item() < 0.6
    assert Greedy().transitions is Sampled().transitions is None


@pytest.mark.parametrize("chooser", [Greedy(), Sampled()], ids=["greedy", "sampled"])
def test_without_a_policy_transitions_must_be_given(chooser):
    with pytest.raises(ValueError, match="no tracker that predicts transitions; give them"):
        chooser(0, 3, None)


def test_a_share_of_all_is_greedy():
    before = random_state()
    assert Mixed(STEPS, 1.0)(1, 2, None).tolist() == [S, S]  # nobody to follow
    assert torch.equal(random_state(), before)
    assert Mixed(STEPS, 1.0)(0, 3, PREFERRED).tolist() == [R, S, R]


def test_a_share_is_drawn_for_each_sentence():
    count, share = 4000, 0.3
    given = torch.full((1, count), S, device=DEVICE)
    torch.manual_seed(0)
    chosen = Mixed(given, share)(0, count, policy_of(*[(5.0, 0.0)] * count))
    assert (chosen == R).double().mean().item() == pytest.approx(share, abs=0.03)


def test_a_given_transition_that_has_become_illegal_is_replaced():
    only_reduce, only_shift, over = (True, False), (False, True), (False, False)
    policy = policy_of((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), legal=[only_reduce, only_shift, over])
    given = tensor([[S, R, PAD]])
    assert Mixed(given, 1e-9)(0, 3, policy).tolist() == [R, S, PAD]


@pytest.mark.parametrize(
    "chooser",
    [Given(STEPS), Mixed(STEPS, 1.0), Greedy(), Sampled()],
    ids=["given", "mixed with all", "greedy", "sampled"],
)
def test_choosers_are_reordered_with_their_sentences(chooser: Chooser):
    order = tensor([2, 0, 1])
    moved = chooser.reorder(order)
    assert type(moved) is type(chooser)
    if chooser.transitions is None:
        assert moved is chooser
        return
    assert torch.equal(moved.transitions, STEPS[:, order])
    permuted = TransitionPolicy(PREFERRED.logits[order], PREFERRED.legal[order])
    assert torch.equal(moved(0, 3, permuted), chooser(0, 3, PREFERRED)[order])
