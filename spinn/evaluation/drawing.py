"""Drawings of trees in plain text, as printed by ``spinn predict``.

The tree grows from left to right: the root is leftmost, and each word has a line, in reading
order::

    ┬─┬──── the
    │ └──── dog
    └─┬──── chased
      └─┬── a
        └── cat

Drawings do not exceed a given width. For deep trees the columns per level are reduced first; then
subtrees that are still too deep are drawn separately. All functions are iterative.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import NamedTuple

from spinn.support.errors import ConfigurationError
from spinn.support.text import columns, printable
from spinn.transitions import TransitionArray, check, fold

MINIMUM_WIDTH = 24
_SIGNS_A_COLUMN = 10  # more combining characters on one are left out


class _Signs(NamedTuple):
    """The characters of a drawing."""

    node: str
    last: str
    down: str
    across: str
    cut: str


_BOX = _Signs(node="┬", last="└", down="│", across="─", cut="…")
SIGNS = "".join(_BOX)
"""The characters beyond ASCII in drawings."""
_ASCII = _Signs(node="+", last="`", down="|", across="-", cut="~")


class _Tree(NamedTuple):
    """Nodes by number: the N words first, then the composed nodes, the root last."""

    children: list[tuple[int, int]]  # entry i belongs to node N + i
    height: list[int]  # of every node; words have height 0
    words: list[str]


def draw_tree(
    words: Sequence[str],
    transitions: Sequence[int] | TransitionArray,
    width: int | None = 80,
    *,
    ascii_only: bool = False,
) -> str:
    """Draw a tree, one word per line.

    Parameters
    ----------
    words
        The N words.
    transitions
        The tree, ``[2N - 1]``.
    width
        Maximum number of columns; ``None`` sets no limit. If a tree is too deep, a mark like
        ``[1]`` replaces a subtree, which is drawn below under the same mark. Words longer than a
        third of the width are truncated.
    ascii_only
        Draw with ``+ | ` -`` instead of box characters, for terminals without Unicode.

    Raises
    ------
    TreeError
        If the transitions are not a tree over these words.
    ConfigurationError
        If the width is below 24 columns.

    """
    if width is not None and width < MINIMUM_WIDTH:
        raise ConfigurationError(
            f"A tree cannot be drawn in {width} columns; use at least {MINIMUM_WIDTH}."
        )
    signs = _ASCII if ascii_only else _BOX
    check(transitions, len(words))
    words = list(map(printable, words))
    if width is not None:
        words = [_shorten(word, width // 3, signs.cut) for word in words]
    tree = _build(words, transitions)
    step, levels = _spacing(tree, width)
    drawings = []
    waiting = deque([len(tree.height) - 1])  # roots of the remaining drawings
    marks = 0
    while waiting:
        drawing, deeper = _draw(tree, waiting.popleft(), step, levels, signs, marks)
        drawings.append(drawing)
        waiting += deeper
        marks += len(deeper)
    titles = ["", *(f"[{mark}]\n" for mark in range(1, len(drawings)))]
    return "\n\n".join(title + text for title, text in zip(titles, drawings, strict=True))


def _build(words: Sequence[str], transitions: Sequence[int] | TransitionArray) -> _Tree:
    """Assign numbers to nodes and find their children and heights."""
    children: list[tuple[int, int]] = []
    height = [0] * len(words)

    def compose(left: int, right: int) -> int:
        children.append((left, right))
        height.append(1 + max(height[left], height[right]))
        return len(height) - 1

    fold(range(len(words)), transitions, compose)
    return _Tree(children, height, list(words))


def _spacing(tree: _Tree, width: int | None) -> tuple[int, int]:
    """Return the columns per level (2, or 1 if the width is too small), and the levels to draw."""
    height = tree.height[-1]
    if width is None:
        return 2, height
    room = width - 2 - max(columns(word) for word in tree.words)
    if 2 * height <= room:
        return 2, height
    if height > room:  # marks take the place of words
        room = min(room, width - 2 - len(f"[{len(tree.words)}]"))
    return 1, room


def _draw(
    tree: _Tree, root: int, step: int, levels: int, signs: _Signs, marks: int
) -> tuple[str, list[int]]:
    """Draw the subtree of ``root``, at most ``levels`` deep.

    Returns
    -------
    The drawing, and the nodes replaced by marks; marks are numbered from ``marks + 1``.

    """
    rows: list[tuple[str, str]] = []  # the lines to the left of a word, and the word
    deeper: list[int] = []
    gap, dash = " " * (step - 1), signs.across * (step - 1)
    # Entries are a node, the prefix of its first row and the prefix of its other rows.
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


def _shorten(word: str, width: int, cut: str) -> str:
    """Truncate a word to a number of columns, ending in the sign ``cut``."""
    word = word[: _SIGNS_A_COLUMN * width]
    if columns(word) <= width:
        return word
    ends = accumulate(map(columns, word))
    return word[: sum(1 for end in takewhile(lambda end: end <= width - 1, ends))] + cut
