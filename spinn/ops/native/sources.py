"""The sources of the compiled loops, and how they are compiled.

The build hook of ``pyproject.toml`` loads this file before anything is installed, so that it
imports the standard library alone.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

FOLDER = Path(__file__).parent
SOURCES = ("kernels.c", "kernels.h")
# No -ffast-math: a loss that is not a number must remain one. Errors of the mathematical functions
# are not looked at.
FLAGS = ("-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fPIC", "-shared")


def library_name() -> str:
    """Return the name of the library of these sources; other sources have another one."""
    contents = b"".join((FOLDER / name).read_bytes() for name in SOURCES)
    return f"kernels-{hashlib.sha256(contents).hexdigest()[:16]}.so"


def compile_library(folder: Path = FOLDER) -> Path | None:
    """Compile the loops.

    Parameters
    ----------
    folder
        Where to put the library.

    Returns
    -------
    The library; ``None`` where there is no C compiler, or it fails.

    """
    path = folder / library_name()
    try:
        command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    except ValueError:  # a quotation mark is not closed
        command = []
    if not command or shutil.which(command[0]) is None:
        command = ["cc"]
    source = str(FOLDER / SOURCES[0])
    # OpenMP's functions are not linked: torch, which is loaded before, has them.
    for threads in (["-fopenmp"], []):
        compiling = [*command, *FLAGS, *threads, "-c", source, "-o", f"{path}.o"]
        linking = [*command, "-shared", f"{path}.o", "-o", str(path), "-lm"]
        try:
            subprocess.run(compiling, check=True, capture_output=True)
            subprocess.run(linking, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        finally:
            Path(f"{path}.o").unlink(missing_ok=True)
        return path
    return None
