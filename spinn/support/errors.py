"""Errors that the user can correct.

Every message states what is affected (file and line, if any), what is wrong, and what to do, in one
or two sentences. Commands print the message and exit with status 2. Any other exception is a bug
and keeps its traceback.
"""

from __future__ import annotations

from pathlib import Path

from spinn.support.text import visible

_BEGINNING, _END = 600, 350  # characters that are kept of a message


class SpinnError(Exception):
    """An error that the user can correct.

    Parameters
    ----------
    message
        One or two sentences. What they quote may be anything: the message becomes one line of
        printable characters, without the middle of a very long one.

    """

    def __init__(self, message: str = "") -> None:
        text = visible(" ".join(line.strip() for line in message.splitlines()))
        if len(text) > _BEGINNING + _END:
            text = f"{text[:_BEGINNING]} [...] {text[-_END:]}"
        super().__init__(text)


class DataError(SpinnError):
    """A file cannot be used as data.

    Parameters
    ----------
    path
        The file.
    cause
        What is wrong, without a full stop.
    line
        The line number, from 1, if the error is in one line.
    remedy
        What to do, without a full stop.

    """

    def __init__(
        self, path: str | Path, cause: str, *, line: int | None = None, remedy: str | None = None
    ) -> None:
        self.path, self.cause, self.line, self.remedy = Path(path), cause, line, remedy
        place = f"{path}, line {line}" if line is not None else f"{path}"
        super().__init__(f"{place}: {cause}." + (f" {remedy}." if remedy else ""))


class ConfigurationError(SpinnError):
    """Options are incompatible, or values are out of range."""


def of_system(error: OSError) -> SpinnError:
    """Convert an error of the operating system, mostly about a file."""
    place = f"{error.filename}: " if error.filename is not None else ""
    return SpinnError(
        f"{place}{error.strerror or error}. Check the path, its permissions, and the free space."
    )


def shorten(text: str, length: int = 40) -> str:
    """Return a text cut to a length, for messages."""
    return text if len(text) <= length else text[: length - 3] + "..."
