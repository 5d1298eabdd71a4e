"""Packages that only some features require; each feature imports its own when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from spinn.support.errors import ConfigurationError


def import_extra(package: str, extra: str, use: str) -> Any:
    """Import an optional package.

    Parameters
    ----------
    package
        Its name.
    extra
        The extra of this package that installs it.
    use
        What requires it, as the subject of a sentence.

    Raises
    ------
    ConfigurationError
        If it is not installed.

    """
    try:
        return import_module(package)
    except ImportError as error:
        raise ConfigurationError(
            f"{use} requires {package}, which is not installed. Run `pip install {package}`, or "
            f"install this package with its extra [{extra}]."
        ) from error
