"""Extension points of the data side: transforms of batches, and sources of word vectors.

Extensions register by name; options look the name up. Nothing is registered here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinn.data.dataset import PairDataset
from spinn.data.vectors import VectorTable, WordVectors
from spinn.data.vocabulary import Vocabulary
from spinn.support.registry import Registry


class BatchTransform(Protocol):
    """A random change of the examples of a batch that keeps their labels correct."""

    def rewrite(
        self, sentences: NDArray[np.int64], labels: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """Draw a form of each of P examples.

        ``sentences`` ``[S, P]`` are positions in the data set, ``labels`` is ``[P]``. Return both
        for the new forms, and ``[P, V]``, the word that replaces each word of the vocabulary.
        """


# From the vocabulary and the labels of a corpus; raises ConfigurationError if it does not apply.
TransformFactory = Callable[[Vocabulary, Sequence[str]], BatchTransform]
BATCH_TRANSFORMS: Registry[TransformFactory] = Registry("batch transform")

# From the vocabulary's words, a table of pretrained vectors, and the training set, to the vectors
# of all words; ``known`` marks those of the table.
VectorSource = Callable[[Sequence[str], VectorTable, PairDataset], WordVectors]
VECTOR_SOURCES: Registry[VectorSource] = Registry("source of word vectors")
