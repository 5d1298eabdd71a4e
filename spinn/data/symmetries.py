"""Symmetries of logic: how a pair of formulas may be written anew and stay as true as it was.

Any two variables may change names throughout a pair, and the two formulas may change places if
their relation becomes its converse. A batcher that is given these symmetries shows each pair in a
form that is drawn anew every time it is read, so that a model cannot learn the pairs by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinn.data.logic import VARIABLES
from spinn.data.readers import LOGIC_RELATIONS
from spinn.data.vocabulary import Vocabulary
from spinn.errors import ConfigurationError

CONVERSES = {"<": ">", ">": "<"}  # the other relations hold both ways


@dataclass(frozen=True)
class Symmetries:
    """The symmetries of logic in the numbers of a corpus.

    Attributes
    ----------
    variables
        ``[V]``, the numbers of the variables.
    words
        W, how many words the vocabulary has.
    converses
        ``[labels]``, the converse of each label.

    """

    variables: NDArray[np.int32]
    words: int
    converses: NDArray[np.int64]

    @classmethod
    def of_logic(cls, vocabulary: Vocabulary, labels: Sequence[str]) -> Symmetries:
        """Find variables and relations in a corpus.

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
        return cls(
            vocabulary.numbers(name for name in VARIABLES if name in vocabulary.words),
            len(vocabulary),
            np.array([labels.index(CONVERSES.get(label, label)) for label in labels]),
        )

    def rewrite(
        self, sentences: NDArray[np.int64], labels: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """Draw a form for each of P pairs; all forms are equally likely.

        Parameters
        ----------
        sentences, labels
            ``[2, P]``, any numbers of the formulas, and ``[P]``.
        random
            What to draw from.

        Returns
        -------
        The formulas in their places and the labels that hold then, and ``[P, W]``, the word that
        stands in a pair for each word of the vocabulary.

        """
        words = np.tile(np.arange(self.words, dtype=np.int32), (len(labels), 1))
        words[:, self.variables] = random.permuted(words[:, self.variables], axis=1)
        exchanged = random.random(len(labels)) < 0.5
        return (
            np.where(exchanged, sentences[::-1], sentences),
            np.where(exchanged, self.converses[labels], labels),
            words,
        )
