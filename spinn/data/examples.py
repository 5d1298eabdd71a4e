"""One sentence pair as it is read: words, trees where the file has them, and the label.

Readers make examples, the dataset turns them into numbers, and the evaluation writes them out
again beside what the model made of them.
"""

from __future__ import annotations

from typing import NamedTuple

from spinn.transitions import TransitionArray


class Sentence(NamedTuple):
    """The words of a sentence and, where it was parsed, its tree (transitions ``[2N - 1]``)."""

    words: list[str]
    transitions: TransitionArray | None = None


class Example(NamedTuple):
    """A sentence pair, its label (``None`` where unknown) and the line of the file it stands on."""

    premise: Sentence
    hypothesis: Sentence
    label: str | None
    line: int
    identifier: str = ""

    @property
    def is_parsed(self) -> bool:
        """Whether both sentences have a tree."""
        return self.premise.transitions is not None and self.hypothesis.transitions is not None
