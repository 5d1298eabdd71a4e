"""Logic: relations, and brackets as words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import read, write

from spinn.data.formats.logic import spell_brackets
from spinn.support.errors import DataError
from spinn.transitions import from_brackets, random_uniform, to_brackets


@pytest.mark.parametrize("relation", ["=", "<", ">", "|", "^", "v", "#"])
def test_logic_knows_seven_relations(tmp_path, relation):
    path = write(tmp_path / "f", f"{relation}\ta\t( not ( b ( or c ) ) )")
    (example,) = read(path)
    assert example.label == relation
    assert example.premise.words == ["a"]
    assert example.premise.transitions.tolist() == [3]
    assert example.hypothesis.words == ["not", "b", "or", "c"]


def test_the_brackets_of_formulas_can_be_words(tmp_path):
    path = write(tmp_path / "f", "=\ta\t( not ( b ( or c ) ) )", "=\t( b )\ta")
    first, second = read(path, "logic-brackets")
    assert first.premise.words == ["a"]
    words = "-LRB- not -LRB- b -LRB- or c -RRB- -RRB- -RRB-"
    assert first.hypothesis.words == words.split()
    inner = "( ( ( -LRB- or ) c ) -RRB- )"
    middle = f"( ( ( -LRB- b ) {inner} ) -RRB- )"
    tree = to_brackets(first.hypothesis.words, first.hypothesis.transitions)
    assert tree == f"( ( ( -LRB- not ) {middle} ) -RRB- )"
    assert second.premise.words == ["b"]
    bad = write(tmp_path / "bad", "=\ta\tb", "=\ta\t( b c d )")
    with pytest.raises(DataError, match="bad, line 2: the hypothesis is not a binary tree"):
        read(bad, "logic-brackets")


@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_spelt_brackets_have_the_tree_they_spell(count, seed):
    random = np.random.default_rng(seed)
    (transitions,) = random_uniform(np.array([count]), random).T
    text = to_brackets([f"w{number}" for number in range(count)], transitions)
    words, spelt = from_brackets(spell_brackets(text))
    as_text = text.replace("(", "-LRB-").replace(")", "-RRB-").split()
    assert words == as_text
    # Without the brackets' words every node is a node of the tree again.
    plain = to_brackets(words, spelt).replace("-LRB-", "").replace("-RRB-", "").split()
    assert drop_single(plain) == text.split()


def drop_single(tokens: list[str]) -> list[str]:
    """Take away brackets around a single child (or none)."""
    stack: list[list[list[str]]] = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")":
            children = stack.pop()
            if len(children) > 1:
                children = [["(", *(word for child in children for word in child), ")"]]
            stack[-1] += children
        else:
            stack[-1].append([token])
    (only,) = stack[0]
    return only
