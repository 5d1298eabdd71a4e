"""The Gumbel Tree-LSTM: equal to the plain one, trees as transitions, noise that is seeded."""

from __future__ import annotations

import pytest
import torch
from bottom_up import encode_bottom_up
from hypothesis import example, given, settings
from hypothesis import strategies as st
from machine import DEVICE, examples, gradcheck, random_state
from torch import Tensor

from spinn.model.gumbel import GumbelTreeLSTM, gumbel_noise, transitions_of
from spinn.model.reference import SentenceEncoding
from spinn.model.types import Encoding, Leaves, Plan
from spinn.transitions import (
    Transition,
    check,
    from_spans,
    left_branching,
    right_branching,
)

PAD = int(Transition.PAD)
HIDDEN = 3
POOLINGS = ("root", "max", "max-all")

ragged = st.lists(st.integers(1, 9), min_size=1, max_size=5).map(
    lambda lengths: sorted(lengths, reverse=True)
)
seeds = st.integers(0, 2**16)
temperatures = st.sampled_from([None, 0.3, 1.0, 2.5])


def make_encoder(seed: int, pooling: str = "root") -> GumbelTreeLSTM:
    """Make an encoder in float64 whose weights are large enough for every gate to matter."""
    encoder = GumbelTreeLSTM(HIDDEN, pooling=pooling).double()
    generator = torch.Generator().manual_seed(seed)
    for weights in encoder.parameters():
        torch.nn.init.normal_(weights, std=0.9, generator=generator)
    return encoder.to(DEVICE)


def make_leaves(lengths: list[int], seed: int) -> Leaves:
    generator = torch.Generator().manual_seed(seed + 1)
    states = torch.randn(sum(lengths), 2 * HIDDEN, dtype=torch.float64, generator=generator)
    return Leaves.of_lengths(states.to(DEVICE).requires_grad_(), torch.tensor(lengths))


def words_of(leaves: Leaves, sentence: int) -> list[Tensor]:
    rows = leaves.rows[: leaves.lengths[sentence], sentence].tolist()
    return [leaves.states[row] for row in rows]


def run_reference(
    encoder: GumbelTreeLSTM, leaves: Leaves, seed: int, temperature: float | None
) -> list[SentenceEncoding]:
    """Encode each sentence by itself, with the noise that the batch has drawn after this seed."""
    count, depth = len(leaves.lengths), int(leaves.lengths[0]) - 1
    noises: list[Tensor | None] = [None] * count
    if temperature is not None:
        torch.manual_seed(seed)
        noises = list(gumbel_noise(leaves.states, depth, count).unbind(1))
    return [
        encode_bottom_up(encoder, words_of(leaves, sentence), noises[sentence], temperature or 1.0)
        for sentence in range(count)
    ]


def taken_by(encoding: Encoding, lengths: list[int]) -> list[list[int]]:
    """Return the transitions of each column; those past its end must be padding."""
    assert encoding.transitions is not None
    result = []
    for length, steps in zip(lengths, encoding.transitions.T.tolist(), strict=True):
        assert steps[2 * length - 1 :] == [PAD] * (len(steps) - 2 * length + 1)
        result.append(steps[: 2 * length - 1])
    return result


def gradients(loss: Tensor, encoder: GumbelTreeLSTM, leaves: Leaves) -> list[Tensor]:
    weights = [leaves.states, *encoder.parameters()]
    found = torch.autograd.grad(loss, weights, materialize_grads=True, allow_unused=True)
    return list(found)


@pytest.mark.parametrize("pooling", POOLINGS)
@given(lengths=ragged, seed=seeds, temperature=temperatures)
@example(lengths=[1, 1], seed=0, temperature=1.0)
@example(lengths=[9, 9, 9, 2, 1], seed=1, temperature=0.3)
@example(lengths=[24], seed=2, temperature=1.0)
@settings(max_examples=examples(60), deadline=None)
def test_sentences_trees_and_gradients_are_those_of_the_plain_encoder(
    pooling, lengths, seed, temperature
):
    encoder, leaves = make_encoder(seed, pooling), make_leaves(lengths, seed)
    torch.manual_seed(seed)
    encoding = encoder(leaves, Plan(temperature=temperature))
    plain = run_reference(encoder, leaves, seed, temperature)
    expected = torch.stack([one.sentence for one in plain])
    torch.testing.assert_close(encoding.sentences, expected, rtol=1e-9, atol=1e-9)
    assert taken_by(encoding, lengths) == [one.transitions for one in plain]
    factors = torch.randn_like(expected)
    actual = gradients((encoding.sentences * factors).sum(), encoder, leaves)
    wanted = gradients((expected * factors).sum(), encoder, leaves)
    torch.testing.assert_close(actual, wanted, rtol=1e-9, atol=1e-9)


@given(lengths=ragged, seed=seeds)
@settings(max_examples=examples(20), deadline=None)
def test_in_single_precision_they_agree_to_four_digits(lengths, seed):
    encoder, leaves = make_encoder(seed).float(), make_leaves(lengths, seed)
    leaves = Leaves.of_lengths(leaves.states.detach().float().requires_grad_(), leaves.lengths)
    torch.manual_seed(seed)
    sentences = encoder(leaves, Plan(temperature=0.7)).sentences
    plain = run_reference(encoder, leaves, seed, 0.7)
    expected = torch.stack([one.sentence for one in plain])
    torch.testing.assert_close(sentences, expected, rtol=1e-4, atol=1e-4)
    for actual, wanted in zip(
        gradients(sentences.sum(), encoder, leaves),
        gradients(expected.sum(), encoder, leaves),
        strict=True,
    ):
        assert (actual - wanted).norm() <= 1e-4 * (1 + wanted.norm())


