"""JSON lines: SNLI and MultiNLI with raw text and binary parses, and others with any labels.

Bowman et al. (2015, arXiv 1508.05326); Williams, Nangia and Bowman (2018, arXiv 1704.05426). The
fields are found by their names, see :mod:`spinn.data.formats.columns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from spinn.data import jsonlines
from spinn.data.examples import Example
from spinn.data.formats.columns import Columns, find_columns
from spinn.data.formats.format import Format, NumberedLine, ReadLine, Row, Source, bracketed
from spinn.data.labels import INFERENCE_LABELS, UNLABELLED
from spinn.data.lines import decode
from spinn.support.errors import DataError
from spinn.support.files import as_json

_FIELDS = Columns(
    "gold_label",
    "sentence1",
    "sentence2",
    "sentence1_binary_parse",
    "sentence2_binary_parse",
    "pairID",
)


def matches(first_line: str) -> bool:
    """Return whether the line is JSON."""
    return first_line.startswith("{") or (first_line.startswith("[") and "\t" not in first_line)


def matches_other(first_line: str) -> bool:
    """Return whether the line is JSON whose label has another name than SNLI's."""
    if not matches(first_line):
        return False
    columns = find_columns(_fields([(1, first_line.encode(errors="replace"))]))
    return columns is not None and columns.label not in (None, _FIELDS.label)


def for_file(path: Path, sample: Sequence[NumberedLine]) -> ReadLine:
    """Return the function that reads the lines of a file, by the fields of its first rows."""
    return partial(_read_row, find_columns(_fields(sample)) or _FIELDS)


def read_line(path: Path, number: int, content: bytes) -> Row:
    """Read a JSON object with the fields of SNLI."""
    return _read_row(_FIELDS, path, number, content)


def _fields(sample: Sequence[NumberedLine]) -> list[str]:
    """Return the names of the fields of the rows that can be read."""
    names: dict[str, None] = {}
    for _, content in sample:
        try:
            row = jsonlines.loads(content)
        except ValueError:
            continue
        if isinstance(row, dict):
            names |= dict.fromkeys(row)
    return list(names)


def _read_row(fields: Columns, path: Path, number: int, content: bytes) -> Row:
    row = _object(path, number, content)
    label = "" if fields.label is None else _label(path, number, row, fields.label)
    premise = _source(path, number, row, fields.premise, fields.premise_tree)
    hypothesis = _source(path, number, row, fields.hypothesis, fields.hypothesis_tree)
    identifier = None if fields.identifier is None else row.get(fields.identifier)
    return Row(label, premise, hypothesis, "" if identifier is None else str(identifier))


def _object(path: Path, number: int, content: bytes) -> dict[str, Any]:
    """Parse a line as a JSON object."""
    one_a_line = "Write one object a line, in braces (`jq -c '.[]' FILE` does so for an array)"
    try:
        row = jsonlines.loads(content)
    except ValueError as error:
        decode(path, number, content)  # raises a clearer error if the encoding is the cause
        start = content.strip()
        indented = start in (b"{", b"[") or start.startswith(b"[")
        raise DataError(
            path,
            "the rows are spread over several lines"
            if indented
            else f"the line is not JSON ({error})",
            line=number,
            remedy=one_a_line if indented else "Correct the line, or copy the file again",
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            path,
            f"the line is a JSON {type(row).__name__} where an object is required",
            line=number,
            remedy=one_a_line,
        )
    return row


def _label(path: Path, line: int, row: dict[str, Any], field: str) -> str:
    """Return the label of a row as text; empty for ``null``.

    Numbers are integers, also if a missing one among them made pandas write ``0.0`` for 0.
    """
    value = row.get(field)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value):
        return str(int(value))
    return "" if value is None and field in row else _text(path, line, row, field)


def _source(path: Path, line: int, row: dict[str, Any], name: str, tree: str | None) -> Source:
    brackets = None
    if tree is not None and row.get(tree) is not None:
        brackets = _text(path, line, row, tree).strip() or None
    return Source(_text(path, line, row, name), brackets)


def _text(path: Path, line: int, row: dict[str, Any], field: str) -> str:
    value = row.get(field)
    if isinstance(value, str):
        return value
    cause = f"the field {field!r} is not text" if field in row else f"there is no field {field!r}"
    remedy = "Each row needs a label and two sentences: gold_label, sentence1 and sentence2"
    raise DataError(path, cause, line=line, remedy=remedy)


def write_line(example: Example) -> str:
    """Return a pair with its trees as JSON."""
    row = {"gold_label": example.label or UNLABELLED, "pairID": example.identifier}
    for side, sentence in enumerate(example.sentences, start=1):
        row[f"sentence{side}"] = " ".join(sentence.words)
        row[f"sentence{side}_binary_parse"] = bracketed(sentence)
    return as_json(row, ensure_ascii=False)


SNLI = Format(
    "snli",
    INFERENCE_LABELS,
    read_line,
    matches,
    write_line=write_line,
    extension=".jsonl",
    for_file=for_file,
)
MULTINLI = Format("multinli", INFERENCE_LABELS, read_line, for_file=for_file)
JSON_LINES = Format("jsonl", None, read_line, matches_other, for_file=for_file)
