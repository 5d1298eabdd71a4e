"""Keep the results of a study from the catalogue: ``python -m spinn.studies.collect NAME FOLDER``.

The folder must hold runs of ``spinn ablate --experiment NAME``, or of another study with the same
configurations. ``results/NAME.json`` of the clone keeps, for each row, its configuration (with file
names instead of paths) and, for each finished seed, its results and its learning curve on dev.
Seeds kept earlier remain if the row's configuration is unchanged; otherwise they are dropped and
named. The study's own table, whose intervals and tests need all predictions, is kept as
``results/NAME.md`` if the folder has all kept runs. Then the tables in the documentation are
written; without arguments, only these.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from spinn.config import Configuration
from spinn.config_files import load_configuration
from spinn.studies.expansion import ExpandedStudy, crossed, expand, load_expanded
from spinn.studies.measurement import REMEDY
from spinn.studies.overview import write_overview
from spinn.studies.results import RESULTS, check_clone, read_record, record_file, write_documents
from spinn.studies.run import RunState, check_folders, differences
from spinn.studies.study import Study, override, read_study, study_file
from spinn.support.errors import SpinnError
from spinn.support.files import as_json, write_whole
from spinn.support.json_files import read_object
from spinn.training.log import read_metrics
from spinn.training.run_directory import RunDirectory

# Options that depend on where the files are, which a study in the catalogue does not set.
FILE_OPTIONS = ("data", "train", "dev", "test", "also", "vectors", "data_directory")


def collect(name: str, output: Path, results: Path = RESULTS) -> list[str]:
    """Add the finished runs in a study's folder to the kept results of a study in the catalogue.

    Parameters
    ----------
    name
        Name of the study in the catalogue.
    output
        The folder that ``spinn ablate`` wrote.
    results
        The folder of kept results.

    Returns
    -------
    Messages on what was dropped: seeds of changed rows, and a table that is no longer complete.

    Raises
    ------
    SpinnError
        If the folder has no study, no finished run, or another study.

    """
    expanded, study = load_expanded(output), read_study(study_file(name))
    _check_matches(name, study, expanded, output)
    finished = _finished_rows(expanded, output)
    if not finished:
        raise SpinnError(f"{output}: no run of the study is finished yet.")
    record = read_record(name, results)
    names = {row.name for row in crossed(study)}
    stale = [row for row in record["rows"] if row not in names]
    dropped = [f"{row}: it is dropped, as the study has no such row." for row in stale]
    for row in stale:
        del record["rows"][row]
    for row, kept in finished.items():
        before = record["rows"].get(row, kept)
        changed = differences(
            Configuration.of_dict(before["configuration"], f"Row {row!r} of {name}"),
            Configuration.of_dict(kept["configuration"]),
        )
        runs = kept["runs"]
        if not changed:
            runs = before["runs"] | runs
        else:
            seeds = ", ".join(before["runs"])
            dropped.append(f"{row}: seeds {seeds} are dropped, they had {'; '.join(changed)}.")
        record["rows"][row] = kept | {"runs": {seed: runs[seed] for seed in sorted(runs, key=int)}}
    complete = _seeds(finished) == _seeds(record["rows"])
    table = _table(study, expanded, output) if complete else None
    text = as_json(record, indent=1, ensure_ascii=False)
    write_whole(record_file(name, results), text + "\n")
    place = results / f"{name}.md"
    if table is not None:
        write_whole(place, table)
    elif place.is_file():
        place.unlink()
        dropped.append(f"{place.name} is deleted, as the folder does not have all kept runs.")
    return dropped


def _check_matches(name: str, study: Study, expanded: ExpandedStudy, output: Path) -> None:
    """Check that rows and seeds are those of the study, apart from the files they read."""
    others = sorted(set(expanded.seeds) - set(study.seeds))
    if others:
        raise SpinnError(f"{output}: seeds {others} are not seeds of {name}.")
    files: dict[str, Any] = {}  # those that a row omits are named by others
    for configurations in expanded.rows.values():
        options = configurations[0].values()
        files |= {option: options[option] for option in FILE_OPTIONS if options[option]}
    for row, configurations in expanded.rows.items():
        whole = expand(override(study, files, {}, expanded.seeds), name)
        if row not in whole.rows:
            raise SpinnError(f"{output}: row {row!r} is not a row of {name}.")
        found = differences(configurations[0], whole.rows[row][0])
        if found:
            raise SpinnError(f"{output}: row {row!r} differs from {name}: {'; '.join(found)}.")


def _finished_rows(expanded: ExpandedStudy, output: Path) -> dict[str, Any]:
    """Return the configuration and the finished runs of each row that has any."""
    runs = expanded.runs(output)
    check_folders(runs)
    rows: dict[str, Any] = {}
    for run in runs:
        if run.state is RunState.DONE:
            kept = rows.setdefault(run.row, {"configuration": None, "runs": {}})
            configuration = load_configuration(run.path / "config.json")
            kept["configuration"] = _portable(configuration)
            metrics = read_metrics(RunDirectory(run.path).metrics)
            kept["runs"][str(run.seed)] = {
                "results": read_object(run.path / "results.json", REMEDY).values,
                "curve": [line for line in metrics if line["kind"] == "dev"],
            }
    return {row: rows[row] for row in expanded.rows if row in rows}


def _seeds(rows: dict[str, Any]) -> dict[str, set[str]]:
    return {row: set(kept["runs"]) for row, kept in rows.items()}


def _table(study: Study, expanded: ExpandedStudy, output: Path) -> str:
    """Return the study's table with its title and current references."""
    assert study.header is not None
    table = write_overview(expanded, output, None, notes=study.header.remarks())
    return f"# {study.header.title}\n\n{table.markdown()}"


def _portable(configuration: Configuration) -> dict[str, dict[str, Any]]:
    """Return a configuration as a dictionary without paths and the seed."""
    groups = configuration.as_dict()
    data = groups["data"]
    for split in ("train", "dev", "test"):
        data[split] = [Path(path).name for path in data[split]]
    further = [path.partition("=") for path in data["also"]]
    data["also"] = [f"{name}={Path(path).name}" for name, _, path in further]
    for name, options in groups.items():
        if name in ("data", "vectors"):
            options[name] = Path(options[name]).name if options[name] else None
    del data["data_directory"], groups["training"]["seed"]
    return groups


def main() -> None:
    """Collect a study, if one is named, and write the tables in the documentation."""
    if len(sys.argv) not in (1, 3):
        sys.exit("Give the name of a study and its folder, or no arguments.")
    try:
        check_clone()
        if len(sys.argv) == 3:
            for line in collect(sys.argv[1], Path(sys.argv[2])):
                print(line)
        write_documents()
    except SpinnError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
