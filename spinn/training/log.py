"""What a run reports while it trains: a progress bar or plain lines, and figures to loggers.

Figures go to every :class:`Logger`: the metrics file, TensorBoard, and any that a program adds, for
example for a tracking service.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tqdm import tqdm

from spinn.support.errors import DataError, SpinnError
from spinn.support.files import as_json, write_whole
from spinn.support.json_files import parse
from spinn.support.streams import is_terminal
from spinn.training.run_directory import RunDirectory

logger = logging.getLogger(__name__)
Item = TypeVar("Item")
Figures = dict[str, float]
LINE_SECONDS = 20.0  # between plain progress lines


class Logger(Protocol):
    """Receive figures."""

    def write(self, kind: str, step: int, figures: Figures, record: dict[str, Any]) -> None:
        """Receive the figures of ``"train"`` or ``"dev"`` at a step, and the whole record."""

    def close(self) -> None:
        """Finish."""


class MetricsFile:
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

    def close(self) -> None:
        """Do nothing: the file is closed after each line."""


class TensorBoard:
    """Write TensorBoard logs; the library is loaded with the first figures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None
        self._failed = False

    def write(self, kind: str, step: int, figures: Figures, record: dict[str, Any]) -> None:
        """Add each figure as a scalar."""
        if self._failed:
            return
        try:
            if self._writer is None:
                from torch.utils.tensorboard.writer import SummaryWriter

                self._writer = SummaryWriter(str(self._folder), purge_step=step)
            for name, value in figures.items():
                self._writer.add_scalar(f"{name}/{kind}", value, step)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Flush and close the logs."""
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                writer.close()
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


class Log:
    """The reports of a run: figures to loggers, and progress if INFO messages are enabled."""

    def __init__(self, loggers: Sequence[Logger]) -> None:
        self._loggers = list(loggers)

    def write(self, kind: str, step: int, figures: Figures, **others: Any) -> None:
        """Send figures to all loggers; ``others`` are parts of the record alone."""
        rounded = {name: round(value, 6) for name, value in figures.items()}
        seconds = others.pop("seconds")
        record = {"kind": kind, **others, "step": step, **rounded, "seconds": round(seconds, 2)}
        for each in self._loggers:
            each.write(kind, step, figures, record)

    def close(self) -> None:
        """Close all loggers."""
        for each in self._loggers:
            each.close()

    def progress(
        self, items: Iterator[Item], name: str, done: int, count: int, state: Callable[[], str]
    ) -> Iterator[Item]:
        """Yield items and show progress: a bar on a terminal, a line now and then elsewhere.

        Parameters
        ----------
        items
            The batches from number ``done`` on.
        name
            Such as ``"epoch 1/8"``.
        done, count
            Batches that are done, and all batches.
        state
            Returns loss, accuracy and speed as text.

        """
        has_bar = is_terminal(sys.stderr) and logger.isEnabledFor(logging.INFO)
        look: dict[str, Any] = {"unit": "batch", "leave": False, "dynamic_ncols": True}
        with tqdm(total=count, initial=done, desc=name, disable=not has_bar, **look) as bar:
            shown, first = time.monotonic(), name.startswith("epoch 1/") and done == 0
            for number, item in enumerate(items, done + 1):
                yield item
                if has_bar:
                    bar.set_postfix_str(state(), refresh=False)
                    bar.update()
                elif first or time.monotonic() - shown > LINE_SECONDS:
                    logger.info(f"{name}, batch {number}/{count}: {state()}")
                    shown, first = time.monotonic(), False


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read a metrics file.

    Raises
    ------
    DataError
        If the file is missing, or a line of it is damaged.

    """
    metrics = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(path, f"it cannot be read ({error})") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            metrics.append(_record(line))
        except ValueError as error:
            cause = f"it cannot be read ({error})"
            remedy = "Delete the line; the learning curve is then without it"
            raise DataError(path, cause, line=number, remedy=remedy) from error
    return metrics


def _record(line: str) -> dict[str, Any]:
    """Return the record of a line; raise :class:`ValueError` if it is none."""
    record = parse(line)
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        raise ValueError("it is no record of figures")
    others = {name: value for name, value in record.items() if name != "kind"}
    if not {"step", "epoch"} <= set(others) or not all(map(_is_number, others.values())):
        raise ValueError("a figure is no number, or step or epoch is missing")
    return record


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def drop_later_lines(path: Path, step: int, *, evaluated: bool) -> None:
    """Drop metrics written after a checkpoint, and a line that was cut off.

    Parameters
    ----------
    path
        The metrics file.
    step
        The step of the checkpoint.
    evaluated
        Whether the checkpoint was written after an evaluation at this step.

    """
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = _record(line)
        except ValueError:
            continue
        later = record["step"] == step and record["kind"] == "dev" and not evaluated
        if record["step"] <= step and not later:
            kept.append(line + "\n")
    write_whole(path, "".join(kept))
