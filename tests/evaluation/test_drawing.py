"""Drawings of trees, sign by sign."""

from __future__ import annotations

import unicodedata
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.evaluation.drawing import draw_tree
from spinn.support.errors import ConfigurationError
from spinn.transitions import (
    TreeError,
    balanced,
    from_brackets,
    left_branching,
    random_uniform,
    right_branching,
)


def drawing(text: str) -> str:
    return dedent(text).strip("\n")


def words_for(length: int) -> list[str]:
    return [f"w{number}" for number in range(length)]


def test_one_word():
    assert draw_tree(["Yes"], [3]) == "─ Yes"


def test_two_words():
    assert draw_tree(["a", "dog"], [3, 3, 2]) == "┬── a\n└── dog"


def test_a_sentence():
    words, steps = from_brackets("( ( the dog ) ( chased ( a cat ) ) )")
    assert draw_tree(words, steps) == drawing("""
        ┬─┬──── the
        │ └──── dog
        └─┬──── chased
          └─┬── a
            └── cat
        """)


def test_a_sentence_in_ascii():
    words, steps = from_brackets("( ( a dog ) ( runs . ) )")
    assert draw_tree(words, steps, ascii_only=True) == drawing("""
        +-+-- a
        | `-- dog
        `-+-- runs
          `-- .
        """)


def test_levels_move_closer_where_room_is_short():
    assert draw_tree(words_for(12), right_branching(12), 24).splitlines()[:3] == [
        "┬─────────── w0",
        "└┬────────── w1",
        " └┬───────── w2",
    ]
    assert draw_tree(words_for(12), right_branching(12), 40).splitlines()[:3] == [
        "┬────────────────────── w0",
        "└─┬──────────────────── w1",
        "  └─┬────────────────── w2",
    ]


def test_subtrees_too_deep_become_drawings_of_their_own():
    words = ["deepest", *words_for(20)[1:]]  # leaves 15 of the 24 columns to the levels
    assert draw_tree(words, left_branching(20), 24) == drawing("""
        ┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬─ [1]
        ││││││││││││││└─ w5
        │││││││││││││└── w6
        ││││││││││││└─── w7
        │││││││││││└──── w8
        ││││││││││└───── w9
        │││││││││└────── w10
        ││││││││└─────── w11
        │││││││└──────── w12
        ││││││└───────── w13
        │││││└────────── w14
        ││││└─────────── w15
        │││└──────────── w16
        ││└───────────── w17
        │└────────────── w18
        └─────────────── w19

        [1]
        ┬┬┬┬─ deepest
        │││└─ w1
        ││└── w2
        │└─── w3
        └──── w4
        """)


def test_marks_count_on_from_drawing_to_drawing():
    lines = draw_tree(words_for(60), right_branching(60), 24).splitlines()
    assert [line for line in lines if line.startswith("[")] == ["[1]", "[2]", "[3]"]
    assert [line.split()[-1] for line in lines if line.endswith("]") and "─" in line] == [
        "[1]",
        "[2]",
        "[3]",
    ]
    shown = [line.split()[-1] for line in lines if " w" in line]
    assert shown == words_for(60)  # a right-branching tree is drawn in reading order


def test_a_width_of_none_sets_no_limit():
    lines = draw_tree(words_for(60), right_branching(60), None).splitlines()
    assert len(lines) == 60
    assert len(lines[0]) > 2 * 59


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in line)


@given(
    st.integers(1, 90),
    st.integers(24, 90),
    st.sampled_from([0, 1, 2]),
    st.sampled_from(["w", "語"]),
)
def test_no_line_exceeds_the_width_and_every_word_is_there(
    length: int, width: int, shape: int, letter: str
):
    make = (left_branching, right_branching, balanced)[shape]
    words = [letter * (1 + 7 * (number % 3)) for number in range(length)]
    lines = draw_tree(words, make(length), width).splitlines()
    assert max(map(columns, lines)) <= width
    drawn = [line.split()[-1] for line in lines if line and not line.startswith("[")]
    shown = [word for word in drawn if not word.startswith("[")]
    assert len(shown) == length
    assert sum(word.startswith("[") for word in drawn) == sum(
        line.startswith("[") for line in lines
    )


def read_drawing(text: str) -> str:
    """Read a drawing back as brackets, by recursion from the columns of its signs."""
    lines = [line.rsplit(" ", 1) for line in text.splitlines()]
    return _read(lines, 0, len(lines), 0)


def _read(lines: list[list[str]], start: int, end: int, column: int) -> str:
    if end - start == 1:
        return lines[start][1]
    opened = column
    while lines[start][0][opened] != "┬":
        opened += 1
    middle = next(row for row in range(start + 1, end) if lines[row][0][opened] == "└")
    left = _read(lines, start, middle, opened + 1)
    return f"( {left} {_read(lines, middle, end, opened + 1)} )"


@given(st.integers(1, 40), st.integers(0, 2**32), st.sampled_from([80, None]))
def test_a_drawing_can_be_read_back(length: int, seed: int, width: int | None):
    steps = random_uniform(np.array([length]), np.random.default_rng(seed))[:, 0]
    words, found = from_brackets(read_drawing(draw_tree(words_for(length), steps, width)))
    assert words == words_for(length)
    assert found.tolist() == steps.tolist()


def test_words_of_more_than_a_third_of_the_width_are_cut():
    assert draw_tree(["a" * 30, "b"], [3, 3, 2], 30) == "┬── aaaaaaaaa…\n└── b"
    assert draw_tree(["a" * 30, "b"], [3, 3, 2], 30, ascii_only=True) == "+-- aaaaaaaaa~\n`-- b"
    assert "a" * 30 in draw_tree(["a" * 30, "b"], [3, 3, 2], None)
    assert draw_tree(["語" * 9], [3], 30) == "─ 語語語語…"


@pytest.mark.parametrize("shape", [left_branching, right_branching])
def test_thousands_of_words_are_drawn_without_recursion(shape):
    lines = draw_tree(words_for(20_000), shape(20_000)).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(" w" in line for line in lines) == 20_000


def test_a_terminal_too_narrow_is_refused():
    with pytest.raises(ConfigurationError, match="in 10 columns; use at least 24"):
        draw_tree(["a"], [3], 10)


def test_transitions_that_are_no_tree_over_the_words_are_refused():
    with pytest.raises(TreeError, match="2 words where the sentence has 1"):
        draw_tree(["a"], [3, 3, 2])


def test_a_word_cannot_move_the_cursor():
    assert draw_tree(["a\x1b[2J", "b"], left_branching(2)).splitlines()[0].endswith(r" a\x1b[2J")


def test_words_of_any_length_are_truncated_quickly():
    lines = draw_tree(["a" * 1_000_000, "語" * 1_000_000], [3, 3, 2], 30).splitlines()
    assert lines == ["┬── aaaaaaaaa…", "└── 語語語語…"]
    lines = draw_tree(["e" + "\u0301" * 1_000_000, "b"], [3, 3, 2], 30).splitlines()
    assert len(lines[0]) < 200
