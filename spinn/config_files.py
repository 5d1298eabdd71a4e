"""Configurations in files: TOML and JSON, the presets of the package, and those of runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from spinn.config import Configuration
from spinn.option_groups import FORMER_GROUPS, all_groups
from spinn.support.errors import ConfigurationError, DataError, SpinnError
from spinn.support.json_files import parse, read_text
from spinn.support.options import Groups
from spinn.support.text import did_you_mean

if sys.version_info >= (3, 11):
    from importlib.resources.abc import Traversable

    import tomllib
else:
    from importlib.abc import Traversable

    import tomli as tomllib


_SIZE = 2**20  # bytes; the largest configuration has a few thousand
_FLAGS = {  # that are no options, and what to do instead
    "rl": 'write trees = "sampled"',
    "predict": 'write trees = "predicted"',
    "preset": "give --preset NAME beside --config",
    "output": "give --output FOLDER beside --config",
    "resume": "give --resume RUN alone",
}


def read_file(path: Path, groups: Groups | None = None) -> dict[str, Any]:
    """Read options, flat, from a TOML or JSON file.

    Parameters
    ----------
    path
        The file.
    groups
        The groups of the options; by default, those of :class:`Configuration`.

    Raises
    ------
    DataError
        If the file is missing or is neither.
    ConfigurationError
        If an option is unknown, in the table of another group, or has a value of the wrong type.

    """
    known = all_groups() if groups is None else groups
    values = read_values(path)
    with in_file(path):
        flat = options_in(values, known)
        for name, remedy in _FLAGS.items():
            if name in flat:
                raise ConfigurationError(f"{name} is a flag, and no option; {remedy}.")
        return known.checked(flat)


def read_unchecked(path: Path, groups: Groups) -> dict[str, Any]:
    """Read options, flat, as :func:`read_file` does, whose names and types are not checked."""
    values = read_values(path)
    with in_file(path):
        return groups.flatten(values)


@contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Name the file in errors of its options."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def read_values(path: Path) -> dict[str, Any]:
    """Read the values of a TOML or JSON file.

    Raises
    ------
    DataError
        If the file is missing or is neither.

    """
    try:
        text = read_text(path, _SIZE)
        values = parse(text) if path.suffix == ".json" else tomllib.loads(text)
    except FileNotFoundError as error:
        cause = "there is no such file"
        raise DataError(path, cause, remedy="Check the path given") from error
    except OSError as error:
        cause = f"it cannot be read ({error.strerror or error})"
        raise DataError(path, cause, remedy="Check the path and its permissions") from error
    except (ValueError, RecursionError) as error:
        reason = error if isinstance(error, ValueError) else "brackets are nested too deeply"
        remedy = "Correct the line, or see the presets for examples"
        raise DataError(path, f"it cannot be read ({reason})", remedy=remedy) from error
    if not isinstance(values, dict):
        raise DataError(path, "it holds no options", remedy="Write one option per line")
    return values


def options_in(values: Mapping[str, Any], groups: Groups | None = None) -> dict[str, Any]:
    """Return the options of a file flat, which may be in the tables of their groups.

    The groups are by default those of :class:`Configuration`.

    Raises
    ------
    ConfigurationError
        If there is no such group, or an option is in the table of another one, or has two values.

    """
    groups = all_groups() if groups is None else groups
    flat = groups.flatten(values, FORMER_GROUPS)
    if not FORMER_GROUPS.isdisjoint(values):  # earlier versions had other tables
        return flat
    tables = {name: group.name for group in groups.values() for name in group.fields()}
    for table, value in values.items():
        inside = value if isinstance(value, Mapping) else {}
        for name in inside:
            right = tables.get(name, table)
            if right != table:
                raise ConfigurationError(
                    f"The option {name} is in [{table}] and belongs in [{right}]; move it there."
                )
            outside = values.get(name, inside[name])
            if outside != inside[name] and not isinstance(outside, Mapping):  # a group's name
                raise ConfigurationError(f"The option {name} has two values; remove one.")
    return flat


def preset_names(folder: str = "") -> list[str]:
    """Return the names of the configurations that come with the package.

    Parameters
    ----------
    folder
        ``"language"`` for those of language models.

    """
    return sorted(
        file.name.removesuffix(".toml")
        for file in _presets(folder).iterdir()
        if file.name.endswith(".toml")
    )


def read_preset(name: str, folder: str = "", groups: Groups | None = None) -> dict[str, Any]:
    """Read the options of a preset, flat.

    Parameters
    ----------
    name
        The preset.
    folder
        ``"language"`` for those of language models.
    groups
        The groups of the options; by default, those of :class:`Configuration`.

    Raises
    ------
    ConfigurationError
        If there is none of this name.

    """
    if name not in preset_names(folder):
        meant, known = did_you_mean(name, preset_names(folder)), ", ".join(preset_names(folder))
        raise ConfigurationError(f"There is no preset called {name!r}{meant}; choose from {known}.")
    text = (_presets(folder) / f"{name}.toml").read_text(encoding="utf-8")
    return (all_groups() if groups is None else groups).flatten(tomllib.loads(text))


def _presets(folder: str) -> Traversable:
    """Return the folder of presets, or one in it."""
    presets = resources.files("spinn") / "presets"
    return presets / folder if folder else presets


def load_configuration(path: Path) -> Configuration:
    """Read the configuration of a run, of this or an earlier version, from its ``config.json``.

    Raises
    ------
    SpinnError
        If the file cannot be read, or the run has an option that this version does not have.

    """
    values, run = read_values(path), str(path.parent)
    if not {"language", "fragments"}.isdisjoint(values):
        raise SpinnError(f"{run}: this is a language model; use it with `spinn lm`.")
    try:
        return Configuration.of_dict(values, run)
    except ConfigurationError as error:
        if str(error).startswith(run):
            raise
        raise ConfigurationError(f"{path}: {error}") from error


def as_toml(configuration: Configuration) -> str:
    """Return the options of a configuration as TOML, a table for each group that is present.

    Options without a value (``None``) are left out.
    """
    tables = []
    for name, options in configuration.as_dict().items():
        lines = [
            f"{option} = {_toml(value)}" for option, value in options.items() if value is not None
        ]
        tables.append("".join(f"{line}\n" for line in [f"[{name}]", *lines]))
    return "\n".join(tables)


def _toml(value: bool | int | float | str | list[str]) -> str:
    """Return a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        # JSON's escapes are TOML's, except that TOML also requires one for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
