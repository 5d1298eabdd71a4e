"""Sentences and leaves: sorted and put back, packed, copied; plans and encodings reordered."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from machine import DEVICE
from torch.nn.utils.rnn import pad_packed_sequence

from spinn.model.choosers import Given, Greedy, Mixed, Sampled
from spinn.model.policy import TransitionPolicy
from spinn.model.types import Encoder, Encoding, Leaves, Plan, Sentences
from spinn.ops.heights import heights_of
from spinn.transitions import Transition

S, R, PAD = int(Transition.SHIFT), int(Transition.REDUCE), int(Transition.PAD)
LENGTHS = torch.tensor([2, 5, 2, 1, 5])
tensor = partial(torch.tensor, device=DEVICE)
ragged = st.lists(st.integers(1, 7), min_size=1, max_size=6)
pairs_of_lengths = st.integers(1, 4).flatmap(
    lambda pairs: st.lists(st.integers(1, 7), min_size=2 * pairs, max_size=2 * pairs)
)


# Sentences.


def test_sorting_is_undone_by_back():
    words = torch.arange(25, device=DEVICE).view(5, 5)
    sentences, order = Sentences.sort(words, LENGTHS)
    assert sentences.lengths.tolist() == [5, 5, 2, 2, 1]
    assert order.tolist() == [1, 4, 0, 2, 3]  # equal lengths keep their order
    assert torch.equal(sentences.words, words[:, order])
    assert torch.equal(sentences.words[:, sentences.back], words)
    assert torch.equal(sentences.lengths[sentences.back.cpu()], LENGTHS)


@given(lengths=pairs_of_lengths)
def test_partners_are_those_of_the_batch(lengths):
    sizes = torch.tensor(lengths)
    numbers = torch.arange(len(lengths), device=DEVICE).repeat(int(sizes.max()), 1)
    ordered, _ = Sentences.sort(numbers, sizes)
    here, there = ordered.words[0], ordered.words[0][ordered.partners]
    assert torch.equal(there, (here + len(lengths) // 2) % len(lengths))


@given(lengths=ragged)
def test_batch_sizes_count_the_sentences_that_have_each_word(lengths):
    lengths.sort(reverse=True)
    sizes = Sentences(torch.tensor(lengths)).batch_sizes.tolist()
    assert sizes == [sum(length > word for length in lengths) for word in range(lengths[0])]


# Leaves.


def make_leaves(lengths: list[int], width: int = 3) -> Leaves:
    states = torch.randn(sum(lengths), width, generator=torch.Generator().manual_seed(0))
    return Leaves.of_lengths(states.to(DEVICE), torch.tensor(lengths))


@given(lengths=ragged, copies=st.integers(1, 3))
def test_rows_of_all_copies_are_those_of_the_packed_words(lengths, copies):
    lengths.sort(reverse=True)
    once = make_leaves(lengths)
    leaves = once.repeat(copies)
    assert leaves.states is once.states
    assert leaves.lengths.tolist() == [length for length in lengths for _ in range(copies)]
    padded, _ = pad_packed_sequence(once.packed)
    rows = leaves.rows
    assert rows.shape == (lengths[0], len(lengths) * copies)
    for column, length in enumerate(leaves.lengths.tolist()):
        words = once.states[rows[:length, column].to(DEVICE)]
        assert torch.equal(words, padded[:length, column // copies])


def test_the_maximum_is_over_the_words_of_each_sentence_and_no_padding():
    leaves = make_leaves([4, 2, 1])
    below = Leaves.of_lengths(leaves.states - 10, leaves.lengths)  # zeros would win
    padded, _ = pad_packed_sequence(below.packed)
    expected = [padded[:n, b, :2].amax(dim=0) for b, n in enumerate([4, 2, 1])]
    assert torch.equal(below.maximum(2), torch.stack(expected))


@pytest.mark.parametrize("copies", [1, 3])
def test_an_encoding_is_restored_to_the_order_of_the_batch(copies):
    words = torch.arange(25, device=DEVICE).view(5, 5)
    sentences, order = Sentences.sort(words, LENGTHS)
    leaves = Leaves(torch.zeros(15, 1), sentences).repeat(copies)
    # Each copy of each sorted sentence is named after its place in the batch.
    names = (order[:, None] * copies + torch.arange(copies, device=DEVICE)).flatten()
    restored = leaves.restore(Encoding(names, names[None]))
    assert restored.sentences.tolist() == list(range(5 * copies))
    assert restored.transitions.tolist() == [list(range(5 * copies))]
    assert torch.equal(leaves.places.argsort(), names)


# Plans.


def test_plans_choose_what_their_names_say():
    transitions = tensor([[S, S], [S, PAD], [R, PAD]])
    assert isinstance(Plan().choose, Greedy)
    assert isinstance(Plan.sampled().choose, Sampled)
    assert isinstance(Plan.mixed(transitions, 0.5).choose, Mixed)
    assert type(Plan.mixed(transitions, 0.0).choose) is Given
    given_plan = Plan.given(transitions)
    assert isinstance(given_plan.choose, Given)
    assert torch.equal(given_plan.choose.transitions, transitions)
    assert given_plan.heights is given_plan.temperature is None
    assert Plan(temperature=0.5).reorder(tensor([1, 0])).temperature == 0.5


def test_a_plan_is_reordered_as_a_whole():
    transitions = tensor([[S, S], [PAD, S], [PAD, R]])
    heights = heights_of(transitions.cpu().numpy(), LENGTHS[[3, 0]].numpy()).to(DEVICE)
    order = tensor([1, 0])
    plan = Plan.given(transitions, heights).reorder(order)
    assert torch.equal(plan.choose.transitions, transitions[:, order])
    assert torch.equal(plan.heights.roots, heights.roots[order])
    assert Plan.given(transitions).reorder(order).heights is None


# Encodings and encoders.


def test_an_encoding_is_reordered_as_a_whole():
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 2, 2, generator=draw).to(DEVICE)
    policy = TransitionPolicy(logits, logits > 0)
    states = torch.randn(3, 2, 4, generator=draw).to(DEVICE)
    steps = tensor([[S, S], [PAD, S], [PAD, R]])
    whole = Encoding(tensor([[1.0], [2.0]]), steps, policy, states)
    for order in ([1, 0], [0], []):
        found = whole.reorder(tensor(order, dtype=torch.long))
        assert torch.equal(found.sentences, whole.sentences[order])
        assert torch.equal(found.transitions, steps[:, order])
        assert torch.equal(found.policy.logits, policy.logits[:, order])
        assert torch.equal(found.policy.legal, policy.legal[:, order])
        assert torch.equal(found.tracker, states[:, order])
    bare = Encoding(whole.sentences).reorder(tensor([0]))
    assert bare.transitions is bare.policy is bare.tracker is None


def test_an_encoder_needs_only_to_encode():
    class First(Encoder):
        leaf_size = output_size = 3

        def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
            return Encoding(leaves.states[: len(leaves.lengths)])

    encoder, leaves = First(), make_leaves([3, 1])
    assert torch.equal(encoder(leaves).sentences, leaves.states[:2])
    assert torch.equal(encoder.parse(leaves, Plan()).sentences, leaves.states[:2])
    assert encoder.policy is encoder.parser is None
    assert not encoder.by_height
    with pytest.raises(NotImplementedError):
        Encoder()(leaves)
