"""Units of a language model: what it predicts one after the other, registered by name.

``--unit`` takes any name in :data:`UNITS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spinn.support.registry import Registry


@dataclass(frozen=True)
class Unit:
    """How text is split into units, and put together again.

    Attributes
    ----------
    name
        Name of the unit.
    plural
        What tokens are called in messages.
    end
        The token that ends a line or a sentence.
    split
        Returns the tokens of a line, without its end.
    join
        Returns the text of tokens.

    """

    name: str
    plural: str
    end: str
    split: Callable[[str], list[str]]
    join: Callable[[Sequence[str]], str]


END_OF_SENTENCE = "<eos>"


def _join_words(words: Sequence[str]) -> str:
    """Put blanks between words, and line breaks for the ends of sentences."""
    text = " ".join("\n" if word == END_OF_SENTENCE else word for word in words)
    return text.replace(" \n ", "\n").replace(" \n", "\n").replace("\n ", "\n")


UNITS: Registry[Unit] = Registry("unit")
"""The units that ``--unit`` takes, by name."""

UNITS.register("char", Unit("char", "characters", "\n", list, "".join))
UNITS.register("word", Unit("word", "words", END_OF_SENTENCE, str.split, _join_words))
