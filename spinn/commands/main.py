"""The command line ``spinn COMMAND``. Errors that the user can correct end it with status 2.

``torchrun`` may start training in several processes; only rank 0 prints.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from spinn import __version__, extensions
from spinn.commands.completion import SHELLS, PrintCompletion
from spinn.commands.parser import Parser
from spinn.support.errors import SpinnError, of_system
from spinn.support.logs import print_message, printed_messages
from spinn.support.streams import discard_output, flush_output, output_error, prepare_output

COMMANDS = {
    "train": "train and test a model",
    "evaluate": "evaluate a trained model on a data set",
    "ablate": "train a grid of models and compare them",
    "predict": "classify sentences or pairs with a trained model",
    "serve": "show trained models at work on a web page",
    "lm": "train, evaluate and run language models",
    "parse": "write a corpus with the trees of a trained model, for training other models",
    "prepare": "numericalise a corpus, for training on any machine",
    "download": "download SNLI, MultiNLI or GloVe",
    "generate": "generate the bundled corpus, ListOps, or propositional logic",
}
_DISTRIBUTED = ("train", "lm train", "lm finetune")  # what several processes can run together


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    prepare_output()
    try:
        return _reported(given)
    finally:
        discard_output()


def _reported(given: list[str]) -> int:
    """Run a command, and report the errors that the user can correct."""
    try:
        with printed_messages(), _processes():
            try:
                return _run(given)
            finally:
                flush_output()  # also of --help, which raises SystemExit
    except SpinnError as error:
        return _report(error)
    except BrokenPipeError:
        return 1  # the reader of the output has exited; print nothing more
    except KeyboardInterrupt:
        return _report("stopped.", 130)


def _processes() -> AbstractContextManager[None]:
    """Join the process group if ``torchrun`` started several processes."""
    if not _is_distributed():
        return nullcontext()
    from spinn.training import distributed

    return distributed.joined()


def _is_distributed() -> bool:
    """Return whether ``torchrun`` started several processes."""
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def _report(error: object, status: int = 2) -> int:
    """Print the message of an error to stderr, in rank 0 only; return the exit status."""
    if not _is_distributed() or os.environ["RANK"] == "0":
        print_message(f"spinn: {error}")
    return status


def _run(given: list[str]) -> int:
    """Parse the arguments and run the command; return the exit status."""
    if extensions.VARIABLE in os.environ:
        extensions.load()  # what they register are values of options
    selected = given[0] if given and given[0] in COMMANDS else None
    module: Any = None if selected is None else _load(selected)
    parser, commands = _parsers({} if selected is None else {selected: module})
    if selected is None:
        parser.parse_args(given)
        parser.error("name a command first")
    parse = getattr(module, "parse_arguments", argparse.ArgumentParser.parse_args)
    options = parse(commands[selected], given[1:])
    options.arguments = given  # for messages that repeat the command
    try:
        name = f"{selected} {getattr(options, 'action', '')}".strip()
        if name not in _DISTRIBUTED and _is_distributed():
            raise SpinnError(f"{name} runs in one process; start it without torchrun.")
        return int(module.run(options))
    except SpinnError as error:
        return _report(error)  # before the processes leave the group
    except OSError as error:
        lost = output_error(error)
        if lost is not None:
            raise lost from error
        if error.filename is None or _is_distributed():
            raise  # a bug; or other processes wait for this one and must be stopped
        return _report(of_system(error))


def _parsers(modules: Mapping[str, Any]) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser, and that of each command; those in ``modules`` have their arguments."""
    parser = Parser(
        prog="spinn",
        description="SPINN, the shift-reduce sentence encoder, for natural language inference.",
    )
    parser.add_argument("--version", action="version", version=f"spinn {__version__}")
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        whole=lambda: _parsers({name: _load(name) for name in COMMANDS})[0],
        choices=SHELLS,
        help="print the script that completes arguments in a shell, and exit",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        if name in modules:
            modules[name].add_arguments(command)
    return parser, dict(commands.choices)


def _load(name: str) -> Any:
    """Import a command when it is used: the libraries of some take seconds to load."""
    from importlib import import_module

    return import_module(f"spinn.commands.{name}")
