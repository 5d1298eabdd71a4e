"""From the folders of a study's runs to its table and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinn.errors import ConfigurationError, DataError, SpinnError
from spinn.files import write_whole
from spinn.studies.measurement import FILE_NAME, Measurement, load
from spinn.studies.runner import LOG_NAME
from spinn.studies.study import Experiment, Grid
from spinn.studies.summary import common_splits, comparable, sides_of, summarise
from spinn.studies.tables import Table
from spinn.studies.worker import State, state_of
from spinn.training.checkpoint import RunDirectory
from spinn.training.config import Configuration
from spinn.training.loop import read_metrics


@dataclass(frozen=True)
class Finished:
    """The finished runs of a study, by row and seed.

    Attributes
    ----------
    measurements
        What their models answered.
    metrics
        Their learning curves, as in ``metrics.jsonl``.

    """

    measurements: dict[str, dict[int, Measurement]]
    metrics: dict[str, dict[int, list[dict[str, Any]]]]


def choose_reference(grid: Grid, against: str | None) -> str:
    """Return the row that the others are compared with: the one named, or the first.

    Raises
    ------
    ConfigurationError
        If there is no such row.

    """
    if against is not None and against not in grid.rows:
        known = ", ".join(repr(name) for name in grid.rows)
        raise ConfigurationError(f"--against {against!r} is no row; choose from {known}.")
    return against or next(iter(grid.rows))


def write_report(
    grid: Grid,
    output: Path,
    against: str | None,
    reasons: Mapping[Path, str] | None = None,
    notes: Sequence[str] = (),
) -> Table:
    """Write table and pictures of what is finished into the study's folder.

    The description of the study is written anew, so that it is of the same rows and seeds as the
    table.

    Parameters
    ----------
    grid, output
        The study and its folder.
    against
        The row that the others are compared with; the first if ``None``.
    reasons
        Why runs failed, by their folders.
    notes
        Sentences to stand first below the table.

    Raises
    ------
    SpinnError
        If no run is finished, a file of one is damaged, or something cannot be written.

    """
    from spinn.studies import figures as plots  # the plotting library loads slowly

    reference = choose_reference(grid, against)
    experiments = grid.experiments(output)
    finished = collect(grid, experiments)
    if not any(finished.measurements.values()):
        remedy = "Give the command without --table-only to make them."
        raise SpinnError(f"{output}: no run of the study is finished yet. {remedy}")
    remarks = [*notes, *_missing(experiments, reasons or {}), *_not_compared(finished, reference)]
    summaries = summarise(finished.measurements, reference)
    table = Table(summaries, reference, remarks, sides=sides_of(finished.measurements))
    write_description(grid, output)
    try:
        for ending, text in (
            ("md", table.markdown()), ("csv", table.csv()), ("tex", table.latex()),
        ):  # fmt: skip
            write_whole(output / f"table.{ending}", text)
    except OSError as error:
        raise SpinnError(f"{output}: the table cannot be written ({error.strerror}).") from error
    plots.plot_curves(finished.metrics, output / "learning_curves.png", grid.name)
    plots.plot_accuracy(finished.measurements, output / "accuracy.png", grid.name)
    plots.plot_trees(table.rows, output / "trees.png", grid.name)
    return table


def collect(grid: Grid, experiments: Sequence[Experiment]) -> Finished:
    """Read the answers and the learning curves of the runs that are finished."""
    finished = Finished({name: {} for name in grid.rows}, {name: {} for name in grid.rows})
    for experiment in experiments:
        if state_of(experiment.path) is State.DONE:
            row, seed = experiment.row, experiment.seed
            finished.measurements[row][seed] = load(experiment.path / FILE_NAME)
            finished.metrics[row][seed] = read_metrics(RunDirectory(experiment.path))
    _check_pairs(experiments, finished)
    return finished


def _check_pairs(experiments: Sequence[Experiment], finished: Finished) -> None:
    """Refuse a row whose runs were measured on different pairs: their mean would say nothing."""
    first: dict[str, Experiment] = {}
    for experiment in experiments:
        runs = finished.measurements[experiment.row]
        if experiment.seed not in runs:
            continue
        other = first.setdefault(experiment.row, experiment)
        if not runs[experiment.seed].same_pairs(runs[other.seed]):
            raise SpinnError(
                f"{experiment.path} and {other.path} were measured on different pairs: the files "
                f"have changed in between. Restore them, or move the runs of before away, and "
                f"delete {FILE_NAME} of those that are to be measured again."
            )


def read_study(output: Path) -> Grid:
    """Read the description of a study from its folder, as :func:`write_description` wrote it.

    Raises
    ------
    SpinnError
        If there is none, or it cannot be read.

    """
    place = output / "study.json"
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        rows = {
            name: tuple(Configuration.of_dict(one) for one in configurations)
            for name, configurations in content["rows"].items()
        }
        return Grid(content["name"], rows, tuple(content["seeds"]))
    except FileNotFoundError as error:
        raise SpinnError(f"{output}: there is no study here; spinn ablate makes one.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "Give spinn ablate with --table-only again; it writes the file anew"
        raise DataError(place, f"it cannot be read ({error})", remedy=remedy) from error


def write_description(grid: Grid, output: Path) -> None:
    """Write the configurations of all runs beside their folders, for the record.

    Raises
    ------
    SpinnError
        If the folder cannot be written.

    """
    rows = {
        name: [configuration.as_dict() for configuration in configurations]
        for name, configurations in grid.rows.items()
    }
    content = {"name": grid.name, "seeds": list(grid.seeds), "rows": rows}
    try:
        output.mkdir(parents=True, exist_ok=True)
        write_whole(output / "study.json", json.dumps(content, indent=2))
    except OSError as error:
        raise SpinnError(
            f"{output}: the study cannot be written there ({error.strerror}). "
            "Choose another --output."
        ) from error


def _missing(experiments: Sequence[Experiment], reasons: Mapping[Path, str]) -> list[str]:
    """Say of each run that is not in the table why, or where to look for the reason."""
    remarks = []
    for experiment in experiments:
        state = state_of(experiment.path)
        if state is not State.DONE:
            told = f"{state.value}."
            if why := reasons.get(experiment.path, ""):
                told = f"failed: {why}"
            elif (experiment.path / LOG_NAME).is_file():
                told = f"{state.value}; see {experiment.name}/{LOG_NAME}."
            remarks.append(f"Missing: {experiment.row} with seed {experiment.seed}, {told}")
    return remarks


def _not_compared(finished: Finished, reference: str) -> list[str]:
    """Name the rows whose pairs are not those of the reference."""
    held = finished.measurements[reference]
    if not held:
        return [f"Nothing is compared: {reference} has no finished run."]
    return [
        f"{name} is not compared: its {split} set is not that of {reference}, or is read as other "
        "words."
        for split in common_splits(finished.measurements)
        for name, runs in finished.measurements.items()
        if runs and not comparable(runs, held, split)
    ]
