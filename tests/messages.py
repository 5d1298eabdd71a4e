"""The messages of the package, where a test acts on them, or has no ``caplog``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Handler(logging.Handler):
    def __init__(self, each: Callable[[str], None]) -> None:
        super().__init__()
        self._each = each

    def emit(self, record: logging.LogRecord) -> None:
        self._each(record.getMessage())


@contextmanager
def messages(act: Callable[[str], None] = lambda line: None) -> Iterator[list[str]]:
    """Collect the messages within the block; call ``act`` with each, which may raise an error."""
    lines: list[str] = []
    logger = logging.getLogger("spinn")
    handlers, level = [_Handler(lines.append), _Handler(act)], logger.level
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.setLevel(level)
        for handler in handlers:
            logger.removeHandler(handler)
