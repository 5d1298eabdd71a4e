"""Numericalised data sets, stored as a few flat arrays.

The words of all sentences are concatenated in one array, premise before hypothesis; the 2N - 1
transitions of a sentence of N words are stored in a second array in the same order. ``batching``
gathers batches from them. In shapes, P is the number of examples and S the number of sentences of
an example (2 in a pair, 1 otherwise).
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinn.data.examples import PAIR, Example, ExampleKind
from spinn.data.vocabulary import Vocabulary
from spinn.transitions import Transition, TransitionArray, check_sequences

NO_LABEL = -1
ARRAY_TYPES = {"words": "int32", "offsets": "int64", "transitions": "int8", "labels": "int64"}


class Fingerprinted(Protocol):
    """A set of data with a digest of its content."""

    @property
    def fingerprint(self) -> str:
        """The digest."""


@dataclass(frozen=True)
class PairDataset:
    """P examples of S sentences each; sentence ``S * i + s`` is sentence s of example i.

    Attributes
    ----------
    words
        ``[W]``, int32, indices in a vocabulary.
    offsets
        ``[SP + 1]``, int64, position of each sentence in ``words``.
    transitions
        ``[2W - SP]``, int8; PAD throughout a sentence without a tree.
    labels
        ``[P]``, int64; ``NO_LABEL`` if unknown.
    kind
        Kind of the examples.

    Raises
    ------
    ValueError
        If the number of sentences is not S times the number of labels.

    """

    words: NDArray[np.int32]
    offsets: NDArray[np.int64]
    transitions: NDArray[np.int8]
    labels: NDArray[np.int64]
    kind: ExampleKind = PAIR

    def __post_init__(self) -> None:
        if len(self.offsets) - 1 != self.kind.count * len(self.labels):
            raise ValueError(
                f"{len(self.offsets) - 1} sentences are not {self.kind.count} for each of "
                f"{len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """``[SP]``, number of words of each sentence."""
        return np.diff(self.offsets)

    @property
    def longest(self) -> NDArray[np.int64]:
        """``[P]``, number of words of the longest sentence of each example."""
        return self.lengths.reshape(-1, self.kind.count).max(axis=1)

    @property
    def transition_offsets(self) -> NDArray[np.int64]:
        """``[SP + 1]``, position of each sentence in ``transitions``."""
        return 2 * self.offsets - np.arange(len(self.offsets))

    def check(self, words: int, labels: int) -> None:
        """Check arrays that come from a file, before anything is computed from them.

        Parameters
        ----------
        words, labels
            Numbers of words of the vocabulary and of labels.

        Raises
        ------
        ValueError
            If an array has another type or shape, offsets do not increase, an index is out of
            range, or transitions are not trees; or if there are no examples.

        """
        for name, dtype in ARRAY_TYPES.items():
            array = getattr(self, name)
            if array.ndim != 1 or array.dtype != dtype:
                raise ValueError(f"{name} are not a vector of {dtype}")
        if not len(self.labels):
            raise ValueError("there are no examples")
        offsets = self.offsets
        # The differences of numbers that are far apart could overflow.
        ordered = offsets[0] == 0 and offsets[-1] == len(self.words)
        if not ordered or not (offsets[1:] > offsets[:-1]).all():
            raise ValueError("offsets do not divide the words into sentences")
        if len(self.transitions) != 2 * len(self.words) - (len(offsets) - 1):
            raise ValueError("there are not 2N - 1 transitions for each N words")
        for name, array, least, limit in (
            ("words", self.words, 0, words),
            ("labels", self.labels, NO_LABEL, labels),
        ):
            if len(array) and not least <= array.min() <= array.max() < limit:
                raise ValueError(f"{name} are out of range")
        check_sequences(self.transitions, self.transition_offsets)

    @property
    def fingerprint(self) -> str:
        """A hash of the examples, which differs for other ones, or for another order."""
        digest = hashlib.sha256()
        for part in (self.words, self.offsets, self.transitions, self.labels):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def take(self, rows: NDArray[np.int64]) -> PairDataset:
        """Return the examples ``rows`` ``[n]`` in this order; rows may be repeated."""
        count = self.kind.count
        sentences = (count * rows[:, None] + np.arange(count)).ravel()
        return self._of(sentences, self.labels[rows])

    def _of(self, sentences: NDArray[np.int64], labels: NDArray[np.int64]) -> PairDataset:
        """Return a data set of the given sentences and labels."""
        lengths = self.lengths[sentences]
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), lengths.cumsum()])
        words = _stretches(self.offsets[sentences], lengths)
        steps = _stretches(self.transition_offsets[sentences], 2 * lengths - 1)
        return PairDataset(self.words[words], offsets, self.transitions[steps], labels, self.kind)

    def with_trees(self, trees: Sequence[TransitionArray]) -> PairDataset:
        """Return the same examples with other trees, one for each sentence."""
        return replace(self, transitions=np.concatenate(trees))

    @property
    def parsed(self) -> NDArray[np.bool_]:
        """``[SP]``, whether each sentence has a tree."""
        return self.transitions[self.transition_offsets[:-1]] != Transition.PAD


def _stretches(begin: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenate the ranges ``begin[i]`` to ``begin[i] + lengths[i] - 1``."""
    ends = lengths.cumsum()
    return np.arange(lengths.sum()) + (begin - ends + lengths).repeat(lengths)


class DatasetBuilder:
    """Numericalise examples one at a time, without keeping them in memory.

    Words get provisional indices in the order of occurrence; :meth:`build` replaces them by those
    of a vocabulary, which can be chosen after everything has been read.
    """

    def __init__(self, labels: Sequence[str], *, lower: bool, kind: ExampleKind = PAIR) -> None:
        self.kind = kind
        self._labels = {label: number for number, label in enumerate(labels)}
        self.lower = lower
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
            If it is of another kind.
        KeyError
            If its label is not one of those given.

        """
        sentences = example.sentences
        if len(sentences) != self.kind.count:
            raise ValueError(f"line {example.line} is not one of {self.kind.unit}")
        numbers, lower = self._numbers, self.lower
        for words, transitions in sentences:
            for word in words:
                word = word.lower() if lower else word
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
        """Append examples."""
        for example in examples:
            self.add(example)

    def word_counts(self) -> Counter[str]:
        """Return the number of occurrences of each word."""
        counts = np.bincount(np.asarray(self._words), minlength=len(self._numbers))
        return Counter(dict(zip(self._numbers, counts.tolist(), strict=True)))

    def build(self, vocabulary: Vocabulary) -> PairDataset:
        """Return the data set with the indices of ``vocabulary``."""
        renumbered = vocabulary.numbers(self._numbers)
        return PairDataset(
            renumbered[np.asarray(self._words)],
            np.asarray(self._offsets, dtype=np.int64),
            np.frombuffer(self._transitions, dtype=np.int8),
            np.asarray(self._targets, dtype=np.int64),
            self.kind,
        )


def numericalise(
    examples: Iterable[Example],
    vocabulary: Vocabulary,
    labels: Sequence[str],
    kind: ExampleKind = PAIR,
) -> PairDataset:
    """Return a data set of the examples with the indices of ``vocabulary``."""
    builder = DatasetBuilder(labels, lower=vocabulary.lower, kind=kind)
    builder.extend(examples)
    return builder.build(vocabulary)
