"""The standard streams of a command: output that a stream cannot take, and closed or full streams.

A command prepares them once, at its start. After that, printing cannot fail because of an encoding:
characters that a stream cannot encode are written as escapes.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TextIO

from spinn.support.errors import SpinnError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def prepare_output() -> None:
    """Make standard output and standard error take any text; what is closed discards it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def can_encode(stream: TextIO, text: str) -> bool:
    """Return whether a stream takes a text as it is, without escapes."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a standard stream is a terminal; ``None`` is a closed stream."""
    return stream is not None and stream.isatty()


def flush_output() -> None:
    """Write out standard output.

    Raises
    ------
    BrokenPipeError
        If its reader has exited.
    SpinnError
        If it cannot be written, because the disk is full for example.

    """
    try:
        sys.stdout.flush()
    except OSError as error:
        lost = output_error(error)
        if lost is None:
            raise
        raise lost from error


def output_error(error: OSError) -> SpinnError | None:
    """Return the error to report if a stream could not be written; ``None`` for other errors.

    The errors of files have the name of the file.
    """
    if error.filename is not None or error.errno not in _FULL:
        return None
    return SpinnError(
        f"the output cannot be written ({error.strerror}). Free some space, or send it elsewhere."
    )


def discard_output() -> None:
    """Discard what streams that cannot be written still hold, so that the exit is quiet."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError, AttributeError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
