"""Parsing of JSON lines, with orjson if it is installed and the standard library otherwise.

orjson is several times faster. It is also stricter than the ``json`` module, so the fallback adds
checks: both reject the same lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from spinn.support.json_files import parse


def plain_loads(content: bytes) -> Any:
    """Parse a line with the standard library; see :data:`loads`."""
    text = content.decode()
    value = parse(text, distinct=False)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # fails for a lone surrogate
    return value


loads: Callable[[bytes], Any] = plain_loads
"""Parse a line; raises :class:`ValueError` if it is not valid JSON in UTF-8."""
try:
    import orjson
except ModuleNotFoundError:
    pass
else:
    loads = orjson.loads
