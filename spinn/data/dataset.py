"""Sentence pairs as numbers: a few flat arrays, however many pairs there are.

All words of a set stand in one array, sentence after sentence, premise before hypothesis; a
sentence of N words has 2N - 1 transitions in a second array laid out the same way. A batch is cut
out of them with a handful of array operations (``batching.py``).
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinn.data.examples import Example
from spinn.data.vocabulary import Vocabulary
from spinn.transitions import Transition

NO_LABEL = -1


@dataclass(frozen=True)
class PairDataset:
    """P sentence pairs; sentence 2i is the premise of pair i, sentence 2i + 1 its hypothesis.

    Attributes
    ----------
    words
        ``[W]``, int32, numbers in a vocabulary.
    offsets
        ``[2P + 1]``, int64, where each sentence begins among the words.
    transitions
        ``[2W - 2P]``, int8; PAD throughout a sentence that has no tree.
    labels
        ``[P]``, int64; ``NO_LABEL`` where unknown.

    """

    words: NDArray[np.int32]
    offsets: NDArray[np.int64]
    transitions: NDArray[np.int8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """``[2P]``, the number of words of each sentence."""
        return np.diff(self.offsets)

    @property
    def transition_offsets(self) -> NDArray[np.int64]:
        """``[2P + 1]``, where each sentence begins among the transitions."""
        return 2 * self.offsets - np.arange(len(self.offsets))

    @property
    def parsed(self) -> NDArray[np.bool_]:
        """``[2P]``, whether each sentence has a tree."""
        return self.transitions[self.transition_offsets[:-1]] != Transition.PAD


class DatasetBuilder:
    """Turn examples into numbers as they are read, without keeping them.

    Words are numbered in the order they are met; :meth:`build` puts the vocabulary's own numbers in
    their place, once it is known which words it keeps.
    """

    def __init__(self, labels: Sequence[str], *, lower: bool) -> None:
        self._labels = {label: number for number, label in enumerate(labels)}
        self._lower = lower
        self._numbers: dict[str, int] = {}
        self._words = array("i")
        self._offsets = array("q", [0])
        self._transitions = bytearray()
        self._targets = array("q")

    def __len__(self) -> int:
        return len(self._targets)

    def add(self, example: Example) -> None:
        """Append one pair."""
        numbers = self._numbers
        for words, transitions in (example.premise, example.hypothesis):
            for word in words:
                word = word.lower() if self._lower else word
                self._words.append(numbers.setdefault(word, len(numbers)))
            self._offsets.append(len(self._words))
            self._transitions += (
                bytes([Transition.PAD]) * (2 * len(words) - 1)
                if transitions is None
                else transitions.tobytes()
            )
        label = example.label
        self._targets.append(NO_LABEL if label is None else self._labels[label])

    def extend(self, examples: Iterable[Example]) -> None:
        """Append many pairs."""
        for example in examples:
            self.add(example)

    def word_counts(self) -> Counter[str]:
        """Count how often each word occurs."""
        counts = np.bincount(np.asarray(self._words), minlength=len(self._numbers))
        return Counter(dict(zip(self._numbers, counts.tolist(), strict=True)))

    def build(self, vocabulary: Vocabulary) -> PairDataset:
        """Finish the set in the numbers of ``vocabulary``."""
        renumbered = vocabulary.numbers(self._numbers)
        return PairDataset(
            renumbered[np.asarray(self._words)],
            np.asarray(self._offsets, dtype=np.int64),
            np.frombuffer(self._transitions, dtype=np.int8),
            np.asarray(self._targets, dtype=np.int64),
        )
