"""Messages of errors are one printable line, whatever they quote."""

from __future__ import annotations

import pytest

from spinn.support.errors import ConfigurationError, DataError


def test_a_message_names_place_cause_and_remedy():
    error = DataError("folder/a file.txt", "the label 'é' is new", line=3, remedy="Change it")
    assert str(error) == "folder/a file.txt, line 3: the label 'é' is new. Change it."


def test_the_lines_of_a_message_are_joined():
    assert str(ConfigurationError("It is wrong:\n\t  here.\r\nDo that.")) == (
        "It is wrong: here. Do that."
    )


@pytest.mark.parametrize(
    ("sign", "shown"), [("\x1b", r"\x1b"), ("\u202e", r"\u202e"), ("\udcff", r"\udcff")]
)
def test_characters_that_cannot_be_printed_are_escaped(sign, shown):
    assert str(ConfigurationError(f"a{sign}b")) == f"a{shown}b"


def test_a_long_message_keeps_its_place_and_its_remedy():
    text = str(DataError("file.txt", "a" * 100_000, line=3, remedy="Do that"))
    assert text.startswith("file.txt, line 3: aaa")
    assert " [...] aaa" in text
    assert text.endswith("aaa. Do that.")
    assert len(text) < 1_000
