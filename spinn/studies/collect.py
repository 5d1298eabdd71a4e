"""Keep the results of named experiments, and write the README's table from them.

``python -m spinn.studies.collect NAME FOLDER`` takes what is needed from the folder of a
study that ``spinn ablate --experiment NAME`` made, or another of rows of the same configurations:
of each row the configuration (files by name alone), of each finished seed the results and the
learning curve on dev. It is written beside the experiment, ``spinn/experiments/NAME.json``; seeds
of a row that were kept before stay if its configuration is the same, and are named if it is another
and they go. The study's own table, which has the intervals and comparisons that take every
prediction to work out, is kept as ``NAME.md`` where it is of all that is kept. Then, and also
without arguments, the table of all results is written into the README between its two marks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from spinn.errors import SpinnError
from spinn.files import write_whole
from spinn.studies.overview import read_study, write_report
from spinn.studies.reference import experiment_file, experiment_names, in_words
from spinn.studies.runner import check_folders, differences
from spinn.studies.statistics import deviation, score_interval
from spinn.studies.study import Description, Grid, expand, overlay, read_description
from spinn.studies.worker import State, state_of
from spinn.training.checkpoint import RunDirectory
from spinn.training.config import Configuration
from spinn.training.loop import read_metrics

README = Path(__file__).parents[2] / "README.md"
RESULTS = Path(__file__).parents[2] / "results"
MARKS = ("<!-- results -->\n", "<!-- end of results -->\n")
_COLUMNS = (
    "task", "model", "command", "seeds", "dev", "test", "F1", "published", "parameters", "minutes",
)  # fmt: skip

# What a study is given that its experiment does not say: files, and where they are kept.
FILES = ("data", "train", "dev", "test", "also", "vectors", "data_directory")

Record = dict[str, Any]  # {"rows": {row: {"configuration": {...}, "runs": {seed: {...}}}}}


def record_file(name: str, folder: Path = RESULTS) -> Path:
    """Return the file that the results of an experiment are kept in."""
    return folder / f"{name}.json"


def read_record(name: str, folder: Path = RESULTS) -> Record:
    """Read the results of an experiment; without any, there are no rows."""
    path = record_file(name, folder)
    empty: Record = {"rows": {}}
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else empty


def collect(name: str, study: Path, folder: Path = RESULTS) -> list[str]:
    """Put the finished runs of a study into the record of an experiment.

    Returns
    -------
    Lines on what was kept before and is not any more, because its row has changed, or because the
    study's table lacks what was kept from others.

    Raises
    ------
    SpinnError
        If the folder holds no study, a study without a finished run, or one that is not of the
        experiment.

    """
    grid, description = read_study(study), read_description(experiment_file(name))
    _check_is_of(name, description, grid, study)
    finished = _finished(grid, study)
    if not finished:
        raise SpinnError(f"{study}: no run of the study is finished yet.")
    record = read_record(name, folder)
    gone = []
    for row, kept in finished.items():
        before = record["rows"].get(row, kept)
        changed = differences(_read(before["configuration"]), _read(kept["configuration"]))
        if not changed:
            runs = before["runs"] | kept["runs"]
            kept["runs"] = {seed: runs[seed] for seed in sorted(runs, key=int)}
        else:
            seeds = ", ".join(before["runs"])
            gone.append(f"{row}: seeds {seeds} are gone, they had {'; '.join(changed)}.")
        record["rows"][row] = kept
    place = folder / f"{name}.md"
    whole = _seeds(finished) == _seeds(record["rows"])
    table = _table_of(description, grid, study) if whole else None
    text = json.dumps(record, indent=1, ensure_ascii=False)
    write_whole(record_file(name, folder), text + "\n")
    if table is not None:
        write_whole(place, table)
    elif place.is_file():
        place.unlink()
        lost = f"{place.name} is gone, the study has not all that is kept; make one that has."
        gone.append(lost)
    return gone


def _check_is_of(name: str, description: Description, grid: Grid, study: Path) -> None:
    """Refuse a study whose rows are not the experiment's, but for the files that they read."""
    others = sorted(set(grid.seeds) - set(description.seeds))
    if others:
        raise SpinnError(f"{study}: seeds {others} are none of {name}'s.")
    for row, configurations in grid.rows.items():
        data = configurations[0].as_dict()["data"]
        files = {option: data[option] for option in FILES if data[option]}
        whole = expand(overlay(description, files, {}, grid.seeds), name)
        if row not in whole.rows:
            raise SpinnError(f"{study}: it has a row {row!r} that {name} has not.")
        found = differences(configurations[0].without_idle(), whole.rows[row][0].without_idle())
        if found:
            raise SpinnError(f"{study}, {row!r} is not {name}'s: it has {'; '.join(found)}.")


