"""Loggers: where the figures of a run go while it trains.

Figures go to the metrics file, to TensorBoard, and to every other :class:`Logger` in
:data:`LOGGERS`, such as one for a tracking service.
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinn.prediction import Tree
from spinn.support.errors import SpinnError
from spinn.support.files import as_json
from spinn.support.registry import Registry
from spinn.training.run_directory import RunDirectory

logger = logging.getLogger(__name__)
Figures: TypeAlias = dict[str, float]


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation on the development set found, besides figures.

    Attributes
    ----------
    labels
        The names of the K labels.
    confusion
        Number of examples by gold label (row) and predicted label (column), ``[K, K]``.
    trees
        The trees of a few sentences; empty for encoders without trees.

    """

    labels: tuple[str, ...]
    confusion: NDArray[np.int64]
    trees: list[Tree] = field(default_factory=list)


class RunOptions(Protocol):
    """The configuration of a run, of any task."""

    @property
    def training(self) -> Any:
        """The options of the loop."""

    @property
    def schedule(self) -> Any:
        """The schedule of the learning rate."""

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the options that take effect, by group."""


class Logger:
    """Receive the figures of a run; the methods of this class do nothing."""

    def write(self, kind: str, step: int, figures: Figures, record: dict[str, Any]) -> None:
        """Receive the figures of ``"train"`` or ``"dev"`` at a step.

        ``record`` is the line of the metrics file: the figures, rounded, with the epoch and the
        seconds.
        """

    def evaluated(self, step: int, evaluated: Evaluated) -> None:
        """Receive what an evaluation found besides figures."""

    def ended(self, step: int, best: float) -> None:
        """Receive the score of the best checkpoint, such as its dev accuracy, after training."""

    def close(self) -> None:
        """Finish, also if training is interrupted or fails."""


LOGGERS: Registry[Callable[[RunDirectory, RunOptions], Logger]] = Registry("logger")
"""The loggers of every run by name; each is made from the folder and the configuration of the run.

In several processes, only rank 0 has loggers. ``tensorboard`` is left out by ``--no-tensorboard``.
"""


class MetricsFile(Logger):
    """Append each record as a line of JSON to the metrics file of a run."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run

    def write(self, kind: str, step: int, figures: Figures, record: dict[str, Any]) -> None:
        """Append a line."""
        try:
            with open(self._run.metrics, "a", encoding="utf-8") as stream:
                stream.write(as_json(record) + "\n")
        except OSError as error:
            raise SpinnError(
                f"{self._run.metrics}: it cannot be written ({error.strerror}). "
                f"{self._run.after_full_disk()}"
            ) from error


class TensorBoard(Logger):
    """Write TensorBoard logs: curves, trees, confusion matrices, and hyperparameters at the end.

    The library is loaded with the first figures.
    """

    def __init__(self, run: RunDirectory, configuration: RunOptions) -> None:
        self._folder, self._configuration = run.path / "tensorboard", configuration
        self._writer: Any = None
        self._failed = False

    def write(self, kind: str, step: int, figures: Figures, record: dict[str, Any]) -> None:
        """Add each figure as a scalar."""

        def add(writer: Any) -> None:
            for name, value in figures.items():
                writer.add_scalar(f"{name}/{kind}", value, step)

        self._add(step, add)

    def evaluated(self, step: int, evaluated: Evaluated) -> None:
        """Add the trees as text, and the confusion matrix as an image."""
        from spinn.evaluation.plots import confusion_image  # the plotting library loads slowly

        image = confusion_image(evaluated.confusion, evaluated.labels)
        drawings = "\n\n".join(tree.draw(ascii_only=True) for tree in evaluated.trees)
        text = textwrap.indent(drawings, "    ", lambda line: True)  # as code in Markdown

        def add(writer: Any) -> None:
            writer.add_image("confusion/dev", image, step, dataformats="HWC")
            if evaluated.trees:
                writer.add_text("trees/dev", text, step)

        self._add(step, add)

    def ended(self, step: int, best: float) -> None:
        """Add the options and the best score to the table of hyperparameters."""
        if self._writer is None:  # nothing was trained
            return
        from torch.utils.tensorboard.summary import hparams

        options = _hyperparameters(self._configuration)

        def add(writer: Any) -> None:
            # SummaryWriter.add_hparams would write them to a folder of another run.
            for summary in hparams(options, {"score/best": best}):
                writer.file_writer.add_summary(summary)
            writer.add_scalar("score/best", best, step)

        self._add(step, add)

    def close(self) -> None:
        """Flush and close the logs."""
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                writer.close()
        except OSError as error:
            self._give_up(error)

    def _add(self, step: int, add: Callable[[Any], None]) -> None:
        """Call a function with the writer, which begins at a step; errors end the logs."""
        if self._failed:
            return
        try:
            if self._writer is None:
                from torch.utils.tensorboard.writer import SummaryWriter

                self._writer = SummaryWriter(str(self._folder), purge_step=step)
            add(self._writer)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Train without these logs: the metrics file has the same figures."""
        if not self._failed:
            logger.warning(
                f"{self._folder}: TensorBoard logs cannot be written ({error.strerror}). Training "
                "goes on without them; metrics.jsonl has the same figures."
            )
        self._failed = True


LOGGERS.register("tensorboard", TensorBoard)


def loggers_of(run: RunDirectory, configuration: RunOptions) -> list[Logger]:
    """Return the loggers of a run."""
    made: list[Logger] = [MetricsFile(run)]
    for name, make in LOGGERS.items():
        if name != "tensorboard" or configuration.training.tensorboard:
            made.append(make(run, configuration))
    return made


def _hyperparameters(configuration: RunOptions) -> dict[str, Any]:
    """Return the options that take effect, flat, as TensorBoard takes them."""
    options: dict[str, Any] = {}
    for group in configuration.as_dict().values():
        options |= group
    return {
        name: value if isinstance(value, (bool, int, float, str)) else " ".join(value)
        for name, value in options.items()
        if value is not None and value != []
    }
