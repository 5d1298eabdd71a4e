"""Text from files in messages and tables."""

from __future__ import annotations

import pytest

from spinn.support.errors import DataError
from spinn.support.text import markdown_text, printable, printable_lines, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("naïve 日本 👩\u200d🚀 2\xa01/2", "naïve 日本 👩\u200d🚀 2\xa01/2"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("two\nlines\tand\r", r"two\nlines\tand\r"),
        ("\x9b2J\u202etxt", r"\x9b2J\u202etxt"),
        ("\udce9", r"\udce9"),
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("co\u200bntra\u200ddiction", r"co\u200bntra\u200ddiction"),
        ("train.jsonl\xa0", r"train.jsonl\xa0"),
        ("naïve 日本", "naïve 日本"),
    ],
)
def test_a_message_shows_what_cannot_be_seen(text, shown):
    assert visible(text) == shown
    assert str(DataError(text, "it cannot be read")).startswith(f"{shown}: ")


def test_lines_stay_lines():
    assert printable_lines("a\n\x1bb\n") == "a\n\\x1bb\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("p < 0.001", "p < 0.001"),
        ("<script>x</script>", "&lt;script>x&lt;/script>"),
        ("<!-- a | b", r"&lt;!-- a \| b"),
        ("a\nb", r"a\nb"),
    ],
)
def test_markup_is_escaped_in_markdown(text, shown):
    assert markdown_text(text) == shown


def test_a_long_message_keeps_its_beginning_and_its_end():
    message = str(DataError("file", f"there is no option {'x' * 99_999}", remedy="Correct it"))
    assert len(message) < 1000
    assert message.startswith("file: there is no option xxx")
    assert message.endswith("xxx. Correct it.")


def test_an_error_shows_no_control_characters():
    error = DataError("a\x1b[2J", "the label \x07 is not known")
    assert str(error) == r"a\x1b[2J: the label \x07 is not known."
