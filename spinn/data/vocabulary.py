"""The vocabulary of a model.

torchtext is imported by this module only, and only when a corpus is prepared: trained models and
prepared corpora store their vocabulary as plain lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinn.data.vectors import VectorTable
from spinn.support import json_files as kinds
from spinn.support.json_files import JSONObject

UNKNOWN, PADDING = 0, 1  # as in torchtext
SPECIAL_WORDS = ["<unk>", "<pad>"]


@dataclass
class Vocabulary:
    """Words and their indices.

    Attributes
    ----------
    words
        Words by index; the first two are the unknown word and padding.
    lower
        Whether words are lower-cased before lookup.

    """

    words: list[str]
    lower: bool = True
    _numbers: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._numbers = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def numbers(self, words: Iterable[str]) -> NDArray[np.int32]:
        """Return the indices of words; ``UNKNOWN`` for those not in the vocabulary."""
        if self.lower:
            words = (word.lower() for word in words)
        return np.array([self._numbers.get(word, UNKNOWN) for word in words], dtype=np.int32)

    def as_dict(self) -> dict[str, Any]:
        """Return a description for JSON; ``Vocabulary(**description)`` restores it."""
        return {"words": self.words, "lower": self.lower}


def read_vocabulary(described: JSONObject) -> Vocabulary:
    """Read a vocabulary, written by :meth:`Vocabulary.as_dict`, and check it.

    Raises
    ------
    DataError
        If words are not text, occur twice, or begin otherwise than with the special ones.

    """
    words = described.take("words", kinds.distinct(kinds.list_of(kinds.text)))
    if words[:2] != SPECIAL_WORDS:
        raise described.error(f"its words do not begin with {' and '.join(SPECIAL_WORDS)}")
    return Vocabulary(words, described.take("lower", kinds.truth))


def choose_words(
    training: Counter[str], others: Iterable[str], table: VectorTable | None, minimum: int
) -> list[str]:
    """Return the words of a vocabulary, the most frequent first.

    A word is included if it has a pretrained vector or occurs at least ``minimum`` times in the
    training set. All others share the unknown word, so the rare words of the training set train it.
    Words that occur only in other sets come last and do not change the indices of the rest.
    """
    from torchtext.vocab import Vocab

    chosen = Counter({word: count for word, count in training.items() if count >= minimum})
    if table is not None:
        chosen |= Counter({word: count for word, count in training.items() if word in table})
    words = list(Vocab(chosen, specials=SPECIAL_WORDS).itos)
    further = {word for word in others if table is not None and word in table}
    return [*words, *sorted(further.difference(words))]
