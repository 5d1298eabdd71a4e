"""Alignment: each word is compared with a mixture of the other sentence's words, and no padding."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import DEVICE, examples, gradcheck
from torch import Tensor, nn

from spinn.extensions.aligned_leaves import WordAlignment
from spinn.model.leaves import LEAF_CONTEXTS
from spinn.model.types import Sentences

SIZE, WIDTH = 3, 8

pairs_of_lengths = st.integers(1, 4).flatmap(
    lambda pairs: st.lists(st.integers(1, 7), min_size=2 * pairs, max_size=2 * pairs)
)


def make_layer(seed: int) -> WordAlignment:
    layer = WordAlignment(SIZE, WIDTH).double()
    generator = torch.Generator().manual_seed(seed)
    for weight in layer.parameters():
        nn.init.normal_(weight, generator=generator)
    return layer.to(DEVICE)


def drawn_sentences(lengths: list[int], seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(n, SIZE, generator=generator, dtype=torch.float64) for n in lengths]
    return [sentence.to(DEVICE) for sentence in drawn]


def aligned(layer: WordAlignment, sentences: list[Tensor]) -> list[Tensor]:
    """Run the layer over a batch, premises first, and take the result apart in its order."""
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    numbers = torch.zeros(int(lengths.max()), len(lengths), dtype=torch.long, device=DEVICE)
    ordered, places = Sentences.sort(numbers, lengths)
    order = places.tolist()
    packed = [
        (time, sentences[place][time])
        for time in range(int(lengths.max()))
        for place in order
        if time < len(sentences[place])
    ]
    states = torch.stack([row for _, row in packed])
    rows = layer(states, ordered)
    result: list[list[Tensor]] = [[] for _ in sentences]
    found = iter(rows)
    for time in range(int(lengths.max())):
        for place in order:
            if time < len(sentences[place]):
                result[place].append(next(found))
    return [torch.stack(words) for words in result]


def plainly(layer: WordAlignment, own: Tensor, other: Tensor) -> Tensor:
    """Compare the words of one sentence ``[n, E]`` with another ``[m, E]``, one after the other."""
    result = []
    for word in own:
        a = layer.projection(word)
        key = torch.relu(layer.matching(a))
        there = [layer.projection(met) for met in other]
        scores = [(key @ torch.relu(layer.matching(b))).item() / math.sqrt(len(key)) for b in there]
        total = sum(math.exp(score) for score in scores)
        b = sum(math.exp(score) / total * met for score, met in zip(scores, there, strict=True))
        result.append(torch.relu(layer.comparison(torch.cat([a, b, a - b, a * b]))))
    return torch.stack(result)


@given(lengths=pairs_of_lengths, seed=st.integers(0, 1000))
@settings(max_examples=examples(30))
def test_each_word_is_compared_with_what_matches_it_in_the_other_sentence(lengths, seed):
    layer, sentences = make_layer(seed), drawn_sentences(lengths, seed)
    count = len(sentences) // 2
    with torch.no_grad():
        found = aligned(layer, sentences)
        for place, comparison in enumerate(found):
            partner = sentences[(place + count) % len(sentences)]
            expected = plainly(layer, sentences[place], partner)
            torch.testing.assert_close(comparison, expected, rtol=1e-9, atol=1e-9)


def test_gradients_reach_both_sentences():
    layer = make_layer(0)
    sentences = Sentences(torch.tensor([3, 2, 2, 1]), back=torch.tensor([0, 1, 3, 2]).to(DEVICE))
    assert sentences.partners.tolist() == [3, 2, 1, 0]
    states = torch.cat(drawn_sentences([8], 1)).requires_grad_()
    assert gradcheck(lambda rows: layer(rows, sentences), states)


def test_words_are_compared_at_half_the_width():
    layer = WordAlignment(SIZE, WIDTH)
    assert layer.projection.out_features == layer.matching.out_features == WIDTH // 2
    assert layer.comparison.out_features == WIDTH


def test_a_width_of_one_is_possible():
    layer = WordAlignment(2, 1).to(DEVICE)
    words = torch.ones(2, 2, device=DEVICE)
    sentences = Sentences(torch.tensor([1, 1]), back=torch.tensor([0, 1], device=DEVICE))
    assert layer(words, sentences).shape == (2, 1)


def test_the_layer_is_registered_and_needs_pairs():
    assert LEAF_CONTEXTS["aligned"] is WordAlignment
    assert WordAlignment.needs_pairs
