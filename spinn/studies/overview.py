"""The overview of a study: its table and figures, from the folders of its finished runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinn.studies.expansion import ExpandedStudy, save_expanded
from spinn.studies.launcher import LOG_NAME
from spinn.studies.measurement import FILE_NAME, Measurement, load
from spinn.studies.run import Run, RunState
from spinn.studies.summary import common_splits, comparable, sides_of, summarise
from spinn.studies.tables import Table
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.support.files import write_whole
from spinn.training.claims import is_claimed
from spinn.training.log import read_metrics
from spinn.training.run_directory import RunDirectory


@dataclass(frozen=True)
class Finished:
    """The finished runs of a study, by row and seed.

    Attributes
    ----------
    measurements
        Predictions of their models.
    metrics
        Their learning curves, as in ``metrics.jsonl``.

    """

    measurements: dict[str, dict[int, Measurement]]
    metrics: dict[str, dict[int, list[dict[str, Any]]]]


def comparison_row(study: ExpandedStudy, against: str | None) -> str:
    """Return the row that the others are compared with: ``against``, or the first.

    Raises
    ------
    ConfigurationError
        If there is no such row.

    """
    if against is not None and against not in study.rows:
        known = ", ".join(repr(name) for name in study.rows)
        raise ConfigurationError(f"--against {against!r} is not a row; choose from {known}.")
    return against or next(iter(study.rows))


def write_overview(
    study: ExpandedStudy,
    output: Path,
    against: str | None,
    reasons: Mapping[Path, str] | None = None,
    notes: Sequence[str] = (),
) -> Table:
    """Write the table and figures of all finished runs to the study's folder.

    ``study.json`` is written again, so that it has the rows and seeds of the table.

    Parameters
    ----------
    study, output
        The study and its folder.
    against
        The row that the others are compared with; ``None`` for the first.
    reasons
        Causes of failure, by the folders of the runs.
    notes
        Sentences to print first below the table.

    Raises
    ------
    SpinnError
        If no run is finished, one of their files is damaged, or a file cannot be written.

    """
    from spinn.studies import figures  # imports matplotlib, which is slow

    against = comparison_row(study, against)
    runs = study.runs(output)
    finished = load_finished(study, runs)
    if not any(finished.measurements.values()):
        running = sum(is_claimed(run.path) for run in runs)
        remedy = "Repeat the command without --table-only to train them."
        if running:
            remedy = f"{running} of {len(runs)} are running; wait until one has ended."
        raise SpinnError(f"{output}: no run of the study is finished yet. {remedy}")
    remarks = [*notes, *_missing(runs, reasons or {}), *_not_compared(finished, against)]
    summaries = summarise(finished.measurements, against)
    table = Table(summaries, against, remarks, sides=sides_of(finished.measurements))
    save_expanded(study, output)
    try:
        for ending, text in (
            ("md", table.markdown()), ("csv", table.csv()), ("tex", table.latex()),
        ):  # fmt: skip
            write_whole(output / f"table.{ending}", text)
    except OSError as error:
        raise SpinnError(f"{output}: the table cannot be written ({error.strerror}).") from error
    figures.plot_learning_curves(finished.metrics, output / "learning_curves.png", study.name)
    figures.plot_accuracy(finished.measurements, output / "accuracy.png", study.name)
    figures.plot_trees(table.rows, output / "trees.png", study.name)
    return table


def load_finished(study: ExpandedStudy, runs: Sequence[Run]) -> Finished:
    """Load the predictions and learning curves of all finished runs."""
    finished = Finished({name: {} for name in study.rows}, {name: {} for name in study.rows})
    for run in runs:
        if run.state is RunState.DONE:
            finished.measurements[run.row][run.seed] = load(run.path / FILE_NAME)
            finished.metrics[run.row][run.seed] = read_metrics(RunDirectory(run.path).metrics)
    _check_pairs(runs, finished)
    return finished


def _check_pairs(runs: Sequence[Run], finished: Finished) -> None:
    """Check that all runs of a row were measured on the same pairs."""
    first: dict[str, Run] = {}
    for run in runs:
        measurements = finished.measurements[run.row]
        if run.seed not in measurements:
            continue
        other = first.setdefault(run.row, run)
        if not measurements[run.seed].same_pairs(measurements[other.seed]):
            raise SpinnError(
                f"{run.path} and {other.path} were measured on different pairs: the files have "
                f"changed between them. Restore the files, or move the earlier runs away and "
                f"delete the {FILE_NAME} of the others, so that these are measured again."
            )


def _missing(runs: Sequence[Run], reasons: Mapping[Path, str]) -> list[str]:
    """Return a remark for each run that is not finished, with the reason or where to find it."""
    remarks = []
    for run in runs:
        state = run.state
        if state is not RunState.DONE:
            value = "running" if is_claimed(run.path) else state.value
            cause = f"{value}."
            if reason := reasons.get(run.path, ""):
                cause = f"failed: {reason}"
            elif (run.path / LOG_NAME).is_file():
                cause = f"{value}; see {run.name}/{LOG_NAME}."
            remarks.append(f"Missing: {run.row} with seed {run.seed}, {cause}")
    return remarks


def _not_compared(finished: Finished, against: str) -> list[str]:
    """Return a remark for each row that was measured on other pairs than ``against``."""
    compared = finished.measurements[against]
    if not compared:
        return [f"Nothing is compared: {against} has no finished run."]
    return [
        f"{name} is not compared: its {split} set differs from that of {against}, or is tokenised "
        "differently."
        for split in common_splits(finished.measurements)
        for name, runs in finished.measurements.items()
        if runs and not comparable(runs, compared, split)
    ]
