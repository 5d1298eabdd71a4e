"""What a run reports while it trains: a progress bar or plain lines, and figures to loggers."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from spinn.support.errors import DataError
from spinn.support.files import write_whole
from spinn.support.json_files import parse
from spinn.support.streams import is_terminal
from spinn.training.loggers import Evaluated, Figures, Logger

logger = logging.getLogger(__name__)
Item = TypeVar("Item")
LINE_SECONDS = 20.0  # between plain progress lines


class Log:
    """The reports of a run: figures to loggers, and progress if INFO messages are enabled."""

    def __init__(self, loggers: Sequence[Logger]) -> None:
        self._loggers = list(loggers)

    def write(self, kind: str, step: int, figures: Figures, **others: Any) -> None:
        """Send figures to all loggers; ``others`` are parts of the record alone."""
        rounded = {name: _rounded(value) for name, value in figures.items()}
        seconds = others.pop("seconds")
        record = {"kind": kind, **others, "step": step, **rounded, "seconds": round(seconds, 2)}
        for each in self._loggers:
            each.write(kind, step, figures, record)

    def evaluated(self, step: int, evaluated: Evaluated) -> None:
        """Send what an evaluation found besides figures to all loggers."""
        for each in self._loggers:
            each.evaluated(step, evaluated)

    def ended(self, step: int, best: float) -> None:
        """Send the score of the best checkpoint to all loggers, at the end of training."""
        for each in self._loggers:
            each.ended(step, best)

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


def _rounded(value: float) -> float:
    """Return a figure with six decimals, but with no fewer than three significant digits."""
    return round(value, 6) if abs(value) >= 1e-4 else float(f"{value:.3g}")


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
