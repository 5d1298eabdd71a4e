"""Commands and flags in messages, written so that they can be pasted into a shell."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
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
    if program.name == "train.py" and arguments[0] == "train":
        return flags("python", program, *arguments[1:])
    if program.name == "__main__.py" and program.parent.name == "spinn":
        return flags("python", "-m", "spinn", *arguments)
    return flags("spinn", *arguments)
