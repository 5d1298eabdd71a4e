"""Labelled trees in the Penn Treebank's brackets: ``(ROOT (NP (DT a) (NN dog)))``.

Binary trees without labels are the subject of :mod:`spinn.transitions`.
"""

from __future__ import annotations

from spinn.data.fragments.tree import Tree
from spinn.transitions import TreeError, tokens_of


def read_brackets(text: str) -> Tree:
    """Read a labelled tree.

    The first word in brackets is the label of the node; it may be missing if a bracket follows, as
    around the sentences of the Penn Treebank.

    Raises
    ------
    TreeError
        If brackets do not match, or there is not exactly one tree.

    """
    tokens = tokens_of(text.replace("(", " ( ").replace(")", " ) "))
    labels: list[str] = []  # of the open nodes
    children: list[list[Tree | str]] = [[]]  # of the open nodes, after the trees that are complete
    expects_label = False
    for token in tokens:
        if token == "(":
            if expects_label:
                labels.append("")
            children.append([])
            expects_label = True
            continue
        if expects_label:
            labels.append("" if token == ")" else token)
            expects_label = False
            if token != ")":
                continue
        if token == ")":
            if not labels:
                raise TreeError("a closing bracket has no opening bracket")
            node = Tree(labels.pop(), tuple(children.pop()))
            children[-1].append(node)
        elif labels:
            children[-1].append(token)
        else:
            raise TreeError(f"the word {token!r} is outside the brackets")
    if len(children) > 1:
        raise TreeError(f"{len(children) - 1} opening bracket(s) are never closed")
    if len(children[0]) != 1:
        raise TreeError(f"there are {len(children[0])} trees where one is required")
    tree = children[0][0]
    assert isinstance(tree, Tree)
    return tree


def write_brackets(tree: Tree) -> str:
    """Write a labelled tree on one line; the inverse of :func:`read_brackets`.

    Raises
    ------
    TreeError
        If it could not be read back: a label or a terminal contains a bracket or a blank, a
        terminal is empty, or a node without a label begins with a terminal.

    """
    parts: list[str] = []
    agenda: list[Tree | str] = [tree]
    close = ")"  # stands for itself: a terminal cannot be a bracket
    while agenda:
        node = agenda.pop()
        if node is close:
            parts.append(")")
        elif isinstance(node, Tree):
            first = node.children[0] if node.children else None
            if node.type:
                _check(node.type)
            elif isinstance(first, str):
                raise TreeError(f"the terminal {first!r} of a node without label reads as a label")
            parts.append(f" ({node.type}")
            agenda += [close, *reversed(node.children)]
        else:
            _check(node)
            parts.append(f" {node}")
    return "".join(parts).lstrip()


def _check(word: str) -> None:
    """Raise :class:`TreeError` if a label or terminal cannot be written in brackets."""
    if "(" in word or ")" in word or tokens_of(word) != [word]:
        raise TreeError(f"{word!r} cannot be written in brackets")
