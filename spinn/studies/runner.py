"""Performing the runs of a study, several at a time.

Completed runs are skipped and interrupted ones resumed; a failed run does not stop the others. Runs
are asked to stop with SIGTERM, on which the training loop writes a checkpoint.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from spinn.studies.launcher import Outcome, RunProcess, visible_gpus
from spinn.studies.run import Run, RunState, check_folders
from spinn.support.errors import SpinnError
from spinn.support.runtime import available_cores, stopped_by_signals
from spinn.training.run import load_training_corpus

logger = logging.getLogger(__name__)
_INTERVAL = 0.1  # seconds between polls of the processes


def run_all(runs: list[Run], jobs: int) -> list[Outcome]:
    """Complete all runs, ``jobs`` at a time.

    Ctrl-C (or SIGTERM, SIGHUP) asks the active runs to save and exit; a second one kills them.

    Parameters
    ----------
    runs
        The runs.
    jobs
        Number of concurrent processes. They share the processor's threads and are distributed over
        the GPUs if there are several.

    Returns
    -------
    The outcome of each run, in order.

    Raises
    ------
    SpinnError
        If a folder holds the run of another configuration.

    """
    check_folders(runs)
    left = [run for run in runs if run.state is not RunState.DONE]
    if len(left) < len(runs):
        logger.info(f"{len(runs) - len(left)} of {len(runs)} runs are done already.")
    if min(jobs, len(left)) > 1:
        cache_corpora(left)
    pool = _Pool(left, jobs)
    pool.work()
    return [pool.outcomes.get(run.path, Outcome(run, "done")) for run in runs]


def cache_corpora(runs: list[Run]) -> None:
    """Write each corpus to the cache once, before several processes would all do so."""
    seen = []
    for run in runs:
        configuration = run.configuration
        options, parser = configuration.data, configuration.sentence_parser
        pipeline = None if parser is None else parser.pipeline
        key = options, configuration.vectors, configuration.vector_source, pipeline
        if options.cache and options.prepared is None and key not in seen:
            seen.append(key)
            try:
                load_training_corpus(configuration)
            except SpinnError:
                continue  # each run that uses this corpus will fail with the reason


class _Pool:
    """A fixed number of slots for processes, and the runs that wait for one."""

    def __init__(self, left: list[Run], jobs: int) -> None:
        self._waiting, self._total = list(left), len(left)
        self._slots: list[RunProcess | None] = [None] * max(1, min(jobs, len(left)))
        # Independent of how many runs are left: the number of threads changes the rounding of sums.
        self._threads = max(1, available_cores() // jobs)
        self._gpus = visible_gpus()
        self._asked = 0
        self.outcomes: dict[Path, Outcome] = {}

    def work(self) -> None:
        """Run until nothing is left, or all processes have stopped."""
        with stopped_by_signals(self._ask):
            try:
                while self._waiting or any(self._slots):
                    self._fill()
                    time.sleep(_INTERVAL)
                    self._collect()
                    if self._asked and not any(self._slots):
                        break
            finally:
                for process in filter(None, self._slots):  # left over only after an exception
                    process.stop(at_once=False)
                    process.process.wait()
        for run in self._waiting:
            self.outcomes[run.path] = Outcome(run, "stopped")

    def _ask(self) -> None:
        """Ask all processes to stop; kill them at the second call."""
        self._asked += 1
        for process in filter(None, self._slots):
            process.stop(at_once=self._asked > 1)
        if self._asked == 1:
            logger.info(
                "Stopping: each run saves first. Press Ctrl-C again to stop without saving."
            )

    def _fill(self) -> None:
        for slot, process in enumerate(self._slots):
            if process is None and self._waiting and not self._asked:
                run = self._waiting.pop(0)
                number = self._total - len(self._waiting)
                state = "resuming" if run.state is RunState.BEGUN else "starting"
                logger.info(f"[{number}/{self._total}] {run.name}: {state}")
                self._start(slot, run)

    def _start(self, slot: int, run: Run) -> None:
        gpu = self._gpus[slot % len(self._gpus)] if self._gpus else None
        try:
            process = self._slots[slot] = RunProcess(run, self._threads, gpu)
        except OSError as error:
            reason = f"{run.path}: the run cannot be started there ({error})."
            self._note(Outcome(run, "failed", reason))
            return
        if self._asked:  # possibly while the process was being started
            process.stop(at_once=self._asked > 1)

    def _collect(self) -> None:
        for slot, process in enumerate(self._slots):
            if process is None:
                continue
            ended = process.process.poll() is not None
            for line in process.new_lines():
                logger.info(f"{process.run.name}: {line}")
            if ended:
                self._note(process.outcome(asked=bool(self._asked)))
                self._slots[slot] = None

    def _note(self, outcome: Outcome) -> None:
        self.outcomes[outcome.run.path] = outcome
        reason = f": {outcome.reason}" if outcome.reason else "."
        logger.info(f"{outcome.run.name}: {outcome.state}{reason}")
