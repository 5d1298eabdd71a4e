"""Drawings of trees as SVG, for notebooks and web pages.

The words are in a line, left to right, and each composed node is a bar above its two children. Bars
of different nodes never cross: nodes cover separate ranges of words, and a node is higher than its
children. Lines and words have the colour of the surrounding text, so a drawing can be read on light
and on dark pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from spinn.support.text import columns, printable
from spinn.transitions import Transitions, check, fold

_FONT = 14  # pixels
_COLUMN = 8.5  # width of a character of the monospaced font
_GAP = 16  # between two words
_LEVEL = 22  # between two heights
_MARGIN = 8
# A separate document, as in an <img>, has no surrounding text whose colour it could take.
_STYLE = "@media (prefers-color-scheme: dark) { svg:root { color: #ddd } }"


class _Node(NamedTuple):
    """A node's horizontal position in pixels, and its height in levels."""

    x: float
    height: int


def draw_svg(words: Sequence[str], transitions: Transitions) -> str:
    """Draw a tree as an SVG element, in time linear in the number of words.

    Parameters
    ----------
    words
        The N words.
    transitions
        The tree, ``[2N - 1]``.

    Raises
    ------
    TreeError
        If the transitions are not a tree over these words.

    """
    check(transitions, len(words))
    texts = list(map(printable, words))
    centres, width = _places(texts)
    bars, height = _bars(centres, transitions)
    top, base = _MARGIN, _MARGIN + height * _LEVEL
    lines = "".join(
        f"M{left.x:.1f} {base - left.height * _LEVEL}V{base - level * _LEVEL}"
        f"H{right.x:.1f}V{base - right.height * _LEVEL}"
        for left, right, level in bars
    )
    total = base + _FONT + 4 + top
    labels = "".join(
        f'<text x="{x:.1f}" y="{base + _FONT + 2}">{escape(text)}</text>'
        for x, text in zip(centres, texts, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {total}" '
        f'width="{width:.0f}" height="{total}" style="max-width:100%;height:auto" role="img">'
        f"<style>{_STYLE}</style>"
        f'<path d="{lines}" fill="none" stroke="currentColor" stroke-width="1.2"/>'
        f'<g fill="currentColor" font-family="monospace" font-size="{_FONT}" '
        f'text-anchor="middle">{labels}</g></svg>'
    )


def _places(words: Sequence[str]) -> tuple[list[float], float]:
    """Return the centre of each word, and the width of the drawing."""
    centres, end = [], float(_MARGIN)
    for word in words:
        width = max(1, columns(word)) * _COLUMN
        centres.append(end + width / 2)
        end += width + _GAP
    return centres, end - _GAP + _MARGIN


def _bars(
    centres: Sequence[float], transitions: Transitions
) -> tuple[list[tuple[_Node, _Node, int]], int]:
    """Return the two children and the height of each composed node, and the height of the tree."""
    bars: list[tuple[_Node, _Node, int]] = []

    def compose(left: _Node, right: _Node) -> _Node:
        height = 1 + max(left.height, right.height)
        bars.append((left, right, height))
        return _Node((left.x + right.x) / 2, height)

    root = fold((_Node(centre, 0) for centre in centres), transitions, compose)
    return bars, root.height
