"""Tables: a label, a premise and a hypothesis in columns, with any labels.

A header names the columns (see :mod:`spinn.data.formats.columns`), in any order and among others;
they are separated by tabs, commas or semicolons. Quoted cells may contain these and line breaks, as
in CSV; in a table with tabs only if the header is quoted. Without a header there are three columns
separated by tabs, of which the sentences are in order.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from spinn.data.formats.columns import Columns, Naming, find_columns, is_label, named_columns
from spinn.data.formats.format import (
    SAMPLE,
    Format,
    NumberedLine,
    NumberedRow,
    Row,
    Source,
    are_trees,
)
from spinn.data.labels import is_known, is_sentence
from spinn.data.lines import decode, first_line, split_cells
from spinn.support.errors import DataError

_COLUMNS = ("label", "premise", "hypothesis")
_NAME_COLUMNS = (
    f"Name the columns {', '.join(_COLUMNS)} in the first line, or give the names that they have "
    "with --columns"
)


def matches(first_line: str) -> bool:
    """Return true: any line may be that of a table."""
    return True


def read_rows(path: Path, lines: Iterator[NumberedLine], naming: Naming) -> Iterator[NumberedRow]:
    """Yield the rows of a table, by its header if it has one."""
    number, content = first_line(path, lines)
    table = _headed(path, number, decode(path, number, content), naming)
    if table is None:
        sample = [(number, content), *islice(lines, SAMPLE - 1)]
        yield from _without_names(path, sample, lines)
        return
    records = table.records(path, lines)
    first = list(islice(records, SAMPLE - 1))
    table.trees = are_trees([cell for _, cells in first for cell in table.sentences(cells)])
    for number, cells in chain(first, records):
        yield number, table.row(cells)


def _headed(path: Path, number: int, header: str, naming: Naming) -> _Headed | None:
    """Return the table with a header; ``None`` if the line does not name both sentences.

    Raises
    ------
    DataError
        If the line has not the columns that the user names.

    """
    possible: list[list[str]] = []
    for delimiter in "\t,;":
        # Tables with tabs rarely quote: a quotation mark is part of the text unless all are quoted.
        quoted = delimiter != "\t" or header.startswith('"')
        names = _split(header, delimiter, quoted)
        if names is None:
            continue
        columns = find_columns(names, naming)
        if columns is not None:
            named_columns(path, number, names, naming)  # checks them
            return _Headed(delimiter, quoted, names, columns)
        possible.append(names)
    if naming.columns and possible:
        named_columns(path, number, max(possible, key=len), naming)  # raises an error
    return None


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

    def records(
        self, path: Path, lines: Iterator[NumberedLine]
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the cells of each row by name, with the number of its first line.

        A header that is repeated is left out.
        """
        split = self._quoted(path, lines) if self.quoted else self._unquoted(path, lines)
        for number, cells in split:
            if len(cells) != len(self.names):
                raise DataError(
                    path,
                    f"the line has {len(cells)} columns where the header has {len(self.names)}",
                    line=number,
                    remedy="Correct or remove the row",
                )
            if cells != self.names:
                yield number, dict(zip(self.names, cells, strict=True))

    def _unquoted(
        self, path: Path, lines: Iterator[NumberedLine]
    ) -> Iterator[tuple[int, list[str]]]:
        for number, content in lines:
            line = decode(path, number, content)
            yield number, [_unquoted(cell.strip()) for cell in line.split(self.delimiter)]

    def _quoted(self, path: Path, lines: Iterator[NumberedLine]) -> Iterator[tuple[int, list[str]]]:
        """Yield rows in which a quoted cell may have line breaks."""
        taken: list[int] = []  # numbers of the lines of a row

        def texts() -> Iterator[str]:
            for number, content in lines:
                taken.append(number)
                yield decode(path, number, content)

        reader = csv.reader(texts(), delimiter=self.delimiter, strict=True)
        while True:
            taken.clear()
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise _not_csv(path, taken[0], error) from error
            if cells is None:
                return
            yield taken[0], [cell.strip() for cell in cells]

    def sentences(self, cells: dict[str, str]) -> tuple[str, str]:
        """Return the two sentences of a row."""
        return cells[self.columns.premise], cells[self.columns.hypothesis]

    def row(self, cells: dict[str, str]) -> Row:
        """Return a row of its cells."""
        texts, columns = self.sentences(cells), self.columns
        if self.trees:
            premise, hypothesis = (Source(None, text) for text in texts)
        else:
            trees = (columns.premise_tree, columns.hypothesis_tree)
            premise, hypothesis = (
                Source(text, (cells[tree] or None) if tree is not None else None)
                for text, tree in zip(texts, trees, strict=True)
            )
        label, identifier, language = (
            "" if name is None else cells[name]
            for name in (columns.label, columns.identifier, columns.language)
        )
        return Row(label, premise, hypothesis, identifier, language)


def _not_csv(path: Path, number: int, error: csv.Error) -> DataError:
    """Return the error for a row that begins on a line and cannot be split into cells."""
    if "new-line" in str(error):
        cause = "a cell without quotation marks contains a carriage return"
        remedy = "Remove it, or put the cell in quotation marks"
    elif "unexpected end" in str(error) or "field larger" in str(error):
        cause, remedy = "a quotation mark is not closed", "Close it, or double it within a cell"
    else:
        cause = f"the row is not CSV ({error})"
        remedy = "Double the quotation marks within a quoted cell"
    return DataError(path, cause, line=number, remedy=remedy)


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


def _without_names(
    path: Path, sample: Sequence[NumberedLine], lines: Iterator[NumberedLine]
) -> Iterator[NumberedRow]:
    """Yield the rows of a file whose header, if any, names no sentences."""
    number = sample[0][0]
    first, *rest = (split_cells(path, *line, _COLUMNS, remedy=_NAME_COLUMNS) for line in sample)
    column = _named_label(first, rest) if number == 1 else None
    headed = column is not None
    if not headed:
        _refuse_header(path, number, first, rest)
        column = _label_column([first, *rest])
    if column is None:
        raise DataError(
            path, "no column of its first rows holds labels", line=number, remedy=_NAME_COLUMNS
        )

    read = rest if headed else [first, *rest]
    trees = are_trees([cell for row in read for cell in row[:column] + row[column + 1 :]])
    for line, content in chain(sample, lines):
        cells = split_cells(path, line, content, _COLUMNS, remedy=_NAME_COLUMNS)
        if headed and cells == first:
            continue
        label = cells.pop(column)
        premise, hypothesis = (
            Source(None, text) if trees else Source(text, None) for text in cells
        )
        yield line, Row(label, premise, hypothesis)


def _named_label(first: list[str], rest: list[list[str]]) -> int | None:
    """Return the column of the label if the first row names it; ``None`` if it may be an example.

    A label may be called as a column of labels is (``y`` for yes): then it occurs again, or
    sentences stand beside it.
    """
    named = [place for place, cell in enumerate(first) if is_label(cell)]
    again = any(row[place] == first[place] for row in rest if row != first for place in named)
    return None if again or not named or any(map(is_sentence, first)) else named[0]


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
            remedy=f"{_NAME_COLUMNS}; or remove it",
        )


TABLE = Format("tsv", None, None, matches, read_rows=read_rows)
