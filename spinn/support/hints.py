"""Commands and flags in messages, written so that they can be pasted into a shell."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def flags(*arguments: str | Path) -> str:
    """Return arguments as they are written in a shell, with quotes where they are needed."""
    words = [str(argument) for argument in arguments]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def command(*arguments: str | Path) -> str:
    """Return a command of this program, called as this process was called.

    Parameters
    ----------
    arguments
        The name of the command and its arguments.

    """
    program = Path(sys.argv[0]) if sys.argv and sys.argv[0] else Path("spinn")
    start = _torchrun(arguments) or ["python"]
    if program.name == "train.py" and arguments[0] == "train":
        return flags(*start, program, *arguments[1:])
    if start[0] == "torchrun" or (program.name == "__main__.py" and program.parent.name == "spinn"):
        return flags(*start, "-m", "spinn", *arguments)
    return flags("spinn", *arguments)


def _torchrun(arguments: Sequence[str | Path]) -> list[str]:
    """Return the start of a command that goes on in as many processes as this one was started in.

    It is empty for one process. Several machines each need the address of the first one, which the
    user has to add.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    alone = processes == int(os.environ.get("WORLD_SIZE", "1"))
    if "--resume" not in arguments or (processes == 1 and alone):
        return []
    where = ["--standalone"] if alone else []
    return ["torchrun", *where, "--nproc-per-node", str(processes)]
