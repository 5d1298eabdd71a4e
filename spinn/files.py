"""Writing files whole or not at all: beside their place first, then moved in.

Used by everything that leaves results on disk, so that a full disk or an interruption never
damages what an earlier run wrote.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a scratch path to write to; it becomes ``path`` if the block ends well.

    An error in the block removes the scratch file and is raised on.
    """
    scratch = path.with_name(path.name + ".part")
    try:
        yield scratch
        # The name must not appear on disk before what it names.
        with open(scratch, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(scratch, path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a text file."""
    with written_whole(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
