"""Parsing of the flags ``--seeds`` and ``--vary`` of ``spinn ablate``."""

from __future__ import annotations

from typing import Any

from spinn.option_groups import all_options
from spinn.studies.study import check_option_names, check_seeds
from spinn.support.errors import ConfigurationError
from spinn.support.options import Field, type_of

_SWITCHES = {"true": True, "on": True, "false": False, "off": False}


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse ``1,2,3``.

    Raises
    ------
    ConfigurationError
        If the seeds are not distinct integers of at least 0.

    """
    parts = [part.strip() for part in text.split(",")]
    return check_seeds([int(part) if part.isdecimal() else part for part in parts], None)


def parse_vary(text: str) -> tuple[str, list[Any]]:
    """Parse an option and its values, ``hidden_size=100,300``.

    Raises
    ------
    ConfigurationError
        If there is no such option, or a value has another type.

    """
    name, equals, values = text.partition("=")
    name = name.strip().removeprefix("--").replace("-", "_")
    if not equals or not values.strip():
        raise ConfigurationError(f"--vary {text} names no values; write --vary trees=left,right.")
    check_option_names([name], "--vary", None)
    given = [value.strip() for value in values.split(",")]
    if not all(given):
        raise ConfigurationError(f"--vary {text} has an empty value; leave out the comma.")
    if name == "preset":
        return name, given
    part = all_options()[name]
    return name, [_value(part, value) for value in given]


def _value(part: Field, text: str) -> Any:
    """Convert the text of a value to the declared type of its option."""
    name, base = part.name, type_of(part)
    try:
        if base == "bool":
            return _SWITCHES[text.lower()]
        if base in ("int", "float"):
            return int(text) if base == "int" else float(text)
    except (KeyError, ValueError):
        kind = {"bool": "true or false", "int": "an integer", "float": "a number"}[base]
        message = f"--vary {name}: {text!r} is not {kind}; write --vary {name}=VALUE,VALUE."
        raise ConfigurationError(message) from None
    if base == "list[str]":
        raise ConfigurationError(
            f"--vary does not accept lists such as {name}; write [[row]] tables in a file instead."
        )
    return text
