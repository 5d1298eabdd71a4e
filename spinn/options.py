"""Options: how a dataclass field becomes a flag, a line of help, and a check.

Each part of the package declares its own group of options, a frozen dataclass beside what it
configures; ``training/config.py`` puts the groups together. One declaration serves the command
line, configuration files, the help and the validation, so they cannot drift apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

from spinn.errors import ConfigurationError


def option(
    default: Any,
    help: str,
    *,
    choices: Collection[str] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    needs: str | None = None,
) -> Any:
    """Declare an option: its default, a line of help, and the values it may take (inclusive).

    ``needs`` names the condition (of ``training/config.py``) without which it would do nothing.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "needs": needs,
    }
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def flag_of(name: str) -> str:
    """Write a field's name as a flag."""
    return "--" + name.replace("_", "-")


def check_ranges(group: Any) -> None:
    """Check every option of a group against its choices and bounds.

    Raises
    ------
    ConfigurationError
        Naming the first option that is out of range.

    """
    for field in dataclasses.fields(group):
        value, rules = getattr(group, field.name), field.metadata
        if value is None:
            continue
        flag = flag_of(field.name)
        choices = rules["choices"]
        if choices is not None and value not in choices:
            known = ", ".join(choices)
            raise ConfigurationError(f"{flag} cannot be {value!r}; choose from {known}.")
        if rules["minimum"] is not None and not value >= rules["minimum"]:
            raise ConfigurationError(f"{flag} is {value}; it must be at least {rules['minimum']}.")
        if rules["maximum"] is not None and not value <= rules["maximum"]:
            raise ConfigurationError(f"{flag} is {value}; it must be at most {rules['maximum']}.")
