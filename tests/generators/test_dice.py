"""Random choices that are the same everywhere."""

from __future__ import annotations

import pytest

from spinn.generators.dice import Dice
from spinn.support.errors import ConfigurationError


def test_the_sequence_is_the_same_everywhere() -> None:
    dice = Dice(7)
    assert [dice.below(100) for _ in range(5)] == [32, 15, 65, 7, 53]
    assert dice.shuffled("abcde") == ["c", "d", "e", "a", "b"]


def test_seeds_that_would_give_the_sequence_of_another_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="The seed is -7; give 0 or more"):
        Dice(-7)
