"""Labelled brackets; NLTK's trees are the oracle."""

from __future__ import annotations

import nltk
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_trees import SENTENCES, TREES, trees

from spinn.data.fragments.brackets import read_brackets, write_brackets
from spinn.data.fragments.tree import Tree, terminals_of
from spinn.transitions import TreeError


def converted(tree: nltk.Tree) -> Tree:
    """Return a tree of NLTK as one of this package."""
    children = (converted(one) if isinstance(one, nltk.Tree) else one for one in tree)
    return Tree(tree.label(), tuple(children))


@pytest.mark.parametrize("text", [*SENTENCES, "( (S (NP a)))", "(NP)", "(A (B) c (B d e))"])
def test_nltk_reads_the_same_tree(text):
    tree = read_brackets(text)
    assert tree == converted(nltk.Tree.fromstring(text))
    assert read_brackets(write_brackets(tree)) == tree


@given(trees(st.text("AB-$", min_size=1, max_size=2), st.text("ab'.", min_size=1, max_size=2)))
def test_nltk_reads_what_is_written_and_writes_what_is_read(tree: Tree):
    oracle = nltk.Tree.fromstring(write_brackets(tree))
    assert converted(oracle) == tree
    assert read_brackets(oracle.pformat()) == tree
    assert terminals_of(tree) == oracle.leaves()


@given(TREES)
def test_reading_inverts_writing(tree: Tree):
    text = write_brackets(tree)
    assert read_brackets(text) == tree
    assert "\n" not in text


def test_layout_does_not_matter():
    assert write_brackets(read_brackets(" ( S\n (NP  a)b )\t")) == "(S (NP a) b)"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "there are 0 trees"),
        ("dog", "outside the brackets"),
        ("(S a))", "no opening bracket"),
        ("(S (NP a)", "1 opening bracket"),
        ("(S a) (S b)", "there are 2 trees"),
        ("(S a) b", "outside the brackets"),
    ],
)
def test_bad_brackets_are_refused(text, cause):
    with pytest.raises(TreeError, match=cause):
        read_brackets(text)


@pytest.mark.parametrize(
    "tree",
    [
        Tree("A B", ()),
        Tree("A", ("(",)),
        Tree("A", ("",)),
        Tree("A", ("a b",)),
        Tree("", ("a",)),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tree):
    with pytest.raises(TreeError, match=r"cannot be written|reads as a label"):
        write_brackets(tree)


def test_brackets_may_be_deep():
    text = "(A " * 20_000 + "x" + ")" * 20_000
    assert write_brackets(read_brackets(text)) == text
