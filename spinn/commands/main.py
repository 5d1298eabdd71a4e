"""The command line: ``spinn COMMAND``. Errors that a person can mend end it with status 2.

Training may be started in several processes by ``torchrun``; the first of them speaks for all.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from spinn import __version__
from spinn.errors import SpinnError, of_system

COMMANDS = {
    "train": "train a model, and test it",
    "evaluate": "evaluate a trained model on a data set",
    "ablate": "train a grid of models and compare them",
    "predict": "classify sentences or pairs with a trained model",
    "parse": "write a corpus with the trees of a trained model, to train others on",
    "prepare": "read a corpus once and write it as numbers, to train from elsewhere",
    "download": "fetch SNLI, MultiNLI or GloVe",
    "generate": "generate the bundled corpus, ListOps, or propositional logic",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _processes():
            return _run(given)
    except SpinnError as error:
        return _refuse(error)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output has gone; there is nobody to tell
        return 1
    except KeyboardInterrupt:
        _tell("stopped.")
        return 130


def _processes() -> AbstractContextManager[None]:
    """Join the other processes, where there are any."""
    if not _started_with_others():
        return nullcontext()
    from spinn.training import distributed

    return distributed.joined()


def _started_with_others() -> bool:
    """Tell whether ``torchrun`` started this process as one of several."""
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def _refuse(error: SpinnError) -> int:
    """Say what is to be mended; return the exit status."""
    _tell(str(error))
    return 2


def _tell(line: str) -> None:
    """Tell the person a line, once for all processes."""
    if not _started_with_others() or os.environ["RANK"] == "0":
        print(f"spinn: {line}", file=sys.stderr)


def _run(given: list[str]) -> int:
    """Run the command given; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="spinn",
        description="SPINN, the shift-reduce sentence encoder, for natural language inference.",
    )
    parser.add_argument("--version", action="version", version=f"spinn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    named = given[0] if given and given[0] in COMMANDS else None
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        if name == named:
            _load(name).add_arguments(command)
    options = parser.parse_args(given)
    try:
        if options.command != "train" and _started_with_others():
            raise SpinnError(f"{options.command} runs in one process; start it without torchrun.")
        return int(_load(options.command).run(options))
    except SpinnError as error:
        return _refuse(error)  # before any of the processes leaves
    except OSError as error:
        if error.filename is None or _started_with_others():
            raise  # of no file; or the others may wait for this process, and are to end with it
        return _refuse(of_system(error))


def _load(name: str) -> Any:
    """Import a command when it is wanted: the libraries behind some take seconds to load."""
    from importlib import import_module

    return import_module(f"spinn.commands.{name}")


def say(line: str) -> None:
    """Tell the person a line, at once, without breaking a progress bar."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)
    sys.stderr.flush()
