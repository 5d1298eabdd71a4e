"""Making the runs of a study: which are left to do, several at a time, each in its own process.

Runs that are done are skipped, interrupted ones are resumed, and one that fails does not stop the
rest. A worker is asked to stop by SIGTERM, which the training loop answers with a checkpoint.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from spinn.errors import SpinnError
from spinn.runtime import available_cores, stopped_by
from spinn.studies.study import Experiment
from spinn.studies.worker import STOPPED, State, order, state_of
from spinn.training.config import PLACE, Configuration, load_configuration
from spinn.training.run import load_training_corpus

Say = Callable[[str], None]

LOG_NAME = "log.txt"
_PAUSE = 0.1  # seconds between looks at the workers


@dataclass(frozen=True)
class Outcome:
    """How a run of the study ended.

    Attributes
    ----------
    experiment
        The run.
    state
        ``"done"``, ``"failed"`` or ``"stopped"`` (also: not begun when all was stopped).
    reason
        Of a failure, in a sentence.

    """

    experiment: Experiment
    state: str
    reason: str = ""


def check_folders(experiments: list[Experiment]) -> None:
    """Refuse folders that hold runs of other configurations than the grid has.

    Raises
    ------
    SpinnError
        Naming the first such folder and the options that differ.

    """
    for experiment in experiments:
        if state_of(experiment.path) is State.NEW:
            continue
        saved = load_configuration(experiment.path / "config.json")
        # Older runs may not name their corpus.
        found = differences(saved.with_corpus_named(), experiment.configuration)
        if found:
            raise SpinnError(
                f"{experiment.path}: the run that is here was made with {'; '.join(found)}. "
                "Choose another --output, or move that folder away."
            )


def differences(saved: Configuration, wanted: Configuration) -> list[str]:
    """Put in words where a saved configuration differs from the one wanted."""
    before, after = _flat(saved), _flat(wanted)
    return [
        f"{name} {before[name]!r} where the grid has {after[name]!r}"
        for name in before
        if before[name] != after[name] and name not in PLACE
    ]


def _flat(configuration: Configuration) -> dict[str, Any]:
    groups = configuration.as_dict().values()
    return {name: value for group in groups for name, value in group.items()}


def run_all(experiments: list[Experiment], jobs: int, say: Say) -> list[Outcome]:
    """Bring every run to its end, ``jobs`` at a time.

    Ctrl-C (or a termination) asks the running ones to save and end; a second one ends them at once.

    Parameters
    ----------
    experiments
        The runs.
    jobs
        How many processes work at the same time; they share the processor's threads and, where
        there are several GPUs, take turns on them.
    say
        Called with lines for the person.

    Returns
    -------
    An outcome for each run, in their order.

    Raises
    ------
    SpinnError
        If a folder holds the run of another configuration.

    """
    check_folders(experiments)
    left = [one for one in experiments if state_of(one.path) is not State.DONE]
    if len(left) < len(experiments):
        say(f"{len(experiments) - len(left)} of {len(experiments)} runs are done already.")
    if min(jobs, len(left)) > 1:
        _prepare_corpora(left, say)
    pool = _Pool(left, jobs, say)
    pool.work()
    return [pool.outcomes.get(one.path, Outcome(one, "done")) for one in experiments]


def _prepare_corpora(experiments: list[Experiment], say: Say) -> None:
    """Put each corpus into the cache once, before several processes would all do it."""
    seen = []
    for experiment in experiments:
        options = experiment.configuration.data
        if options.cache and options.prepared is None and options not in seen:
            seen.append(options)
            try:
                load_training_corpus(experiment.configuration, say)
            except SpinnError:
                continue  # the runs that want it will fail, each with this reason


class _Pool:
    """Workers on the runs that are left; one slot for each that may work at a time."""

    def __init__(self, left: list[Experiment], jobs: int, say: Say) -> None:
        self._waiting, self._total, self._say = list(left), len(left), say
        self._slots: list[_Worker | None] = [None] * max(1, min(jobs, len(left)))
        # Not by the runs that are left: how many threads add up a sum changes its last bits.
        self._threads = max(1, available_cores() // jobs)
        self._gpus = visible_gpus()
        self._asked = 0
        self.outcomes: dict[Path, Outcome] = {}

    def work(self) -> None:
        """Start workers and wait for them until nothing is left, or all have stopped."""
        # Ctrl-C, a termination, a closed terminal
        with stopped_by(("SIGINT", "SIGTERM", "SIGHUP"), self._ask):
            try:
                while self._waiting or any(self._slots):
                    self._fill()
                    time.sleep(_PAUSE)
                    self._collect()
                    if self._asked and not any(self._slots):
                        break
            finally:
                for worker in filter(None, self._slots):  # something unforeseen happened here
                    worker.stop(at_once=False)
                    worker.process.wait()
        for experiment in self._waiting:
            self.outcomes[experiment.path] = Outcome(experiment, "stopped")

    def _ask(self) -> None:
        """Ask all workers to stop; the second time, end them."""
        self._asked += 1
        for worker in filter(None, self._slots):
            worker.stop(at_once=self._asked > 1)
        if self._asked == 1:
            self._say("Stopping: each run saves first. Press Ctrl-C again to stop without saving.")

    def _fill(self) -> None:
        for number, worker in enumerate(self._slots):
            if worker is None and self._waiting and not self._asked:
                experiment = self._waiting.pop(0)
                place = self._total - len(self._waiting)
                state = "resuming" if state_of(experiment.path) is State.BEGUN else "starting"
                self._say(f"[{place}/{self._total}] {experiment.name}: {state}")
                self._start(number, experiment)

    def _start(self, number: int, experiment: Experiment) -> None:
        gpu = self._gpus[number % len(self._gpus)] if self._gpus else None
        try:
            worker = self._slots[number] = _Worker(experiment, self._threads, gpu)
        except OSError as error:
            reason = f"{experiment.path}: the run cannot be started there ({error})."
            self._note(Outcome(experiment, "failed", reason))
            return
        if self._asked:  # it may have been while the process was made
            worker.stop(at_once=self._asked > 1)

    def _collect(self) -> None:
        for number, worker in enumerate(self._slots):
            if worker is None:
                continue
            ended = worker.process.poll() is not None
            for line in worker.news():
                self._say(f"{worker.experiment.name}: {line}")
            if ended:
                self._note(worker.outcome(asked=bool(self._asked)))
                self._slots[number] = None

    def _note(self, outcome: Outcome) -> None:
        self.outcomes[outcome.experiment.path] = outcome
        reason = f": {outcome.reason}" if outcome.reason else "."
        self._say(f"{outcome.experiment.name}: {outcome.state}{reason}")


class _Worker:
    """A process at work on a run; what it says goes to the run's log."""

    def __init__(self, experiment: Experiment, threads: int, gpu: str | None) -> None:
        self.experiment = experiment
        experiment.path.mkdir(parents=True, exist_ok=True)
        own = experiment.configuration
        configuration = own.moved({"threads": own.training.threads or threads})
        environment = _environment(configuration, gpu)
        with (experiment.path / LOG_NAME).open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "spinn.studies.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,  # the reason, if it fails
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the runner, which asks each worker once
            )
            self._log: BinaryIO = (experiment.path / LOG_NAME).open("rb")
            self._log.seek(0, os.SEEK_END)
        self._unfinished, self._last, self._stopped = b"", "", False
        assert self.process.stdin is not None
        self.process.stdin.write(order(configuration, experiment.path).encode())
        self.process.stdin.flush()

    def stop(self, *, at_once: bool) -> None:
        """Ask the process to save and end (once: the second time it would not save), or end it."""
        if at_once:
            self.process.kill()
        elif not self._stopped:
            self._stopped = True
            self.process.terminate()

    def news(self) -> list[str]:
        """Return the lines that came into the log since the last time."""
        *lines, self._unfinished = (self._unfinished + self._log.read()).split(b"\n")
        told = [line.decode(errors="replace").rstrip() for line in lines if line.strip()]
        self._last = told[-1] if told else self._last
        return [
            line for line in told if line.startswith(("epoch", "dev: acc", "test: acc", "Resuming"))
        ]

    def outcome(self, *, asked: bool) -> Outcome:
        """Say how the process ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        told = self.process.stdout.read().decode(errors="replace").strip()
        for stream in (self.process.stdin, self.process.stdout, self._log):
            stream.close()
        status = self.process.returncode
        if status == 0:
            return Outcome(self.experiment, "done")
        if asked and status in (STOPPED, -signal.SIGTERM, -signal.SIGKILL):
            return Outcome(self.experiment, "stopped")
        place = self.experiment.path / LOG_NAME
        if status < 0 or status == STOPPED:
            name = "SIGTERM" if status == STOPPED else signal.Signals(-status).name
            reason = f"it was ended from outside by {name}; see {place} and give the command again."
        else:
            reason = f"{told or self._last or 'it gave no reason'} (see {place})"
        return Outcome(self.experiment, "failed", reason)


def _environment(configuration: Configuration, gpu: str | None) -> dict[str, str]:
    """Make the environment of a worker: its share of threads, its GPU, where the package is."""
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
    """List the GPUs that runs are dealt out to; none where there are fewer than two."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        gpus = [name.strip() for name in named.split(",") if name.strip()]
    else:
        gpus = [str(number) for number in range(torch.cuda.device_count())]
    return gpus if len(gpus) > 1 else []
