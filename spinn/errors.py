"""The errors that are a person's to mend.

Every message names what was being read (file and line where there is one), what is wrong with it,
and what to do next, in one sentence or two. The commands print the message and exit with status 2;
any other exception is a defect of this project and keeps its traceback.
"""

from __future__ import annotations

from pathlib import Path


class SpinnError(Exception):
    """Something that the person running the program can put right."""


class DataError(SpinnError):
    """A file cannot be used as data.

    Parameters
    ----------
    path
        The file.
    cause
        What is wrong, in a few words, without a full stop.
    line
        The line number, from 1, where the cause lies in one line.
    remedy
        What to do about it, without a full stop.

    """

    def __init__(
        self, path: str | Path, cause: str, *, line: int | None = None, remedy: str | None = None
    ) -> None:
        self.path, self.cause, self.line, self.remedy = Path(path), cause, line, remedy
        place = f"{path}, line {line}" if line is not None else f"{path}"
        super().__init__(f"{place}: {cause}." + (f" {remedy}." if remedy else ""))


class ConfigurationError(SpinnError):
    """Options that do not go together, or values out of range."""


def of_system(error: OSError) -> SpinnError:
    """Put what the operating system refused, mostly of a file, into a message."""
    place = f"{error.filename}: " if error.filename is not None else ""
    return SpinnError(
        f"{place}{error.strerror or error}. "
        "Check the path, its permissions, and the space that is left."
    )
