"""ListOps: the value of a sentence, its tree, what is drawn, and the files."""

from __future__ import annotations

import hashlib
import re
import statistics
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.generators.dice import Dice
from spinn.generators.listops import (
    OPERATORS,
    draw_sentence,
    draw_splits,
    evaluate,
    generate,
    to_brackets,
)
from spinn.support.errors import ConfigurationError
from spinn.transitions import from_brackets

INNERMOST = re.compile(r"\[(MAX|MIN|MED|SM)((?: \d)+) \]")

lists = st.recursive(
    st.integers(0, 9),
    lambda inner: st.tuples(
        st.sampled_from(("MAX", "MIN", "MED", "SM")), st.lists(inner, min_size=2, max_size=5)
    ),
    max_leaves=40,
)


def reduce_innermost(match: re.Match[str]) -> str:
    values = [int(digit) for digit in match[2].split()]
    results = {
        "MAX": max(values),
        "MIN": min(values),
        "MED": int(statistics.median(values)),
        "SM": sum(values) % 10,
    }
    return str(results[match[1]])


def rewrite(words: list[str]) -> int:
    """Find the value by replacing innermost lists by theirs until a digit is left."""
    text = " ".join(words)
    while not text.isdigit():
        text, count = INNERMOST.subn(reduce_innermost, text)
        assert count
    return int(text)


def write(sentence: Any) -> list[str]:
    if isinstance(sentence, int):
        return [str(sentence)]
    operator, arguments = sentence
    return [f"[{operator}", *chain.from_iterable(map(write, arguments)), "]"]


def bracket(sentence: Any) -> str:
    if isinstance(sentence, int):
        return str(sentence)
    tree = f"[{sentence[0]}"
    for argument in sentence[1]:
        tree = f"( {tree} {bracket(argument)} )"
    return f"( {tree} ] )"


def nesting(words: list[str]) -> int:
    depth = deepest = 1
    for word in words:
        depth += (word in OPERATORS) - (word == "]")
        deepest = max(deepest, depth)
    return deepest


# Values and trees.


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("7", 7),
        ("[MAX 2 9 [MIN 4 7 ] 0 ]", 9),
        ("[MED 3 8 6 ]", 6),
        ("[MED 1 2 9 8 ]", 5),
        ("[MED 2 3 ]", 2),
        ("[SM 5 [SM 9 9 ] 8 ]", 1),
    ],
)
def test_the_value_of_known_sentences(words: str, value: int) -> None:
    assert evaluate(words.split()) == value == rewrite(words.split())


def test_the_example_of_the_paper_is_bracketed_as_published() -> None:
    assert to_brackets(["[MAX", "2", "9", "[MIN", "4", "7", "]", "0", "]"]) == (
        "( ( ( ( ( [MAX 2 ) 9 ) ( ( ( [MIN 4 ) 7 ) ] ) ) 0 ) ] )"
    )


@given(lists)
def test_any_sentence_has_the_value_and_the_tree_that_its_lists_have(sentence: Any) -> None:
    words = write(sentence)
    assert evaluate(words) == rewrite(words)
    assert to_brackets(words) == bracket(sentence)
    assert from_brackets(to_brackets(words))[0] == words


# What is drawn.


def test_lists_operators_and_numbers_of_arguments_come_as_often_as_published() -> None:
    dice = Dice(1)
    words = [word for _ in range(20_000) for word in draw_sentence(dice) or []]
    operators = Counter(word for word in words if word in OPERATORS)
    digits = Counter(word for word in words if word.isdigit())
    lists, arguments = operators.total(), operators.total() + digits.total() - 20_000
    assert lists / (lists + digits.total()) == pytest.approx(0.25, abs=0.005)
    assert arguments / lists == pytest.approx(3.5, abs=0.03)
    assert all(count / lists == pytest.approx(0.25, abs=0.01) for count in operators.values())
    assert set(digits) == set("0123456789")


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 30))
def test_limits_are_kept(seed: int, max_depth: int, max_length: int) -> None:
    dice = Dice(seed)
    for _ in range(20):
        words = draw_sentence(dice, max_depth, max_length)
        if words is not None:
            assert len(words) <= max_length
            assert nesting(words) <= max_depth
            assert 0 <= rewrite(words) <= 9


def test_sentences_reach_the_limits() -> None:
    dice = Dice(2)
    drawn = [draw_sentence(dice, 4, 12) for _ in range(3_000)]
    assert None in drawn
    assert max(nesting(words) for words in drawn if words is not None) == 4
    assert max(len(words) for words in drawn if words is not None) == 12


def test_no_sentence_occurs_twice() -> None:
    splits = draw_splits(3, {"train": 300, "dev": 40, "test": 100}, max_depth=2)
    assert {name: len(sentences) for name, sentences in splits.items()} == {
        "train": 300,
        "dev": 40,
        "test": 100,
    }
    sentences = [tuple(words) for split in splits.values() for words in split]
    assert len(set(sentences)) == 440


def test_every_sentence_within_the_limits_can_be_had() -> None:
    splits = draw_splits(3, {"train": 6, "test": 4}, max_depth=1)
    assert sorted(word for split in splits.values() for (word,) in split) == list("0123456789")


def test_splits_are_alike() -> None:
    splits = draw_splits(4, {"train": 5_000, "test": 5_000})
    short = [sum(len(words) <= 5 for words in split) for split in splits.values()]
    assert short[0] == pytest.approx(short[1], rel=0.1)


# Files.


def test_equal_seeds_give_equal_bytes_on_every_machine(tmp_path: Path) -> None:
    generate(tmp_path, seed=5, sizes={"train": 60, "dev": 10, "test": 20})
    files = [(tmp_path / f"{split}.tsv").read_bytes() for split in ("train", "dev", "test")]
    assert [file.count(b"\n") for file in files] == [60, 10, 20]
    assert hashlib.sha256(b"".join(files)).hexdigest() == (
        "1dcaf84ef1e5b2dd65ce423e8a1fbb8ad9a23883a9963ced19539e3553acbd76"
    )
    generate(tmp_path, seed=6, sizes={"train": 60, "dev": 10, "test": 20})
    assert (tmp_path / "train.tsv").read_bytes() != files[0]


def test_files_hold_labels_and_binary_trees(tmp_path: Path) -> None:
    generate(tmp_path, seed=7, sizes={"train": 400})
    for line in (tmp_path / "train.tsv").read_text().splitlines():
        label, tree = line.split("\t")
        words, transitions = from_brackets(tree)
        assert label == str(rewrite(words))
        assert len(transitions) == 2 * len(words) - 1


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"sizes": {"train": 0}}, "--train is 0; it must be at least 1"),
        ({"max_depth": 0}, "--max-depth is 0"),
        ({"max_length": -1}, "--max-length is -1"),
        ({"sizes": {"train": 11}, "max_depth": 1}, "11 distinct sentences .* more than 10 "),
        ({"sizes": {"train": 11}, "max_length": 3}, "11 distinct sentences .* more than 10 "),
    ],
)
def test_what_cannot_be_had_is_refused(tmp_path: Path, arguments: Any, cause: str) -> None:
    with pytest.raises(ConfigurationError, match=cause):
        generate(tmp_path / "made", **arguments)
    assert not (tmp_path / "made").exists()
