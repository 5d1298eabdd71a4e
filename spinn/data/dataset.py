"""Sentence pairs, or single sentences, as numbers: a few flat arrays, however many there are.

All words of a set stand in one array, sentence after sentence, premise before hypothesis; a
sentence of N words has 2N - 1 transitions in a second array laid out the same way. A batch is cut
out of them with a handful of array operations (``batching.py``). Where shapes are given here and in
the modules that follow, S is the number of sides: 2 sentences in a pair, or 1 that stands alone.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinn.data.examples import UNITS, Example
from spinn.data.vocabulary import Vocabulary
from spinn.transitions import Transition, TransitionArray

NO_LABEL = -1


@dataclass(frozen=True)
class PairDataset:
    """P examples, pairs or single sentences: S sentences each, which stand one after the other.

    Of pairs, sentence 2i is the premise of pair i, sentence 2i + 1 its hypothesis.

    Attributes
    ----------
    words
        ``[W]``, int32, numbers in a vocabulary.
    offsets
        ``[SP + 1]``, int64, where each sentence begins among the words.
    transitions
        ``[2W - SP]``, int8; PAD throughout a sentence that has no tree.
    labels
        ``[P]``, int64; ``NO_LABEL`` where unknown.
    sides
        S, how many sentences an example has: 2, or 1.

    Raises
    ------
    ValueError
        If there are not S sentences to a label.

    """

    words: NDArray[np.int32]
    offsets: NDArray[np.int64]
    transitions: NDArray[np.int8]
    labels: NDArray[np.int64]
    sides: int = 2

    def __post_init__(self) -> None:
        if len(self.offsets) - 1 != self.sides * len(self.labels):
            raise ValueError(
                f"{len(self.offsets) - 1} sentences are not {self.sides} for each of "
                f"{len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """``[SP]``, the number of words of each sentence."""
        return np.diff(self.offsets)

    @property
    def longest(self) -> NDArray[np.int64]:
        """``[P]``, the number of words of the longest sentence of each example."""
        return self.lengths.reshape(-1, self.sides).max(axis=1)

    @property
    def transition_offsets(self) -> NDArray[np.int64]:
        """``[SP + 1]``, where each sentence begins among the transitions."""
        return 2 * self.offsets - np.arange(len(self.offsets))

    def take(self, rows: NDArray[np.int64]) -> PairDataset:
        """Make a set of the examples ``rows`` ``[n]``, in this order, any of them repeatedly."""
        sentences = (self.sides * rows[:, None] + np.arange(self.sides)).ravel()
        return self._of(sentences, self.labels[rows])

    def _of(self, sentences: NDArray[np.int64], labels: NDArray[np.int64]) -> PairDataset:
        """Make a set of the sentences with these numbers, in this order."""
        lengths = self.lengths[sentences]
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), lengths.cumsum()])
        words = _stretches(self.offsets[sentences], lengths)
        steps = _stretches(self.transition_offsets[sentences], 2 * lengths - 1)
        return PairDataset(self.words[words], offsets, self.transitions[steps], labels, self.sides)

    def with_trees(self, trees: Sequence[TransitionArray]) -> PairDataset:
        """Make the same set with other trees, one for each sentence."""
        return replace(self, transitions=np.concatenate(trees))

    @property
    def parsed(self) -> NDArray[np.bool_]:
        """``[SP]``, whether each sentence has a tree."""
        return self.transitions[self.transition_offsets[:-1]] != Transition.PAD


def _stretches(begin: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """List the places of stretches ``[n]`` one after the other."""
    ends = lengths.cumsum()
    return np.arange(lengths.sum()) + (begin - ends + lengths).repeat(lengths)


class DatasetBuilder:
    """Turn examples into numbers as they are read, without keeping them.

    Words are numbered in the order they are met; :meth:`build` puts the vocabulary's own numbers in
    their place, once it is known which words it keeps.
    """

    def __init__(self, labels: Sequence[str], *, lower: bool, sides: int = 2) -> None:
        self.sides = sides
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
        """Append one example.

        Raises
        ------
        ValueError
            If it has not as many sentences as the set is to have.

        """
        sentences = example.sentences
        if len(sentences) != self.sides:
            raise ValueError(f"line {example.line} is not one of {UNITS[self.sides]}")
        numbers = self._numbers
        for words, transitions in sentences:
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
        """Append many examples."""
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
            self.sides,
        )
