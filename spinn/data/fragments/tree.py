"""Labelled trees, and the same trees as sequences of fragments in pre-order.

A fragment is a node whose children are pruned to their types; terminals stay. The tree
``(NP (DT a) (NN dog))`` has the fragments ``NP -> DT NN``, ``DT -> "a"`` and ``NN -> "dog"``. In
pre-order, each fragment fills the slot that the fragments before it leave open next, so the
sequence alone determines the tree. All functions are iterative: the depth of a tree is not limited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from spinn.transitions import TreeError


class Tree(NamedTuple):
    """A node of a labelled tree, with all below it.

    Attributes
    ----------
    type
        The label of the node.
    children
        Nodes and terminals (text), in order.

    """

    type: str
    children: tuple[Tree | str, ...]


class Slot(NamedTuple):
    """The place of a child that was pruned to its type."""

    type: str


Child: TypeAlias = Slot | str


class Fragment(NamedTuple):
    """A node with its children pruned.

    Attributes
    ----------
    type
        The label of the node.
    children
        Slots and terminals (text), in order.

    """

    type: str
    children: tuple[Child, ...]

    @property
    def slots(self) -> list[str]:
        """The types of the slots, in order."""
        return [child.type for child in self.children if isinstance(child, Slot)]

    def __str__(self) -> str:
        children = (child.type if isinstance(child, Slot) else repr(child) for child in self[1])
        return f"{self.type} -> {' '.join(children)}".rstrip()


class OpenSlot(NamedTuple):
    """A slot to fill.

    Attributes
    ----------
    parent
        The position, in the sequence, of the fragment that has the slot; -1 for the root.
    type
        The type of the fragment that fills it.

    """

    parent: int
    type: str


class OpenSlots:
    """The stack of the slots that a beginning of a sequence leaves open.

    Parameters
    ----------
    root
        The type of the root.

    """

    def __init__(self, root: str) -> None:
        self._stack = [OpenSlot(-1, root)]
        self._filled = 0

    def __bool__(self) -> bool:
        return bool(self._stack)

    @property
    def types(self) -> list[str]:
        """The types of all open slots; the last is filled next."""
        return [slot.type for slot in self._stack]

    @property
    def next(self) -> OpenSlot:
        """The slot that the next fragment fills."""
        return self._stack[-1]

    def fill(self, fragment: Fragment) -> OpenSlot:
        """Fill the next slot and open those of the fragment; return the slot.

        Raises
        ------
        TreeError
            If no slot is open, or the next one has another type.

        """
        if not self._stack:
            raise TreeError(f"the fragment {fragment} follows a complete tree")
        slot = self._stack.pop()
        if slot.type != fragment.type:
            raise TreeError(f"the fragment {fragment} fills a slot of type {slot.type}")
        self._stack += [OpenSlot(self._filled, type) for type in reversed(fragment.slots)]
        self._filled += 1
        return slot


def prune(tree: Tree) -> Fragment:
    """Return the fragment of the root of a tree."""
    return Fragment(
        tree.type,
        tuple(Slot(child.type) if isinstance(child, Tree) else child for child in tree.children),
    )


def nodes_of(tree: Tree) -> Iterator[Tree]:
    """Yield the nodes of a tree in pre-order."""
    agenda = [tree]
    while agenda:
        node = agenda.pop()
        yield node
        agenda += [child for child in reversed(node.children) if isinstance(child, Tree)]


def fragments_of(tree: Tree) -> list[Fragment]:
    """Return the fragments of a tree in pre-order."""
    return [prune(node) for node in nodes_of(tree)]


def tree_of(fragments: Sequence[Fragment]) -> Tree:
    """Return the tree of a sequence of fragments; the inverse of :func:`fragments_of`.

    Raises
    ------
    TreeError
        If the sequence is not one complete tree.

    """
    open_slots(fragments)
    built: list[Tree] = []  # complete trees; the last is the first one behind the fragment
    for fragment in reversed(fragments):
        children = tuple(
            built.pop() if isinstance(child, Slot) else child for child in fragment.children
        )
        built.append(Tree(fragment.type, children))
    return built[0]


def open_slots(fragments: Sequence[Fragment]) -> list[OpenSlot]:
    """Return the slot that each fragment of a sequence fills.

    Raises
    ------
    TreeError
        If the sequence is not one complete tree.

    """
    if not fragments:
        raise TreeError("there are no fragments")
    slots = OpenSlots(fragments[0].type)
    filled = [slots.fill(fragment) for fragment in fragments]
    if slots:
        raise TreeError(f"the fragments end before a slot of type {slots.next.type} is filled")
    return filled


def terminals_of(tree: Tree) -> list[str]:
    """Return the terminals of a tree from left to right."""
    terminals: list[str] = []
    agenda: list[Tree | str] = [tree]
    while agenda:
        node = agenda.pop()
        if isinstance(node, Tree):
            agenda += reversed(node.children)
        else:
            terminals.append(node)
    return terminals


def lower(fragments: Iterable[Fragment]) -> list[Fragment]:
    """Return fragments with their terminals in lower case."""
    return [
        Fragment(
            fragment.type,
            tuple(
                child if isinstance(child, Slot) else child.lower() for child in fragment.children
            ),
        )
        for fragment in fragments
    ]
