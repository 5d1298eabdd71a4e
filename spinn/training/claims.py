"""The folder of a run before and while it is written: its name, and its lock.

A process that trains a run holds the lock of its folder. A study sees by it which of its runs are
being trained, on any machine that shares the file system.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from spinn.support.errors import SpinnError
from spinn.support.files import unused

_LOCK = ".lock"


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Lock the folder of a run, so that no other process trains it.

    A folder that is made for it is removed at the end if the block has written nothing there.

    Raises
    ------
    SpinnError
        If another process holds the lock, or the folder is not writable.

    """
    lock = FileLock(path / _LOCK)
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0.2)  # is_claimed holds it for a moment
    except Timeout as error:
        raise SpinnError(
            f"{path}: another process is training this run. Wait until it has ended, or stop it."
        ) from error
    except OSError as error:
        raise not_writable(path, error) from error
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            if os.listdir(path) == [_LOCK]:
                (path / _LOCK).unlink()
                for folder in made:  # until one that has other files by now
                    folder.rmdir()


def is_claimed(path: Path) -> bool:
    """Return whether a process trains the run in a folder, which may not exist."""
    if not (path / _LOCK).is_file():
        return False
    lock = FileLock(path / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # not writable: a process of this user could not train it either
        return False
    lock.release()
    return False


def new_folder(name: str, seed: int) -> Path:
    """Return a folder under ``runs`` that does not exist, named after a model and a seed."""
    return unused(Path("runs", f"{name}-seed{seed}"))


def not_writable(path: Path, error: OSError) -> SpinnError:
    """Return the error that says that a run cannot be written to a folder."""
    return SpinnError(
        f"{path}: the run cannot be written there ({error.strerror}). Check the permissions and "
        "the free space, or choose another folder."
    )
