"""Portable random choices: the same sequence on every machine for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from spinn.support.errors import ConfigurationError

Item = TypeVar("Item")


class Dice:
    """Random choices that are equal on all platforms and in all versions of Python.

    Everything is derived from ``random.Random.random``, the only method whose sequence Python
    guarantees.

    Raises
    ------
    ConfigurationError
        If the seed is negative.

    """

    def __init__(self, seed: int) -> None:
        if seed < 0:  # random.Random would take its absolute value
            raise ConfigurationError(f"The seed is {seed}; give 0 or more.")
        self._random = random.Random(seed).random

    def below(self, count: int) -> int:
        """Return a uniform integer from 0 to ``count - 1``."""
        return int(self._random() * count)

    def chance(self, probability: float) -> bool:
        """Return true with the given probability."""
        return self._random() < probability

    def choice(self, items: Sequence[Item]) -> Item:
        """Return one of the items, all equally likely."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """Return the items in random order (Fisher-Yates)."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result
