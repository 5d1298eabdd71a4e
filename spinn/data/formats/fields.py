"""Rows that are dictionaries, from JSON lines, Parquet or Python: their fields by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from spinn.data.formats.columns import Columns
from spinn.data.formats.format import NumberedRow, Row, Source
from spinn.data.labels import name_label
from spinn.support.errors import DataError

Fields = Mapping[str, Any]


def names_of(rows: Iterable[Fields]) -> list[str]:
    """Return the names of the fields of all rows, in order of occurrence."""
    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(row)
    return list(names)


def read_fields(columns: Columns, path: Path, line: int, fields: Fields) -> Row:
    """Return the row of a dictionary.

    Raises
    ------
    DataError
        If a field is missing or not text; labels may be whole numbers.

    """
    label = "" if columns.label is None else _label(path, line, fields, columns.label)
    premise = _source(path, line, fields, columns.premise, columns.premise_tree)
    hypothesis = _source(path, line, fields, columns.hypothesis, columns.hypothesis_tree)
    identifier = None if columns.identifier is None else fields.get(columns.identifier)
    language = None if columns.language is None else fields.get(columns.language)
    return Row(
        label,
        premise,
        hypothesis,
        "" if identifier is None else str(identifier),
        language if isinstance(language, str) else "",
    )


def name_labels(
    path: Path, rows: Iterator[NumberedRow], names: Sequence[str]
) -> Iterator[NumberedRow]:
    """Yield rows with the names of their numbered labels; see :func:`name_label`."""
    for number, row in rows:
        yield number, row._replace(label=name_label(path, number, row.label, names))


def _label(path: Path, line: int, fields: Fields, name: str) -> str:
    """Return the label of a row as text; empty for ``None`` and NaN.

    Numbers are integers, also if a missing one among them made pandas write ``0.0`` for 0.
    """
    value = fields.get(name)
    if isinstance(value, str):
        return value
    if isinstance(value, Real) and not isinstance(value, bool):
        number = _as_float(value)
        if number != number:  # NaN
            return ""
        if number.is_integer():
            return str(int(number))
    return "" if value is None and name in fields else _text(path, line, fields, name)


def _as_float(number: Real) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _source(path: Path, line: int, fields: Fields, name: str, tree: str | None) -> Source:
    brackets = None
    if tree is not None and fields.get(tree) is not None:
        brackets = _text(path, line, fields, tree).strip() or None
    return Source(_text(path, line, fields, name), brackets)


def _text(path: Path, line: int, fields: Fields, name: str) -> str:
    value = fields.get(name)
    if isinstance(value, str):
        return value
    cause = f"the field {name!r} is not text" if name in fields else f"there is no field {name!r}"
    remedy = (
        "Each row needs a label and two sentences: gold_label, sentence1 and sentence2, or fields "
        "that are named with --columns"
    )
    raise DataError(path, cause, line=line, remedy=remedy)
