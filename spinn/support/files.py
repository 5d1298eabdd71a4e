"""Atomic writing of files and folders: they are written under a temporary name, then renamed.

All JSON of the package is made by :func:`as_json`, so a file never has NaN, which is no JSON.

All results are written in this way, so a full disk or an interruption does not damage files of an
earlier run.
"""

from __future__ import annotations

import errno
import json
import math
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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


def as_json(content: Any, *, indent: int | None = None, ensure_ascii: bool = True) -> str:
    """Return content as JSON.

    Raises
    ------
    SpinnError
        If a number is not finite; the message names it.

    """
    try:
        return json.dumps(content, indent=indent, ensure_ascii=ensure_ascii, allow_nan=False)
    except ValueError as error:
        path, value = next(_not_finite(content))
        raise SpinnError(
            f"{'.'.join(path)} is {value}: the model has diverged. Train again with a lower "
            "--learning-rate or --clip."
        ) from error


def _not_finite(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the numbers that are not finite, each after its path of keys."""
    if isinstance(content, float) and not math.isfinite(content):
        yield path, content
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from _not_finite(value, (*path, str(key)))
    elif isinstance(content, (list, tuple)):
        for number, value in enumerate(content):
            yield from _not_finite(value, (*path, str(number)))


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
            yield lambda row: print(as_json(row, ensure_ascii=False), file=stream)
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


def remove_scratch(folder: Path, names: Collection[str]) -> None:
    """Remove temporary files that killed processes left of files with these names.

    Files of living processes, links and files with other names are kept.
    """
    for path in folder.glob("*.*.part"):
        name, number, _ = path.name.rsplit(".", 2)
        if name not in names or not number.isdecimal() or path.is_symlink() or not path.is_file():
            continue
        if int(number) == os.getpid() or not _is_alive(int(number)):
            path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    """Return whether a process with this number exists on this machine, as far as known."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # that of another user
        return True
    return True


def _flush(path: Path) -> None:
    """Write the content of a file to disk before it is renamed."""
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())
