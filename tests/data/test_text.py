"""Sentences as a user types them: raw text, trees, and what is neither."""

from __future__ import annotations

import pytest

from spinn.data.examples import PAIR, SENTENCE, Sentence
from spinn.data.formats.logic import spell_brackets
from spinn.data.text import TextReader
from spinn.support.errors import DataError
from spinn.transitions import left_branching, right_branching


def test_trees_are_read_with_their_transitions():
    example = TextReader(PAIR).example(["( a ( small dog ) )", "  ( ( a cat ) runs )"], "x", 7)
    first, second = example.sentences
    assert first.words == ["a", "small", "dog"]
    assert second.words == ["a", "cat", "runs"]
    assert first.transitions is not None
    assert first.transitions.tolist() == right_branching(3).tolist()
    assert second.transitions is not None
    assert second.transitions.tolist() == left_branching(3).tolist()
    assert (example.label, example.line) == (None, 7)


def test_single_sentences_are_words_between_blanks():
    example = TextReader(SENTENCE).example(["[MAX 2  8 ]"], "x", 1)
    assert example.hypothesis is None
    assert example.premise == Sentence(["[MAX", "2", "8", "]"])


@pytest.mark.parametrize("kind", [SENTENCE, PAIR])
def test_one_word_has_its_only_tree(kind):
    pytest.importorskip("spacy")
    words, transitions = TextReader(kind).sentence("7", "x", 1)
    assert (words, transitions.tolist()) == (["7"], left_branching(1).tolist())


def test_raw_text_of_pairs_is_tokenised():
    pytest.importorskip("spacy")
    sentence = TextReader(PAIR).sentence("It isn't (asleep).", "x", 1)
    assert sentence == Sentence(["It", "is", "n't", "-LRB-", "asleep", "-RRB-", "."])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("( laughter ) that is true.", "-LRB- laughter -RRB- that is true ."),
        ("( uh ) yes ( laughter )", "-LRB- uh -RRB- yes -LRB- laughter -RRB-"),
        (" ( ( a ) dog ) runs", "-LRB- -LRB- a -RRB- dog -RRB- runs"),
    ],
)
def test_text_may_begin_with_a_bracket(text, words):
    pytest.importorskip("spacy")
    assert TextReader(PAIR).sentence(text, "x", 1) == Sentence(words.split())


@pytest.mark.parametrize("text", ["( a ( small dog )", "( a small dog )"])
def test_damaged_trees_are_no_text(text):
    with pytest.raises(DataError, match=r"Correct the brackets; if this is text"):
        TextReader(PAIR).sentence(text, "x", 1)


@pytest.mark.parametrize(
    ("text", "cause"),
    [("w " * 200_000, "a sentence has 200,000 words"), ("w" * 2_000, "a word of 2,000 characters")],
)
def test_sentences_have_a_size(text, cause):
    with pytest.raises(DataError, match=cause):
        TextReader(SENTENCE).sentence(text, "x", 1)


def test_trees_are_rewritten_as_the_format_does():
    sentence = TextReader(PAIR, spell_brackets).sentence("( not a )", "x", 1)
    assert sentence.words == ["-LRB-", "not", "a", "-RRB-"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "a sentence is empty"),
        (" \t", "a sentence is empty"),
        ("( 1 2", "bracket"),
        ("2 )", "bracket"),
        ("1 ( 2 3 )", "bracket"),
        ("( 1 2 3 )", "3 children"),
    ],
)
def test_errors_name_the_place_and_the_line(text, cause):
    with pytest.raises(DataError) as caught:
        TextReader(SENTENCE).sentence(text, "standard input", 4)
    assert str(caught.value).startswith("standard input, line 4: ")
    assert cause in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "texts", "message"),
    [
        (PAIR, ["a"], "1 fields where a premise and a hypothesis are required. Put one tab"),
        (PAIR, ["a", "b", "c"], "3 fields"),
        (SENTENCE, ["1", "2"], "2 fields where one sentence is required. Give one sentence"),
    ],
)
def test_another_number_of_sentences_is_refused(kind, texts, message):
    with pytest.raises(DataError) as caught:
        TextReader(kind).example(texts, "x", 1)
    assert message in str(caught.value)
