"""The counts that the model over fragments is compared with."""

from __future__ import annotations

import math

import pytest
from labelled_trees import english

from benchmarks.fragments import FragmentCounts
from spinn.data.fragments.dataset import number_sequences
from spinn.data.fragments.vocabulary import build_fragment_vocabulary

VOCABULARY = build_fragment_vocabulary(english(), minimum=2)
TRAINING = number_sequences(english()[:3], VOCABULARY)
COUNTS = FragmentCounts(TRAINING, VOCABULARY.sizes)


def test_probabilities_of_a_type_add_up_to_one():
    contexts = {*zip(TRAINING.parents.tolist(), TRAINING.types.tolist(), strict=True)}
    contexts |= {(0, type) for type in range(len(VOCABULARY.sizes))}
    for parent, type in contexts:
        start, size = VOCABULARY.starts[type], VOCABULARY.sizes[type]
        total = sum(COUNTS.prob(start + number, parent, type) for number in range(size))
        assert total == pytest.approx(1)


def test_perplexity_is_that_of_all_fragments():
    dev = number_sequences(english(), VOCABULARY)
    rows = zip(dev.fragments, dev.parents, dev.types, strict=True)
    logs = [math.log(COUNTS.prob(*map(int, row))) for row in rows]
    assert COUNTS.perplexity(dev) == pytest.approx(math.exp(-sum(logs) / len(logs)))


def test_counts_are_discounted_in_favour_of_the_type():
    """Nouns below ``NP -> DT NN``: dog, dog and one rare; a discount is spread over the nouns."""
    type = VOCABULARY.type_number("NN")
    start, size = VOCABULARY.starts[type], VOCABULARY.sizes[type]
    parents = TRAINING.parents[(TRAINING.types == type)].tolist()
    nouns = TRAINING.fragments[(TRAINING.types == type)].tolist()
    parent = parents[0]
    below = [noun for noun, above in zip(nouns, parents, strict=True) if above == parent]
    number = start + 1

    def discounted(found: list[int], behind: float) -> float:
        kept = max(found.count(number) - 0.75, 0)
        return (kept + 0.75 * len({*found}) * behind) / len(found)

    expected = discounted(below, discounted(nouns, 1 / size))
    assert COUNTS.prob(number, parent, type) == pytest.approx(expected)