def _finished(grid: Grid, study: Path) -> dict[str, Any]:
    """Gather the finished runs of each row that has any."""
    check_folders(grid.experiments(study))
    rows: dict[str, Any] = {}
    for one in grid.experiments(study):
        if state_of(one.path) is State.DONE:
            kept = rows.setdefault(one.row, {"configuration": None, "runs": {}})
            kept["configuration"] = _portable(_read_json(one.path / "config.json"))
            metrics = read_metrics(RunDirectory(one.path))
            kept["runs"][str(one.seed)] = {
                "results": _read_json(one.path / "results.json"),
                "curve": [line for line in metrics if line["kind"] == "dev"],
            }
    return {row: rows[row] for row in grid.rows if row in rows}


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _seeds(rows: dict[str, Any]) -> dict[str, set[str]]:
    return {row: set(kept["runs"]) for row, kept in rows.items()}


def _table_of(description: Description, grid: Grid, study: Path) -> str:
    """Make the study's own table again, with what the experiment claims now."""
    claim = description.claim
    assert claim is not None
    table = write_report(grid, study, None, notes=claim.remarks())
    return f"# {claim.title}\n\n{table.markdown()}"


def _read(kept: dict[str, Any]) -> Configuration:
    """Read a configuration that is kept, maybe of an earlier version, as far as it acts."""
    return Configuration.of_dict(kept).without_idle()


def _portable(configuration: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a configuration what belongs to one machine or one seed."""
    data = configuration["data"]
    for split in ("train", "dev", "test"):
        data[split] = [Path(path).name for path in data[split]]
    further = [path.partition("=") for path in data["also"]]
    data["also"] = [f"{name}={Path(path).name}" for name, _, path in further]
    for option in ("data", "vectors"):
        data[option] = Path(data[option]).name if data[option] else None
    del data["data_directory"], configuration["training"]["seed"]
    return configuration


def table(folder: Path = RESULTS) -> str:
    """Write the results of all experiments as a table in Markdown."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS)]
    for name in experiment_names():
        description = read_description(experiment_file(name))
        claim, rows = description.claim, read_record(name, folder)["rows"]
        assert claim is not None
        command, published = f"`spinn ablate --experiment {name}`", in_words(claim.published)
        for row, _ in description.rows:
            if row in rows:
                *scores, parameters, minutes = _cells(rows[row]["runs"])
                lines.append((claim.task, row, command, *scores, published, parameters, minutes))
                published = ""  # once an experiment
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _cells(runs: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """Write seeds, accuracy on dev and on the test sets, F1 of trees, and size and minutes."""
    results = [run["results"] for run in runs.values()]
    dev = with_interval([one["dev"] for one in results])
    tests = []
    if all("test" in one for one in results):
        tests.append(with_interval([one["test"] for one in results]))
    further = results[0].get("also", {})
    if further:
        values = [accuracy([one["also"][name]["accuracy"] for one in results]) for name in further]
        tests.append(f"{', '.join(values)} on {', '.join(further)}")
    trees = [one["dev"].get("trees", {}).get("gold") for one in results]
    f1 = accuracy([one["f1"] for one in trees]) if all(trees) else ""
    parameters = f"{fmean(one['weights'] for one in results) / 1e6:.2f} M"
    minutes = f"{fmean(one['seconds'] for one in results) / 60:.0f}"
    return ", ".join(runs), dev, "; ".join(tests), f1, parameters, minutes


def accuracy(values: list[float]) -> str:
    """Write the mean over seeds and, of several, the sample standard deviation, in per cent."""
    spread = deviation(values)
    mean = f"{100 * fmean(values):.1f}"
    return mean if spread is None else f"{mean} ± {100 * spread:.1f}"


def with_interval(scores: list[dict[str, Any]]) -> str:
    """Write accuracies on one set, of each seed, with the interval that they alone allow."""
    accuracies = [one["accuracy"] for one in scores]
    bounds = score_interval(accuracies, scores[0]["count"])
    return f"{accuracy(accuracies)} [{100 * bounds.low:.1f}, {100 * bounds.high:.1f}]"


def with_table(text: str, results: str) -> str:
    """Put the table between the marks of the README's text."""
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before}{MARKS[0]}\n{results}\n{MARKS[1]}{after}"


def main() -> None:
    """Collect a study, if one is named, and write the table."""
    if len(sys.argv) not in (1, 3):
        sys.exit("Give the name of an experiment and the folder of its study, or nothing.")
    try:
        if len(sys.argv) == 3:
            experiment_file(sys.argv[1])  # refuses what is no experiment
            for line in collect(sys.argv[1], Path(sys.argv[2])):
                print(line)
    except SpinnError as error:
        sys.exit(str(error))
    write_whole(README, with_table(README.read_text(encoding="utf-8"), table()))


if __name__ == "__main__":
    main()
