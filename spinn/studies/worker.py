"""The process that performs one run of a study: ``python -m spinn.studies.worker``.

It reads the folder and the configuration as one line of JSON from standard input. The launching
process keeps that pipe open; if it dies, the pipe closes, and the worker saves its run and exits as
on SIGTERM. Progress goes to standard error; standard output carries only the reason of a failure.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from spinn.config import Configuration
from spinn.studies.run import perform
from spinn.support.errors import SpinnError
from spinn.support.files import as_json
from spinn.support.logs import printed_messages
from spinn.training.loop import Interruption

# Exit statuses.
STOPPED = 130
FAILED = 2


def encode_order(configuration: Configuration, path: Path) -> str:
    """Return the line that a worker reads from standard input."""
    return as_json({"path": str(path), "configuration": configuration.as_dict()}) + "\n"


def main() -> int:
    """Perform the run described on standard input; return the exit status."""
    order = json.loads(sys.stdin.readline())
    to_launcher, sys.stdout = sys.stdout, sys.stderr
    threading.Thread(target=_stop_with_launcher, daemon=True).start()
    try:
        with printed_messages():
            perform(Configuration.of_dict(order["configuration"]), Path(order["path"]))
    except (Interruption, KeyboardInterrupt):
        return STOPPED
    except SpinnError as error:
        for stream in (sys.stderr, to_launcher):
            print(error, file=stream, flush=True)
        return FAILED
    return 0


def _stop_with_launcher() -> None:
    """Send this process SIGTERM when standard input is closed."""
    # The bare descriptor: a thread blocked in sys.stdin would hold its lock at interpreter exit.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
