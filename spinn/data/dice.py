"""Random choices for the generated corpora: the same everywhere, for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Dice:
    """Random choices that are the same on every platform and in every version of Python.

    Only ``random.Random.random`` is promised to keep its sequence, so all else is made from it.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, count: int) -> int:
        """Draw a number from 0 to ``count - 1``."""
        return int(self._random() * count)

    def chance(self, probability: float) -> bool:
        """Tell, with this probability, yes."""
        return self._random() < probability

    def choice(self, items: Sequence[Item]) -> Item:
        """Draw one item."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """Return the items in random order."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result
