"""Studies as they are described: in a TOML file, by flags, or by a file with flags on top.

A study has options common to all rows (``[base]``), rows with their own options (``[[row]]``),
options to vary (``[vary]``), seeds, and optionally a header (``[study]``): title, task, required
files, references. The studies in :data:`CATALOGUE` come with the package.
:func:`spinn.studies.expansion.expand` lists the configurations of a study.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinn.config_files import options_in, read_values
from spinn.data.options import CorpusOptions
from spinn.option_groups import all_groups, all_options
from spinn.studies.reference import Reference, check_table, format_references
from spinn.support.errors import ConfigurationError, DataError, SpinnError
from spinn.support.text import did_you_mean

CATALOGUE = Path(__file__).parent / "catalogue"
DEFAULT_SEEDS = (1, 2, 3)
_PARTS = ("base", "row", "vary", "seeds", "study")
_FILES = {"train": "FILES", "dev": "FILES", "test": "FILES", "vectors": "FILE"}


@dataclass(frozen=True)
class StudyHeader:
    """The ``[study]`` table of a study.

    Attributes
    ----------
    title
        One line for lists of studies.
    task
        Name of the task in the table of results.
    needs
        Descriptions of required files, by the option that names them (``train``, ``dev``, ``test``,
        ``vectors``) or by the name of a further test set.
    published
        Accuracies of models from the literature.
    expected
        Accuracies that the study's own rows should reproduce.
    highlights
        Rows that the short table of results shows.

    """

    title: str
    task: str
    needs: dict[str, str] = field(default_factory=dict)
    published: tuple[Reference, ...] = ()
    expected: tuple[Reference, ...] = ()
    highlights: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.title, str) or not isinstance(self.task, str):
            raise TypeError("title and task must be strings")
        if not all(isinstance(row, str) for row in self.highlights):
            raise TypeError("highlights must be a list of strings")
        check_table("needs", self.needs, str)

    def check_files(self, options: Mapping[str, Any]) -> None:
        """Check that the options in ``[base]`` name all required files.

        Raises
        ------
        ConfigurationError
            Naming all missing files.

        """
        given = {name for name in _FILES if options.get(name)}
        also = options.get("also", [])
        # Any other type is rejected when the options are resolved.
        if isinstance(also, list) and all(isinstance(one, str) for one in also):
            given |= set(CorpusOptions(also=also).further)
        if options.get("data"):
            given |= {"train", "dev", "test"}
        missing = [
            f"--{name} {_FILES[name]} ({text})"
            if name in _FILES
            else f"--also {name}=FILE ({text})"
            for name, text in self.needs.items()
            if name not in given
        ]
        if missing:
            raise ConfigurationError(f"This study needs files. Add {', '.join(missing)}.")

    def remarks(self) -> list[str]:
        """Return the references as notes for a table."""
        named = (("Published", self.published), ("Expected", self.expected))
        return [f"{name}: {format_references(part)}." for name, part in named if part]


@dataclass(frozen=True)
class Row:
    """A configuration of a study: its name, and its options on top of the study's base.

    The value ``""`` omits an option of the base.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def omitted(self) -> list[str]:
        """The names of options of the base that the row omits."""
        return [name for name, value in self.options.items() if value == ""]


@dataclass(frozen=True)
class Study:
    """A study as described.

    Attributes
    ----------
    base
        Options of all rows, including an optional ``preset`` with lower precedence.
    rows
        The rows; a row's own ``preset`` replaces the base's.
    vary
        Values of options to vary; each row is crossed with all combinations.
    seeds
        Seeds of each row.
    path
        The file the study was read from; ``None`` for flags.
    header
        The ``[study]`` table, if any.

    """

    base: dict[str, Any] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    vary: dict[str, list[Any]] = field(default_factory=dict)
    seeds: tuple[int, ...] = DEFAULT_SEEDS
    path: Path | None = None
    header: StudyHeader | None = None


def study_names() -> list[str]:
    """Return the names of the studies that come with the package."""
    return sorted(path.stem for path in CATALOGUE.glob("*.toml"))


def study_file(name: str) -> Path:
    """Return the file of a study that comes with the package.

    Raises
    ------
    ConfigurationError
        If there is no study of this name.

    """
    if name not in study_names():
        meant, known = did_you_mean(name, study_names()), ", ".join(study_names())
        raise ConfigurationError(f"There is no study called {name!r}{meant}; choose from {known}.")
    return CATALOGUE / f"{name}.toml"


def read_study(path: Path) -> Study:
    """Read a study from a TOML file.

    Raises
    ------
    DataError
        If the file cannot be read or has an invalid part.

    """
    content = read_values(path)
    for name in content:
        if name not in _PARTS:
            raise DataError(
                path,
                f"{name!r} is not a part of a study",
                remedy="Give seeds, [study], [base], [[row]], [vary]; options go into [base]",
            )
    base = _options_of(path, "[base]", content.get("base", {}))
    rows = _rows_of(path, content.get("row", []))
    vary = _vary_of(path, content.get("vary", {}))
    seeds = check_seeds(content.get("seeds", list(DEFAULT_SEEDS)), path)
    header = read_header(content["study"], path) if "study" in content else None
    for highlight in header.highlights if header is not None else ():
        if highlight not in (row.name for row in rows):
            cause = f"[study] highlights {highlight!r}, which is not a row"
            raise DataError(path, cause, remedy="Name rows of this file")
    return Study(base, rows, vary, seeds, path, header)


