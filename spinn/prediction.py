"""The results of a predictor: :class:`Prediction` of an example, :class:`Steps` of a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from spinn.data.examples import Example, Sentence
from spinn.inference import Encodings, Floats
from spinn.transitions import TransitionArray


@dataclass(frozen=True)
class Steps:
    """The transitions of a sentence of N words, and how probable they were.

    Attributes
    ----------
    words
        The words.
    transitions
        ``[2N - 1]``, those taken.
    probabilities
        ``[2N - 1, 2]``, p(REDUCE) and p(SHIFT) before each transition. They sum to 1; an illegal
        transition has probability 0.

    """

    words: list[str]
    transitions: TransitionArray
    probabilities: Floats


@dataclass(frozen=True)
class Prediction:
    """The results for one example of S sentences.

    Attributes
    ----------
    label
        The most probable label.
    probabilities
        The probability of each label.
    sentences
        The words of each sentence and the tree that the model followed; no tree for encoders
        without trees.
    unknown
        The words that are not in the vocabulary, in order of occurrence, without repetitions.
    vectors
        Sentence vectors ``[S, H]``.
    steps
        The transitions of each sentence with their probabilities; ``None`` if nothing scored them.

    """

    label: str
    probabilities: dict[str, float]
    sentences: tuple[Sentence, ...]
    unknown: tuple[str, ...]
    vectors: Floats
    steps: tuple[Steps, ...] | None

    @property
    def trees(self) -> tuple[TransitionArray, ...] | None:
        """The transitions of each sentence; ``None`` for encoders without trees."""
        found = [tree for _, tree in self.sentences if tree is not None]
        return tuple(found) or None


def steps_of(sentence: Sentence, row: int, encodings: Encodings) -> Steps:
    """Return the steps of a sentence, which is number ``row`` of those encoded."""
    assert encodings.trees is not None
    assert encodings.steps is not None
    return Steps(sentence.words, encodings.trees[row], encodings.steps[row])


def with_trees(example: Example, row: int, trees: list[TransitionArray] | None) -> list[Sentence]:
    """Return the sentences of example ``row`` with their trees, out of those of all sentences."""
    first = len(example.sentences) * row
    return [
        Sentence(words, None if trees is None else trees[first + side])
        for side, (words, _) in enumerate(example.sentences)
    ]
