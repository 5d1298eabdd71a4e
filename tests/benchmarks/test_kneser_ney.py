"""The n-grams that language models are compared with."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from benchmarks.kneser_ney import KneserNey
from spinn.data.language import END

VOCABULARY = 8


def text(length: int, seed: int = 1) -> np.ndarray:
    """Return a text whose tokens depend on each other, with ends of lines."""
    random, tokens = np.random.default_rng(seed), [END]
    while len(tokens) < length:
        likely = (3 * tokens[-1] + 1) % VOCABULARY
        tokens.append(likely if random.random() < 0.7 else int(random.integers(VOCABULARY)))
    return np.array([*tokens[1:], END], dtype=np.int32)


class Plain:
    """The same model from dictionaries, one probability at a time."""

    def __init__(self, tokens: list[int], order: int, *, sentences: bool) -> None:
        self.order, self.sentences = order, sentences
        raw = [defaultdict(int) for _ in range(order + 1)]
        left = [defaultdict(set) for _ in range(order + 1)]
        whole = [END, *tokens]
        for place in range(1, len(whole)):
            history = self.history(whole, place)
            for length in range(1, min(order, len(history) + 1) + 1):
                gram = (*history[len(history) - length + 1 :], whole[place])
                raw[length][gram] += 1
                if length > 1:
                    left[length - 1][gram[1:]].add(gram[0])
        self.counts = [
            {gram: len(left[n][gram]) or count for gram, count in raw[n].items()}
            if n < order
            else raw[n]
            for n in range(order + 1)
        ]

    def history(self, whole: list[int], place: int) -> tuple[int, ...]:
        """Return the tokens before a place that its sentence, or the text, has."""
        start = 0
        if self.sentences:
            start = max(n for n in range(place) if whole[n] == END)
        return tuple(whole[max(start, place - self.order + 1) : place])

    def discount(self, length: int, count: int) -> float:
        """Return the discount of a count."""
        numbers = list(self.counts[length].values())
        n = [0, *(max(1, numbers.count(c)) for c in (1, 2, 3, 4))]
        found = min(count, 3) - (min(count, 3) + 1) * n[1] / (n[1] + 2 * n[2]) * (
            n[min(count, 3) + 1] / n[min(count, 3)]
        )
        return min(max(found, 0.0), min(count, 3))

    def prob(self, history: tuple[int, ...], token: int) -> float:
        """Return the probability of a token after a history."""
        length = len(history) + 1
        behind = self.prob(history[1:], token) if history else 1 / VOCABULARY
        same = {
            gram[-1]: count for gram, count in self.counts[length].items() if gram[:-1] == history
        }
        total = sum(same.values())
        if not total:
            return behind
        left = sum(self.discount(length, count) for count in same.values())
        own = same[token] - self.discount(length, same[token]) if token in same else 0.0
        return (own + left * behind) / total


@pytest.mark.parametrize("sentences", [False, True])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_a_model_from_dictionaries(order, sentences):
    training, other = text(300), text(80, seed=2)
    plain = Plain(training.tolist(), order, sentences=sentences)
    model = KneserNey(training, VOCABULARY, order, sentences=sentences)
    whole = [END, *other.tolist()]
    expected = [
        math.log(plain.prob(plain.history(whole, place), whole[place]))
        for place in range(1, len(whole))
    ]
    np.testing.assert_allclose(model.log_probs(other), expected, rtol=1e-9)


def test_probabilities_add_up_to_one():
    model = KneserNey(text(300), VOCABULARY, 3, sentences=False)
    history = text(20, seed=3)
    logs = [
        model.log_probs(np.append(history, token).astype(np.int32))[-1]
        for token in range(VOCABULARY)
    ]
    assert np.exp(logs).sum() == pytest.approx(1)


def test_longer_grams_predict_a_regular_text_better():
    training, other = text(5000), text(1000, seed=2)
    found = [
        KneserNey(training, VOCABULARY, order, sentences=False).perplexity(other)
        for order in (1, 2)
    ]
    assert found[1] < 0.6 * found[0]
