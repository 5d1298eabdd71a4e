"""Data augmentation for propositional logic by its symmetries (``--symmetries``).

The relation of two formulas is invariant under a permutation of the variables, and becomes its
converse when the formulas are exchanged. As a batch transform, the symmetries give each pair a
random form every time it is read, which prevents memorisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinn.data.formats.logic import LOGIC_RELATIONS, VARIABLES
from spinn.data.transforms import BatchTransformOptions
from spinn.data.vocabulary import Vocabulary
from spinn.support.errors import ConfigurationError
from spinn.support.options import Condition, Group, option

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


def logic_symmetries(vocabulary: Vocabulary, labels: Sequence[str]) -> Symmetries:
    """Return the symmetries of a corpus of logic.

    Raises
    ------
    ConfigurationError
        If its labels are not the relations of logic.

    """
    if tuple(labels) != LOGIC_RELATIONS:
        raise ConfigurationError(
            "--symmetries is for logic, whose labels are "
            f"{' '.join(LOGIC_RELATIONS)}; here they are {' '.join(labels)}."
        )
    return Symmetries(
        vocabulary.numbers(name for name in VARIABLES if name in vocabulary.words),
        len(vocabulary),
        np.array([labels.index(CONVERSES.get(label, label)) for label in labels]),
    )


@dataclass(frozen=True)
class SymmetryOptions(BatchTransformOptions):
    """Training on random forms of pairs of logic (``--symmetries``)."""

    symmetries: bool = option(
        False,
        "read each pair of logic in a random form: variables renamed, sides exchanged or not",
    )

    def make_transform(self, vocabulary: Vocabulary, labels: Sequence[str]) -> Symmetries:
        """Return the symmetries of a corpus of logic."""
        return logic_symmetries(vocabulary, labels)


SYMMETRIES_GROUP = Group(
    "symmetries",
    SymmetryOptions,
    Condition(lambda values: values["symmetries"], "it belongs to --symmetries"),
)
