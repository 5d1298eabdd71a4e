"""The registry of file formats, and their detection.

A format is a module with two functions and a :class:`Format` declaration: ``matches`` recognises a
file by its first line, and ``read_line`` turns a line into a :class:`Row`, or ``read_rows`` all
lines of a file. It is registered by one line below, or from other code by :func:`register_format`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from spinn.data.examples import ExampleKind
from spinn.data.formats.columns import NO_NAMING
from spinn.data.formats.columns import Naming as Naming
from spinn.data.formats.fields import name_labels
from spinn.data.formats.format import SAMPLE
from spinn.data.formats.format import Format as Format
from spinn.data.formats.format import NumberedLine as NumberedLine
from spinn.data.formats.format import NumberedRow as NumberedRow
from spinn.data.formats.format import Row as Row
from spinn.data.formats.format import Source as Source
from spinn.data.formats.listops import LISTOPS
from spinn.data.formats.logic import LOGIC, LOGIC_BRACKETS
from spinn.data.formats.parquet import PARQUET
from spinn.data.formats.sick import SICK
from spinn.data.formats.snli import JSON_LINES, MULTINLI, SNLI, is_json
from spinn.data.formats.table import TABLE
from spinn.data.lines import first_line, numbered_lines
from spinn.support.registry import Choices, Registry

FORMATS: Registry[Format] = Registry("corpus format")
FORMAT_NAMES = Choices(FORMATS, "auto")


def register_format(format: Format) -> None:
    """Add a format; in detection it takes precedence over those registered before it.

    Raises
    ------
    ValueError
        If another format has its name.

    """
    FORMATS.register(format.name, format)


def open_rows(
    path: Path, name: str = "auto", naming: Naming = NO_NAMING
) -> tuple[Format, Iterator[NumberedRow]]:
    """Return the format of a file and its rows, which are read as they are taken.

    Parameters
    ----------
    path
        The file.
    name
        Name of the format; ``"auto"`` to detect it.
    naming
        Names that the user gives. If columns are among them, only formats with names are detected.

    Raises
    ------
    ConfigurationError
        If there is no such format, or its columns have no names.
    DataError
        If the file is empty or unreadable.

    """
    format = _binary_format(path) if name == "auto" else FORMATS.find(name)
    if format is not None and format.is_binary:
        rows = format.rows(path, iter(()), naming)
    else:
        lines = numbered_lines(path)
        sample = [first_line(path, lines), *islice(lines, SAMPLE - 1)]
        format = format or _match_format(sample, naming)
        rows = format.rows(path, chain(sample, lines), naming)
    names = naming.label_names
    return format, name_labels(path, rows, names) if names else rows


def _binary_format(path: Path) -> Format | None:
    """Return the format of a file that is not text, by its extension."""
    return next(
        (one for one in FORMATS.values() if one.is_binary and one.extension == path.suffix.lower()),
        None,
    )


def _match_format(sample: Sequence[NumberedLine], naming: Naming) -> Format:
    """Return the format of a text file with these first lines."""
    texts = [line.decode("utf-8", errors="replace").strip() for _, line in sample]
    if naming.columns:
        return JSON_LINES if is_json(texts[0]) else TABLE
    for format in reversed(FORMATS.values()):
        if format.matches is None or not format.matches(texts[0]):
            continue
        if format.matches_sample is None or format.matches_sample(texts):
            return format
    return TABLE


def format_that_writes(labels: Collection[str], kind: ExampleKind) -> Format | None:
    """Return the format in which examples with these labels and their trees can be written."""
    for format in FORMATS.values():
        fits = format.kind == kind and set(labels) <= set(format.labels or ())
        if fits and format.write_line is not None:
            return format
    return None


def detect_format(path: str | Path, naming: Naming = NO_NAMING) -> Format:
    """Return the format of a file; raise :class:`DataError` if it is empty or unreadable."""
    return open_rows(Path(path), naming=naming)[0]


# From the most general to the most specific: the last one that matches a file is chosen.
for _format in (TABLE, PARQUET, SICK, LISTOPS, LOGIC, LOGIC_BRACKETS, SNLI, MULTINLI, JSON_LINES):
    register_format(_format)
