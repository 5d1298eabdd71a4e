"""A process that judges one input after another, and may die of one."""

from __future__ import annotations

import faulthandler
import os
import resource
import socket
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

MEMORY = 2**30  # bytes that an input may need on top of what the process has after its start
WALL_SECONDS = 60
LAST_WORDS = "last-words.txt"
"""File of the working folder to which a process writes where it was when it died."""


def serve(connection: Connection, root: str) -> None:
    """Receive seeds and send verdicts, in the working folder ``root``; ``None`` ends it."""
    os.chdir(root)
    import torch

    torch.set_num_threads(1)
    socket.socket.connect = _offline  # type: ignore[method-assign]
    socket.getaddrinfo = _offline  # type: ignore[assignment]
    from . import originals
    from .mutation import make_mutation
    from .verdict import judge

    if not originals.FOLDER.exists():
        originals.write_originals()
    _limit_memory()
    with Path(LAST_WORDS).open("w", encoding="utf-8") as stream:
        faulthandler.enable(stream)
        connection.send("ready")
        while (seed := connection.recv()) is not None:
            faulthandler.dump_traceback_later(WALL_SECONDS, exit=True, file=stream)
            try:
                mutation = make_mutation(seed)
                connection.send((mutation.arguments, judge(mutation)))
            except Exception:
                connection.send(traceback.format_exc())  # a fault of this program
                raise
            faulthandler.cancel_dump_traceback_later()


def _offline(*_: object) -> NoReturn:
    raise OSError(101, "Network is unreachable")


def _limit_memory() -> None:
    """Limit the address space of this process, where the system shows its size."""
    sizes = Path("/proc/self/statm")
    if sizes.exists():
        size = int(sizes.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.RLIM_INFINITY))
