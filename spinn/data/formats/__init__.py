"""The registry of file formats, and their detection.

A format is a module with two functions and a :class:`Format` declaration: ``matches`` recognises a
file by its first line, ``read_line`` turns a line into a :class:`Row`. It is added by one line
below, or from other code by :func:`register_format`.
"""

from __future__ import annotations

from pathlib import Path

from spinn.data.formats.format import Format, Row, Source
from spinn.data.formats.listops import LISTOPS
from spinn.data.formats.logic import LOGIC, LOGIC_BRACKETS
from spinn.data.formats.sick import SICK
from spinn.data.formats.snli import MULTINLI, SNLI
from spinn.data.formats.table import TABLE
from spinn.data.lines import first_line, numbered_lines
from spinn.data.registry import Choices, Registry

__all__ = [
    "FORMATS",
    "FORMAT_NAMES",
    "Format",
    "Row",
    "Source",
    "detect_format",
    "find_format",
    "match_format",
    "register_format",
]

FORMATS: Registry[Format] = Registry("corpus format")
FORMAT_NAMES = Choices(("auto",), FORMATS)


def register_format(format: Format) -> None:
    """Add a format. In detection it takes precedence over those registered before it.

    Raises
    ------
    ValueError
        If another format has its name.

    """
    FORMATS.register(format.name, format)


def match_format(line: bytes) -> Format:
    """Return the format of a file with this first line."""
    text = line.decode("utf-8", errors="replace").strip()
    for format in reversed(list(FORMATS.values())):
        if format.matches is not None and format.matches(text):
            return format
    return TABLE


def detect_format(path: str | Path) -> Format:
    """Return the format of a file, by its first line.

    Raises
    ------
    DataError
        If the file cannot be read or is empty.

    """
    path = Path(path)
    return match_format(first_line(path, numbered_lines(path))[1])


def find_format(name: str, path: str | Path) -> Format:
    """Return the format of a name, or that of the file if the name is ``auto``.

    Raises
    ------
    ConfigurationError
        If there is no such format.
    DataError
        If the format has to be detected and the file cannot be read.

    """
    return detect_format(path) if name == "auto" else FORMATS.find(name)


# From the most general to the most specific: the last one that matches a file is chosen.
register_format(TABLE)
register_format(SICK)
register_format(LISTOPS)
register_format(LOGIC)
register_format(LOGIC_BRACKETS)
register_format(SNLI)
register_format(MULTINLI)
