"""Lines of JSON to values: by orjson, or by the standard library where orjson is not installed.

orjson is several times faster, and stricter: so is the standard library here, which by itself takes
numbers, characters and encodings that are not JSON's. Both refuse the same lines.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any


def plain_loads(content: bytes) -> Any:
    """Parse a line by the standard library.

    Raises
    ------
    ValueError
        If it is not JSON in UTF-8.

    """
    text = content.decode()
    try:
        value = json.loads(
            text, parse_constant=_refused, parse_float=_finite_float, parse_int=_finite_int
        )
    except RecursionError:
        raise ValueError("brackets are nested too deeply") from None
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # half a character cannot be encoded
    return value


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _finite_int(digits: str) -> int:
    _finite_float(digits)
    return int(digits)


loads: Callable[[bytes], Any] = plain_loads
"""Parse a line; raises :class:`ValueError` if it is not JSON in UTF-8."""
try:
    import orjson
except ModuleNotFoundError:
    pass
else:
    loads = orjson.loads
