"""The columns of tables and the fields of rows, by the names that published corpora use or given.

:class:`Naming` holds what the user adds to a file: names of columns and of numbered labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from spinn.support.errors import ConfigurationError, DataError

# In order of preference; compared in lower case, letters and digits only.
_PAIRS = (
    ("premise", "hypothesis"),
    ("premise", "hypo"),  # the translated training sets of XNLI
    ("context", "hypothesis"),  # ANLI
    ("sentence1", "sentence2"),  # SNLI, MultiNLI, XNLI, HANS, GLUE
    ("sentencea", "sentenceb"),  # SICK
    ("text1", "text2"),
    ("texta", "textb"),
    ("s1", "s2"),
    ("firstsentence", "secondsentence"),
    ("text", "hypothesis"),
    ("sentence", "hypothesis"),
)
_LABELS = (
    "goldlabel", "label", "entailmentjudgment", "entailmentjudgement", "entailmentlabel",
    "judgment", "judgement", "relation", "gold", "class", "target", "labeltext", "labelname",
    "category", "answer", "verdict", "y",
)  # fmt: skip
_IDENTIFIERS = ("pairid", "id", "uid", "guid", "exampleid", "idx", "index")
_LANGUAGES = ("language", "lang")  # XNLI
# The numbers of the rows as pandas writes them: "", "Unnamed: 0", "__index_level_0__".
_ROW_NUMBERS = re.compile(r"((unnamed|indexlevel)[0-9]+)?")
_ROLES = ("premise", "hypothesis", "label", "id")  # of --columns


@dataclass(frozen=True)
class Naming:
    """Names of columns and labels that the user gives for files that do not have known ones.

    Attributes
    ----------
    columns
        Names of columns by role: ``premise`` and ``hypothesis`` (both or neither), ``label`` and
        ``id``. The columns of other roles are found by their usual names.
    label_names
        Names of the labels 0, 1, 2, ... of files with numbered labels; empty if they have none.

    Raises
    ------
    ConfigurationError
        If a role is unknown, or a name is empty or repeated.

    """

    columns: Mapping[str, str] = field(default_factory=dict)
    label_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = list(self.columns.values())
        known = set(self.columns) <= set(_ROLES)
        complete = ("premise" in self.columns) == ("hypothesis" in self.columns)
        if not known or not complete or not _are_distinct(names):
            given = ",".join(f"{role}={name}" for role, name in self.columns.items())
            raise _wrong_columns(given)
        if not _are_distinct(self.label_names):
            raise ConfigurationError(
                f"--label-names {','.join(self.label_names)} has an empty or repeated name; write "
                "the names of the labels 0, 1, 2, ... in order, separated by commas."
            )


def _are_distinct(names: Sequence[str]) -> bool:
    return all(names) and len(set(names)) == len(names)


def _wrong_columns(given: str) -> ConfigurationError:
    return ConfigurationError(
        f"--columns {given} does not name columns; write "
        "--columns premise=NAME,hypothesis=NAME,label=NAME,id=NAME, where label and id may be "
        "left out, or premise and hypothesis, each with a name of its own."
    )


NO_NAMING = Naming()
"""Everything is found by the usual names."""


def read_naming(columns: str | None, label_names: str | None) -> Naming:
    """Return the naming of the options ``--columns`` and ``--label-names``.

    A comma in the name of a column is part of it unless a role follows.

    Raises
    ------
    ConfigurationError
        If one of them has another form.

    """
    parts = [] if columns is None else re.split(r",(?=\s*\w+\s*=)", columns)
    pairs = [(role.strip(), name.strip()) for role, name in map(_halves, parts)]
    if len(dict(pairs)) < len(pairs):
        raise _wrong_columns(columns or "")
    names = () if label_names is None else tuple(map(str.strip, label_names.split(",")))
    return Naming(dict(pairs), names)


def _halves(text: str) -> tuple[str, str]:
    role, _, name = text.partition("=")
    return role, name


class Columns(NamedTuple):
    """The names of the columns of each role, as the file has them; ``None`` if there is none."""

    label: str | None
    premise: str
    hypothesis: str
    premise_tree: str | None
    hypothesis_tree: str | None
    identifier: str | None
    language: str | None = None


def find_columns(names: Sequence[str], naming: Naming = NO_NAMING) -> Columns | None:
    """Return the columns with these names; ``None`` if they do not include both sentences.

    They are ``None`` too if a column that is named by the user is missing. A column of another name
    is the label if it is the only one left of three, and not the row numbers of pandas.
    """
    given = naming.columns
    if missing_columns(names, naming):
        return None
    known = {_plain(name): name for name in reversed(names) if name not in given.values()}
    if "premise" in given:
        premise, hypothesis = given["premise"], given["hypothesis"]
    else:
        pair = next((pair for pair in _PAIRS if pair[0] in known and pair[1] in known), None)
        if pair is None:
            return None
        premise, hypothesis = known[pair[0]], known[pair[1]]
    label = given.get("label") or _first(known, _LABELS)
    identifier = given.get("id") or _first(known, _IDENTIFIERS)
    rest = [
        name
        for plain, name in known.items()
        if name not in (premise, hypothesis) and not _ROW_NUMBERS.fullmatch(plain)
    ]
    if label is None and identifier is None and len(names) == 3 and len(rest) == 1:
        label = rest[0]
    premise_tree, hypothesis_tree = (
        _first(known, (f"{name}binaryparse", f"binaryparse{name}"))
        for name in (_plain(premise), _plain(hypothesis))
    )
    language = _first(known, _LANGUAGES)
    return Columns(label, premise, hypothesis, premise_tree, hypothesis_tree, identifier, language)


def missing_columns(names: Sequence[str], naming: Naming) -> list[str]:
    """Return the names of columns that the user gave and that are not among ``names``."""
    return [name for name in naming.columns.values() if name not in names]


def named_columns(
    path: Path, line: int | None, names: Sequence[str], naming: Naming
) -> Columns | None:
    """Return the columns of a file as :func:`find_columns` does, and check them.

    Raises
    ------
    DataError
        If a column that the user named is missing, or two have the name of one that is read.

    """
    columns = find_columns(names, naming)
    if columns is None and naming.columns:
        missing = ", ".join(repr(name) for name in missing_columns(names, naming))
        cause = f"there is no column {missing}" if missing else "its sentences are not named"
        remedy = "Correct" if missing else "Name premise and hypothesis in"
        raise DataError(
            path,
            f"{cause}; the columns are {', '.join(names)}",
            line=line,
            remedy=f"{remedy} --columns",
        )
    for name in columns or ():
        if name is not None and names.count(name) > 1:
            cause = f"{names.count(name)} columns are named {name!r}"
            raise DataError(path, cause, line=line, remedy="Give each column its own name")
    return columns


def is_label(name: str) -> bool:
    """Return whether a column of this name is the label."""
    return _plain(name) in _LABELS


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _first(known: dict[str, str], names: Sequence[str]) -> str | None:
    return next((known[name] for name in names if name in known), None)
