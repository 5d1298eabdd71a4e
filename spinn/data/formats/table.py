"""Tables: a label, a premise and a hypothesis in columns, with any labels.

A header names the columns (see :mod:`spinn.data.formats.columns`), in any order and among others;
they are separated by tabs, commas or semicolons. Without a header there are three columns separated
by tabs, of which the sentences are in order.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spinn.data.formats.columns import Columns, find_columns, is_label
from spinn.data.formats.format import Format, NumberedLine, ReadLine, Row, Source, are_trees
from spinn.data.labels import is_known, is_sentence
from spinn.data.lines import decode, split_cells
from spinn.support.errors import DataError

_COLUMNS = ("label", "premise", "hypothesis")
_NAME_COLUMNS = f"Name the columns {', '.join(_COLUMNS)} in the first line"


def matches(first_line: str) -> bool:
    """Return true: any line may be that of a table."""
    return True


def for_file(path: Path, sample: Sequence[NumberedLine]) -> ReadLine:
    """Return the function that reads the lines of a file, by its header if it has one."""
    number, content = sample[0]
    header = decode(path, number, content)
    for delimiter in "\t,;":
        # Tables with tabs rarely quote: a quotation mark is part of the text unless all are quoted.
        quoted = delimiter != "\t" or header.startswith('"')
        names = _split(header, delimiter, quoted)
        columns = find_columns(names) if names is not None else None
        if names is not None and columns is not None:
            _check_names(path, number, names, columns)
            table = _Headed(delimiter, quoted, names, columns)
            rows = (table.cells(path, *line) for line in sample[1:])
            table.trees = are_trees([cell for row in rows if row for cell in table.sentences(row)])
            return table.read_line
    return _without_names(path, sample)


@dataclass
class _Headed:
    """A table whose header names the columns."""

    delimiter: str
    quoted: bool
    """Whether cells with quotation marks are quoted, as in CSV."""
    names: list[str]
    columns: Columns
    trees: bool = False
    """Whether the sentences themselves are bracketed trees."""

    def cells(self, path: Path, number: int, content: bytes) -> dict[str, str] | None:
        """Return the cells of a line by name; ``None`` for the header."""
        cells = _split(decode(path, number, content), self.delimiter, self.quoted)
        if cells is None:
            raise DataError(
                path,
                "a quotation mark is not closed on its line",
                line=number,
                remedy="Write each row on one line",
            )
        if len(cells) != len(self.names):
            raise DataError(
                path,
                f"the line has {len(cells)} columns where the header has {len(self.names)}",
                line=number,
                remedy="Correct or remove the row",
            )
        return None if cells == self.names else dict(zip(self.names, cells, strict=True))

    def sentences(self, cells: dict[str, str]) -> tuple[str, str]:
        """Return the two sentences of a row."""
        return cells[self.columns.premise], cells[self.columns.hypothesis]

    def read_line(self, path: Path, number: int, content: bytes) -> Row | None:
        """Read a row."""
        cells = self.cells(path, number, content)
        if cells is None:
            return None
        texts = self.sentences(cells)
        if self.trees:
            premise, hypothesis = (Source(None, text) for text in texts)
        else:
            trees = (self.columns.premise_tree, self.columns.hypothesis_tree)
            premise, hypothesis = (
                Source(text, (cells[tree] or None) if tree is not None else None)
                for text, tree in zip(texts, trees, strict=True)
            )
        label, identifier = (
            "" if name is None else cells[name]
            for name in (self.columns.label, self.columns.identifier)
        )
        return Row(label, premise, hypothesis, identifier)


def _split(line: str, delimiter: str, quoted: bool) -> list[str] | None:
    """Split a line into cells; return ``None`` if a quoted cell is not closed."""
    if not quoted:
        return [_unquoted(cell.strip()) for cell in line.split(delimiter)]
    try:
        (cells,) = csv.reader([line.rstrip("\r\n")], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        return None
    return [cell.strip() for cell in cells]


def _unquoted(cell: str) -> str:
    """Undo the quoting of a cell with quotation marks, as spreadsheets and pandas write it."""
    inner = cell[1:-1]
    doubled = cell[:1] == cell[-1:] == '"' and '""' in inner and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if doubled else cell


def _check_names(path: Path, number: int, names: list[str], columns: Columns) -> None:
    """Raise :class:`DataError` if two columns have the name of one that is read."""
    for name in columns:
        if name is not None and names.count(name) > 1:
            cause = f"{names.count(name)} columns are named {name!r}"
            raise DataError(path, cause, line=number, remedy="Give each column its own name")


def _without_names(path: Path, sample: Sequence[NumberedLine]) -> ReadLine:
    """Return the function that reads a file whose header, if any, names no sentences."""
    number, content = sample[0]
    first = split_cells(path, number, content, _COLUMNS, remedy=_NAME_COLUMNS)
    headed = number == 1 and any(map(is_label, first))
    rest = [split_cells(path, *line, _COLUMNS, remedy=_NAME_COLUMNS) for line in sample[1:]]
    if headed:
        column: int | None = [is_label(cell) for cell in first].index(True)
    else:
        _refuse_header(path, number, first, rest)
        column = _label_column([first, *rest])
    if column is None:
        raise DataError(
            path, "no column of its first rows holds labels", line=number, remedy=_NAME_COLUMNS
        )

    def read_line(path: Path, line: int, content: bytes) -> Row | None:
        cells = split_cells(path, line, content, _COLUMNS, remedy=_NAME_COLUMNS)
        if headed and line == number:
            return None
        label = cells.pop(column)
        premise, hypothesis = (Source(text, None) for text in cells)
        return Row(label, premise, hypothesis)

    return read_line


def _label_column(rows: list[list[str]]) -> int | None:
    """Return the column of the labels, the first if it may be; ``None`` if it is uncertain."""
    columns = list(zip(*rows, strict=True))
    for place, cells in enumerate(columns):
        if all(map(is_known, cells)) and any(cells):
            return place
    possible = [not any(map(is_sentence, cells)) for cells in columns]
    if not possible[0]:
        return 2 if possible[2] else None
    longer = possible[2] and any(len(cell.split()) > 1 for cell in columns[0])
    return None if longer and len(set(columns[2])) < len(set(columns[0])) else 0


def _refuse_header(path: Path, number: int, first: list[str], rest: list[list[str]]) -> None:
    """Raise :class:`DataError` if the first row looks like names, and unlike the other rows."""
    column = _label_column(rest or [first]) or 0
    label = first[column]
    if is_known(label) or any(map(is_sentence, first)) or any(label == row[column] for row in rest):
        return
    others = [cell for row in rest for place, cell in enumerate(row) if place != column]
    if len(rest) > 1:
        unlike = 2 * sum(map(is_sentence, others)) > len(others)
    else:
        unlike = all(cell.isidentifier() for cell in first)
    if unlike:
        raise DataError(
            path,
            f"the line looks like a header with unknown names ({', '.join(first)})",
            line=number,
            remedy=f"{_NAME_COLUMNS}, or remove it",
        )


def read_line(path: Path, number: int, content: bytes) -> Row | None:
    """Read a line by itself; see :func:`for_file`."""
    return for_file(path, [(number, content)])(path, number, content)


TABLE = Format("tsv", None, read_line, matches, for_file=for_file)
