"""What stands in for torchtext where it is not installed, so that toys are trained on all the same.

Vectors cannot do without it, nor what this rule is held against; their tests are skipped.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable

from spinn.data import prepare
from spinn.data.vocabulary import SPECIAL_WORDS


def choose_words(
    training: Counter[str], others: Iterable[str], table: None, minimum: int
) -> list[str]:
    """Choose the words of a vocabulary without vectors, by the rule that torchtext has."""
    frequent = [word for word, count in training.items() if count >= minimum]
    return [*SPECIAL_WORDS, *sorted(frequent, key=lambda word: (-training[word], word))]


def stand_in() -> None:
    """Choose words by that rule from now on, unless torchtext is there."""
    if importlib.util.find_spec("torchtext") is None:
        prepare.choose_words = choose_words  # type: ignore[assignment]
