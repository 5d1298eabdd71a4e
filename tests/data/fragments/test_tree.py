"""Labelled trees and fragments are the same thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_trees import SENTENCES, TREES

from spinn.data.fragments.brackets import read_brackets
from spinn.data.fragments.tree import (
    Fragment,
    OpenSlot,
    OpenSlots,
    Slot,
    Tree,
    fragments_of,
    lower,
    open_slots,
    terminals_of,
    tree_of,
)
from spinn.transitions import TreeError


def test_children_are_pruned_to_their_types_and_terminals_stay():
    fragments = fragments_of(read_brackets("(NP (DT A) (NN dog) !)"))
    assert fragments == [
        Fragment("NP", (Slot("DT"), Slot("NN"), "!")),
        Fragment("DT", ("A",)),
        Fragment("NN", ("dog",)),
    ]
    assert str(fragments[0]) == "NP -> DT NN '!'"
    assert lower(fragments)[1] == Fragment("DT", ("a",))


def test_each_fragment_has_a_parent_and_the_type_of_its_slot():
    fragments = fragments_of(read_brackets(SENTENCES[0]))
    parents = [-1, 0, 1, 2, 2, 1, 5, 1]
    types = ["ROOT", "S", "NP", "DT", "NN", "VP", "VBZ", "."]
    assert open_slots(fragments) == list(map(OpenSlot, parents, types))


@given(TREES)
def test_fragments_determine_the_tree(tree: Tree):
    fragments = fragments_of(tree)
    assert tree_of(fragments) == tree
    assert [slot.type for slot in open_slots(fragments)] == [one.type for one in fragments]
    assert sorted(terminals_of(tree)) == sorted(
        child for one in fragments for child in one.children if isinstance(child, str)
    )


@given(TREES)
def test_parents_are_those_of_the_tree(tree: Tree):
    expected: list[int] = []

    def visit(node: Tree, parent: int) -> None:
        expected.append(parent)
        number = len(expected) - 1
        for child in node.children:
            if isinstance(child, Tree):
                visit(child, number)

    visit(tree, -1)
    assert [slot.parent for slot in open_slots(fragments_of(tree))] == expected


@given(TREES, st.data())
def test_what_is_not_one_tree_is_refused(tree: Tree, data: st.DataObject):
    fragments = fragments_of(tree)
    cut = data.draw(st.integers(0, len(fragments) - 1))
    with pytest.raises(TreeError, match=r"no fragments|end before a slot"):
        tree_of(fragments[:cut])
    with pytest.raises(TreeError, match="follows a complete tree"):
        tree_of(fragments + fragments)


def test_fragment_of_another_type_is_refused():
    slots = OpenSlots("A")
    slots.fill(Fragment("A", (Slot("B"), Slot("C"))))
    assert (slots.next, slots.types) == (OpenSlot(0, "B"), ["C", "B"])
    with pytest.raises(TreeError, match="C -> 'x' fills a slot of type B"):
        slots.fill(Fragment("C", ("x",)))


def test_trees_may_be_deep():
    depth = 20_000
    chain = [Fragment("A", (Slot("A"),))] * depth + [Fragment("A", ("x",))]
    assert fragments_of(tree_of(chain)) == chain
    assert terminals_of(tree_of(chain)) == ["x"]
