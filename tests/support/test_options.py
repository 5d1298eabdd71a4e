"""Options: what a declaration carries, and what the check of ranges lets through."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.support.errors import ConfigurationError
from spinn.support.options import (
    Condition,
    Group,
    check_range,
    check_ranges,
    converted,
    flag_of,
    option,
    type_of,
)
from spinn.support.registry import Registry

OFTEN = Condition(lambda values: values["mode"] == "slow", "it belongs to --mode slow")


@dataclass(frozen=True)
class Some:
    """Some options."""

    word_count: int = option(3, "how many words", minimum=1, maximum=5)
    share: float | None = option(None, "a share", minimum=0, maximum=1)
    mode: str = option("slow", "the mode", choices=("slow", "fast"))
    files: list[str] = option([], "files")
    free: float = option(0.0, "any number", when=OFTEN)


def test_declaration_carries_help_bounds_choices_and_condition():
    rules = {field.name: field.metadata for field in dataclasses.fields(Some)}
    assert rules["word_count"]["help"] == "how many words"
    assert (rules["word_count"]["minimum"], rules["word_count"]["maximum"]) == (1, 5)
    assert rules["mode"]["choices"] == ("slow", "fast")
    assert rules["free"]["when"] is OFTEN
    assert rules["mode"]["when"] is None


def test_defaults_pass_and_each_group_has_a_list_of_its_own():
    first, second = Some(), Some()
    check_ranges(first)
    first.files.append("a")
    assert second.files == []


@pytest.mark.parametrize("value", [1, 5])
def test_bounds_are_inclusive(value):
    check_ranges(Some(word_count=value))


@given(st.integers())
def test_only_numbers_within_the_bounds_pass(value):
    if 1 <= value <= 5:
        check_ranges(Some(word_count=value))
    else:
        with pytest.raises(ConfigurationError, match="--word-count is"):
            check_ranges(Some(word_count=value))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"word_count": 0}, "--word-count is 0; it must be at least 1."),
        ({"word_count": 6}, "--word-count is 6; it must be at most 5."),
        ({"share": -0.1}, "--share is -0.1; it must be at least 0."),
        ({"share": float("nan")}, "--share is nan; it must be a finite number."),
        ({"free": float("inf")}, "--free is inf; it must be a finite number."),
        ({"free": 1e39}, "--free is 1e+39; it must be at most 3e+38."),
        ({"mode": "odd"}, "--mode cannot be 'odd'; choose from slow, fast."),
    ],
)
def test_message_names_the_flag_and_the_remedy(change: dict[str, Any], message: str):
    with pytest.raises(ConfigurationError) as caught:
        check_ranges(Some(**change))
    assert str(caught.value) == message


def test_what_is_not_given_is_not_checked():
    check_ranges(Some(share=None))


def test_flag_has_hyphens():
    assert flag_of("learning_rate") == "--learning-rate"


# Groups.


@dataclass(frozen=True)
class Fast(Some):
    mode: str = option("fast", "the mode", choices=("slow", "fast"))
    gear: int = option(1, "the gear")


VARIANTS: Registry[type[Any]] = Registry("mode")
VARIANTS.register("slow", Some)
VARIANTS.register("fast", Fast)
GROUP = Group("mode", Some, Condition(lambda values: values["on"], "add --on"), VARIANTS)
VALUES = {
    "on": True,
    "word_count": 2,
    "share": None,
    "mode": "slow",
    "files": ["a"],
    "free": 1.0,
    "gear": 3,
}


def test_a_group_is_present_or_absent_as_a_whole():
    assert GROUP.summary == "Some options."
    assert GROUP.make(VALUES) == Some(2, None, "slow", ["a"], 1.0)
    assert GROUP.make(VALUES | {"on": False}) is None


def test_a_group_has_the_options_of_its_variant():
    assert list(GROUP.fields()) == ["word_count", "share", "mode", "files", "free", "gear"]
    assert GROUP.make(VALUES | {"mode": "fast"}) == Fast(2, None, "fast", ["a"], 0.0, 3)
    with pytest.raises(ConfigurationError, match="no mode 'odd'"):
        GROUP.make(VALUES | {"mode": "odd"})


def test_an_option_without_effect_has_a_remedy():
    assert GROUP.idle("free", VALUES) is None
    assert GROUP.idle("gear", VALUES) == "it belongs to --mode fast"
    assert GROUP.idle("gear", VALUES | {"mode": "fast"}) is None
    assert GROUP.idle("free", VALUES | {"mode": "fast"}) == "it belongs to --mode slow"
    assert GROUP.idle("word_count", VALUES | {"on": False}) == "add --on"


def test_values_have_the_types_of_their_options():
    fields = GROUP.fields()
    assert converted(fields["share"], 1) == 1.0
    assert isinstance(converted(fields["share"], 1), float)
    assert converted(fields["share"], None) is None
    for name, value in (("word_count", 1.0), ("word_count", True), ("mode", None), ("files", "a")):
        with pytest.raises(ConfigurationError, match=f"The option {name} is .*; it must be of"):
            converted(fields[name], value)


def test_a_number_of_64_bits_has_a_sign_unless_its_bound_needs_the_bit():
    (bounded, usual) = dataclasses.fields(
        dataclasses.make_dataclass(
            "Numbers",
            [("seed", int, option(1, "", maximum=2**64 - 1)), ("count", int, option(1, ""))],
        )
    )
    assert converted(bounded, 2**64 - 1) == 2**64 - 1
    assert converted(usual, 2**63 - 1) == 2**63 - 1
    for field, value in ((bounded, 2**64), (usual, 2**63), (usual, -(2**63) - 1)):
        with pytest.raises(ConfigurationError, match="it must be an integer of 64 bits"):
            converted(field, value)


def test_types_are_read_from_evaluated_annotations_too():
    group = dataclasses.make_dataclass(
        "Evaluated",
        [
            ("count", int, option(1, "a number")),
            ("share", float | None, option(None, "a share")),
            ("names", list[str], option([], "names")),
        ],
    )
    found = {part.name: type_of(part) for part in dataclasses.fields(group)}
    assert found == {"count": "int", "share": "float", "names": "list[str]"}
    count, share, names = dataclasses.fields(group)
    assert (converted(count, 3), converted(share, None), converted(share, 1)) == (3, None, 1.0)
    assert converted(names, ["a"]) == ["a"]


def test_integers_without_a_bound_fit_into_64_bits():
    field = dataclasses.field(metadata={"choices": None, "minimum": 1, "maximum": None})
    field.name = "count"
    check_range(field, 2**63 - 1)
    with pytest.raises(ConfigurationError, match="--count is 9223372036854775808; it must be at"):
        check_range(field, 2**63)
