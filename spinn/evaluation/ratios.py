"""Ratios and means, which are undefined over nothing: NaN in Python, ``null`` in JSON."""

from __future__ import annotations

import math

UNDEFINED = math.nan


def ratio(part: float, whole: float) -> float:
    """Divide; return NaN if the denominator is 0."""
    return part / whole if whole else UNDEFINED


def figure(value: float) -> float | None:
    """Return a figure for JSON; ``None`` if it is undefined."""
    return None if math.isnan(value) else value


def percent(value: float | None) -> str:
    """Return a fraction as a percentage, for a sentence."""
    return "undefined" if value is None or math.isnan(value) else f"{100 * value:.2f}%"
