"""One example as it is read: a sentence pair or a single sentence, with trees and label.

Readers make examples, the dataset turns them into numbers, and the evaluation writes them out
again beside what the model made of them. How many sentences an example has, its *sides*, is the
same throughout a corpus: the format says it, and datasets and trained models keep it.
"""

from __future__ import annotations

from typing import NamedTuple

from spinn.transitions import TransitionArray

# By the number of sides: what each sentence of an example is called, and what examples are.
ROLES = {1: ("sentence",), 2: ("premise", "hypothesis")}
UNITS = {1: "sentences", 2: "pairs"}


class Sentence(NamedTuple):
    """The words of a sentence and, where it was parsed, its tree (transitions ``[2N - 1]``)."""

    words: list[str]
    transitions: TransitionArray | None = None


class Example(NamedTuple):
    """A sentence pair, its label (``None`` where unknown) and the line of the file it stands on.

    A single sentence stands as the premise, and there is no hypothesis.
    """

    premise: Sentence
    hypothesis: Sentence | None
    label: str | None
    line: int
    identifier: str = ""

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences in turn, as many as the example has sides."""
        return (self.premise,) if self.hypothesis is None else (self.premise, self.hypothesis)

    @property
    def is_parsed(self) -> bool:
        """Whether every sentence has a tree."""
        return all(sentence.transitions is not None for sentence in self.sentences)
