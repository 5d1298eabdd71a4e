"""The runs of a study as jobs of a Slurm cluster, submitted by the optional package ``submitit``.

Every run is a job. Slurm sends SIGUSR2 before the job's time limit and when it is preempted. The
training loop then writes a checkpoint, and submitit requeues the job, which resumes the run.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from spinn.config import Configuration
from spinn.studies.launcher import LOG_NAME, Outcome
from spinn.studies.run import Run, RunState, check_folders, perform
from spinn.studies.runner import cache_corpora
from spinn.studies.worker import encode_order
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.support.extras import import_extra
from spinn.support.files import as_json, write_whole
from spinn.support.json_files import read_object
from spinn.support.logs import print_message, printed_messages
from spinn.training.claims import is_claimed
from spinn.training.loop import Interruption

logger = logging.getLogger(__name__)

JOBS = "jobs"  # the folder of submitit's files, and of the numbers of the jobs
_NUMBERS = "jobs.json"
_REQUEUES = 1000  # after time limits
_GRACE = 300.0  # seconds in which Slurm kills or requeues a job that it has terminated
_ACTIVE = ("PENDING", "RUNNING", "REQUEUED", "CONFIGURING", "COMPLETING", "SUSPENDED", "RESIZING")


@dataclass(frozen=True)
class JobOptions:
    """What a job requests.

    Attributes
    ----------
    partition, account, qos, constraint
        As in ``sbatch``; ``None`` for the default of the cluster.
    time
        Time limit in minutes, after which the job is requeued.
    gpus
        Number of GPUs, 0 or 1: a run uses one.
    cpus
        Number of CPUs, and of threads unless the configuration sets it.
    memory
        Memory in GB; ``None`` for the default of the cluster.

    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    time: int = 60
    gpus: int = 0
    cpus: int = 1
    memory: int | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of an executor of submitit, which ignores those that are ``None``."""
        named = ("partition", "account", "qos", "constraint")
        return {f"slurm_{name}": getattr(self, name) for name in named} | {
            "name": "spinn",
            "timeout_min": self.time,
            "gpus_per_node": self.gpus or None,
            "cpus_per_task": self.cpus,
            "mem_gb": self.memory,
            "slurm_additional_parameters": {"requeue": True},  # some clusters allow it only then
        }


def parse_job_options(text: str | None) -> JobOptions:
    """Parse ``partition=gpu,time=240,gpus=1,cpus=4``; ``None`` is all defaults.

    Raises
    ------
    ConfigurationError
        If an option is unknown, is given twice, or has a value of another kind.

    """
    lowest = {"time": 1, "gpus": 0, "cpus": 1, "memory": 1}
    given: dict[str, Any] = {}
    for item in () if text is None else text.split(","):
        name, _, value = (part.strip() for part in item.partition("="))
        known = [part.name for part in fields(JobOptions)]
        if name not in known or not value or name in given:
            cause = "is given twice" if name in given else "is not an option of a job"
            raise ConfigurationError(
                f"--slurm {text}: {item.strip()!r} {cause}; write OPTION=VALUE,OPTION=VALUE with "
                f"{', '.join(known)}."
            )
        if name not in lowest:
            given[name] = value
        elif value.isdecimal() and int(value) >= lowest[name]:
            given[name] = int(value)
        else:
            raise ConfigurationError(
                f"--slurm {text}: {name} is {value!r}; it must be a whole number of at least "
                f"{lowest[name]}."
            )
    if given.get("gpus", 0) > 1:
        raise ConfigurationError(f"--slurm {text}: a run uses one GPU; give gpus=1.")
    return JobOptions(**given)


class Job:
    """The function of a job: perform a run from its current state.

    Messages go to the log of the run. submitit calls the object in the job, and :meth:`checkpoint`
    on SIGUSR2; what that returns is called again when the job was requeued.
    """

    def __init__(self, configuration: Configuration, path: Path) -> None:
        self.order = encode_order(configuration, path)

    def __call__(self) -> None:
        """Perform the run to its end."""
        order = json.loads(self.order)
        path = Path(order["path"])
        path.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            log = stack.enter_context((path / LOG_NAME).open("a", encoding="utf-8"))
            for context in (redirect_stdout(log), redirect_stderr(log), printed_messages()):
                stack.enter_context(context)
            try:
                perform(Configuration.of_dict(order["configuration"]), path)
            except SpinnError as error:
                print_message(str(error))
                raise
            except Interruption:  # by SIGTERM: Slurm ends the job, or preempts and requeues it
                time.sleep(_GRACE)
                raise

    def checkpoint(self) -> Any:
        """Return the job that continues; the run is saved."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def submit(
    runs: list[Run],
    output: Path,
    jobs: int | None,
    options: JobOptions,
    cluster: str = "slurm",
) -> list[Outcome]:
    """Submit a job for each run that is not finished, queued or running.

    Parameters
    ----------
    runs
        The runs.
    output
        The folder of the study.
    jobs
        Number of jobs that run at the same time; ``None`` for all that the cluster admits.
    options
        What a job requests.
    cluster
        Name of an executor of submitit: ``"slurm"``, or ``"local"`` for processes of this machine.

    Returns
    -------
    The outcome of each run, in order: ``"done"`` or ``"submitted"``.

    Raises
    ------
    SpinnError
        If a folder holds the run of another configuration, submitit is not installed, this machine
        has no Slurm, or Slurm rejects the jobs.

    """
    import_extra("submitit", "cluster", "--launcher slurm")
    check_folders(runs)
    left = [run for run in runs if run.state is not RunState.DONE]
    numbers = _read_numbers(output)
    active = _active(output, numbers, cluster)
    waiting = [run for run in left if run.name not in active and not is_claimed(run.path)]
    if waiting:
        cache_corpora(waiting)
        numbers |= _submit(waiting, output, jobs, options, cluster)
        try:
            write_whole(output / JOBS / _NUMBERS, as_json(numbers, indent=2))
        except OSError as error:
            raise SpinnError(
                f"{output}: the numbers of the jobs cannot be written ({error.strerror})."
            ) from error
    logger.info(
        f"Submitted {len(waiting)} of {len(runs)} runs; {len(runs) - len(left)} are done and "
        f"{len(left) - len(waiting)} are queued or running already."
    )
    return [Outcome(run, "submitted" if run in left else "done") for run in runs]


