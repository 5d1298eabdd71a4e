"""``spinn train``: train a model, or go on with an interrupted run."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spinn.commands.options import add_configuration, configuration_of, given_options, new_folder
from spinn.config import DATA_PLACE
from spinn.learning.options import PLACE
from spinn.support.errors import ConfigurationError
from spinn.support.hints import command
from spinn.support.options import flag_of

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument(
        "--output",
        type=new_folder,
        metavar="FOLDER",
        help="where to write the run (default: runs/...)",
    )
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with an interrupted run")
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="write all options that take effect as TOML, for --config, and exit",
    )
    add_configuration(parser)


def run(namespace: argparse.Namespace) -> int:
    """Train; return the exit status."""
    from spinn.config_files import as_toml
    from spinn.training import distributed
    from spinn.training import run as runs
    from spinn.training.loop import Interruption

    if namespace.resume is not None:
        _refuse_other_options(namespace)
    else:
        configuration = configuration_of(namespace)
        if namespace.print_config:
            print(as_toml(configuration) if distributed.is_first() else "", end="")
            return 0
    try:
        if namespace.resume is not None:
            runs.resume(namespace.resume, given_options(namespace))
        else:
            runs.train(configuration, namespace.output)
    except Interruption as stopped:
        again = command("train", "--resume", str(stopped))
        logger.info(f"Stopped and saved. Go on with: {again}")
        return 130
    return 0


def _refuse_other_options(namespace: argparse.Namespace) -> None:
    """Reject options besides ``--resume``, except those of where the run and its data are."""
    others = [name for name in given_options(namespace) if name not in (*PLACE, *DATA_PLACE)]
    further = ("output", "print_config", "config", "preset")
    others += [name for name in further if getattr(namespace, name)]
    if others:
        flags = ", ".join(map(flag_of, others))
        raise ConfigurationError(f"--resume goes on with the run's own options; drop {flags}.")
