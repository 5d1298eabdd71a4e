"""The registry of file formats, and their detection.

A format is a module with two functions and a :class:`Format` declaration: ``matches`` recognises a
file by its first line, ``read_line`` turns a line into a :class:`Row`. It is registered by one line
below, or from other code by :func:`register_format`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from spinn.data.examples import ExampleKind
from spinn.data.formats.format import Format as Format
from spinn.data.formats.format import NumberedLine as NumberedLine
from spinn.data.formats.format import Row as Row
from spinn.data.formats.format import Source as Source
from spinn.data.formats.listops import LISTOPS
from spinn.data.formats.logic import LOGIC, LOGIC_BRACKETS
from spinn.data.formats.sick import SICK
from spinn.data.formats.snli import JSON_LINES, MULTINLI, SNLI
from spinn.data.formats.table import TABLE
from spinn.data.lines import first_line, numbered_lines
from spinn.support.registry import Choices, Registry

FORMATS: Registry[Format] = Registry("corpus format")
FORMAT_NAMES = Choices(FORMATS, "auto")
_SAMPLE = 50  # lines that a format is recognised by


def register_format(format: Format) -> None:
    """Add a format; in detection it takes precedence over those registered before it.

    Raises
    ------
    ValueError
        If another format has its name.

    """
    FORMATS.register(format.name, format)


def sample_of(path: Path, lines: Iterator[NumberedLine]) -> list[NumberedLine]:
    """Take the first of ``numbered_lines(path)``; raise :class:`DataError` if there is none."""
    return [first_line(path, lines), *islice(lines, _SAMPLE - 1)]


def match_format(sample: Sequence[NumberedLine]) -> Format:
    """Return the format of a file with these first lines."""
    texts = [line.decode("utf-8", errors="replace").strip() for _, line in sample]
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


def detect_format(path: str | Path) -> Format:
    """Return the format of a file; raise :class:`DataError` if it is empty or unreadable."""
    path = Path(path)
    return match_format(sample_of(path, numbered_lines(path)))


# From the most general to the most specific: the last one that matches a file is chosen.
for _format in (TABLE, SICK, LISTOPS, LOGIC, LOGIC_BRACKETS, SNLI, MULTINLI, JSON_LINES):
    register_format(_format)
