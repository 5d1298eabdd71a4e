"""Messages on a command line: those of the loggers under ``spinn``, printed to standard error.

A program that embeds the package sets up :mod:`logging` itself.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from spinn.support.text import printable_lines


class _Printer(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Print a bare message immediately, without disturbing a bar.

        Raises
        ------
        BrokenPipeError
            If the reader of the messages has exited. If they cannot be written for another reason,
            such as a full disk, they are lost, and the work continues.

        """
        from tqdm import tqdm

        try:
            tqdm.write(printable_lines(record.getMessage()), file=sys.stderr)
            sys.stderr.flush()
        except BrokenPipeError:
            raise
        except OSError:
            pass


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
