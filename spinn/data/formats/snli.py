"""SNLI and MultiNLI: JSON lines with raw text and binary parses.

Bowman et al. (2015, arXiv 1508.05326); Williams, Nangia and Bowman (2018, arXiv 1704.05426).
"""

from __future__ import annotations

import json
from pathlib import Path

from spinn.data import jsonlines
from spinn.data.examples import Example
from spinn.data.formats.format import Format, Row, Source, bracketed
from spinn.data.lines import decode
from spinn.support.errors import DataError

INFERENCE_LABELS = ("entailment", "neutral", "contradiction")


def matches(first_line: str) -> bool:
    """Return whether the line is JSON."""
    return first_line.startswith("{") or (first_line.startswith("[") and "\t" not in first_line)


def read_line(path: Path, number: int, content: bytes) -> Row:
    """Read a JSON object with ``gold_label``, ``sentence1`` and ``sentence2``.

    ``sentence1_binary_parse``, ``sentence2_binary_parse`` and ``pairID`` are optional.
    """
    try:
        row = jsonlines.loads(content)
    except ValueError as error:
        decode(path, number, content)  # raises a clearer error if the encoding is the cause
        raise DataError(
            path, f"the line is not JSON ({error})", line=number, remedy="Download the file again"
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            path,
            f"the line is a JSON {type(row).__name__} where an object is required",
            line=number,
            remedy="Write one object a line, in braces",
        )
    premise, hypothesis = (_source(path, number, row, name) for name in ("sentence1", "sentence2"))
    identifier = row.get("pairID")
    return Row(
        _text(path, number, row, "gold_label"),
        premise,
        hypothesis,
        identifier if isinstance(identifier, str) else "",
    )


def _source(path: Path, line: int, row: dict[str, object], name: str) -> Source:
    brackets = None
    if row.get(name + "_binary_parse") is not None:
        brackets = _text(path, line, row, name + "_binary_parse").strip() or None
    return Source(_text(path, line, row, name), brackets)


def _text(path: Path, line: int, row: dict[str, object], field: str) -> str:
    value = row.get(field)
    if isinstance(value, str):
        return value
    cause = f"the field {field!r} is not text" if field in row else f"there is no field {field!r}"
    remedy = "Each row needs gold_label, sentence1 and sentence2"
    raise DataError(path, cause, line=line, remedy=remedy)


def write_line(example: Example) -> str:
    """Return a pair with its trees as JSON; a missing gold label is written as ``-``."""
    row = {"gold_label": example.label or "-", "pairID": example.identifier}
    for side, sentence in enumerate(example.sentences, start=1):
        row[f"sentence{side}"] = " ".join(sentence.words)
        row[f"sentence{side}_binary_parse"] = bracketed(sentence)
    return json.dumps(row, ensure_ascii=False)


SNLI = Format(
    "snli", INFERENCE_LABELS, read_line, matches, write_line=write_line, extension=".jsonl"
)
MULTINLI = Format("multinli", INFERENCE_LABELS, read_line)
