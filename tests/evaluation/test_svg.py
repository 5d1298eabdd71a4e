"""Drawings of trees as SVG: well-formed, escaped, without crossings, and fast."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinn.evaluation.svg import draw_svg
from spinn.transitions import (
    TreeError,
    balanced,
    from_brackets,
    left_branching,
    random_uniform,
    right_branching,
    to_spans,
)

SVG = "{http://www.w3.org/2000/svg}"
BAR = re.compile(r"M([\d.]+) (\d+)V(\d+)H([\d.]+)V(\d+)")


def drawn(words, transitions):
    return ElementTree.fromstring(draw_svg(words, transitions))


def words_of(svg):
    return [text.text for text in svg.iter(f"{SVG}text")]


def bars_of(svg):
    """Return (left, bottom of left, top, right, bottom of right) of each composed node."""
    (path,) = svg.iter(f"{SVG}path")
    return [tuple(map(float, bar)) for bar in BAR.findall(path.get("d"))]


def test_the_words_are_in_a_line_from_left_to_right():
    words, tree = from_brackets("( ( the dog ) ( chased ( a cat ) ) )")
    svg = drawn(words, tree)
    assert words_of(svg) == words
    places = [(float(t.get("x")), t.get("y")) for t in svg.iter(f"{SVG}text")]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert len({y for _, y in places}) == 1
    assert all(part.get("fill") in (None, "none", "currentColor") for part in svg.iter())


@given(st.integers(1, 12), st.integers(0, 1000))
@settings(max_examples=30)
def test_a_bar_joins_the_two_children_of_each_node(length, seed):
    tree = random_uniform(np.array([length]), np.random.default_rng(seed))[:, 0]
    svg = drawn([f"w{number}" for number in range(length)], tree)
    width, height = map(float, svg.get("viewBox").split()[2:])
    centres = [float(text.get("x")) for text in svg.iter(f"{SVG}text")]
    bars = bars_of(svg)
    assert len(bars) == length - 1
    for (left, low, top, right, other), (start, end) in zip(bars, to_spans(tree), strict=True):
        assert centres[start] <= left < right <= centres[end - 1]
        assert 0 < top < min(low, other) < height
        assert right < width
    # A node is above the nodes within it, and beside all others: bars cannot cross.
    for bar, (start, end) in zip(bars, to_spans(tree), strict=True):
        for other, (first, last) in zip(bars, to_spans(tree), strict=True):
            if start <= first and last <= end and (start, end) != (first, last):
                assert bar[2] < other[2]


def test_words_stay_text_whatever_they_are():
    words = ["<script>alert(1)</script>", "a&b", '"', "]]>", "\x00", "\x1b[1m", "\ufffe", "語"]
    svg = drawn(words, right_branching(len(words)))
    assert words_of(svg) == [*words[:4], "\\x00", "\\x1b[1m", "\\ufffe", "語"]
    assert not list(svg.iter(f"{SVG}script"))


def test_one_word_has_no_bar():
    svg = drawn(["Yes"], [3])
    assert (words_of(svg), bars_of(svg)) == (["Yes"], [])


@pytest.mark.parametrize("shape", [left_branching, right_branching, balanced])
def test_long_sentences_are_drawn_without_recursion(shape):
    svg = drawn(["w"] * 20_000, shape(20_000))
    assert len(bars_of(svg)) == 19_999


def test_what_is_not_a_tree_is_refused():
    with pytest.raises(TreeError, match="words"):
        draw_svg(["a", "b"], [3])
