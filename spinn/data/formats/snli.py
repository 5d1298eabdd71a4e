"""JSON lines: SNLI and MultiNLI with raw text and binary parses, and others with any labels.

Bowman et al. (2015, arXiv 1508.05326); Williams, Nangia and Bowman (2018, arXiv 1704.05426). The
fields are found by their names, see :mod:`spinn.data.formats.columns`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any

from spinn.data import jsonlines
from spinn.data.examples import Example
from spinn.data.formats.columns import Columns, Naming, find_columns, named_columns
from spinn.data.formats.fields import names_of, read_fields
from spinn.data.formats.format import SAMPLE, Format, NumberedLine, NumberedRow, bracketed
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


def is_json(first_line: str) -> bool:
    """Return whether the line is JSON."""
    return first_line.startswith("{") or (first_line.startswith("[") and "\t" not in first_line)


def matches_other(first_line: str) -> bool:
    """Return whether the line is JSON whose label has another name than SNLI's."""
    if not is_json(first_line):
        return False
    columns = find_columns(_names([(1, first_line.encode(errors="replace"))]))
    return columns is not None and columns.label not in (None, _FIELDS.label)


def read_rows(path: Path, lines: Iterator[NumberedLine], naming: Naming) -> Iterator[NumberedRow]:
    """Yield the rows of a file, with the fields that its first rows have."""
    sample = list(islice(lines, SAMPLE))
    names = _names(sample)
    columns = (named_columns(path, None, names, naming) if names else None) or _FIELDS
    for number, line in chain(sample, lines):
        yield number, read_fields(columns, path, number, _object(path, number, line))


def _names(sample: Sequence[NumberedLine]) -> list[str]:
    """Return the names of the fields of the rows that can be read."""
    rows = []
    for _, content in sample:
        with suppress(ValueError):
            rows.append(jsonlines.loads(content))
    return names_of(row for row in rows if isinstance(row, dict))


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
    None,
    is_json,
    write_line=write_line,
    extension=".jsonl",
    read_rows=read_rows,
)
MULTINLI = Format("multinli", INFERENCE_LABELS, None, read_rows=read_rows)
JSON_LINES = Format("jsonl", None, None, matches_other, read_rows=read_rows)
