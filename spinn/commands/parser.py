"""The parser of a command's arguments: wrong names get the nearest right one, in one sentence."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from spinn.support.errors import SpinnError
from spinn.support.text import did_you_mean

_FLAG = re.compile(r"(--[A-Za-z][\w-]*)(=|$)", re.ASCII)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and suggest names."""

    def error(self, message: str) -> NoReturn:
        """Print a line and exit with status 2."""
        self.exit(2, f"{self.prog}: error: {SpinnError(message)}\n")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse arguments; end with an error at a long flag that is unknown."""
        given = list(sys.argv[1:] if args is None else args)
        if self._subparsers is None:
            self._check_flags(given)
        return super().parse_known_args(given, namespace)

    def _check_flags(self, given: list[str]) -> None:
        """Check the flags before anything else: a missing argument may be one that is misspelt."""
        known = [name for name in self._option_string_actions if name.startswith("--")]
        for text in given:
            if text == "--":
                return
            flag = _FLAG.match(text)
            if flag and not any(name.startswith(flag[1]) for name in known):
                meant = did_you_mean(flag[1], known)
                self.error(f"unrecognized arguments: {flag[1]}{meant}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Check a value against the choices of an argument."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            meant = did_you_mean(str(value), map(str, action.choices or ()))
            raise argparse.ArgumentError(action, f"{error.message}{meant}") from None
