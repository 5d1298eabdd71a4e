"""``spinn ablate``: train the rows of a study with several seeds each, and compare them."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinn.commands.options import add_configuration, given_options, new_folder
from spinn.support.errors import ConfigurationError
from spinn.support.hints import command
from spinn.support.options import flag_of

if TYPE_CHECKING:
    from spinn.studies.expansion import ExpandedStudy
    from spinn.studies.launcher import Outcome
    from spinn.studies.study import Study

logger = logging.getLogger(__name__)


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
        "--list-experiments", action="store_true", help="list those studies and exit"
    )
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="OPTION=A,B",
        help="train with each of these values; several flags give all combinations",
    )
    parser.add_argument("--seeds", metavar="N,N", help="seeds of every row (default: 1,2,3)")
    parser.add_argument(
        "--against", metavar="ROW", help="compare the others with this row (default: the first)"
    )
    parser.add_argument(
        "--output",
        type=new_folder,
        metavar="FOLDER",
        help="folder of the runs (default: runs/ablate-..)",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="number of runs at the same time (default: 1; with slurm, what the cluster admits)",
    )
    parser.add_argument(
        "--launcher",
        choices=("local", "slurm"),
        default="local",
        help="train on this machine, or submit a job for each run to Slurm (default: local)",
    )
    parser.add_argument(
        "--slurm",
        metavar="OPTION=VALUE,..",
        help="what each job requests, such as partition=gpu,time=240,gpus=1,cpus=4,memory=16, with "
        "the time limit in minutes (60) and the memory in GB; also account, qos, constraint",
    )
    parser.add_argument(
        "--table-only",
        action="store_true",
        help="train nothing; write table and figures again from the finished runs",
    )
    add_configuration(parser)


def run(namespace: argparse.Namespace) -> int:
    """Run or submit the study; return the exit status: 0, 1 if a run failed, 130 if stopped."""
    from spinn.studies.overview import comparison_row, write_overview
    from spinn.studies.run import check_folders

    if namespace.list_experiments:
        _list_studies()
        return 0
    if namespace.jobs is not None and namespace.jobs < 1:
        raise ConfigurationError(f"--jobs is {namespace.jobs}; it must be at least 1.")
    if namespace.slurm is not None and namespace.launcher != "slurm":
        raise ConfigurationError("--slurm does nothing without --launcher slurm.")
    study, expanded = _expanded(namespace)
    comparison_row(expanded, namespace.against)  # rejects an unknown row before training
    output = namespace.output or Path("runs") / f"ablate-{expanded.name}"
    check_folders(expanded.runs(output))
    failed: dict[Path, str] = {}
    if not namespace.table_only:
        outcomes = _train(expanded, output, namespace)
        if any(outcome.state == "submitted" for outcome in outcomes):
            return 0
        if any(outcome.state == "stopped" for outcome in outcomes):
            return 130
        failed = {one.run.path: one.reason for one in outcomes if one.state == "failed"}
        if len(failed) == len(outcomes):
            logger.error(
                "All runs failed, so there is no table. Fix the cause and repeat the command."
            )
            return 1
    notes = study.header.remarks() if study.header is not None else ()
    table = write_overview(expanded, output, namespace.against, failed, notes)
    print(table.markdown(), end="")
    logger.info(f"Table (.md, .csv, .tex) and figures: {output}")
    return 1 if failed else 0


def _train(study: ExpandedStudy, output: Path, namespace: argparse.Namespace) -> list[Outcome]:
    """Complete or submit all runs; if they have not ended, log how to continue."""
    from spinn.studies.expansion import save_expanded
    from spinn.studies.runner import run_all
    from spinn.studies.slurm import JOBS, parse_job_options, submit

    runs = study.runs(output)
    options = parse_job_options(namespace.slurm) if namespace.launcher == "slurm" else None
    save_expanded(study, output)
    logger.info(f"Rows: {len(study.rows)}, seeds: {len(study.seeds)}; writing to {output}")
    if options is not None:
        outcomes = submit(runs, output, namespace.jobs, options)
        if any(outcome.state == "submitted" for outcome in outcomes):
            logger.info(
                f"Logs: {output}/RUN/log.txt of each run, and {output / JOBS} of the jobs. When "
                "they have ended, collect the results: "
                f"{command(*namespace.arguments, '--table-only')}"
            )
        return outcomes
    outcomes = run_all(runs, namespace.jobs or 1)
    if any(outcome.state == "stopped" for outcome in outcomes):
        done = sum(outcome.state == "done" for outcome in outcomes)
        logger.info(
            f"Stopped; {done} of {len(outcomes)} runs are done. Repeat the command to continue."
        )
    return outcomes


def _list_studies() -> None:
    """Print the names and titles of the studies that come with the package."""
    from spinn.studies.study import read_study, study_file, study_names

    for name in study_names():
        header = read_study(study_file(name)).header
        assert header is not None
        print(f"{name:14} {header.title}")


def _expanded(namespace: argparse.Namespace) -> tuple[Study, ExpandedStudy]:
    """Return the study of file and flags, as described and expanded."""
    from spinn.studies.expansion import expand, folder_name
    from spinn.studies.flags import parse_seeds, parse_vary
    from spinn.studies.study import override

    vary: dict[str, list[Any]] = {}
    for text in namespace.vary:
        name, values = parse_vary(text)
        if name in vary:
            raise ConfigurationError(f"--vary {name} is given twice; name all values in one.")
        vary[name] = values
    options = given_options(namespace)
    given = options | {"preset": namespace.preset}
    for name in vary:
        if given.get(name) is not None:
            flag = flag_of(name)
            raise ConfigurationError(f"{flag} and --vary {name} exclude each other; give one.")
    seeds = None if namespace.seeds is None else parse_seeds(namespace.seeds)
    study = override(_described(namespace), options, vary, seeds)
    name = study.path.stem if study.path is not None else "-".join(vary) or "base"
    return study, expand(study, folder_name(name) or "study")


def _described(namespace: argparse.Namespace) -> Study:
    """Read the study's file; without one, preset and configuration file are the base."""
    from spinn.config_files import read_file
    from spinn.studies.study import Study, read_study, study_file

    path = namespace.study
    if path is not None and path.suffix != ".toml" and not path.exists():
        raise ConfigurationError(
            f"{path} is not the file of a study, FILE.toml. Seeds are separated by commas, without "
            "spaces: --seeds 1,2,3."
        )
    if namespace.experiment is not None:
        if path is not None:
            raise ConfigurationError(f"--experiment and {path} exclude each other; give one.")
        path = study_file(namespace.experiment)
    if path is not None:
        for flag in ("preset", "config"):
            if getattr(namespace, flag) is not None:
                raise ConfigurationError(
                    f"--{flag} and {path.name} exclude each other; "
                    "write the options into [base] of the file."
                )
        return read_study(path)
    base: dict[str, Any] = {} if namespace.config is None else read_file(namespace.config)
    if namespace.preset is not None:
        base["preset"] = namespace.preset
    return Study(base)
