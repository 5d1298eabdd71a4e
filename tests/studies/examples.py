"""Measurements for the tests of summaries, tables and figures."""

from __future__ import annotations

import numpy as np

from spinn.studies.measurement import Measurement, SplitMeasurement
from spinn.transitions import TransitionArray, left_branching, right_branching

LENGTHS = [4, 3, 2, 1, 5, 4]  # three pairs


def a_set(
    predicted: list[int],
    trees: list[TransitionArray] | None = None,
    gold_trees: list[TransitionArray | None] | None = None,
) -> SplitMeasurement:
    """Return a set of three pairs with label 0."""
    return SplitMeasurement(
        gold=np.zeros(3, dtype=np.int16),
        predicted=np.array(predicted, dtype=np.int16),
        premises=np.arange(3, dtype=np.int32),
        lengths=np.array(LENGTHS, dtype=np.int32),
        trees=trees,
        gold_trees=gold_trees or [None] * 6,
    )


def left() -> list[TransitionArray]:
    return [left_branching(length) for length in LENGTHS]


def right() -> list[TransitionArray]:
    return [right_branching(length) for length in LENGTHS]


def a_study() -> dict[str, dict[int, Measurement]]:
    """Return three rows: with trees, gold in the first seed; without trees; without runs."""
    gold: list[TransitionArray | None] = [*left()[:4], None, None]
    spinn = {
        1: Measurement({"dev": a_set([0, 0, 1], left(), gold)}, 100, 2.0),
        2: Measurement({"dev": a_set([0, 1, 1], right(), gold)}, 100, 4.0),
    }
    lstm = {1: Measurement({"dev": a_set([0, 0, 0], None, gold)}, 50, 1.0)}
    return {"SPINN": spinn, "LS_TM | 50%": lstm, "never run": {}}
