"""The vocabulary: which words are known."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import substitute
from hypothesis import given
from hypothesis import strategies as st

from spinn.data.vectors import VectorTable
from spinn.data.vocabulary import PADDING, SPECIAL_WORDS, UNKNOWN, Vocabulary, choose_words

GLOVE = "the 0.5 -1 2\ndog 1 2 3\ncat 4 5 6e-1\n"


def glove(tmp_path: Path) -> VectorTable:
    """Read vectors, or skip the test where torchtext, which chooses the words, is missing."""
    pytest.importorskip("torchtext")
    path = tmp_path / "vectors.txt"
    path.write_text(GLOVE)
    return VectorTable(path, tmp_path / "cache")


def test_words_are_looked_up_and_unknown_ones_share_a_number():
    vocabulary = Vocabulary(["<unk>", "<pad>", "the", "dog"])
    assert len(vocabulary) == 4
    assert vocabulary.numbers(["dog", "The", "wug", "DOG"]).tolist() == [3, 2, UNKNOWN, 3]
    assert vocabulary.numbers([]).tolist() == []


def test_case_counts_if_asked():
    vocabulary = Vocabulary(["<unk>", "<pad>", "the", "Dog"], lower=False)
    assert vocabulary.numbers(["Dog", "dog", "The", "the"]).tolist() == [3, UNKNOWN, UNKNOWN, 2]


def test_words_must_be_frequent_enough():
    pytest.importorskip("torchtext")
    training = Counter({"the": 9, "dog": 2, "rare": 1, "a": 9})
    words = choose_words(training, ["unseen", "dog"], None, minimum=2)
    assert words == ["<unk>", "<pad>", "a", "the", "dog"]
    assert [words[UNKNOWN], words[PADDING]] == SPECIAL_WORDS
    assert "rare" in choose_words(training, [], None, minimum=1)


def test_words_with_a_vector_are_known_however_rare(tmp_path):
    table = glove(tmp_path)
    words = choose_words(Counter({"dog": 1, "wug": 1, "blick": 5}), ["cat", "gorp"], table, 2)
    assert set(words[2:]) == {"dog", "blick", "cat"}
    assert words[2] == "blick"


def test_words_of_other_sets_stand_behind_those_of_training(tmp_path):
    table, training = glove(tmp_path), Counter({"the": 1, "dog": 3, "wug": 2})
    alone = choose_words(training, [], table, 2)
    assert alone == [*SPECIAL_WORDS, "dog", "wug", "the"]
    assert choose_words(training, ["cat", "dog", "gorp"], table, 2) == [*alone, "cat"]


def test_the_choice_does_not_depend_on_the_order_of_the_text():
    pytest.importorskip("torchtext")
    pairs = [("b", 3), ("a", 3), ("c", 4)]
    chosen = choose_words(Counter(dict(pairs)), [], None, 1)
    assert chosen == choose_words(Counter(dict(pairs[::-1])), [], None, 1)


@given(st.dictionaries(st.text("aàbBz-", min_size=1, max_size=3), st.integers(1, 4)))
def test_what_stands_in_for_torchtext_in_other_tests_chooses_alike(counts):
    pytest.importorskip("torchtext")
    for minimum in (1, 2):
        expected = choose_words(Counter(counts), ["z"], None, minimum)
        assert substitute.choose_words(Counter(counts), ["z"], None, minimum) == expected
