"""``spinn ablate``: train a grid of models with several seeds each, and compare them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinn.commands.main import say
from spinn.commands.options import add_configuration, given_options
from spinn.errors import ConfigurationError

if TYPE_CHECKING:
    from spinn.studies.runner import Outcome
    from spinn.studies.study import Description, Grid


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument(
        "study",
        nargs="?",
        type=Path,
        metavar="FILE.toml",
        help="the study: seeds, [base] options, [[row]] tables with a name each, [vary] options",
    )
    parser.add_argument(
        "--experiment", metavar="NAME", help="a study that comes with the package, instead"
    )
    parser.add_argument(
        "--list-experiments", action="store_true", help="list those, with their titles, and end"
    )
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="OPTION=A,B",
        help="train with each of these values; several of these flags multiply",
    )
    parser.add_argument("--seeds", metavar="N,N", help="seeds of every row (default: 1,2,3)")
    parser.add_argument(
        "--against", metavar="ROW", help="compare the others with this row (default: the first)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where the runs lie (default: runs/ablate-..)"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="runs at the same time (default: 1)"
    )
    parser.add_argument(
        "--table-only",
        action="store_true",
        help="train nothing; make table and pictures again from the runs that are finished",
    )
    add_configuration(parser)


def run(namespace: argparse.Namespace) -> int:
    """Make the study; return the exit status: 0, 1 if a run failed, 130 if it was stopped."""
    from spinn.studies.overview import choose_reference, write_report
    from spinn.studies.runner import check_folders

    if namespace.list_experiments:
        _list_experiments()
        return 0
    if namespace.jobs < 1:
        raise ConfigurationError(f"--jobs is {namespace.jobs}; it must be at least 1.")
    description, grid = _grid(namespace)
    choose_reference(grid, namespace.against)
    output = namespace.output or Path("runs") / f"ablate-{grid.name}"
    check_folders(grid.experiments(output))
    failed: dict[Path, str] = {}
    if not namespace.table_only:
        outcomes = _train(grid, output, namespace.jobs)
        if any(outcome.state == "stopped" for outcome in outcomes):
            return 130
        failed = {one.experiment.path: one.reason for one in outcomes if one.state == "failed"}
        if len(failed) == len(outcomes):
            say("Every run failed, so there is no table. Mend the cause and give the same command.")
            return 1
    notes = description.claim.remarks() if description.claim is not None else ()
    table = write_report(grid, output, namespace.against, failed, notes)
    print(table.markdown(), end="")
    say(f"Table (.md, .csv, .tex) and pictures: {output}")
    return 1 if failed else 0


def _train(grid: Grid, output: Path, jobs: int) -> list[Outcome]:
    """Make the runs that are left to do, and tell how to go on where they were stopped."""
    from spinn.studies.overview import write_description
    from spinn.studies.runner import run_all

    write_description(grid, output)
    say(f"Rows: {len(grid.rows)}, seeds: {len(grid.seeds)}; writing to {output}")
    outcomes = run_all(grid.experiments(output), jobs, say)
    if any(outcome.state == "stopped" for outcome in outcomes):
        done = sum(outcome.state == "done" for outcome in outcomes)
        say(f"Stopped; {done} of {len(outcomes)} runs are done. Give the same command to go on.")
    return outcomes


def _list_experiments() -> None:
    """Print the names and titles of the studies that come with the package."""
    from spinn.studies.reference import experiment_file, experiment_names
    from spinn.studies.study import read_description

    for name in experiment_names():
        claim = read_description(experiment_file(name)).claim
        assert claim is not None
        print(f"{name:14} {claim.title}")


def _grid(namespace: argparse.Namespace) -> tuple[Description, Grid]:
    """Put file and flags together and multiply them out."""
    from spinn.studies.study import expand, folder_name, overlay, parse_seeds, parse_vary

    vary: dict[str, list[Any]] = {}
    for text in namespace.vary:
        name, values = parse_vary(text)
        if name in vary:
            raise ConfigurationError(f"--vary {name} is given twice; name all values in one.")
        vary[name] = values
    options = given_options(namespace)
    for name in options:
        if name in vary:
            flag = name.replace("_", "-")
            raise ConfigurationError(f"--{flag} and --vary {name} exclude each other; give one.")
    seeds = None if namespace.seeds is None else parse_seeds(namespace.seeds)
    description = overlay(_written(namespace), options, vary, seeds)
    written = description.origin
    given = written.stem if written is not None else "-".join(vary) or "base"
    return description, expand(description, folder_name(given) or "study")


def _written(namespace: argparse.Namespace) -> Description:
    """Read the study's file; where there is none, preset and configuration file are the base."""
    from spinn.studies.reference import experiment_file
    from spinn.studies.study import Description, read_description
    from spinn.training.config import read_file

    study = namespace.study
    if namespace.experiment is not None:
        if study is not None:
            raise ConfigurationError(f"--experiment and {study} exclude each other; give one.")
        study = experiment_file(namespace.experiment)
    if study is not None:
        for flag in ("preset", "config"):
            if getattr(namespace, flag) is not None:
                raise ConfigurationError(
                    f"--{flag} and {study.name} exclude each other; "
                    "write the options into [base] of the file."
                )
        return read_description(study)
    base: dict[str, Any] = {} if namespace.config is None else read_file(namespace.config)
    if namespace.preset is not None:
        base["preset"] = namespace.preset
    return Description(base)
