"""Induced vectors: what company and spelling say of words that have none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spinn.data.dataset import PairDataset
from spinn.data.examples import SENTENCE
from spinn.data.vectors import WordVectors
from spinn.data.vocabulary import SPECIAL_WORDS
from spinn.extensions import induced_vectors as module
from spinn.extensions.induced_vectors import induced_vectors


class Table:
    """Known vectors, with what a table of vectors offers."""

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        self.words = list(vectors)
        self._vectors = vectors

    def of(self, words: Sequence[str]) -> WordVectors:
        self.asked = list(words)
        width = len(next(iter(self._vectors.values()), [0.0, 0.0]))
        rows = [self._vectors.get(word, [0.0] * width) for word in words]
        return WordVectors(torch.tensor(rows), torch.tensor([w in self._vectors for w in words]))


def text_of(words: list[str], sentences: list[str]) -> PairDataset:
    """Make a set of single sentences."""
    split = [sentence.split() for sentence in sentences]
    lengths = np.array([len(sentence) for sentence in split], dtype=np.int64)
    return PairDataset(
        np.array([words.index(word) for sentence in split for word in sentence], dtype=np.int32),
        np.concatenate([[0], lengths.cumsum()]).astype(np.int64),
        np.zeros(int((2 * lengths - 1).sum()), dtype=np.int8),
        np.zeros(len(split), dtype=np.int64),
        SENTENCE,
    )


def plainly(words: list[str], table: Table, text: PairDataset) -> np.ndarray:
    """Induce vectors with one loop for each sentence of the definition, in float64."""
    everything = words + [word for word in table.words if word not in words]
    given = table.of(everything)
    known, vectors = given.known.numpy(), given.vectors.double().numpy()
    size, width = vectors.shape
    mean = vectors[known].mean(axis=0)
    counts = np.bincount(text.words, minlength=size)
    sums = np.zeros((3, size, width + 1))
    for begin, end in zip(text.offsets[:-1], text.offsets[1:], strict=True):
        for here in range(begin, end):
            for there in range(max(begin, here - 5), min(end, here + 6)):
                other = text.words[there]
                if there == here or not known[other]:
                    continue
                row = np.append(vectors[other] - mean, 1.0)
                rarity = 1e-3 / (1e-3 + counts[other] / counts.sum())
                sums[2, text.words[here]] += rarity * row / abs(there - here)
                if abs(there - here) == 1:
                    sums[int(there > here), text.words[here]] += row
    company = np.concatenate([part[:, :-1] / (part[:, -1:] + 1) for part in sums], axis=1)
    met = company[counts > 0]
    company = (company - met.mean(axis=0)) / (met.std(axis=0, ddof=1) + 1e-6)
    company *= np.sqrt(counts / (counts + 5))[:, None] / np.sqrt(3 * width)

    def runs(word: str) -> set[str]:
        marked = f"<{word}>"
        return {marked[i : i + n] for n in (3, 4, 5, 6) for i in range(len(marked) - n + 1)}

    letters = [set() if word in SPECIAL_WORDS else runs(word) for word in everything]
    letters = [
        {run for run in own if sum(run in other for other in letters) > 1} for own in letters
    ]

    def covariance(one: int, other: int) -> float:
        shared = len(letters[one] & letters[other])
        scale = np.sqrt(max(len(letters[one]), 1) * max(len(letters[other]), 1))
        return shared / scale + company[one] @ company[other]

    teachers = np.flatnonzero(known)
    observed = np.array([[covariance(a, b) for b in teachers] for a in teachers])
    weights = np.linalg.solve(observed + np.eye(len(teachers)), vectors[teachers] - mean)
    result = vectors[: len(words)].copy()
    for word in np.flatnonzero(~known[: len(words)]):
        result[word] = mean + np.array([covariance(word, t) for t in teachers]) @ weights
    return result


LEXICON = ["dog", "dogs", "cat", "cats", "runs", "running", "sleeps", "a", "the", "hut"]


@given(seed=st.integers(0, 1000), share=st.sampled_from([0.3, 0.6]))
@settings(max_examples=25, deadline=None)
def test_vectors_are_those_of_the_definition(seed, share):
    random = np.random.default_rng(seed)
    words = [*SPECIAL_WORDS, *LEXICON]
    sentences = [
        " ".join(random.choice(words[:1] + words[2:], random.integers(1, 9))) for _ in range(12)
    ]
    # "shut" and "running" are in the table; only the latter is a word of the vocabulary.
    chosen = [word for word in LEXICON if random.random() < share]
    table = Table(
        {word: random.normal(size=2).tolist() for word in [*chosen, "running", "the", "shut"]}
    )
    text = text_of(words, sentences)
    found = induced_vectors(words, table, text)
    assert found.known.tolist() == table.of(words).known.tolist()
    expected = torch.from_numpy(plainly(words, table, text)).float()
    torch.testing.assert_close(found.vectors, expected, rtol=1e-3, atol=1e-4)


def test_words_that_only_other_sets_have_change_nothing():
    """Also where there are more words with a vector than teach."""
    random = np.random.default_rng(3)
    words = [*SPECIAL_WORDS, "wug", "wugs", "dog", "ate"]
    others = [f"word{number}" for number in range(40)]
    table = Table({word: random.normal(size=2).tolist() for word in ["dog", "ate", *others]})
    sentences = ["wug dog", "dog ate wugs", "wug ate"]
    found = induced_vectors(words, table, text_of(words, sentences)).vectors
    more = [*words, *others[30:]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_OBSERVED", 20)
        few = induced_vectors(words, table, text_of(words, sentences)).vectors
        again = induced_vectors(more, table, text_of(more, sentences))
    assert torch.equal(again.vectors[: len(words)], few)
    assert torch.equal(again.vectors[len(words) :], table.of(more).vectors[len(words) :])
    assert again.known[len(words) :].all()
    assert not torch.equal(few, found)


def test_known_vectors_stay_as_they_are():
    words = [*SPECIAL_WORDS, "dog", "dogs"]
    table = Table({"dog": [1.0, 2.0], "cat": [-1.0, 0.0]})
    found = induced_vectors(words, table, text_of(words, ["dog dogs"]))
    assert found.vectors[2].tolist() == [1.0, 2.0]
    assert found.known.tolist() == [False, False, True, False]


def test_a_word_is_like_those_it_is_spelled_like():
    words = [*SPECIAL_WORDS, "skateboarding"]
    table = Table({"skateboard": [3.0, 0.0], "boarding": [3.0, 0.0], "hut": [0.0, 3.0]})
    vector = induced_vectors(words, table, text_of(words, [])).vectors[2]
    assert vector[0] > 2 > vector[1]  # the mean is (2, 1)


def test_a_word_is_like_those_that_stand_where_it_stands():
    words = [*SPECIAL_WORDS, "wug", "dog", "ate", "a", "big", "red"]
    table = Table(
        {"dog": [1.0, 0.0], "ate": [0.0, 1.0], "a": [-1.0, 0.0], "big": [0.0, -1.0], "red": [0, -1]}
    )
    sentences = ["a big dog ate", "a red dog ate", "a big wug ate", "a red wug ate"] * 20
    vectors = induced_vectors(words, table, text_of(words, sentences)).vectors
    near = torch.cosine_similarity(vectors[2:3], vectors[3:])
    assert near.argmax() == 0  # dog
    assert near[0] > 0.8


def test_a_word_of_which_nothing_is_known_gets_the_mean():
    words = [*SPECIAL_WORDS, "xyzzy"]
    table = Table({"dog": [1.0, 2.0], "cat": [3.0, 0.0]})
    found = induced_vectors(words, table, text_of(words, [])).vectors
    torch.testing.assert_close(found, torch.tensor([[2.0, 1.0]] * 3))


def test_no_known_word_leaves_nothing_to_learn_from():
    words = [*SPECIAL_WORDS, "dog"]
    found = induced_vectors(words, Table({}), text_of(words, ["dog dog"]))
    assert not found.vectors.any()
    assert not found.known.any()


def test_the_most_frequent_words_teach_where_there_are_too_many(monkeypatch):
    words = [*SPECIAL_WORDS, "wug", "dog", "cat", "cow"]
    table = Table({"cow": [9.0, 9.0], "dog": [1.0, 1.0], "cat": [2.0, 2.0], "ant": [99.0, 0.0]})
    monkeypatch.setattr(module, "MOST_OBSERVED", 2)
    found = induced_vectors(words, table, text_of(words, ["dog", "dog dog", "cat cat", "cow"]))
    torch.testing.assert_close(found.vectors[2], torch.tensor([1.5, 1.5]))
    assert found.vectors[5].tolist() == [9.0, 9.0]
    # Of the table's words no more are looked up: a published one has millions.
    assert table.asked == words


def test_what_is_no_word_has_no_spelling():
    words = [*SPECIAL_WORDS, "dog"]
    table = Table({"unk>s": [5.0, 0.0], "<unks": [5.0, 0.0], "dog": [0.0, 1.0]})
    vectors = induced_vectors(words, table, text_of(words, [])).vectors
    torch.testing.assert_close(vectors[0], torch.tensor([10 / 3, 1 / 3]))


@given(seed=st.integers(0, 5000))
@settings(max_examples=50, deadline=None)
def test_induced_vectors_stay_among_those_that_are_known(seed):
    random = np.random.default_rng(seed)
    words = [*SPECIAL_WORDS, *LEXICON]
    sentences = [" ".join(random.choice(words[2:], random.integers(1, 6))) for _ in range(4)]
    scale = random.choice([1e-3, 1.0, 1e3])
    chosen = random.choice(LEXICON, random.integers(1, 7), replace=False)
    table = Table({word: (scale * random.normal(size=3)).tolist() for word in chosen})
    found = induced_vectors(words, table, text_of(words, sentences))
    distances = (found.vectors - found.vectors[found.known].mean(dim=0)).norm(dim=1)
    assert distances.max() <= 3 * distances[found.known].max() + 1e-3 * scale


@pytest.mark.parametrize("block", [1, 2, 1000])
def test_blocks_do_not_matter(monkeypatch, block):
    words = [*SPECIAL_WORDS, *LEXICON]
    table = Table({word: [float(i), 1.0 / (i + 1)] for i, word in enumerate(LEXICON[::2])})
    text = text_of(words, ["a dog runs", "the cats running", "a cat sleeps"])
    expected = induced_vectors(words, table, text).vectors
    monkeypatch.setattr(module, "_BLOCK", block)
    torch.testing.assert_close(induced_vectors(words, table, text).vectors, expected)
