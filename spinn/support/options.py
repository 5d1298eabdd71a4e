"""Options and groups of options.

An option is a field of a frozen dataclass, its group. Each part of the package declares the groups
that configure it beside its code, and under what condition each of them is present;
:mod:`spinn.config` assembles them. One declaration serves the command line, configuration files,
the help and the checks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from spinn.support.errors import ConfigurationError
from spinn.support.registry import Registry
from spinn.support.text import did_you_mean

Field = dataclasses.Field[Any]

Values = Mapping[str, Any]
"""All options by name; those of absent groups have their defaults."""

_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "list[str]": (list,),
}

_LARGEST: dict[type, float] = {int: 2**63 - 1, float: 3e38}  # of torch's integers and fp32


_SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True)
class Condition:
    """When an option or a group has an effect.

    Attributes
    ----------
    holds
        Whether it has an effect with these values of all options.
    remedy
        What to do if it has none, as the end of a sentence: "it belongs to --schedule cosine".

    """

    holds: Callable[[Values], bool]
    remedy: str


def option(
    default: Any,
    help: str,
    *,
    choices: Collection[str] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    when: Condition | None = None,
    former_none: bool = False,
) -> Any:
    """Declare an option.

    Parameters
    ----------
    default
        Its default.
    help
        A line for ``--help``.
    choices
        The values it can take; ``None`` for any.
    minimum, maximum
        Its bounds, inclusive.
    when
        The condition under which it has an effect, if it is narrower than that of its group.
    former_none
        Whether earlier versions wrote ``None`` for the default.

    """
    metadata = {
        "help": help,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "when": when,
        "former_none": former_none,
    }
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Group:
    """A group of options, which a configuration has or lacks as a whole.

    Attributes
    ----------
    name
        Its name: an attribute of the configuration, and a table in files.
    options
        The dataclass of its options. The first line of its docstring describes the group.
    when
        The condition under which the group is present; ``None`` for always.
    variants
        Subclasses of ``options``, with further options, by the value of the option that has the
        name of the group; ``None`` if there are none.

    """

    name: str
    options: type[Any]
    when: Condition | None = None
    variants: Registry[type[Any]] | None = None

    @property
    def summary(self) -> str:
        """A sentence on the group."""
        return (self.options.__doc__ or "").partition("\n")[0].replace("``", "")

    def fields(self) -> dict[str, Field]:
        """Return the declarations of the options, including those of all variants, by name."""
        found = _fields(self.options)
        for kind in (self.variants or {}).values():
            found = _fields(kind) | found
        return found

    def is_present(self, values: Values) -> bool:
        """Return whether a configuration with these values has the group."""
        return self.when is None or self.when.holds(values)

    def make(self, values: Values) -> Any:
        """Return the group with its options from ``values``, or ``None`` if it is absent.

        Options without effect have their defaults.
        """
        if not self.is_present(values):
            return None
        kind = self._kind(values)
        return kind(**{name: values[name] for name in _fields(kind) if not self.idle(name, values)})

    def idle(self, name: str, values: Values) -> str | None:
        """Return what to do about an option without effect; ``None`` if it has an effect."""
        when: Condition | None = self.fields()[name].metadata["when"]
        if when is not None and not when.holds(values):
            return when.remedy
        if self.when is not None and not self.when.holds(values):
            return self.when.remedy
        if name in _fields(self._kind(values)):
            return None
        having = [one for one, kind in (self.variants or {}).items() if name in _fields(kind)]
        return f"it belongs to {flag_of(self.name)} {_either(having)}"

    def _kind(self, values: Values) -> type[Any]:
        return self.options if self.variants is None else self.variants.find(values[self.name])


class Groups(dict[str, Group]):
    """The groups of options of a configuration, by name."""

    def __init__(self, groups: Iterable[Group]) -> None:
        super().__init__((group.name, group) for group in groups)

    def options(self) -> dict[str, Field]:
        """Return the declarations of all options by name."""
        return {name: part for group in self.values() for name, part in group.fields().items()}

    def defaults(self) -> dict[str, Any]:
        """Return the defaults of all options."""
        return {name: default_of(part) for name, part in self.options().items()}

    def flatten(self, values: Values, former: Collection[str] = ()) -> dict[str, Any]:
        """Return options flat that may be under the names of their groups.

        Parameters
        ----------
        values
            Options, and groups of them.
        former
            Further names of groups, those of earlier versions.

        Raises
        ------
        ConfigurationError
            If there is no group of a name.

        """
        flat: dict[str, Any] = {}
        for name, value in values.items():
            if isinstance(value, Mapping):
                if name not in self and name not in former:
                    meant = did_you_mean(name, self)
                    raise ConfigurationError(
                        f"There is no group of options called {name!r}{meant}; the groups are "
                        f"{', '.join(self)}."
                    )
                flat.update(value)
            else:
                flat[name] = value
        return flat

    def checked(self, given: Values) -> dict[str, Any]:
        """Return flat options with their declared types.

        Raises
        ------
        ConfigurationError
            If an option is unknown, or its value is of another type.

        """
        declared = self.options()
        for name in given:
            if name not in declared:
                meant = did_you_mean(name, declared)
                raise ConfigurationError(f"There is no option called {name!r}{meant}.")
        return {name: converted(declared[name], value) for name, value in given.items()}

    def layered(self, *layers: Values) -> dict[str, Any]:
        """Return all options, from defaults and layers, of which later ones take precedence.

        Raises
        ------
        ConfigurationError
            If an option is unknown, or has a value of the wrong type or out of range.

        """
        given: dict[str, Any] = {}
        for layer in layers:
            given |= self.checked(layer)
        for name, part in self.options().items():
            check_range(part, given.get(name))
        return self.defaults() | given

    def refuse_idle(
        self, values: Values, given: Collection[str], short: Mapping[str, str] | None = None
    ) -> None:
        """Raise :class:`ConfigurationError` if a given option has a value but no effect.

        ``short`` has the flags that are short for others with a value, such as ``--trees sampled``.
        """
        for group in self.values():
            for name, part in group.fields().items():
                remedy = group.idle(name, values) if name in given else None
                if remedy is not None and values[name] != default_of(part):
                    flag, full = flag_of(name), f"{flag_of(name)} {values[name]}"
                    brief = (short or {}).get(full)
                    also = f"{brief} is short for {full}, and " if brief else ""
                    raise ConfigurationError(f"{also}{flag} does nothing here; {remedy}.")


GUEST_GROUPS: Registry[Group] = Registry("group of options")
"""The groups of extensions; those of the package's parts are in
:data:`spinn.option_groups.GROUPS`."""


def _fields(group: Any) -> dict[str, Field]:
    return {part.name: part for part in dataclasses.fields(group)}


def _either(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def flag_of(name: str) -> str:
    """Return the flag of an option."""
    return "--" + name.replace("_", "-")


def type_of(field: Field) -> str:
    """Return the declared type of an option, without ``None``."""
    return _declared(field).removesuffix(" | None")


def _declared(field: Field) -> str:
    """Return the annotation of an option as text, also where annotations are evaluated."""
    declared: Any = field.type
    return declared.__name__ if isinstance(declared, type) else str(declared)


def default_of(field: Field) -> Any:
    """Return the default of an option."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def converted(field: Field, value: Any) -> Any:
    """Return a value as the declared type of its option; integers become floats.

    Raises
    ------
    ConfigurationError
        If it has another type, or is an integer too large for 64 bits.

    """
    base = type_of(field)
    if value is None and base != _declared(field):
        return None
    if value is None and field.metadata["former_none"]:
        return default_of(field)
    fits = isinstance(value, _TYPES[base]) and (base == "bool" or not isinstance(value, bool))
    if not fits or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
        raise ConfigurationError(
            f"The option {field.name} is {_shown(value)}; it must be of type {base}."
        )
    largest = max(_LARGEST[int], field.metadata["maximum"] or 0)
    if isinstance(value, int) and (value > largest or value < -(2**63)):
        raise ConfigurationError(
            f"The option {field.name} is {_shown(value)}; it must be an integer of 64 bits."
        )
    if "\0" in ("".join(value) if isinstance(value, (str, list)) else ""):
        raise ConfigurationError(f"The option {field.name} contains a null character.")
    return float(value) if base == "float" else value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def check_range(field: Field, value: Any) -> None:
    """Check a value against the choices and bounds of its option.

    Raises
    ------
    ConfigurationError
        If it is out of range.

    """
    if value is None:
        return
    flag, rules = flag_of(field.name), field.metadata
    choices = rules["choices"]
    if choices is not None and value not in choices:
        meant, known = did_you_mean(str(value), choices), ", ".join(choices)
        raise ConfigurationError(f"{flag} cannot be {value!r}{meant}; choose from {known}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"{flag} is {value}; it must be a finite number.")
    if rules["minimum"] is not None and not value >= rules["minimum"]:
        raise ConfigurationError(f"{flag} is {value}; it must be at least {rules['minimum']}.")
    largest = _LARGEST.get(type(value)) if rules["maximum"] is None else rules["maximum"]
    if largest is not None and not value <= largest:
        raise ConfigurationError(f"{flag} is {value}; it must be at most {largest}.")


def check_ranges(group: Any) -> None:
    """Check every option of a group; see :func:`check_range`."""
    for field in dataclasses.fields(group):
        check_range(field, getattr(group, field.name))
