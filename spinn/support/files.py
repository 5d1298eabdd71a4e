"""Atomic writing of files and folders: they are written under a temporary name, then renamed.

All results are written in this way, so a full disk or an interruption does not damage files of an
earlier run. :func:`as_json` makes all JSON of the package, in which NaN is an error.
"""

from __future__ import annotations

import errno
import json
import math
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from spinn.support.errors import SpinnError

_STREAMS = tuple(map(Path, ("/dev/stdout", "/dev/stderr", "/dev/fd", "/proc/self/fd")))
# JSON allows these ends of lines inside texts; readers that split lines take them for real ones.
_LINE_ENDS = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"})


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path, renamed to ``path`` if the block succeeds.

    An error in the block removes the temporary file and is raised again. The file that a link
    points to is replaced, not the link. Pipes and devices, such as ``/dev/stdout``, cannot be
    replaced, so ``path`` itself is yielded.
    """
    if is_stream(path):
        yield path
        return
    path = _target(path)
    remove_abandoned(path.parent)
    # Another process may write it too.
    scratch = path.with_name(f"{path.name}{_owner()}.part")
    try:
        scratch.unlink(missing_ok=True)  # a link here would be followed
        yield scratch
        _flush(scratch)
        os.replace(scratch, path)
    except BaseException as error:
        # The error of a full disk has no file name; others have that of the temporary file.
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(scratch)):
            error.filename = str(path)
        scratch.unlink(missing_ok=True)
        raise


def is_stream(path: Path) -> bool:
    """Return whether a path is a pipe, a terminal or another device."""
    if path.exists() and not path.is_file():
        return not path.is_dir()
    # A standard stream may be redirected to a file, which the process writes to already.
    return path.parent in _STREAMS or path in _STREAMS


def is_same_file(path: Path, other: Path) -> bool:
    """Return whether two paths lead to one file that exists."""
    return path.exists() and other.exists() and path.samefile(other)


def unused(place: Path) -> Path:
    """Return a path, or the first with a number appended, where nothing is."""
    free, number = place, 2
    while free.exists():
        free, number = place.with_name(f"{place.name}-{number}"), number + 1
    return free


def _target(path: Path) -> Path:
    """Return what a link points to, or the path if it is no link."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def write_whole(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with written_whole(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def as_json(content: Any, *, indent: int | None = None, ensure_ascii: bool = True) -> str:
    """Return content as JSON, in one line unless there is an ``indent``.

    Raises
    ------
    SpinnError
        If a number is not finite; the message names it.

    """
    try:
        text = json.dumps(content, indent=indent, ensure_ascii=ensure_ascii, allow_nan=False)
    except ValueError as error:
        path, value = next(_not_finite(content))
        raise SpinnError(
            f"{'.'.join(path)} is {value}: the model has diverged. Train again with a lower "
            "--learning-rate or --clip."
        ) from error
    return text if ensure_ascii else text.translate(_LINE_ENDS)


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


def write_lines(lines: Iterable[str], path: Path) -> None:
    """Write lines; see :func:`written_lines`."""
    with written_lines(path) as write:
        for line in lines:
            write(line)


@contextmanager
def written_lines(path: Path) -> Iterator[Callable[[str], None]]:
    """Yield a function that writes a line, given without line break.

    The file appears when it is complete.

    Raises
    ------
    SpinnError
        If it cannot be written.

    """
    try:
        with written_whole(path) as scratch, scratch.open("w", encoding="utf-8") as stream:
            yield lambda line: print(line, file=stream)
    except OSError as error:
        raise SpinnError(f"{path}: it cannot be written ({error.strerror}).") from error


@contextmanager
def written_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder, renamed to ``target`` if the block succeeds.

    An existing folder is replaced. If another process creates the folder in the meantime, that one
    is kept, because its content is the same. An error in the block removes the temporary folder and
    is raised again.
    """
    target = _target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(target.parent)
    prefix = f".{target.name}{_owner()}-"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=prefix) as temporary:
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


def require_writable(folder: Path) -> None:
    """Check that a folder can be made and written to, before long work on what goes there.

    Nothing is left of it: a folder that did not exist does not exist afterwards.

    Raises
    ------
    SpinnError
        If it cannot.

    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SpinnError(
            f"{folder}: it cannot be written ({error.strerror or error}). Check the path, its "
            "permissions and the free space."
        ) from error
    finally:
        for place in missing:
            with suppress(OSError):  # another process may have put something there
                place.rmdir()


def remove_abandoned(folder: Path) -> None:
    """Remove temporary files and folders whose process was killed; errors are ignored."""
    if os.name != "posix":  # elsewhere a process cannot be asked whether it lives
        return
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            owner = _OWNED.search(entry.name)
            if owner is None or owner["host"] != _host() or _is_alive(int(owner["process"])):
                continue
            if entry.is_dir(follow_symlinks=False):
                if set(os.listdir(entry.path)) <= {"new", "old"}:  # see written_folder
                    shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink(missing_ok=True)


_OWNED = re.compile(r"\.(?P<host>[\w-]+)\.(?P<process>[0-9]+)(\.part|-\w+)$")


def _owner() -> str:
    """Return the part of a temporary name that tells which process it belongs to."""
    return f".{_host()}.{os.getpid()}"


def _host() -> str:
    return re.sub(r"\W", "-", platform.node())[:20] or "host"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _flush(path: Path) -> None:
    """Write the content of a file to disk before it is renamed."""
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())
