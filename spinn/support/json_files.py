"""Reading the package's own JSON files, with the type of every value checked.

Such files may have been damaged or edited. :func:`read_object` reads one, and :class:`JSONObject`
checks values as they are taken, so the error names the file and the value.
"""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from spinn.support.errors import DataError
from spinn.support.files import as_json

T = TypeVar("T")
Kind = Callable[[Any], T]
"""Returns a value of its type, or raises :class:`ValueError` with what is wrong with it."""

_REQUIRED: Any = object()


@dataclass(frozen=True)
class JSONObject:
    """An object of a JSON file.

    Attributes
    ----------
    path
        The file.
    values
        Its values, unchecked.
    remedy
        What to do if one is wrong, for the error.

    """

    path: Path
    values: dict[str, Any]
    remedy: str

    def take(self, name: str, kind: Kind[T], default: Any = _REQUIRED) -> T:
        """Return a value of a kind, or ``default`` if it is absent.

        Raises
        ------
        DataError
            If it is of another kind, or absent without a default.

        """
        if name not in self.values:
            if default is _REQUIRED:
                raise self.error(f"it has no {name!r}")
            return default
        try:
            return kind(self.values[name])
        except ValueError as error:
            raise self.error(f"its {name!r} {error}") from error

    def object(self, name: str) -> JSONObject:
        """Return the object of a name; raise :class:`DataError` if there is none."""
        return JSONObject(self.path, self.take(name, table_of(_anything)), self.remedy)

    def error(self, cause: str) -> DataError:
        """Return the error for something wrong with the file."""
        return DataError(self.path, f"it cannot be read ({cause})", remedy=self.remedy)


def read_object(path: Path, remedy: str) -> JSONObject:
    """Read a JSON file that contains an object.

    Raises
    ------
    DataError
        If it cannot be read or contains something else; ``remedy`` is what to do about it.

    """
    try:
        values = parse(read_text(path))
    except OSError as error:
        cause = f"it cannot be read ({error.strerror or error})"
        raise DataError(path, cause, remedy=remedy) from error
    except ValueError as error:
        raise DataError(path, f"it cannot be read ({error})", remedy=remedy) from error
    if not isinstance(values, dict):
        raise DataError(path, "it cannot be read (it is not a JSON object)", remedy=remedy)
    return JSONObject(path, values, remedy)


def read_text(path: Path, limit: int | None = None) -> str:
    """Read a file in UTF-8 without its byte-order mark.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is not UTF-8, or has more than ``limit`` bytes.

    """
    with open(path, "rb") as stream:
        content = stream.read(-1 if limit is None else limit + 1)
    if limit is not None and len(content) > limit:
        raise ValueError(f"it has more than {limit:,} bytes")
    return content.removeprefix(codecs.BOM_UTF8).decode()


def parse(text: str, *, distinct: bool = True) -> Any:
    r"""Parse JSON; NaN, infinite numbers, half characters and deep nesting are errors.

    Duplicate names are errors too if names are to be ``distinct``. Half characters are escapes such
    as ``\ud83d`` without their second half.

    Raises
    ------
    ValueError
        If it is not JSON.

    """
    try:
        content = json.loads(
            text,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_finite_int,
            object_pairs_hook=_distinct if distinct else None,
        )
        if "\\u" in text:
            _require_whole(content)
    except RecursionError:
        raise ValueError("brackets are nested too deeply") from None
    return content


def _require_whole(content: Any) -> None:
    """Raise :class:`ValueError` if a text holds half a character: UTF-8 cannot express it."""
    try:
        as_json(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text is not valid Unicode: it contains half a character") from None


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _finite_int(digits: str) -> int:
    _finite(digits)  # one that is no float would fail wherever it is used as one
    return int(digits)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name occurs twice in an object")
    return values


# Kinds.


def text(value: Any) -> str:
    """Accept text that can be written in UTF-8."""
    if not isinstance(value, str):
        raise ValueError("is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid Unicode") from None
    return value


def truth(value: Any) -> bool:
    """Accept ``true`` and ``false``."""
    if not isinstance(value, bool):
        raise ValueError("is not true or false")
    return value


def whole(value: Any) -> int:
    """Accept a whole number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("is not a whole number")
    return value


def number(value: Any) -> float:
    """Accept a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number")
    return float(value)


def list_of(kind: Kind[T]) -> Kind[list[T]]:
    """Return the kind of a list of values of a kind."""

    def check(value: Any) -> list[T]:
        if not isinstance(value, list):
            raise ValueError("is not a list")
        try:
            return [kind(item) for item in value]
        except ValueError as error:
            raise ValueError(f"has an item that {error}") from None

    return check


def distinct(kind: Kind[list[T]]) -> Kind[list[T]]:
    """Return the kind of a list without duplicates."""

    def check(value: Any) -> list[T]:
        items = kind(value)
        if len(set(items)) != len(items):
            raise ValueError("has an item twice")
        return items

    return check


def table_of(kind: Kind[T]) -> Kind[dict[str, T]]:
    """Return the kind of an object whose values are of a kind."""

    def check(value: Any) -> dict[str, T]:
        if not isinstance(value, dict):
            raise ValueError("is not an object")
        try:
            return {name: kind(item) for name, item in value.items()}
        except ValueError as error:
            raise ValueError(f"has a value that {error}") from None

    return check


def _anything(value: Any) -> Any:
    return value


def optional(kind: Kind[T]) -> Kind[T | None]:
    """Return the kind of a value of a kind, or ``null``."""
    return lambda value: None if value is None else kind(value)
