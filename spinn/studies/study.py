"""The grid of an ablation study: which configurations are trained with which seeds.

A study is written down in a TOML file or in flags as a :class:`Description`: options common to all
runs, named rows with options of their own, options to vary, and seeds. :func:`expand` multiplies it
out to a :class:`Grid`, whose every configuration has been checked before the first run begins.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinn.errors import ConfigurationError, DataError, SpinnError
from spinn.studies.reference import Claim, read_claim
from spinn.training.config import (
    GROUPS,
    Configuration,
    flatten,
    option_groups,
    preset_names,
    read_preset,
    resolve,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_SEEDS = (1, 2, 3)
_PARTS = ("base", "row", "vary", "seeds", "experiment")
_SWITCHES = {"true": True, "on": True, "false": False, "off": False}


@dataclass(frozen=True)
class Description:
    """A study as it was written down.

    Attributes
    ----------
    base
        Options of every run, and perhaps ``preset``, whose options lie below them.
    rows
        Names and options of the rows; a row's own ``preset`` takes the place of the base's.
    vary
        Options and the values each takes; every row is multiplied by every combination.
    seeds
        Seeds of every row.
    origin
        The file this was read from; ``None`` for flags.
    claim
        What the file says of itself, if it does.

    """

    base: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    vary: dict[str, list[Any]] = field(default_factory=dict)
    seeds: tuple[int, ...] = DEFAULT_SEEDS
    origin: Path | None = None
    claim: Claim | None = None


@dataclass(frozen=True)
class Experiment:
    """One run of a study: its row, its seed, its configuration, and the folder it lies in."""

    row: str
    seed: int
    configuration: Configuration
    path: Path

    @property
    def name(self) -> str:
        """What the run is called in messages."""
        return self.path.name


@dataclass(frozen=True)
class Grid:
    """A study multiplied out.

    Attributes
    ----------
    name
        The name of the study.
    rows
        The configurations of each row, by its name; one for each seed, in the order of the seeds.
    seeds
        The seeds.

    """

    name: str
    rows: dict[str, tuple[Configuration, ...]]
    seeds: tuple[int, ...]

    def experiments(self, output: Path) -> list[Experiment]:
        """List the runs, seed after seed, so that every row has a first result early."""
        return [
            Experiment(row, seed, configurations[place], output / f"{folder_name(row)}-seed{seed}")
            for place, seed in enumerate(self.seeds)
            for row, configurations in self.rows.items()
        ]


def read_description(path: Path) -> Description:
    """Read a study from a TOML file.

    Raises
    ------
    DataError
        If the file cannot be read or has a part that is not understood.

    """
    content = _read_toml(path)
    for name in content:
        if name not in _PARTS:
            raise DataError(
                path,
                f"{name!r} is no part of a study",
                remedy="Give seeds, [base], [[row]], [vary], [experiment]; options go into [base]",
            )
    base = _options_of(path, "[base]", content.get("base", {}))
    rows = _rows_of(path, content.get("row", []))
    vary = _vary_of(path, content.get("vary", {}))
    seeds = content.get("seeds", list(DEFAULT_SEEDS))
    claim = read_claim(content["experiment"], path) if "experiment" in content else None
    return Description(base, rows, vary, _checked_seeds(seeds, path), path, claim)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        cause = f"it cannot be read ({error.strerror})"
        raise DataError(path, cause, remedy="Check the path given") from error
    except ValueError as error:
        raise DataError(path, f"it is no TOML ({error})", remedy="Mend the line") from error


def _options_of(path: Path, place: str, values: Any) -> dict[str, Any]:
    """Take a table of options; those under their groups' names are brought to the top."""
    if not isinstance(values, Mapping):
        raise DataError(path, f"{place} is no table", remedy="Write option = value, one a line")
    try:
        options = flatten(values)
    except SpinnError as error:
        cause = f"{place}: {str(error).rstrip('.')}"
        groups = ", ".join(GROUPS)
        raise DataError(path, cause, remedy=f"Groups are {groups}; flat names do as well") from None
    _check_names(options, place, path)
    return options


