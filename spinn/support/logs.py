"""Messages on a command line: those of the loggers under ``spinn``, printed to standard error.

A program that embeds the package sets up :mod:`logging` itself.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from spinn.support.text import printable_lines


class _Printer(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Print a bare message immediately, without disturbing a bar."""
        print_message(record.getMessage())


def print_message(text: str) -> None:
    """Print a line to standard error, immediately, without disturbing a bar.

    Errors of the stream are ignored: a full disk, a closed terminal or a reader that has exited
    must not end the work that the message is about.
    """
    from tqdm import tqdm

    if sys.stderr is None:
        return
    line = printable_lines(text)
    with suppress(OSError, ValueError):
        try:
            tqdm.write(line, file=sys.stderr)
            sys.stderr.flush()
        except RuntimeError:  # this is the handler of a signal that interrupted the same call
            os.write(sys.stderr.fileno(), f"{line}\n".encode(errors="backslashreplace"))


@contextmanager
def printed_messages() -> Iterator[None]:
    """Print the package's messages from level INFO within the block."""
    logger, handler = logging.getLogger("spinn"), _Printer()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # libraries may add handlers to the root logger
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
