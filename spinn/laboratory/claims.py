"""Named experiments: studies that come with the package, and what is claimed by them.

An experiment is a study file in ``spinn/experiments`` with an ``[experiment]`` table, read here:
its title and task, the files it needs of the person who repeats it, the figures that were published
elsewhere, and those that repeating it should give. Its results so far lie beside it, in a file of
the same name that ``benchmarks/collect.py`` writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import UnionType
from typing import Any

from spinn.data.options import CorpusOptions
from spinn.errors import ConfigurationError, DataError

FOLDER = Path(__file__).parents[1] / "experiments"
_FILES = {"train": "FILES", "dev": "FILES", "test": "FILES", "vectors": "FILE"}


@dataclass(frozen=True)
class Figures:
    """Accuracies of a model in per cent, by the name of the set, and who says so."""

    model: str
    figures: dict[str, float]
    source: str = ""

    def __post_init__(self) -> None:
        """Raise a TypeError where a file gave something else."""
        if not isinstance(self.model, str) or not isinstance(self.source, str):
            raise TypeError("model and source are texts")
        _check_table(f"figures of {self.model!r}", self.figures, int | float)


@dataclass(frozen=True)
class Claim:
    """What an experiment is about.

    Attributes
    ----------
    title
        A line for lists of experiments.
    task
        What its rows are called in the table of results.
    needs
        The files that must be given, described by the option that names them (``train``, ``dev``,
        ``test``, ``vectors``) or by the name of a further test set.
    published
        Figures of other people's models.
    wanted
        Figures that its own rows should come to.

    """

    title: str
    task: str
    needs: dict[str, str] = field(default_factory=dict)
    published: tuple[Figures, ...] = ()
    wanted: tuple[Figures, ...] = ()

    def __post_init__(self) -> None:
        """Raise a TypeError where a file gave something else."""
        if not isinstance(self.title, str) or not isinstance(self.task, str):
            raise TypeError("title and task are texts")
        _check_table("needs", self.needs, str)

    def check_files(self, options: Mapping[str, Any]) -> None:
        """Check that all files it needs are among the options of a study's base.

        Raises
        ------
        ConfigurationError
            Naming all that are missing.

        """
        given = {name for name in _FILES if options.get(name)}
        also = options.get("also", [])
        if isinstance(also, list) and all(isinstance(one, str) for one in also):
            given |= set(CorpusOptions(also=also).further)  # else it is refused with all options
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
            raise ConfigurationError(f"This experiment needs files. Add {', '.join(missing)}.")

    def remarks(self) -> list[str]:
        """Say what was published and what is wanted, for the notes of a table."""
        named = (("Published", self.published), ("Wanted", self.wanted))
        return [f"{name}: {in_words(figures)}." for name, figures in named if figures]


def _check_table(name: str, table: Any, kind: type | UnionType) -> None:
    if not isinstance(table, dict) or not all(isinstance(one, kind) for one in table.values()):
        wanted = "texts" if kind is str else "numbers"
        raise TypeError(f"{name} is no table of {wanted}")


def in_words(figures: Iterable[Figures]) -> str:
    """Write figures in a line; those of the same sets and source stand together."""
    parts = []
    for (sets, source), models in groupby(figures, lambda one: (tuple(one.figures), one.source)):
        accuracies = "; ".join(
            f"{one.model}: {', '.join(f'{value:g}' for value in one.figures.values())}"
            for one in models
        )
        parts.append(f"{accuracies} on {', '.join(sets)}" + (f" ({source})" if source else ""))
    return "; ".join(parts)


def read_claim(values: Any, path: Path) -> Claim:
    """Read the ``[experiment]`` table of a study.

    Raises
    ------
    DataError
        If it lacks a title or a task, or has a part that is not understood.

    """
    remedy = "See the files in spinn/experiments for examples"
    try:
        return Claim(
            **values
            | {
                name: tuple(Figures(**one) for one in values.get(name, []))
                for name in ("published", "wanted")
            }
        )
    except (TypeError, AttributeError) as error:
        cause = f"[experiment] is not understood ({error})"
        raise DataError(path, cause, remedy=remedy) from error


def experiment_names() -> list[str]:
    """List the experiments that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def experiment_file(name: str) -> Path:
    """Return the study of an experiment.

    Raises
    ------
    ConfigurationError
        If there is none of this name.

    """
    if name not in experiment_names():
        known = ", ".join(experiment_names())
        raise ConfigurationError(f"There is no experiment called {name!r}; choose from {known}.")
    return FOLDER / f"{name}.toml"
