"""Propositional logic: relations by brute force, the real files, what is drawn, and the files."""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.data.formats.logic import LOGIC_RELATIONS
from spinn.data.readers import read_examples
from spinn.generators import logic
from spinn.generators.dice import Dice
from spinn.generators.logic import draw_files, draw_formula, draw_pairs, generate, relate
from spinn.support.errors import ConfigurationError
from spinn.transitions import to_brackets

WORLDS = [dict(zip("abcdef", world, strict=True)) for world in product((0, 1), repeat=6)]
EVERYWHERE = 2**64 - 1
COLUMNS = {
    variable: sum(world[variable] << place for place, world in enumerate(WORLDS))
    for variable in "abcdef"
}


def evaluate(text: str, values: dict[str, int], true: int) -> int:
    """Evaluate a formula for one valuation (true is 1), or for many side by side as bits."""
    stack: list[Any] = []
    for token in text.split():
        if token != ")":
            stack.append(values.get(token, token))
            continue
        right, left = stack.pop(), stack.pop()
        assert stack.pop() == "("
        if left == "not":
            stack.append(true ^ right)
        elif left in ("and", "or"):
            stack.append((left, right))
        else:
            connective, other = right
            stack.append(left & other if connective == "and" else left | other)
    (value,) = stack
    return int(value)


def relation_by_definition(first: set[int], second: set[int], universe: set[int]) -> str:
    """Tell the relation as Bowman, Manning and Potts (2015) define it, over sets of worlds."""
    holds = {
        "=": first == second,
        "<": first < second,
        ">": first > second,
        "^": not first & second and first | second == universe,
        "|": not first & second and first | second != universe,
        "v": bool(first & second) and first | second == universe,
    }
    named = [relation for relation, truth in holds.items() if truth]
    assert len(named) <= 1
    return named[0] if named else "#"


def worlds_of(text: str) -> set[int]:
    return {place for place, world in enumerate(WORLDS) if evaluate(text, world, 1)}


def operators(text: str) -> int:
    return sum(text.split().count(word) for word in ("not", "and", "or"))


def variables(*texts: str) -> set[str]:
    return {token for text in texts for token in text.split()} & set("abcdef")


