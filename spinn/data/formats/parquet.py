"""Parquet files, which are read in batches by the optional package pyarrow.

Columns are found as in tables, see :mod:`spinn.data.formats.columns`. The names of numbered labels
are taken from the metadata that HuggingFace's ``datasets`` writes, unless the user gives them. The
line numbers of errors are those of rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spinn.data.formats.columns import Columns, Naming, named_columns
from spinn.data.formats.fields import name_labels, read_fields
from spinn.data.formats.format import Format, NumberedLine, NumberedRow
from spinn.data.lines import unreadable
from spinn.support.errors import DataError

_BATCH = 2**12  # rows in memory
_METADATA = b"huggingface"


def read_rows(path: Path, lines: Iterator[NumberedLine], naming: Naming) -> Iterator[NumberedRow]:
    """Yield the rows of a file; there are no ``lines``."""
    with _errors(path):
        file = _open(path)
        schema = file.schema_arrow
    names = list(schema.names)
    columns = named_columns(path, None, names, naming)
    if columns is None:
        raise DataError(
            path,
            f"its columns ({', '.join(names)}) are not known",
            remedy="Name them with --columns premise=NAME,hypothesis=NAME,label=NAME",
        )
    labels = () if naming.label_names else _label_names(schema.metadata, columns.label)
    yield from name_labels(path, _rows(path, file, columns), labels)


def _rows(path: Path, file: Any, columns: Columns) -> Iterator[NumberedRow]:
    wanted = [name for name in columns if name is not None]
    with _errors(path):
        batches = file.iter_batches(batch_size=_BATCH, columns=wanted)
        rows = (fields for batch in batches for fields in batch.to_pylist())
        for number, fields in enumerate(rows, start=1):
            yield number, read_fields(columns, path, number, fields)


def _open(path: Path) -> Any:
    """Return the open file; raise :class:`DataError` if pyarrow is missing."""
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise DataError(
            path,
            "Parquet files are read by pyarrow, which is not installed",
            remedy="Install it with `pip install pyarrow`, or this package as spinn[parquet]",
        ) from None
    return parquet.ParquetFile(path)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turn errors of pyarrow, which derive from these, into :class:`DataError`."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise unreadable(path, error) from error
        raise DataError(
            path,
            f"it is not a Parquet file, or damaged ({error})",
            remedy="Copy or download the file again, or name its --format",
        ) from error


def _label_names(metadata: dict[bytes, bytes] | None, label: str | None) -> Sequence[str]:
    """Return the names of the classes of a column in HuggingFace's metadata, if there are any."""
    try:
        described = json.loads((metadata or {})[_METADATA])
        names = described["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):
        return ()
    return names if isinstance(names, list) and all(isinstance(one, str) for one in names) else ()


PARQUET = Format("parquet", None, None, extension=".parquet", read_rows=read_rows, is_binary=True)