@pytest.mark.parametrize("pooling", POOLINGS)
def test_along_the_chosen_trees_gradients_are_those_of_finite_differences(pooling):
    """Choices do not change with a small step, so everything between them is smooth."""
    encoder = make_encoder(5, pooling)
    lengths = torch.tensor([6, 6, 3, 2, 1])
    states = make_leaves(lengths.tolist(), 5).states

    def sentences(states: Tensor, *weights: Tensor) -> Tensor:
        names = [name for name, _ in encoder.named_parameters()]
        replaced = dict(zip(names, weights, strict=True))
        encoding = torch.func.functional_call(
            encoder, replaced, (Leaves.of_lengths(states, lengths),)
        )
        return encoding.sentences

    assert gradcheck(sentences, (states, *encoder.parameters()))


# Choices.


def test_without_a_temperature_nothing_is_drawn_and_the_query_learns_nothing():
    encoder, leaves = make_encoder(3), make_leaves([7, 7, 4], 3)
    before = random_state()
    first, second = encoder.train()(leaves), encoder.eval()(leaves)
    assert torch.equal(random_state(), before)
    assert torch.equal(first.sentences, second.sentences)
    assert torch.equal(first.transitions, second.transitions)
    assert not gradients(first.sentences.sum(), encoder, leaves)[1].any()


def test_the_seed_decides_what_is_drawn():
    encoder, leaves = make_encoder(3), make_leaves([9] * 6, 3)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(encoder(leaves, Plan(temperature=1.0)).transitions)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_merges_are_drawn_with_the_probabilities_of_the_softmax_of_scores():
    """Whatever the temperature: that is for gradients."""
    encoder, leaves = make_encoder(8), make_leaves([3], 8)
    pairs = leaves.states.detach().unfold(0, 2, 1).transpose(1, 2)
    candidates = encoder.composition(pairs[:, 0], pairs[:, 1])[:, :HIDDEN]
    wanted = (candidates @ encoder.query).softmax(dim=0)[0].item()
    assert 0.1 < wanted < 0.9
    count = 4000
    many = Leaves.of_lengths(
        leaves.states.detach().repeat_interleave(count, dim=0), torch.full((count,), 3)
    )
    torch.manual_seed(0)
    for temperature in (0.3, 2.0):
        taken = encoder(many, Plan(temperature=temperature)).transitions
        left = (taken[2] == Transition.REDUCE).double().mean().item()
        assert left == pytest.approx(wanted, abs=0.03)


def test_noise_is_of_the_gumbel_distribution():
    torch.manual_seed(0)
    noise = gumbel_noise(torch.zeros(1, device=DEVICE), 40, 100)
    assert noise.shape == (40, 100, 40)
    assert noise.dtype == torch.float32
    assert noise.isfinite().all()
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.02)  # Euler's constant
    assert noise.var().item() == pytest.approx(torch.pi**2 / 6, abs=0.03)


# Transitions.


def test_merges_from_either_end_are_the_branching_trees():
    left, right = torch.zeros(4, 1, dtype=torch.long), torch.arange(3, -1, -1)[:, None]
    places = torch.cat([left, right], dim=1).to(DEVICE)
    taken = transitions_of(places, torch.tensor([5, 5]))
    assert taken[:, 0].tolist() == left_branching(5).tolist()
    assert taken[:, 1].tolist() == right_branching(5).tolist()


@given(lengths=ragged, seed=seeds)
def test_merges_in_any_order_are_trees_over_the_sentences(lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    depth = lengths[0] - 1
    left = torch.tensor(lengths) - 1 - torch.arange(depth)[:, None]  # candidates in each layer
    drawn = torch.rand(left.shape, generator=generator)
    places = torch.where(left > 0, (drawn * left).long(), -1)
    taken = transitions_of(places.to(DEVICE), torch.tensor(lengths)).cpu()
    assert taken.shape == (2 * depth + 1, len(lengths))
    for column, length in enumerate(lengths):
        check(taken[: 2 * length - 1, column].numpy(), length)
        assert (taken[2 * length - 1 :, column] == PAD).all()
        # The plain way: spans of nodes, and the spans that merges make.
        nodes, spans = [(word, word + 1) for word in range(length)], []
        for place in places[: length - 1, column].tolist():
            nodes[place : place + 2] = [(nodes[place][0], nodes[place + 1][1])]
            spans.append(nodes[place])
        expected = from_spans(length, spans).tolist()
        assert taken[: 2 * length - 1, column].tolist() == expected


def test_under_autocast_products_are_bf16_and_vectors_stay_float32():
    encoder, leaves = make_encoder(2).float(), make_leaves([8, 8, 5, 1], 2)
    leaves = Leaves.of_lengths(leaves.states.detach().float().requires_grad_(), leaves.lengths)
    found = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=enabled):
            sentences = encoder(leaves, Plan(temperature=1.0)).sentences
        assert sentences.dtype == torch.float32
        slopes = gradients(sentences.sum(), encoder, leaves)
        assert {slope.dtype for slope in slopes} == {torch.float32}
        found.append(sentences.detach())
    assert not torch.equal(*found)
    torch.testing.assert_close(*found, rtol=0.05, atol=0.05)
