"""Writing files and folders whole or not at all: beside their place first, then moved in.

Used by everything that leaves results on disk, so that a full disk or an interruption never
damages what an earlier run wrote.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from spinn.errors import SpinnError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a scratch path to write to; it becomes ``path`` if the block ends well.

    An error in the block removes the scratch file and is raised on.
    """
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")  # others may be writing it too
    try:
        yield scratch
        _flush(scratch)
        os.replace(scratch, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # a full disk is told of no file
        scratch.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a text file."""
    with written_whole(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json_lines(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write one line of JSON for each row; the file appears when it is complete.

    Raises
    ------
    SpinnError
        If it cannot be written.

    """
    try:
        with written_whole(path) as scratch, scratch.open("w", encoding="utf-8") as stream:
            for row in rows:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    except OSError as error:
        raise SpinnError(f"{path}: it cannot be written ({error.strerror}).") from error


@contextmanager
def written_folder(place: Path) -> Iterator[Path]:
    """Give a scratch folder to fill; it becomes ``place`` if the block ends well.

    What stood there before gives way. What another process has put there meanwhile stays, and the
    scratch folder is dropped: both were making the same. An error in the block removes the scratch
    folder and is raised on.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as beside:
        scratch = Path(beside, "new")
        scratch.mkdir()
        stood_before = place.exists()
        yield scratch
        for path in scratch.rglob("*"):
            if path.is_file():
                _flush(path)
        if stood_before:
            with suppress(FileNotFoundError):
                os.replace(place, Path(beside, "old"))
        try:
            os.replace(scratch, place)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise


def _flush(path: Path) -> None:
    """Bring a file to disk; the name it gets then must not be there before what it names."""
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())
