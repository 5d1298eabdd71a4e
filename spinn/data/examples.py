"""Examples as they are read: sentences with trees, labels, and the kinds of example there are.

Whether an example is a pair of sentences or a single sentence is its :class:`ExampleKind`. Formats,
data sets, corpora and trained models carry it, and it is the same throughout a corpus.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from spinn.transitions import TransitionArray


@dataclass(frozen=True)
class ExampleKind:
    """What an example consists of.

    Attributes
    ----------
    name
        Name of the kind.
    roles
        Name of each sentence of an example, in order.
    unit
        What examples are called in messages, in the plural.

    """

    name: str
    roles: tuple[str, ...]
    unit: str

    @property
    def count(self) -> int:
        """Number of sentences of an example (S); files on disk store it as ``sides``."""
        return len(self.roles)


PAIR = ExampleKind("pair", ("premise", "hypothesis"), "pairs")
SENTENCE = ExampleKind("sentence", ("sentence",), "sentences")


def kind_with(count: int) -> ExampleKind:
    """Return the kind of example with ``count`` sentences.

    Raises
    ------
    ValueError
        If there is none.

    """
    for kind in (PAIR, SENTENCE):
        if kind.count == count:
            return kind
    raise ValueError(f"no kind of example has {count} sentences")


class Sentence(NamedTuple):
    """The words of a sentence and, if it has a parse, its transitions ``[2N - 1]``."""

    words: list[str]
    transitions: TransitionArray | None = None

    def __eq__(self, other: object) -> bool:
        """Return whether the other sentence has the same words and the same tree."""
        return isinstance(other, Sentence) and self._content() == other._content()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[tuple[str, ...], tuple[int, ...] | None]:
        """Return words and transitions; arrays compare element by element."""
        transitions = self.transitions
        return tuple(self.words), None if transitions is None else tuple(map(int, transitions))


class Example(NamedTuple):
    """A pair or a single sentence, its label (``None`` if unknown) and its line in the file.

    A single sentence is stored as the premise, and ``hypothesis`` is ``None``.
    """

    premise: Sentence
    hypothesis: Sentence | None
    label: str | None
    line: int
    identifier: str = ""

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences of the example, in the order of :attr:`ExampleKind.roles`."""
        return (self.premise,) if self.hypothesis is None else (self.premise, self.hypothesis)

    @property
    def is_parsed(self) -> bool:
        """Whether every sentence has a tree."""
        return all(sentence.transitions is not None for sentence in self.sentences)


def parts(examples: Iterable[Example], size: int | None) -> Iterator[list[Example]]:
    """Yield lists of up to ``size`` examples, or all in one list if it is ``None``."""
    stream = iter(examples)
    while part := list(islice(stream, size)):
        yield part
        del part  # before the next one is read
