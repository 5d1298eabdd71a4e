"""Extension points of the data side: transforms of batches, and sources of word vectors.

An extension implements one of them by the dataclass of its options, and registers its group of
options in :data:`spinn.support.options.GUEST_GROUPS`. Nothing is registered here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinn.data.dataset import PairDataset
from spinn.data.vectors import VectorTable, WordVectors
from spinn.data.vocabulary import Vocabulary


class BatchTransform(Protocol):
    """A random change of the examples of a batch that keeps their labels correct."""

    def rewrite(
        self, sentences: NDArray[np.int64], labels: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """Draw a form of each of P examples.

        ``sentences`` ``[S, P]`` are positions in the data set, ``labels`` is ``[P]``. Return both
        for the new forms, and ``[P, V]``, the word that replaces each word of the vocabulary.
        """


class BatchTransformOptions(ABC):
    """Options that, where their group is present, transform the batches of training."""

    @abstractmethod
    def make_transform(self, vocabulary: Vocabulary, labels: Sequence[str]) -> BatchTransform:
        """Return the transform for a corpus; raise ConfigurationError if it does not apply."""


class VectorSourceOptions(ABC):
    """Options that, where their group is present, give vectors to words that have none."""

    @abstractmethod
    def complete(self, words: Sequence[str], table: VectorTable, text: PairDataset) -> WordVectors:
        """Return the vectors of all words of a vocabulary; ``known`` marks those of the table.

        ``text`` is the training set.
        """
