"""Atomic writing of files and folders: they are written under a temporary name, then renamed.

All results are written in this way, so a full disk or an interruption does not damage files of an
earlier run.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from spinn.support.errors import SpinnError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path, renamed to ``path`` if the block succeeds.

    An error in the block removes the temporary file and is raised again.
    """
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")  # another process may write it too
    try:
        yield scratch
        _flush(scratch)
        os.replace(scratch, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # the error of a full disk has no file name
        scratch.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with written_whole(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json_lines(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write one line of JSON for each row; see :func:`json_lines`."""
    with json_lines(path) as write:
        for row in rows:
            write(row)


@contextmanager
def json_lines(path: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yield a function that writes a row as a line of JSON; the file appears when it is complete.

    Raises
    ------
    SpinnError
        If it cannot be written.

    """
    try:
        with written_whole(path) as scratch, scratch.open("w", encoding="utf-8") as stream:
            yield lambda row: print(json.dumps(row, ensure_ascii=False), file=stream)
    except OSError as error:
        raise SpinnError(f"{path}: it cannot be written ({error.strerror}).") from error


@contextmanager
def written_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder, renamed to ``target`` if the block succeeds.

    An existing folder is replaced. If another process creates the folder in the meantime, that one
    is kept, because its content is the same. An error in the block removes the temporary folder and
    is raised again.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as temporary:
        scratch = Path(temporary, "new")
        scratch.mkdir()
        existed = target.exists()
        yield scratch
        for path in scratch.rglob("*"):
            if path.is_file():
                _flush(path)
        if existed:
            with suppress(FileNotFoundError):
                os.replace(target, Path(temporary, "old"))
        try:
            os.replace(scratch, target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise


def _flush(path: Path) -> None:
    """Write the content of a file to disk before it is renamed."""
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())
