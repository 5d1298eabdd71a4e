"""Options: what a declaration carries, and what the check of ranges lets through."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.errors import ConfigurationError
from spinn.options import check_ranges, flag_of, option


@dataclass(frozen=True)
class Group:
    word_count: int = option(3, "how many words", minimum=1, maximum=5)
    share: float | None = option(None, "a share", minimum=0, maximum=1)
    mode: str = option("slow", "the mode", choices=("slow", "fast"))
    files: list[str] = option([], "files")
    free: float = option(0.0, "any number", needs="nothing")


def test_declaration_carries_help_bounds_choices_and_needs():
    rules = {field.name: field.metadata for field in dataclasses.fields(Group)}
    assert rules["word_count"]["help"] == "how many words"
    assert (rules["word_count"]["minimum"], rules["word_count"]["maximum"]) == (1, 5)
    assert rules["mode"]["choices"] == ("slow", "fast")
    assert rules["free"]["needs"] == "nothing"
    assert rules["mode"]["needs"] is None


def test_defaults_pass_and_each_group_has_a_list_of_its_own():
    first, second = Group(), Group()
    check_ranges(first)
    first.files.append("a")
    assert second.files == []


@pytest.mark.parametrize("value", [1, 5])
def test_bounds_are_inclusive(value):
    check_ranges(Group(word_count=value))


@given(st.integers())
def test_only_numbers_within_the_bounds_pass(value):
    if 1 <= value <= 5:
        check_ranges(Group(word_count=value))
    else:
        with pytest.raises(ConfigurationError, match="--word-count is"):
            check_ranges(Group(word_count=value))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"word_count": 0}, "--word-count is 0; it must be at least 1."),
        ({"word_count": 6}, "--word-count is 6; it must be at most 5."),
        ({"share": -0.1}, "--share is -0.1; it must be at least 0."),
        ({"share": float("nan")}, "--share is nan; it must be at least 0."),
        ({"mode": "odd"}, "--mode cannot be 'odd'; choose from slow, fast."),
    ],
)
def test_message_names_the_flag_and_the_remedy(change: dict[str, Any], message: str):
    with pytest.raises(ConfigurationError) as caught:
        check_ranges(Group(**change))
    assert str(caught.value) == message


def test_what_is_not_given_is_not_checked():
    check_ranges(Group(share=None))


def test_flag_has_hyphens():
    assert flag_of("learning_rate") == "--learning-rate"
