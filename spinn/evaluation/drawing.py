"""Trees drawn in plain text, for people who look at what a model parsed.

The tree lies on its side: one word a line, in reading order, and the nodes to the left of the words
they cover, the root leftmost::

    ┬─┬──── the
    │ └──── dog
    └─┬──── chased
      └─┬── a
        └── cat

The predict command prints these. A drawing keeps to a given width whatever the tree: levels move
closer together first, and subtrees that are still too deep become drawings of their own. Nothing
here recurses.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spinn.errors import ConfigurationError
from spinn.transitions import Transition, TransitionArray, check

MINIMUM_WIDTH = 24


class _Signs(NamedTuple):
    """The characters that a drawing is made of."""

    node: str
    last: str
    down: str
    across: str
    cut: str


_BOX = _Signs(node="┬", last="└", down="│", across="─", cut="…")
_ASCII = _Signs(node="+", last="`", down="|", across="-", cut="~")


class _Tree(NamedTuple):
    """Nodes by number: the N words first, then the composed nodes, the root last."""

    children: list[tuple[int, int]]  # of node N + i
    height: list[int]  # of every node; a word has 0
    words: list[str]


def draw_tree(
    words: Sequence[str],
    transitions: Sequence[int] | TransitionArray,
    width: int | None = 80,
    *,
    ascii_only: bool = False,
) -> str:
    """Draw a tree on its side, one word a line.

    Parameters
    ----------
    words
        The N words.
    transitions
        The tree, ``[2N - 1]``.
    width
        The columns that no line may exceed; ``None`` sets no limit. Where a tree is too deep for
        them, a mark like ``[1]`` stands for a subtree that is drawn below under the same mark, and
        a word that takes more than a third of the width is cut short.
    ascii_only
        Draw with ``+ | ` -`` in place of box characters, for terminals without Unicode.

    Raises
    ------
    TreeError
        If the transitions are not a tree over these words.
    ConfigurationError
        If the width is below 24 columns.

    """
    if width is not None and width < MINIMUM_WIDTH:
        raise ConfigurationError(
            f"A tree cannot be drawn in {width} columns; give it at least {MINIMUM_WIDTH}."
        )
    signs = _ASCII if ascii_only else _BOX
    check(transitions, len(words))
    if width is not None:
        words = [_shorten(word, width // 3, signs.cut) for word in words]
    tree = _build(words, transitions)
    step, levels = _spacing(tree, width)
    drawings = []
    waiting = deque([len(tree.height) - 1])  # roots of the drawings still to make
    marks = 0
    while waiting:
        drawing, deeper = _draw(tree, waiting.popleft(), step, levels, signs, marks)
        drawings.append(drawing)
        waiting += deeper
        marks += len(deeper)
    titles = ["", *(f"[{mark}]\n" for mark in range(1, len(drawings)))]
    return "\n\n".join(title + text for title, text in zip(titles, drawings, strict=True))


def _build(words: Sequence[str], transitions: Sequence[int] | TransitionArray) -> _Tree:
    """Give every node its number and find its children and height."""
    children: list[tuple[int, int]] = []
    height = [0] * len(words)
    stack: list[int] = []
    position = 0
    for transition in np.asarray(transitions).tolist():
        if transition == Transition.SHIFT:
            stack.append(position)
            position += 1
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(len(height))
            children.append((left, right))
            height.append(1 + max(height[left], height[right]))
    return _Tree(children, height, list(words))


def _spacing(tree: _Tree, width: int | None) -> tuple[int, int]:
    """Choose the columns a level takes (1 where there is no room for 2), and how many are drawn."""
    height = tree.height[-1]
    if width is None:
        return 2, height
    room = width - 2 - max(_columns(word) for word in tree.words)
    if 2 * height <= room:
        return 2, height
    if height > room:  # marks will be written where words are
        room = min(room, width - 2 - len(f"[{len(tree.words)}]"))
    return 1, room


def _draw(
    tree: _Tree, root: int, step: int, levels: int, signs: _Signs, marks: int
) -> tuple[str, list[int]]:
    """Draw the subtree of ``root``, at most ``levels`` deep.

    Returns
    -------
    The drawing, and the nodes for which it holds a mark; the marks are numbered on from ``marks``.

    """
    rows: list[tuple[str, str]] = []  # the lines to the left of a word, and the word
    deeper: list[int] = []
    gap, dash = " " * (step - 1), signs.across * (step - 1)
    # Each entry: a node, what its first line begins with, and what its further lines begin with.
    agenda = [(root, "", "")]
    while agenda:
        node, first, further = agenda.pop()
        if node < len(tree.words):
            rows.append((first, tree.words[node]))
        elif len(first) == levels * step:
            deeper.append(node)
            rows.append((first, f"[{marks + len(deeper)}]"))
        else:
            left, right = tree.children[node - len(tree.words)]
            agenda.append((right, further + signs.last + dash, further + " " + gap))
            agenda.append((left, first + signs.node + dash, further + signs.down + gap))
    column = max(len(lines) for lines, _ in rows)
    text = "\n".join(
        f"{lines.ljust(column, signs.across)}{signs.across} {word}" for lines, word in rows
    )
    return text, deeper


def _columns(text: str) -> int:
    """Count the terminal columns a text takes: wide characters have two, combining ones none."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def _shorten(word: str, width: int, cut: str) -> str:
    """Cut a word to a number of columns, and mark the cut."""
    if _columns(word) <= width:
        return word
    while _columns(word) > width - 1:
        word = word[:-1]
    return word + cut
