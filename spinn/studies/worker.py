"""One run of a study, in a process of its own: train or go on, then measure.

The runner starts ``python -m spinn.studies.worker``, writes one line of JSON to its standard
input (the folder and the configuration) and keeps that input open: should the runner die, it is
closed, and the worker ends as if it had been asked to, saving what it was doing. What the worker
says goes to standard error; on standard output stands nothing but why it failed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from spinn.errors import SpinnError
from spinn.studies.measurement import FILE_NAME, is_outdated, measure
from spinn.training import run as runs
from spinn.training.config import Configuration
from spinn.training.loop import Interruption

STOPPED = 130
REFUSED = 2


class State(Enum):
    """How far a run has come."""

    NEW = "not begun"
    BEGUN = "interrupted"
    TRAINED = "trained, not measured"
    DONE = "done"


def state_of(path: Path) -> State:
    """Tell from its folder how far a run has come."""
    if not (path / "checkpoints.json").is_file():
        return State.NEW  # also where training ended before its first checkpoint
    if not (path / "results.json").is_file():
        return State.BEGUN
    answers = path / FILE_NAME
    return State.DONE if answers.is_file() and not is_outdated(answers) else State.TRAINED


def perform(configuration: Configuration, path: Path, say: Callable[[str], None]) -> None:
    """Bring a run to its end from wherever it is.

    Raises
    ------
    Interruption
        If it was asked to stop; it is saved.
    SpinnError
        If it cannot go on.

    """
    state = state_of(path)
    place = configuration.place
    if state is State.NEW:
        runs.train(configuration, path, say)
    elif state is State.BEGUN:
        runs.resume(path, say, place)
    if state is not State.DONE:
        measure(path, say, place)


def order(configuration: Configuration, path: Path) -> str:
    """Write the line that tells a worker what to do."""
    return json.dumps({"path": str(path), "configuration": configuration.as_dict()}) + "\n"


def main() -> int:
    """Do what the line on standard input says; return the exit status."""
    told = json.loads(sys.stdin.readline())
    to_runner, sys.stdout = sys.stdout, sys.stderr
    threading.Thread(target=_end_with_the_runner, daemon=True).start()
    try:
        perform(Configuration.of_dict(told["configuration"]), Path(told["path"]), _say)
    except (Interruption, KeyboardInterrupt):
        return STOPPED
    except SpinnError as error:
        _say(str(error))
        print(error, file=to_runner, flush=True)
        return REFUSED
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _end_with_the_runner() -> None:
    """Wait until standard input is closed, then ask this process to stop."""
    # The bare descriptor: a thread waiting in sys.stdin would hold its lock when Python ends.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
