"""Passes that are captured and replayed: one after the other, two at a time, copied."""

from __future__ import annotations

import copy

import pytest
import torch
from machine import DEVICE
from torch import Tensor

from spinn.model.cells import TreeLSTM
from spinn.model.fixed import FixedSPINN
from spinn.model.tracker import Tracker
from spinn.model.types import Encoding, Leaves, Plan
from spinn.transitions import Transition

S, R = int(Transition.SHIFT), int(Transition.REDUCE)
LEFT, RIGHT = [S, S, R, S, R], [S, S, S, R, R]


def encoders(dtype: torch.dtype = torch.float64) -> tuple[FixedSPINN, FixedSPINN]:
    """Return two encoders of the same weights, the first one replayed."""
    torch.manual_seed(1)
    replayed = FixedSPINN(TreeLSTM(4, 3), Tracker(4, 3, predicts=True)).to(DEVICE, dtype)
    plain = FixedSPINN(TreeLSTM(4, 3), Tracker(4, 3, predicts=True), replayed=False)
    plain.to(DEVICE, dtype).load_state_dict(replayed.state_dict())
    return replayed, plain


def batch(seed: int, dtype: torch.dtype = torch.float64) -> Leaves:
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(6, 8, generator=generator, dtype=dtype)
    return Leaves.of_lengths(states.to(DEVICE).requires_grad_(), torch.tensor([3, 3]))


def given(*trees: list[int]) -> Plan:
    return Plan.given(torch.tensor(trees, device=DEVICE).T)


def loss(encoding: Encoding) -> Tensor:
    assert encoding.policy is not None
    assert encoding.transitions is not None
    return encoding.sentences.square().sum() + encoding.policy.log_prob(encoding.transitions).sum()


def gradients(encoding: Encoding, encoder: FixedSPINN, leaves: Leaves) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss(encoding), [leaves.states, *encoder.parameters()])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_pass_serves_other_batches_and_trees_of_its_shape(dtype):
    replayed, plain = encoders(dtype)
    for seed, plan in enumerate([given(LEFT, LEFT), given(RIGHT, LEFT), given(RIGHT, RIGHT)]):
        leaves = batch(seed, dtype)
        found, expected = (
            gradients(encoder(leaves, plan), encoder, leaves) for encoder in (replayed, plain)
        )
        torch.testing.assert_close(found, expected)
    (passes,) = replayed._passes._free.values()
    assert len(passes) == 1


def test_weights_that_have_moved_are_read_anew():
    replayed, plain = encoders()
    leaves = batch(1)
    before = replayed(leaves, given(LEFT, LEFT)).sentences
    with torch.no_grad():
        for encoder in (replayed, plain):
            for weight in encoder.parameters():
                weight.mul_(0.5)
    after, expected = (one(leaves, given(LEFT, LEFT)).sentences for one in (replayed, plain))
    torch.testing.assert_close(after, expected)
    assert not torch.allclose(before, after)


def test_inference_mode_has_passes_apart():
    replayed, plain = encoders()
    leaves = batch(1)
    expected = plain(leaves, given(LEFT, LEFT)).sentences
    for mode in (torch.inference_mode, torch.no_grad, torch.inference_mode):
        with mode():
            found = replayed(leaves, given(LEFT, LEFT)).sentences
            torch.testing.assert_close(found, expected)


def test_two_batches_of_one_shape_can_be_underway():
    replayed, plain = encoders()
    leaves, plans = [batch(1), batch(2)], [given(LEFT, RIGHT), given(RIGHT, LEFT)]
    underway = [replayed(read, plan) for read, plan in zip(leaves, plans, strict=True)]
    for encoding, read, plan in zip(underway, leaves, plans, strict=True):
        expected = gradients(plain(read, plan), plain, read)
        torch.testing.assert_close(gradients(encoding, replayed, read), expected)


def test_passes_without_a_backward_pass_are_given_back():
    replayed, _ = encoders()
    with torch.no_grad():
        for seed in range(3):
            replayed(batch(seed), given(LEFT, LEFT))
    replayed(batch(1), given(LEFT, LEFT))  # nothing refers to the result
    assert [len(passes) for passes in replayed._passes._free.values()] == [1, 1]


def test_an_evaluation_before_does_not_change_gradients():
    replayed, plain = encoders()
    leaves, plan = batch(1), given(LEFT, LEFT)
    with torch.no_grad():
        replayed(leaves, plan)
    found, expected = (gradients(one(leaves, plan), one, leaves) for one in (replayed, plain))
    torch.testing.assert_close(found, expected)


def test_a_second_backward_pass_is_refused():
    replayed, _ = encoders()
    leaves = batch(1)
    value = loss(replayed(leaves, given(LEFT, LEFT)))
    torch.autograd.grad(value, leaves.states, retain_graph=True)
    with pytest.raises(RuntimeError, match="one backward pass"):
        torch.autograd.grad(value, leaves.states)


def test_who_chooses_has_passes_apart_and_a_copy_has_none():
    replayed, _ = encoders()
    for plan in (given(LEFT, LEFT), Plan(), Plan.sampled()):
        replayed(batch(1), plan)
    assert len(replayed._passes._free) == 3
    assert not copy.deepcopy(replayed)._passes._free


def test_samples_differ_from_replay_to_replay_and_repeat_with_the_seed():
    replayed, _ = encoders()
    torch.manual_seed(3)
    drawn = [replayed(batch(1), Plan.sampled()).transitions for _ in range(20)]
    torch.manual_seed(3)
    again = [replayed(batch(1), Plan.sampled()).transitions for _ in range(20)]
    assert all(map(torch.equal, drawn, again))
    assert any(not torch.equal(one, drawn[0]) for one in drawn)


def test_a_share_of_own_steps_is_followed_without_a_replay():
    replayed, _ = encoders()
    trees = torch.tensor([LEFT, LEFT], device=DEVICE).T
    replayed(batch(1), Plan.mixed(trees, 0.5))
    assert not replayed._passes._free
