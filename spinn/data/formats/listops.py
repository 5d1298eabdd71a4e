"""ListOps: tab-separated digit and bracketed expression (Nangia and Bowman 2018)."""

from __future__ import annotations

from pathlib import Path

from spinn.data.examples import SENTENCE
from spinn.data.formats.format import Format, Row, Source, is_tree, write_cells
from spinn.data.lines import split_cells

DIGITS = tuple("0123456789")  # the values of expressions
_COLUMNS = ("digit", "bracketed expression")


def matches(first_line: str) -> bool:
    """Return whether the line is a digit followed by one tree or a single word."""
    digit, *expressions = first_line.split("\t")
    if digit not in DIGITS or len(expressions) != 1:
        return False
    return is_tree(expressions[0]) or len(expressions[0].split()) == 1


def read_line(path: Path, number: int, content: bytes) -> Row:
    """Read a digit and an expression."""
    digit, expression = split_cells(path, number, content, _COLUMNS)
    return Row(digit, Source(None, expression), None)


LISTOPS = Format(
    "listops",
    DIGITS,
    read_line,
    matches,
    kind=SENTENCE,
    minimum_count=1,
    write_line=write_cells,
)
