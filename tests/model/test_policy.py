"""The transition policy: masking, sampling, log-probabilities, entropy, and finite gradients."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from machine import DEVICE, generator
from torch import Tensor

from spinn.model.policy import TransitionPolicy
from spinn.transitions import Transition

S, R, PAD = int(Transition.SHIFT), int(Transition.REDUCE), int(Transition.PAD)
BOTH, ONLY_REDUCE, ONLY_SHIFT, OVER = (True, True), (True, False), (False, True), (False, False)
tensor = partial(torch.tensor, device=DEVICE)
ALL = tensor([BOTH, ONLY_REDUCE, ONLY_SHIFT, OVER])

scores = st.floats(-1e30, 1e30)


def policy_of(reduce: float, shift: float, legal: Tensor = ALL) -> TransitionPolicy:
    """Give every step the same scores, in float64."""
    scores = tensor([reduce, shift], dtype=torch.float64)
    return TransitionPolicy(scores.expand(len(legal), 2), legal)


# Masking.


@given(reduce=scores, shift=scores, seed=st.integers(0, 1000))
def test_only_what_is_legal_is_chosen(reduce, shift, seed):
    step = TransitionPolicy(tensor([reduce, shift]).expand(4, 2), ALL)
    for chosen in (step.argmax(), step.sample(generator(seed))):
        assert chosen[0] in (R, S)
        assert chosen[1:].tolist() == [R, S, PAD]
        assert step.allows(chosen)[:3].all()
    assert step.log_prob(tensor([R, R, S, PAD]))[1:].tolist() == [0, 0, 0]
    assert step.entropy()[1:].tolist() == [0, 0, 0]


def test_running_free_and_allows_tell_what_is_legal():
    step = policy_of(0.3, -0.2)
    assert step.running.tolist() == [True, True, True, False]
    assert step.free.tolist() == [True, False, False, False]
    assert step.allows(torch.full((4,), R, device=DEVICE)).tolist() == [True, True, False, False]
    assert step.allows(torch.full((4,), S, device=DEVICE)).tolist() == [True, False, True, False]


def test_illegal_transitions_have_no_probability():
    step = policy_of(3.0, -3.0, tensor([ONLY_SHIFT, ONLY_REDUCE]))
    assert step.log_probs.exp().tolist() == [[0, 1], [1, 0]]


# Choosing.


def test_argmax_takes_the_higher_score():
    legal = tensor([BOTH, BOTH])
    step = TransitionPolicy(tensor([[0.5, 0.4], [-2.0, -1.0]]), legal)
    assert step.argmax().tolist() == [R, S]


@pytest.mark.parametrize(("reduce", "shift"), [(0.0, 0.0), (1.0, -0.5), (-2.0, 1.0)])
def test_samples_are_as_frequent_as_they_are_probable(reduce, shift):
    count = 20_000
    step = policy_of(reduce, shift, tensor([BOTH]).expand(count, 2))
    drawn = step.sample(generator(1))
    expected = math.exp(reduce) / (math.exp(reduce) + math.exp(shift))
    deviation = math.sqrt(expected * (1 - expected) / count)
    assert abs((drawn == R).double().mean().item() - expected) < 4 * deviation


def test_samples_repeat_with_the_generator():
    step = policy_of(0.2, 0.1, tensor([BOTH]).expand(64, 2))
    first, same, other = (step.sample(generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_any_leading_shape():
    draw = torch.Generator().manual_seed(0)
    legal = (torch.rand(5, 3, 2, generator=draw) < 0.7).to(DEVICE)
    values = torch.randn(5, 3, 2, generator=draw).to(DEVICE)
    grid = TransitionPolicy(values, legal)
    flat = TransitionPolicy(values.view(15, 2), legal.view(15, 2))
    chosen = grid.argmax()
    assert chosen.shape == grid.entropy().shape == grid.running.shape == (5, 3)
    assert torch.equal(chosen.flatten(), flat.argmax())
    assert torch.equal(grid.log_prob(chosen).flatten(), flat.log_prob(flat.argmax()))


# Probabilities.


@given(reduce=st.floats(-20, 20), shift=st.floats(-20, 20))
def test_log_probs_and_entropy_are_those_of_the_softmax(reduce, shift):
    step = policy_of(reduce, shift, tensor([BOTH]))
    log_reduce = -math.log1p(math.exp(shift - reduce))
    log_shift = -math.log1p(math.exp(reduce - shift))
    entropy = -(math.exp(log_reduce) * log_reduce + math.exp(log_shift) * log_shift)
    close = {"abs": 1e-12, "rel": 1e-9}
    assert step.log_prob(tensor([R])).item() == pytest.approx(log_reduce, **close)
    assert step.log_prob(tensor([S])).item() == pytest.approx(log_shift, **close)
    assert step.entropy().item() == pytest.approx(entropy, **close)


def test_entropy_by_hand():
    step = policy_of(0.0, math.log(3.0), tensor([BOTH]))  # a quarter and three quarters
    expected = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
    assert step.entropy().item() == pytest.approx(expected)
    assert policy_of(7.0, 7.0).entropy()[0].item() == pytest.approx(math.log(2))


def test_padding_counts_for_nothing():
    step = policy_of(0.4, 0.1, tensor([OVER, BOTH]))
    assert step.log_prob(tensor([PAD, R]))[0] == 0
    assert step.log_prob(tensor([S, R]))[0] == 0
    assert step.entropy()[0] == 0
    # The teacher's padding behind a shorter tree must not be read out of range either.
    assert step.log_prob(tensor([PAD, PAD])).isfinite().all()


# Gradients.


def test_gradient_of_a_log_probability_is_chosen_minus_probable():
    values = tensor([[0.3, -0.9]] * 2).double().requires_grad_()
    step = TransitionPolicy(values, tensor([BOTH, BOTH]))
    (found,) = torch.autograd.grad(step.log_prob(tensor([R, S])).sum(), values)
    chosen = tensor([[1.0, 0.0], [0.0, 1.0]]).double()
    torch.testing.assert_close(found, chosen - values.softmax(dim=1))


@pytest.mark.parametrize("size", [0.0, 1.0, 1e4, 1e38])
@pytest.mark.parametrize("type", [torch.float32, torch.bfloat16])
def test_gradients_are_finite_and_do_not_reach_masked_scores(size, type):
    values = tensor([[size, -size]] * 4, dtype=type, requires_grad=True)
    step = TransitionPolicy(values, ALL)
    loss = step.log_prob(tensor([R, R, S, PAD])).sum() + step.entropy().sum()
    loss.backward()
    assert loss.isfinite()
    assert values.grad.isfinite().all()
    assert not values.grad[1:].any()


def test_a_policy_of_log_probs_is_the_same_policy():
    first = policy_of(0.7, -1.1)
    again = TransitionPolicy(first.log_probs, first.legal)
    torch.testing.assert_close(again.log_probs.exp()[:3], first.log_probs.exp()[:3])
    torch.testing.assert_close(again.entropy(), first.entropy())
