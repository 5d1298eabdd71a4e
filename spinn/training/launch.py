"""What runs of every kind have in common: the machine, the lock, the loop, the results.

In several processes, each of them calls these functions, but :func:`write_results`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spinn.learning.options import LoopOptions
from spinn.model.build import count_parameters
from spinn.pretrained import RESULTS
from spinn.support.errors import SpinnError
from spinn.support.files import as_json, write_whole
from spinn.support.runtime import choose_device, is_out_of_memory, set_threads
from spinn.training import distributed
from spinn.training.claims import claimed
from spinn.training.log import Log, read_metrics
from spinn.training.loggers import RunOptions, loggers_of
from spinn.training.loop import Trainer
from spinn.training.run_directory import CURVE, RunDirectory, check_unused
from spinn.training.task import Task

logger = logging.getLogger(__name__)


@contextmanager
def new_run(
    options: LoopOptions, path: Callable[[], Path], trained_by: Sequence[str] = ("train",)
) -> Iterator[tuple[Path, torch.device]]:
    """Choose the device and the folder of a new run, and lock the folder within the block.

    Parameters
    ----------
    options
        Of the loop.
    path
        Returns the folder; called in rank 0.
    trained_by
        The command that trains it, for messages.

    """
    device = prepare_machine(options)
    folder = distributed.on_first(path)
    with claimed_by_first(folder):
        distributed.on_first(lambda: check_unused(folder, trained_by))  # before the data are read
        yield folder, device


@contextmanager
def claimed_by_first(path: Path) -> Iterator[None]:
    """Lock the folder of a run for all processes that train it together."""
    with ExitStack() as held:
        distributed.on_first(lambda: held.enter_context(claimed(path)))
        yield


def prepare_machine(options: LoopOptions) -> torch.device:
    """Set the number of threads; return the device of this process."""

    def prepare() -> torch.device:
        set_threads(options.threads, processes=distributed.local_world_size())
        return distributed.own_device(choose_device(options.device))

    return distributed.together(prepare)


@contextmanager
def model_in_memory(device: torch.device) -> Iterator[None]:
    """Raise :class:`SpinnError` if a model that is built in the block does not fit into memory."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise SpinnError(
            f"The model does not fit into memory (device {device}). Train a smaller one "
            "(--hidden-size, --embedding-size)."
        ) from error


def place_of(device: torch.device) -> str:
    """Return where a model is trained, as text."""
    count = distributed.world_size()
    return str(device) if count == 1 else f"{count} processes ({device.type})"


def make_trainer(task: Task[Any], configuration: RunOptions, run: RunDirectory) -> Trainer:
    """Set up the loop, with the loggers of rank 0."""
    loggers = loggers_of(run, configuration) if distributed.is_first() else []
    return Trainer(task, configuration.training, configuration.schedule, run, Log(loggers))


def finish(trainer: Trainer, results: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Train to the end, then test the best weights in rank 0; return the results."""
    trainer.train()
    return distributed.on_first(results)


def write_results(
    trainer: Trainer,
    model: nn.Module,
    form: str,
    scores: dict[str, Any],
    figure: str = "accuracy",
) -> dict[str, Any]:
    """Write the results of a run that has ended, and a plot; return the results.

    Parameters
    ----------
    trainer
        The loop.
    model
        Whose weights are counted.
    form
        The name of the model.
    scores
        Figures by set.
    figure
        What is plotted.

    """
    from spinn.evaluation.plots import plot_learning_curve  # the plotting library loads slowly

    run, progress = trainer.run, trainer.progress
    results: dict[str, Any] = {
        "form": form,
        "best_epoch": progress.best_epoch,
        "seconds": round(progress.seconds, 1),
        "weights": count_parameters(model),
    } | scores
    try:
        write_whole(run.path / RESULTS, as_json(results, indent=2))
    except OSError as error:
        raise SpinnError(
            f"{run.path}: the results cannot be written ({error.strerror}). The model is trained "
            f"and kept; mend this and continue with: {run.resume_command}"
        ) from error
    title = f"{form}, seed {trainer.options.seed}"
    plot_learning_curve(read_metrics(run.metrics), run.path / CURVE, title, figure)
    minutes, seconds = divmod(math.ceil(progress.seconds), 60)
    logger.info(f"Trained for {minutes} min {seconds} s. Results, plot and checkpoints: {run.path}")
    return results