def read_rows(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt") as stream:
        return [line.rstrip("\n").split("\t") for line in stream]


# Relations.


@given(
    st.sampled_from(["{0}", "{0} & {1}", "{0} | {1}", "full ^ {0}", "full ^ {0} & {1}", "{1}"]),
    st.sampled_from(["{0}", "{0} & {1}", "{0} | {1}", "full ^ {0}", "full ^ {0} & {1}", "{1}"]),
    st.integers(1, EVERYWHERE - 1),
    st.integers(1, EVERYWHERE - 1),
)
def test_the_relation_is_that_of_the_definition(left: str, right: str, p: int, q: int) -> None:
    first, second = (
        eval(side.format("p", "q"), {"p": p, "q": q, "full": EVERYWHERE}) for side in (left, right)
    )
    if not {first, second} & {0, EVERYWHERE}:
        sets = [{place for place in range(64) if table >> place & 1} for table in (first, second)]
        assert relate(first, second) == relation_by_definition(*sets, set(range(64)))


@pytest.mark.parametrize("size", range(7))
@pytest.mark.parametrize("split", ["train", "test"])
def test_all_labels_of_the_real_files_are_found(real_data: Path, split: str, size: int) -> None:
    for label, *formulas in read_rows(real_data / f"logic/{split}{size}.gz"):
        first, second = (evaluate(formula, COLUMNS, EVERYWHERE) for formula in formulas)
        assert relate(first, second) == label


# What is drawn.


@given(st.integers(0, 2**32))
def test_a_formula_has_the_truth_table_of_its_text(seed: int) -> None:
    formula = draw_formula(Dice(seed), "abdf")
    # Which bit stands for which valuation is the generator's own affair.
    assert formula.table == evaluate(formula.text, logic.TABLES, logic.ALWAYS)
    assert formula.table.bit_count() == len(worlds_of(formula.text))
    assert formula.operators == operators(formula.text)
    assert variables(formula.text) <= set("abdf")


@given(st.integers(0, 2**32))
def test_pairs_are_labelled_by_what_they_mean(seed: int) -> None:
    wanted = {0: 3, 2: 3, 5: 3, 8: 2}
    drawn = draw_pairs(Dice(seed), wanted)
    for size, count in wanted.items():
        assert len(set(drawn[size])) == len(drawn[size]) == count
        for relation, *formulas in drawn[size]:
            first, second = map(worlds_of, formulas)
            assert relation == relation_by_definition(first, second, set(range(64)))
            assert 0 < len(first) < 64
            assert 0 < len(second) < 64
            assert max(map(operators, formulas)) == size
            assert len(variables(*formulas)) <= 4


@pytest.mark.parametrize("size", [3, 6])
def test_drawn_pairs_are_like_the_real_ones(real_data: Path, size: int) -> None:
    # Both are the first that were found: which pairs are new changes as frequent ones run out.
    real = read_rows(real_data / f"logic/train{size}.gz")[:3_000]
    drawn = draw_pairs(Dice(1), {size: 3_000})[size]

    def measure(pairs: Any) -> dict[str, float]:
        labels = Counter(relation for relation, *_ in pairs)
        sides = [side for _, *formulas in pairs for side in formulas]
        words = Counter(word for side in sides for word in side.split())
        result = {relation: labels[relation] / len(pairs) for relation in LOGIC_RELATIONS}
        result |= {word: words[word] / len(pairs) / size for word in ("not", "and", "or")}
        result["smaller"] = sum(min(map(operators, two)) for _, *two in pairs) / len(pairs) / size
        result["variables"] = sum(len(variables(*two)) for _, *two in pairs) / len(pairs) / 4
        return result

    assert measure(drawn) == pytest.approx(measure(real), abs=0.025)


# Files.


@pytest.fixture
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train up to size 2, on fewer pairs than were published, which take too long for a test."""
    monkeypatch.setattr(logic, "PUBLISHED", (36, 60, 100))


@pytest.mark.usefixtures("fewer")
def test_small_pairs_are_split_and_larger_ones_test_only() -> None:
    files = draw_files(seed=2, largest=5, pairs=30)
    assert {name: len(pairs) for name, pairs in files.items()} == {
        **{"train0": 30, "train1": 51, "train2": 85, "test0": 6, "test1": 9, "test2": 15},
        **{"test3": 30, "test4": 30, "test5": 30},
    }
    pairs = [pair for some in files.values() for pair in some]
    assert len(set(pairs)) == len(pairs)


@pytest.mark.usefixtures("fewer")
def test_files_are_read_by_the_reader_of_logic(tmp_path: Path) -> None:
    generate(tmp_path, seed=3, largest=9, pairs=20)
    for name, pairs in draw_files(seed=3, largest=9, pairs=20).items():
        examples = list(read_examples(tmp_path / name))
        assert [example.label for example in examples] == [pair.relation for pair in pairs]
        assert all(example.is_parsed for example in examples)
        for example, pair in zip(examples, pairs, strict=True):
            assert to_brackets(*example.premise) == pair.first
            assert to_brackets(*example.hypothesis) == pair.second


@pytest.mark.usefixtures("fewer")
def test_equal_seeds_give_equal_bytes_on_every_machine(tmp_path: Path) -> None:
    generate(tmp_path, seed=5, largest=7, pairs=40)
    content = b"".join((tmp_path / f"test{size}").read_bytes() for size in range(8))
    assert hashlib.sha256(content).hexdigest() == (
        "cbf15b6bab8a341cf60f6512dafbde6f7ad9f326460f00af6b4b6a2eaa0de109"
    )
    generate(tmp_path, seed=6, largest=7, pairs=40)
    assert content != b"".join((tmp_path / f"test{size}").read_bytes() for size in range(8))


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"largest": -1}, "--largest is -1; it must be from 0 to 15"),
        ({"largest": 16}, "--largest is 16; it must be from 0 to 15"),
        ({"pairs": 0}, "--pairs is 0; it must be at least 1"),
        (
            {"largest": 6, "pairs": 9},
            "--pairs does nothing here; it belongs to --largest 7 or more",
        ),
    ],
)
def test_what_cannot_be_had_is_refused(tmp_path: Path, arguments: Any, cause: str) -> None:
    with pytest.raises(ConfigurationError, match=cause):
        generate(tmp_path / "made", **arguments)
    assert not (tmp_path / "made").exists()
