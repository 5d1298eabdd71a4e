"""Treebank conventions: punctuation, and trees in the treebank's notation."""

from __future__ import annotations

import pytest

from spinn.evaluation.treebank import is_punctuation, to_treebank
from spinn.transitions import Transition, from_brackets, left_branching


@pytest.mark.parametrize(
    "word", [".", ",", "...", "--", "``", "''", "?!", "-LRB-", "-RCB-", "—", "«", "'", "`"]
)
def test_punctuation(word: str):
    assert is_punctuation(word)


@pytest.mark.parametrize("word", ["a", "'s", "n't", "U.S.", "3", "$", "%", "&", "#", "@", "é", ""])
def test_words_that_are_no_punctuation(word: str):
    assert not is_punctuation(word)


def test_a_tree_as_treebanks_write_it():
    words, steps = from_brackets("( ( the dog ) runs )")
    assert to_treebank(words, steps) == "(X (X (T the) (T dog)) (T runs))"
    assert to_treebank(["dog"], [Transition.SHIFT]) == "(T dog)"


def test_punctuation_has_a_label_and_brackets_in_words_are_escaped():
    words, steps = ["(", "see", ":-)", "."], left_branching(4)
    assert to_treebank(words, steps) == "(X (X (X (P -LRB-) (T see)) (P :--RRB-)) (P .))"