def _rows_of(path: Path, rows: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise DataError(path, "row is no list of tables", remedy="Begin each row with [[row]]")
    result = []
    for number, row in enumerate(rows, start=1):
        name = row.get("name")
        if not isinstance(name, str) or not name.strip():
            cause = f"row {number} has no name"
            raise DataError(path, cause, remedy='Add a line such as name = "balanced"')
        options = {key: value for key, value in row.items() if key != "name"}
        result.append((name, _options_of(path, f"row {name!r}", options)))
    return result


def _vary_of(path: Path, vary: Any) -> dict[str, list[Any]]:
    options = _options_of(path, "[vary]", vary)
    for name, values in options.items():
        if not isinstance(values, list) or not values:
            raise DataError(
                path,
                f"[vary] {name} is no list of values",
                remedy=f"Write {name} = [VALUE, VALUE]",
            )
    return options


def _check_names(options: Iterable[str], place: str, origin: Path | None) -> None:
    """Refuse options that do not exist, and the seed, which has a place of its own."""
    known = [*option_groups(), "preset"]
    for name in options:
        if name == "seed":
            remedy = "Give seeds = [1, 2, 3] instead" if origin else "Give --seeds 1,2,3 instead"
            raise _refusal(origin, f"{place} sets the seed", remedy)
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"Did you mean {near[0]}" if near else "See spinn train --help for all options"
            raise _refusal(origin, f"{place} has an option {name!r} that does not exist", remedy)


def _refusal(origin: Path | None, cause: str, remedy: str) -> SpinnError:
    """Make the error for something wrong in a study, with its file where there is one."""
    if origin is None:
        return ConfigurationError(f"{cause}. {remedy}.")
    return DataError(origin, cause, remedy=remedy)


def _checked_seeds(seeds: Any, origin: Path | None) -> tuple[int, ...]:
    whole = isinstance(seeds, list | tuple) and all(type(seed) is int for seed in seeds)
    if not whole or not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        remedy = "Write seeds = [1, 2, 3]" if origin else "Write --seeds 1,2,3"
        cause = f"seeds are {seeds!r}, not different whole numbers from 0"
        raise _refusal(origin, cause, remedy)
    return tuple(seeds)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read the seeds of a flag: ``1,2,3``.

    Raises
    ------
    ConfigurationError
        If they are not different whole numbers from 0.

    """
    parts = [part.strip() for part in text.split(",")]
    seeds = [int(part) if part.isdecimal() else part for part in parts]
    return _checked_seeds(seeds, None)


def parse_vary(text: str) -> tuple[str, list[Any]]:
    """Read the flag ``--vary``: an option and its values, ``hidden_size=100,300``.

    Raises
    ------
    ConfigurationError
        If there is no such option, or a value is not of its type.

    """
    name, equals, values = text.partition("=")
    name = name.strip().removeprefix("--").replace("-", "_")
    if not equals or not values.strip():
        raise ConfigurationError(f"--vary {text} names no values; write --vary trees=left,right.")
    _check_names([name], "--vary", None)
    if name == "preset":
        return name, [value.strip() for value in values.split(",")]
    group = GROUPS[option_groups()[name]]
    declared = next(str(part.type) for part in dataclasses.fields(group) if part.name == name)
    return name, [_value(name, declared, value.strip()) for value in values.split(",")]


def _value(name: str, declared: str, text: str) -> Any:
    """Read a value of a declared type from a flag."""
    base = declared.removesuffix(" | None")
    try:
        if base == "bool":
            return _SWITCHES[text.lower()]
        if base in ("int", "float"):
            return int(text) if base == "int" else float(text)
    except (KeyError, ValueError):
        wanted = {"bool": "true or false", "int": "a whole number", "float": "a number"}[base]
        message = f"--vary {name}: {text!r} is not {wanted}; write --vary {name}=VALUE,VALUE."
        raise ConfigurationError(message) from None
    if base == "list[str]":
        raise ConfigurationError(
            f"--vary cannot take lists such as {name}; write [[row]] tables in a file instead."
        )
    return text


def overlay(
    description: Description,
    options: Mapping[str, Any],
    vary: Mapping[str, list[Any]],
    seeds: tuple[int, ...] | None,
) -> Description:
    """Put flags on top of a description.

    Raises
    ------
    SpinnError
        If a flag would do nothing because the rows set the option themselves.

    """
    _check_names(options, "The command line", None)
    if description.origin is None and seeds is None:
        _check_names(description.base, "The configuration file", None)
    taken = {name for _, row in description.rows for name in row} | set(description.vary)
    for name in [*options, *vary]:
        if name in taken:
            cause = f"its rows or [vary] set {name}, which the command line sets too"
            raise _refusal(description.origin, cause, "Give it in one of the two places")
    return dataclasses.replace(
        description,
        base={**description.base, **options},
        vary={**description.vary, **vary},
        seeds=description.seeds if seeds is None else seeds,
    )


def expand(description: Description, name: str) -> Grid:
    """Multiply a description out: rows times combinations of varied values times seeds.

    Raises
    ------
    SpinnError
        If files that the study needs are not given, two rows have one name or one folder, or a
        row's options do not go together.

    """
    if description.claim is not None:
        description.claim.check_files(description.base)
    for row, options in description.rows:
        for option in [name for name in options if name in description.vary]:
            cause = f"row {row!r} sets {option}, which [vary] sets too"
            raise _refusal(description.origin, cause, "Give it in one of the two places")
    written = description.rows or ([] if description.vary else [("base", {})])
    crossed = _combinations(description)
    rows: dict[str, tuple[Configuration, ...]] = {}
    folders: dict[str, str] = {}
    for row, options in _products(written, crossed):
        folder = folder_name(row)
        if not folder or folder.lower() in folders:
            other = folders.get(folder.lower())
            cause = f"row {row!r} cannot be told from " + (
                f"row {other!r} in the name of its folder" if other else "others: its name is blank"
            )
            raise _refusal(description.origin, cause, "Give each row a name of its own")
        folders[folder.lower()] = row
        rows[row] = tuple(_resolved(description, row, options, seed) for seed in description.seeds)
    return Grid(name, rows, description.seeds)


def _combinations(description: Description) -> list[dict[str, Any]]:
    """List every combination of varied values; one empty combination where nothing varies."""
    for option, values in description.vary.items():
        if any(values.count(value) > 1 for value in values):
            cause = f"{option} varies over {values!r}, with a value twice"
            raise _refusal(description.origin, cause, "Name each value once")
    choices = [[(name, value) for value in values] for name, values in description.vary.items()]
    return [dict(choice) for choice in itertools.product(*choices)]


def _products(
    rows: list[tuple[str, dict[str, Any]]], combinations: list[dict[str, Any]]
) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield names and options of rows times combinations."""
    for name, options in rows or [("", {})]:
        for combination in combinations:
            varied = [f"{option}={_written(value)}" for option, value in combination.items()]
            yield ", ".join([name, *varied] if name else varied), {**options, **combination}


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _resolved(
    description: Description, row: str, options: Mapping[str, Any], seed: int
) -> Configuration:
    """Resolve a run: the preset, then the base, then the row; and name what it reads."""
    merged = {**description.base, **options}
    preset = merged.pop("preset", None)
    try:
        if preset is not None and preset not in preset_names():
            known = ", ".join(preset_names())
            raise ConfigurationError(f"There is no preset {preset!r}; choose from {known}.")
        below = {} if preset is None else read_preset(preset)
        return resolve(below, merged, {"seed": seed}).with_corpus_named()
    except ConfigurationError as error:
        place = f"{description.origin}, row {row!r}" if description.origin else f"Row {row!r}"
        advice = " Set an option in those rows only that use it." if "nothing" in str(error) else ""
        raise SpinnError(f"{place}: {error}{advice}") from error


def folder_name(row: str) -> str:
    """Turn the name of a row into one that any file system takes."""
    return re.sub(r"[^A-Za-z0-9._=+-]+", "-", row).strip("-.")