def _submit(
    runs: list[Run], output: Path, jobs: int | None, options: JobOptions, cluster: str
) -> dict[str, str]:
    """Submit jobs together; return their numbers by the names of the runs."""
    import submitit

    try:
        executor = submitit.AutoExecutor(
            output / JOBS, cluster=cluster, slurm_max_num_timeout=_REQUEUES
        )
        executor.update_parameters(**options.parameters, slurm_array_parallelism=jobs)
        submitted = []
        with executor.batch():
            for run in runs:
                training = run.configuration.training
                configuration = run.configuration.moved(
                    {"threads": training.threads or options.cpus}
                )
                submitted.append(executor.submit(Job(configuration, run.path)))
    except (RuntimeError, OSError) as error:  # no srun; or the answer of sbatch
        raise SpinnError(
            f"--launcher slurm: the jobs cannot be submitted ({error}). Repeat the command on a "
            "machine that submits jobs to Slurm, and check the options in --slurm."
        ) from error
    return {run.name: job.job_id for run, job in zip(runs, submitted, strict=True)}


def _read_numbers(output: Path) -> dict[str, str]:
    """Return the number of the last job of each run that was submitted."""
    place = output / JOBS / _NUMBERS
    if not place.is_file():
        return {}
    found = read_object(place, "Delete it if no job is queued").values
    return {name: number for name, number in found.items() if isinstance(number, str)}


def _active(output: Path, numbers: Mapping[str, str], cluster: str) -> set[str]:
    """Return the names of the runs whose jobs are queued or running, as far as Slurm knows."""
    from submitit.core.plugins import get_executors

    kind: Any = get_executors()[cluster].job_class
    jobs = {name: kind(output / JOBS, number) for name, number in numbers.items()}
    return {name for name, job in jobs.items() if job.state.partition(" ")[0] in _ACTIVE}