def read_header(values: Any, path: Path) -> StudyHeader:
    """Read the ``[study]`` table of a file.

    Raises
    ------
    DataError
        If the title or the task is missing, or a part is invalid.

    """
    try:
        references = {
            name: tuple(Reference(**one) for one in values.get(name, []))
            for name in ("published", "expected")
        }
        highlights = tuple(values.get("highlights", []))
        return StudyHeader(**values | references | {"highlights": highlights})
    except (TypeError, AttributeError) as error:
        remedy = "See the files in spinn/studies/catalogue for examples"
        raise DataError(path, f"[study] is invalid ({error})", remedy=remedy) from error


def _options_of(path: Path, place: str, values: Any) -> dict[str, Any]:
    """Return a table of options with those in the tables of groups."""
    if not isinstance(values, Mapping):
        raise DataError(path, f"{place} is not a table", remedy="Write one option = value per line")
    try:
        options = options_in(values)
    except SpinnError as error:
        cause = f"{place}: {str(error).rstrip('.')}"
        groups = ", ".join(all_groups())
        raise DataError(path, cause, remedy=f"Groups are {groups}; they may be omitted") from None
    check_option_names(options, place, path)
    return options


def _rows_of(path: Path, rows: Any) -> tuple[Row, ...]:
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise DataError(path, "row is not a list of tables", remedy="Begin each row with [[row]]")
    result = []
    for number, row in enumerate(rows, start=1):
        name = row.get("name")
        if not isinstance(name, str) or not name.strip():
            cause = f"row {number} has no name"
            raise DataError(path, cause, remedy='Add a line such as name = "balanced"')
        options = {key: value for key, value in row.items() if key != "name"}
        result.append(Row(name, _options_of(path, f"row {name!r}", options)))
    return tuple(result)


def _vary_of(path: Path, vary: Any) -> dict[str, list[Any]]:
    options = _options_of(path, "[vary]", vary)
    for name, values in options.items():
        if not isinstance(values, list) or not values:
            cause = f"[vary] {name} is not a list of values"
            raise DataError(path, cause, remedy=f"Write {name} = [VALUE, VALUE]")
    return options


def override(
    study: Study,
    options: Mapping[str, Any],
    vary: Mapping[str, list[Any]],
    seeds: tuple[int, ...] | None,
) -> Study:
    """Return a study with options, varied options and seeds from flags.

    Raises
    ------
    SpinnError
        If a flag would have no effect because the rows set the option themselves.

    """
    check_option_names(options, "The command line", None)
    if study.path is None and seeds is None:
        check_option_names(study.base, "The configuration file", None)
    taken = {name for row in study.rows for name in set(row.options) - set(row.omitted)}
    taken |= set(study.vary)
    for name in [*options, *vary]:
        if name in taken:
            cause = f"its rows or [vary] set {name}, which the command line sets too"
            raise study_error(study.path, cause, "Set it in one of the two places")
    return dataclasses.replace(
        study,
        base={**study.base, **options},
        vary={**study.vary, **vary},
        seeds=study.seeds if seeds is None else seeds,
    )


def check_option_names(options: Iterable[str], place: str, path: Path | None) -> None:
    """Raise a :class:`SpinnError` at an unknown option, and at ``seed``, which ``seeds`` replaces.

    Parameters
    ----------
    options
        Names of options.
    place
        Where they are set, for the message.
    path
        The file of the study; ``None`` for flags.

    """
    known = [*all_options(), "preset"]
    for name in options:
        if name == "seed":
            remedy = "Give seeds = [1, 2, 3] instead" if path else "Give --seeds 1,2,3 instead"
            raise study_error(path, f"{place} sets the seed", remedy)
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"Did you mean {near[0]}" if near else "See spinn train --help for all options"
            raise study_error(path, f"{place} has an unknown option {name!r}", remedy)


def check_seeds(seeds: Any, path: Path | None) -> tuple[int, ...]:
    """Return seeds as a tuple; raise a :class:`SpinnError` unless they are distinct integers >= 0.

    ``path`` is the file of the study; ``None`` for flags.
    """
    whole = isinstance(seeds, list | tuple) and all(type(seed) is int for seed in seeds)
    if not whole or not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        remedy = "Write seeds = [1, 2, 3]" if path else "Write --seeds 1,2,3"
        cause = f"seeds are {seeds!r}; they must be distinct integers of at least 0"
        raise study_error(path, cause, remedy)
    return tuple(seeds)


def study_error(path: Path | None, cause: str, remedy: str) -> SpinnError:
    """Return the error for an invalid study, with the file's path if there is one."""
    if path is None:
        return ConfigurationError(f"{cause}. {remedy}.")
    return DataError(path, cause, remedy=remedy)
