"""The tokenizer agrees with the leaves of published trees, by hand-made cases and on real ones."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.data.readers import read_examples
from spinn.data.tokenizer import Tokenizer
from spinn.support.errors import ConfigurationError
from spinn.transitions import BRACKET_WORDS

DEV = Path(__file__).parents[2] / "../shared/data/snli/snli_1.0_dev.jsonl.gz"


@pytest.fixture(scope="module")
def tokenize() -> Tokenizer:
    """Make the tokeniser, or skip the test."""
    pytest.importorskip("spacy")
    return Tokenizer()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A dog runs.", "A dog runs ."),
        ("  A\tdog  runs .\n", "A dog runs ."),
        ("a middle-aged man's t-shirt", "a middle-aged man 's t-shirt"),
        ("corn-on-the-cob", "corn-on-the-cob"),
        ("a walk - two trunks- end", "a walk - two trunks - end"),
        ("two men (one Asian) [sic]", "two men -LRB- one Asian -RRB- -LSB- sic -RSB-"),
        ("drawn(art)", "drawn -LRB- art -RRB-"),
        ('He said "cheese".', "He said `` cheese '' ."),
        ('"No," she said, "now!"', "`` No , '' she said , `` now ! ''"),
        ('("Hi")', "-LRB- `` Hi '' -RRB-"),
        ('a " hot " day', "a `` hot '' day"),
        ("\N{LEFT DOUBLE QUOTATION MARK}Hi\N{RIGHT DOUBLE QUOTATION MARK}", "`` Hi ''"),
        ("the book 'The Lord' here", "the book ` The Lord ' here"),
        ("I don't, can't, won't and isn't", "I do n't , ca n't , wo n't and is n't"),
        ("I\N{RIGHT SINGLE QUOTATION MARK}m DON'T", "I 'm DO N'T"),
        ("they're we've I'll he'd it's", "they 're we 've I 'll he 'd it 's"),
        ("He cannot; Cannot.", "He can not ; Can not ."),
        ("gonna gotta wanna 'tis", "gon na got ta wan na 't is"),
        ("the boys' rock 'n' roll from the '60s", "the boys ' rock 'n' roll from the '60s"),
        ("o'clock d'oeuvres O'Neil", "o'clock d'oeuvres O'Neil"),
        ("wont dont", "wont dont"),
        ("he/she and/or", "he/she and/or"),
        ("at 5:30 p.m. it's 37,000 or 3.5", "at 5:30 p.m. it 's 37,000 or 3.5"),
        ("two words:berlin and blue,red", "two words : berlin and blue , red"),
        ("$5 50% #15 A&M hat&", "$ 5 50 % # 15 A&M hat &"),
        ("Mr. Li of St. Louis, U.S. Navy", "Mr. Li of St. Louis , U.S. Navy"),
        ("watches t.v.", "watches t.v."),
        ("a.k.a. Bo, a b.b.q. at b.", "a.k.a. Bo , a b.b.q. at b ."),
        ("in the USA.", "in the USA ."),
        ("wait... what\N{HORIZONTAL ELLIPSIS}", "wait ... what ..."),
        ("to work..", "to work . ."),
        ("no--yes\N{EM DASH}maybe", "no -- yes -- maybe"),
        ("What?! No!!!", "What ?! No !!!"),
        ("see avrovulcan.com now", "see avrovulcan.com now"),
        ("n/a", "n/a"),
        ("fo", "fo"),
        ("(", "-LRB-"),
    ],
)
def test_words_are_those_of_the_treebank(tokenize, text, words):
    assert tokenize(text) == words.split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Isn\u2018t it", "Is n't it"),
        ("They`re DON`T I`m", "They 're DO N'T I 'm"),
        ("it\u201bs it\u02bcs it\uff07s it\u2032s it\x92s it\x91s", " ".join(["it 's"] * 6)),
        ("\u2018tis the \u201860s", "'t is the '60s"),
        ("the \u2018old\u2019 house", "the ` old ' house"),
        ("\x93Hi\x94 \xabHi\xbb", "`` Hi '' `` Hi ''"),
        ("6\u2032 tall", "6\u2032 tall"),
        ("Hello\u200b there\ufeff, you\0two\x85three\x1bfour", "Hello there , you two three four"),
        ("co\xadop w\u200dx y\u2060z \u202aleft\u202c \u200fright", "coop wx yz left right"),
        ("a\xa0b\u2009c\u3000d", "a b c d"),
    ],
)
def test_apostrophes_and_invisible_characters(tokenize, text, words):
    assert tokenize(text) == words.split(" ")


@pytest.mark.parametrize(
    "piece", ["(", ")", '"', "'", ",", "-", ".", "!", "``", "'s", "a.", "-a", "a", "1,", "n't", "/"]
)
def test_long_tokens_take_linear_time(tokenize, piece):
    start = time.perf_counter()
    words = tokenize(f"so {piece * 20_000} ends.")
    assert time.perf_counter() - start < 5
    assert (words[0], words[-2:]) == ("so", ["ends", "."])
    if piece in "()":
        assert words[1:-2] == [BRACKET_WORDS[piece]] * 20_000


def test_blank_text_has_no_words(tokenize):
    assert tokenize("") == tokenize(" \t\N{NO-BREAK SPACE}\n") == tokenize("\u200b") == []


@given(st.text(max_size=60))
def test_no_word_is_empty_or_holds_a_blank_and_none_is_lost(tokenize, text):
    words = tokenize(text)
    assert not words or text.split()
    assert all(word.split() == [word] for word in words)
    assert not {"(", ")"} & set(words)


@given(st.text(alphabet="ab.,-':;!? &/#1", max_size=40))
def test_cutting_moves_no_character(tokenize, text):
    # An opening single quote is the one character of these that is written in another way.
    assert "".join(tokenize(text)).replace("`", "'") == "".join(text.split())


def test_words_already_cut_stay_as_they_are(tokenize):
    text = "A man ca n't see the red-haired girl 's dog , he 's 5 ."
    assert tokenize(text) == text.split(" ")


def test_result_belongs_to_the_caller(tokenize):
    tokenize("A dog.").append("changed")
    assert tokenize("A dog.") == ["A", "dog", "."]


def test_memory_is_bounded():
    pytest.importorskip("spacy")
    tokenizer = Tokenizer(cache_size=2)
    for text in ("one", "two", "three", "one"):
        assert tokenizer(text) == [text]
    information = tokenizer._cached.cache_info()
    assert (information.currsize, information.hits) == (2, 0)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_work_alike(tokenize, duplicate):
    assert duplicate(tokenize)("It isn't.") == ["It", "is", "n't", "."]


def test_it_fits_a_torchtext_field(tokenize):
    data = pytest.importorskip("torchtext.data")
    assert data.Field(tokenize=tokenize).preprocess("A t-shirt.") == ["A", "t-shirt", "."]


def test_missing_spacy_is_a_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy.tokenizer", None)
    with pytest.raises(ConfigurationError, match="pip install spacy"):
        Tokenizer()


def test_agreement_with_the_leaves_of_real_trees(tokenize):
    """At least 99.9% of the sentences of SNLI's development set are cut just as its trees are."""
    if not DEV.exists():
        pytest.skip("the SNLI development set is not there")
    texts = {}
    with gzip.open(DEV) as lines:
        for number, line in enumerate(lines, start=1):
            row = json.loads(line)
            texts[number] = (row["sentence1"], row["sentence2"])
    total = agreed = 0
    for example in read_examples(DEV):
        for sentence, text in zip(example[:2], texts[example.line], strict=True):
            total += 1
            agreed += tokenize(text) == sentence.words
    assert total == 2 * 9842
    assert agreed / total >= 0.999


def test_memory_does_not_grow_with_the_words_that_were_seen(monkeypatch):
    monkeypatch.setattr("spinn.data.tokenizer._MANY", 3000)
    tokenizer = Tokenizer(cache_size=10)
    for number in range(2000):
        assert tokenizer(f"a{number} b{number}'s.") == [f"a{number}", f"b{number}", "'s", "."]
        assert len(tokenizer._spacy.vocab.strings) < 3010
