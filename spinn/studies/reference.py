"""References: published and expected accuracies that a study's rows are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from types import UnionType
from typing import Any


@dataclass(frozen=True)
class Reference:
    """The accuracies of one model.

    Attributes
    ----------
    model
        Name of the model; the name of a row if the accuracies are expected.
    accuracy
        Accuracies in per cent, by the name of the set.
    source
        Publication; empty for expected accuracies.

    """

    model: str
    accuracy: dict[str, float]
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not isinstance(self.source, str):
            raise TypeError("model and source must be strings")
        check_table(f"accuracy of {self.model!r}", self.accuracy, int | float)


def check_table(name: str, table: Any, kind: type | UnionType) -> None:
    """Raise a :class:`TypeError` unless ``table`` is a dictionary with values of this type."""
    if not isinstance(table, dict) or not all(isinstance(one, kind) for one in table.values()):
        raise TypeError(f"{name} must be a table of {'strings' if kind is str else 'numbers'}")


def format_references(references: Iterable[Reference]) -> str:
    """Format references in one line, grouped by their sets and source."""
    parts = []
    for (sets, source), models in groupby(
        references, lambda one: (tuple(one.accuracy), one.source)
    ):
        accuracies = "; ".join(
            f"{one.model}: {', '.join(f'{value:g}' for value in one.accuracy.values())}"
            for one in models
        )
        parts.append(f"{accuracies} on {', '.join(sets)}" + (f" ({source})" if source else ""))
    return "; ".join(parts)
