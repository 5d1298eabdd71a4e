"""Completion of arguments in a shell: ``spinn --print-completion bash``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spinn.support.errors import ConfigurationError

SHELLS = ("bash", "zsh", "tcsh")
_FOLDERS = {"RUN", "FOLDER"}


class PrintCompletion(argparse.Action):
    """Print the script that completes a program's arguments in a shell, and exit.

    Parameters
    ----------
    whole
        Makes the parser of all commands with all flags.

    """

    def __init__(self, *args: Any, whole: Callable[[], argparse.ArgumentParser], **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._whole = whole

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Print the script and exit."""
        print(completion_script(self._whole(), str(values)))
        parser.exit()


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that completes the arguments of a parser in a shell of :data:`SHELLS`.

    Raises
    ------
    ConfigurationError
        If shtab is not installed.

    """
    try:
        import shtab
    except ImportError as error:
        raise ConfigurationError(
            "Completion requires shtab; install it with: python -m pip install shtab"
        ) from error
    _complete_values(parser, shtab.FILE, shtab.DIRECTORY)
    return str(shtab.complete(parser, shell))


def _complete_values(parser: argparse.ArgumentParser, file: object, folder: object) -> None:
    """Mark the arguments of a parser and of its commands that are paths or presets."""
    from spinn.config_files import preset_names  # loads slowly

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_values(command, file, folder)
        if action.dest == "preset":
            action.choices = preset_names("language" if " lm " in parser.prog else "")
        shown = set(re.findall("[A-Z]+", str(action.metavar or "")))
        if action.type is Path or shown & {"FILE", *_FOLDERS}:
            action.complete = folder if shown & _FOLDERS else file  # type: ignore[attr-defined]
