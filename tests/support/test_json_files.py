"""JSON that a person or a stranger may have written."""

from __future__ import annotations

import pytest

from spinn.support.json_files import parse


def test_half_a_character_is_refused():
    with pytest.raises(ValueError, match="half a character"):
        parse(r'{"data": ["\ud83d"]}')
    with pytest.raises(ValueError, match="half a character"):
        parse(r'{"\udce9": 1}')


def test_a_whole_character_in_two_escapes_is_read():
    assert parse(r'{"word": "\ud83d\ude00 \u00e9"}') == {"word": "\U0001f600 \u00e9"}
