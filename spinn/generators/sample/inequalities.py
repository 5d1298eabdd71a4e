"""Systems of inequalities over numbers of individuals, and their solution by bounded search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from operator import sub
from typing import NamedTuple


class Inequality(NamedTuple):
    """``both * #(restrictor and scope) + only * #(restrictor only) >= bound`` of one clause."""

    clause: int
    both: int
    only: int
    bound: int


Region = tuple[int, int]  # truth tables of the restrictor and the scope of a clause
# For each clause: 0 outside the restrictor, 1 in restrictor and scope, 2 in the restrictor only.
Kind = tuple[int, ...]
System = tuple[Inequality, ...]  # a conjunction
Formula = tuple[System, ...]  # a disjunction


def list_kinds(regions: Sequence[Region], individuals: int) -> dict[Kind, int]:
    """Return the kinds that can exist, each with the truth table of its individuals.

    Parameters
    ----------
    regions
        Truth tables of the restrictor and the scope of each clause.
    individuals
        Truth table of all individuals that the axioms allow.

    """
    kinds: dict[Kind, int] = {(): individuals}
    for restrictor, scope in regions:
        split = (~restrictor, restrictor & scope, restrictor & ~scope)
        kinds = {
            (*kind, place): table & part
            for kind, table in kinds.items()
            for place, part in enumerate(split)
            if table & part
        }
    return kinds


def find_model(formula: Formula, kinds: tuple[Kind, ...]) -> list[Kind] | None:
    """Return a smallest model of a formula as the kinds of its individuals; ``None`` if none."""
    for system in formula:
        model = _solve(system, kinds)
        if model is not None:
            return model
    return None


@lru_cache(maxsize=1 << 16)
def _solve(system: System, kinds: tuple[Kind, ...]) -> list[Kind] | None:
    # One kind per column of coefficients is enough, and a column is redundant if another one is at
    # least as large in every inequality.
    columns: dict[tuple[int, ...], Kind] = {}
    for kind in kinds:
        weights = tuple([(0, row.both, row.only)[kind[row.clause]] for row in system])
        columns.setdefault(weights, kind)
    best = tuple(c for c in columns if not any(_exceeds(d, c) for d in columns))
    counts = find_counts(best, tuple(row.bound for row in system))
    if counts is None:
        return None
    return [columns[c] for c, count in zip(best, counts, strict=True) for _ in range(count)]


def _exceeds(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    return first != second and all(a >= b for a, b in zip(first, second, strict=True))


@lru_cache(maxsize=1 << 16)
def find_counts(
    columns: tuple[tuple[int, ...], ...], bounds: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Solve ``sum(counts[k] * columns[k]) >= bounds`` in natural numbers with minimal sum.

    Breadth-first search: as long as an inequality is violated, every solution contains another
    individual with a positive coefficient in it, so only such columns are tried. Call an inequality
    *counting* if its coefficients have one sign, and *comparing* (``most``) if they have both; a
    comparing one has bound 0 or 1, and a pair of sentences has at most two of them. Let w be the
    sum of the positive bounds of counting inequalities. A minimal solution has at most 4w + 3
    individuals:

    - Mark w individuals that satisfy the counting inequalities. These do not require any other
      individual. So by minimality each unmarked one has coefficient +1 in a comparing inequality,
      and the types (+1, -1) and (-1, +1) do not both occur, since one of each could be removed.
      Assume that (-1, +1) does not occur.
    - If p > 0 unmarked individuals have type (+1, -1), the first comparing inequality is tight by
      minimality, so at most w + 1 unmarked ones are positive in it and p <= w + 1. If any has type
      (0, +1), the second one is tight as well, so there are at most w + 1 + p of these; together
      3w + 3.
    - If p = 0, at most w + 1 unmarked individuals are required by each comparing inequality.

    Parameters
    ----------
    columns
        Coefficients (-1, 0 or 1) of one kind of individual in each inequality.
    bounds
        Right-hand sides.

    Raises
    ------
    ValueError
        If more than two inequalities are comparing.

    """
    rows = list(zip(*columns, strict=True)) if columns else [()] * len(bounds)
    compares = [min(row, default=0) < 0 < max(row, default=0) for row in rows]
    if sum(compares) > 2:
        raise ValueError("the bound on the search holds for at most two comparing inequalities")
    w = sum(max(b, 0) for b, both in zip(bounds, compares, strict=True) if not both)
    helpful = [[k for k, weight in enumerate(row) if weight > 0] for row in rows]
    # A surplus in an inequality that nothing can violate again does not matter.
    floors = [0 if min(row, default=0) >= 0 else -math.inf for row in rows]
    start = tuple(map(max, bounds, floors))
    found: dict[tuple[float, ...], tuple[int, ...]] = {start: (0,) * len(columns)}
    layer = [start]
    for _ in range(4 * w + 4):
        following = []
        for lack in layer:
            violated = [
                choices for missing, choices in zip(lack, helpful, strict=True) if missing > 0
            ]
            counts = found[lack]
            if not violated:
                return counts
            for k in min(violated, key=len):
                left = tuple(map(max, map(sub, lack, columns[k]), floors))
                if left not in found:
                    found[left] = (*counts[:k], counts[k] + 1, *counts[k + 1 :])
                    following.append(left)
        layer = following
    return None
