"""Rows of corpus files that the tests of readers and formats share."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from spinn.data.examples import Example
from spinn.data.readers import read_examples

DOG = {"sentence1": "A dog runs.", "sentence1_binary_parse": "( ( A dog ) ( runs . ) )"}
IT = {"sentence2": "It moves", "sentence2_binary_parse": "( It moves )"}
ROW = {"gold_label": "entailment", "pairID": "7#0r1e", **DOG, **IT}


def without(*fields: str, **changes: object) -> dict[str, object]:
    """Return the row without some fields and with others changed."""
    return {key: value for key, value in (ROW | changes).items() if key not in fields}


def write(path: Path, *rows: dict[str, object] | str | bytes, compress: bool = False) -> Path:
    """Write rows as JSON lines, text or bytes."""
    lines = [json.dumps(row) if isinstance(row, dict) else row for row in rows]
    data = b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines)
    path.write_bytes(gzip.compress(data) if compress else data)
    return path


def read(path: Path, format: str = "auto", **options: object) -> list[Example]:
    """Read all examples of a file."""
    return list(read_examples(path, format, **options))  # type: ignore[arg-type]
