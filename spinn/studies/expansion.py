"""Expansion of a study into the configurations of its rows, all checked before the first run.

The expanded study is saved with its runs as ``study.json``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spinn.base_options import base_options
from spinn.config import Configuration, resolve
from spinn.option_groups import all_groups
from spinn.studies.run import Run
from spinn.studies.study import Row, Study, study_error
from spinn.support.errors import ConfigurationError, DataError, SpinnError
from spinn.support.files import as_json, write_whole
from spinn.support.json_files import parse, read_text

FILE_NAME = "study.json"


@dataclass(frozen=True)
class ExpandedStudy:
    """A study whose rows are crossed with its varied options and its seeds.

    Attributes
    ----------
    name
        The name of the study.
    rows
        The configurations of each row, by its name; one for each seed, in the order of ``seeds``.
    seeds
        The seeds.

    """

    name: str
    rows: dict[str, tuple[Configuration, ...]]
    seeds: tuple[int, ...]

    def runs(self, output: Path) -> list[Run]:
        """Return all runs, seed by seed, so that every row has a first result early."""
        return [
            Run(row, seed, configurations[place], output / f"{folder_name(row)}-seed{seed}")
            for place, seed in enumerate(self.seeds)
            for row, configurations in self.rows.items()
        ]


def expand(study: Study, name: str) -> ExpandedStudy:
    """Cross the rows of a study with its varied options and its seeds.

    Raises
    ------
    SpinnError
        If required files are missing, two rows have the same name or folder, or the options of a
        row are incompatible.

    """
    if study.header is not None:
        study.header.check_files(study.base)
    for row in study.rows:
        for option in [name for name in row.options if name in study.vary]:
            cause = f"row {row.name!r} sets {option}, which [vary] sets too"
            raise study_error(study.path, cause, "Set it in one of the two places")
    expanded: dict[str, tuple[Configuration, ...]] = {}
    folders: dict[str, str] = {}
    for row in crossed(study):
        folder = folder_name(row.name).lower()
        if not folder or folder in folders:
            other = folders.get(folder)
            cause = f"row {row.name!r} has " + (
                f"the same folder name as row {other!r}" if other else "a blank name"
            )
            raise study_error(study.path, cause, "Give each row a distinct name")
        folders[folder] = row.name
        expanded[row.name] = tuple(_resolve(study, row, seed) for seed in study.seeds)
    return ExpandedStudy(name, expanded, study.seeds)


def crossed(study: Study) -> Iterable[Row]:
    """Yield the rows times all combinations of varied values."""
    for option, values in study.vary.items():
        if any(values.count(value) > 1 for value in values):
            cause = f"{option} varies over {values!r}, with a value twice"
            raise study_error(study.path, cause, "Name each value once")
    choices = [[(name, value) for value in values] for name, values in study.vary.items()]
    combinations = [dict(choice) for choice in itertools.product(*choices)]
    for row in study.rows or [Row("" if study.vary else "base")]:
        for combination in combinations:
            varied = [
                f"{option}={str(value).lower() if isinstance(value, bool) else value}"
                for option, value in combination.items()
            ]
            yield Row(
                ", ".join([row.name, *varied] if row.name else varied), row.options | combination
            )


def _resolve(study: Study, row: Row, seed: int) -> Configuration:
    """Return the configuration of a run: preset, then base, then row, with its corpus named."""
    merged = {**study.base, **row.options}
    for name in row.omitted:
        del merged[name]
    preset = merged.pop("preset", None)
    try:
        if preset is not None and not isinstance(preset, str):
            raise ConfigurationError(f"The option preset is {preset!r}; it must be a name.")
        merged = all_groups().checked(merged)
        base = base_options(preset, merged)
        return resolve(merged, {"seed": seed}, base=base).with_corpus_named()
    except ConfigurationError as error:
        place = f"{study.path}, row {row.name!r}" if study.path else f"Row {row.name!r}"
        advice = " Set an option only in rows that use it." if "nothing" in str(error) else ""
        raise SpinnError(f"{place}: {error}{advice}") from error


def folder_name(row: str) -> str:
    """Return the name of a row with all characters replaced that a file system may reject."""
    return re.sub(r"[^A-Za-z0-9._=+-]+", "-", row).strip("-.")


def save_expanded(study: ExpandedStudy, output: Path) -> None:
    """Write the configurations of all runs to ``output/study.json``.

    Raises
    ------
    SpinnError
        If the folder is not writable.

    """
    rows = {
        name: [configuration.as_dict() for configuration in configurations]
        for name, configurations in study.rows.items()
    }
    content = {"name": study.name, "seeds": list(study.seeds), "rows": rows}
    try:
        output.mkdir(parents=True, exist_ok=True)
        write_whole(output / FILE_NAME, as_json(content, indent=2))
    except OSError as error:
        raise SpinnError(
            f"{output}: the study cannot be written there ({error.strerror}). "
            "Choose another --output."
        ) from error


def load_expanded(output: Path) -> ExpandedStudy:
    """Read the file that :func:`save_expanded` wrote.

    Raises
    ------
    SpinnError
        If it is missing or damaged.

    """
    place = output / FILE_NAME
    try:
        content = parse(read_text(place))
        rows = {
            name: tuple(
                Configuration.of_dict(one, f"{output}, row {name!r},") for one in configurations
            )
            for name, configurations in content["rows"].items()
        }
        return ExpandedStudy(content["name"], rows, tuple(content["seeds"]))
    except FileNotFoundError as error:
        raise SpinnError(f"{output}: there is no study here; spinn ablate makes one.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "Repeat spinn ablate with --table-only to write it again"
        raise DataError(place, f"it cannot be read ({error})", remedy=remedy) from error
