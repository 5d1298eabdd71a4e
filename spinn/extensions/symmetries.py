"""Data augmentation for propositional logic by its symmetries (``--symmetries``).

The relation of two formulas is invariant under a permutation of the variables, and becomes its
converse when the formulas are exchanged. As a batch transform, the symmetries give each pair a
random form every time it is read, which prevents memorisation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinn.data.dataset import PairDataset
from spinn.data.formats.logic import LOGIC_RELATIONS, VARIABLES
from spinn.data.vocabulary import Vocabulary
from spinn.errors import ConfigurationError

CONVERSES = {"<": ">", ">": "<"}  # the other relations are symmetric


@dataclass(frozen=True)
class Symmetries:
    """A batch transform that permutes variables and exchanges formulas.

    Attributes
    ----------
    variables
        Indices of the variables in the vocabulary.
    words
        V, the size of the vocabulary.
    converses
        ``[labels]``, the converse of each label.

    """

    variables: NDArray[np.int32]
    words: int
    converses: NDArray[np.int64]

    def rewrite(
        self, sentences: NDArray[np.int64], labels: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """Draw a form of each of P pairs, uniformly; see :class:`BatchTransform`."""
        words = np.tile(np.arange(self.words, dtype=np.int32), (len(labels), 1))
        words[:, self.variables] = random.permuted(words[:, self.variables], axis=1)
        exchanged = random.random(len(labels)) < 0.5
        return (
            np.where(exchanged, sentences[::-1], sentences),
            np.where(exchanged, self.converses[labels], labels),
            words,
        )

    def label_counts(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the expected label counts ``[labels]``: half of the forms have converse labels."""
        read: NDArray[np.float64] = (counts + counts[self.converses]) / 2
        return read

    def forms(
        self, data: PairDataset, count: int, seed: int
    ) -> Iterator[tuple[PairDataset, NDArray[np.int64]]]:
        """Yield ``count`` forms of a data set: the original, then forms with permuted variables.

        The formulas of every second form are exchanged.

        Yields
        ------
        The data set with its original labels, and ``[labels]``, the index of each label in this
        form.

        """
        random = np.random.default_rng(seed)
        for number in range(count):
            words = np.arange(self.words, dtype=np.int32)
            if number > 0:
                words[self.variables] = random.permutation(self.variables)
            form = replace(data, words=words[data.words])
            if number % 2 == 1:
                yield form.exchanged(), self.converses
            else:
                yield form, np.arange(len(self.converses))


def logic_symmetries(vocabulary: Vocabulary, labels: Sequence[str]) -> Symmetries:
    """Return the symmetries of a corpus of logic.

    Raises
    ------
    ConfigurationError
        If its labels are not the relations of logic.

    """
    if tuple(labels) != LOGIC_RELATIONS:
        raise ConfigurationError(
            "--symmetries and --average-forms are for logic, whose labels are "
            f"{' '.join(LOGIC_RELATIONS)}; here they are {' '.join(labels)}."
        )
    return Symmetries(
        vocabulary.numbers(name for name in VARIABLES if name in vocabulary.words),
        len(vocabulary),
        np.array([labels.index(CONVERSES.get(label, label)) for label in labels]),
    )
