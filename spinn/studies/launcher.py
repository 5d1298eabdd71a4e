"""Starting a run of a study in its own process, with its share of threads and its GPU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch

from spinn.config import Configuration
from spinn.studies.run import Run
from spinn.studies.worker import STOPPED, encode_order

LOG_NAME = "log.txt"
_SHOWN = ("epoch", "dev: acc", "test: acc", "Resuming")  # beginnings of log lines to pass on


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    run
        The run.
    state
        ``"done"``, ``"failed"``, ``"stopped"`` (including runs that were never started), or
        ``"submitted"`` to a cluster.
    reason
        The cause of a failure, as a sentence.

    """

    run: Run
    state: str
    reason: str = ""


class RunProcess:
    """A process that performs a run and appends its output to the run's log.

    Parameters
    ----------
    run
        The run.
    threads
        Number of threads, unless the configuration sets it.
    gpu
        The GPU to use; ``None`` to leave the choice to the run.

    Raises
    ------
    OSError
        If the folder cannot be created or the process cannot be started.

    """

    def __init__(self, run: Run, threads: int, gpu: str | None) -> None:
        self.run = run
        run.path.mkdir(parents=True, exist_ok=True)
        configuration = run.configuration
        configuration = configuration.moved({"threads": configuration.training.threads or threads})
        with (run.path / LOG_NAME).open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "spinn.studies.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,  # the reason of a failure
                stderr=log,
                env=process_environment(configuration, gpu),
                start_new_session=True,  # Ctrl-C must reach the runner only, which asks once
            )
            self._log: BinaryIO = (run.path / LOG_NAME).open("rb")
            self._log.seek(0, os.SEEK_END)
        self._partial_line, self._last_line, self._stopped = b"", "", False
        assert self.process.stdin is not None
        self.process.stdin.write(encode_order(configuration, run.path).encode())
        self.process.stdin.flush()

    def stop(self, *, at_once: bool) -> None:
        """Ask the process to save and exit, or kill it."""
        if at_once:
            self.process.kill()
        elif not self._stopped:  # a second SIGTERM would end it without saving
            self._stopped = True
            self.process.terminate()

    def new_lines(self) -> list[str]:
        """Return the progress lines added to the log since the last call."""
        *added, self._partial_line = (self._partial_line + self._log.read()).split(b"\n")
        lines = [line.decode(errors="replace").rstrip() for line in added if line.strip()]
        self._last_line = lines[-1] if lines else self._last_line
        return [line for line in lines if line.startswith(_SHOWN)]

    def outcome(self, *, asked: bool) -> Outcome:
        """Return how the process ended; ``asked`` if runs had been asked to stop."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        reported = self.process.stdout.read().decode(errors="replace").strip()
        for stream in (self.process.stdin, self.process.stdout, self._log):
            stream.close()
        status = self.process.returncode
        if status == 0:
            return Outcome(self.run, "done")
        if asked and status in (STOPPED, -signal.SIGTERM, -signal.SIGKILL):
            return Outcome(self.run, "stopped")
        log = self.run.path / LOG_NAME
        if status < 0 or status == STOPPED:
            name = "SIGTERM" if status == STOPPED else signal.Signals(-status).name
            reason = f"it was ended from outside by {name}; see {log} and repeat the command."
        else:
            reason = f"{reported or self._last_line or 'it gave no reason'} (see {log})"
        return Outcome(self.run, "failed", reason)


def process_environment(configuration: Configuration, gpu: str | None) -> dict[str, str]:
    """Return the environment of a process: number of threads, GPU, path of the package."""
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "OMP_NUM_THREADS": str(configuration.training.threads),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    if gpu is not None and configuration.training.device in ("auto", "cuda"):
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    return environment


def visible_gpus() -> list[str]:
    """Return the GPUs to distribute runs over; an empty list if there are fewer than two."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        gpus = [name.strip() for name in visible.split(",") if name.strip()]
    else:
        gpus = [str(number) for number in range(torch.cuda.device_count())]
    return gpus if len(gpus) > 1 else []
