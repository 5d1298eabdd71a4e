"""Sentences and examples given in Python: as text, as words, in tuples or in lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from spinn.data.examples import Example, Sentence
from spinn.data.text import TextReader, check_words
from spinn.support.errors import DataError, shorten
from spinn.transitions import TreeError, check

if TYPE_CHECKING:
    from typing_extensions import TypeIs

SentenceInput: TypeAlias = str | Sentence
"""Text, raw or as a bracketed tree; or words with or without a tree."""
ExampleInput: TypeAlias = SentenceInput | Sequence[SentenceInput] | Example
"""A single sentence, or a premise and a hypothesis; labels are ignored."""
OneExample: TypeAlias = SentenceInput | tuple[SentenceInput, ...] | Example
"""An example that is not in a list: its sentences are in a tuple."""

PLACE = "input"  # in errors, with the position of an example from 1 as the line
_REQUIRED = {
    "sentence": ("one sentence is", "Give it as a string"),
    "pair": ("a premise and a hypothesis are", "Give them as a tuple (premise, hypothesis)"),
}


def is_one_sentence(given: object) -> TypeIs[SentenceInput]:
    """Return whether an input is a sentence, and no list of sentences."""
    return isinstance(given, (str, Sentence))


def is_one_example(given: object) -> TypeIs[OneExample]:
    """Return whether an input is an example, and no list: tuples of sentences are examples."""
    if isinstance(given, tuple) and not isinstance(given, (Sentence, Example)):
        return len(given) > 0 and all(map(is_one_sentence, given))
    return isinstance(given, (str, Sentence, Example))


def example_of(given: ExampleInput, line: int, reader: TextReader) -> Example:
    """Return an input as an example without a label.

    Parameters
    ----------
    given
        The input.
    line
        Its position, from 1.
    reader
        Reads text.

    Raises
    ------
    DataError
        If a text cannot be read, or there are too many or too few sentences.

    """
    if isinstance(given, Example):
        parts: Sequence[SentenceInput] = given.sentences
    elif isinstance(given, (tuple, list)) and not isinstance(given, Sentence):
        parts = given
    else:
        parts = [given]  # type: ignore[list-item]  # other types are refused below
    if len(parts) != reader.kind.count:
        required, remedy = _REQUIRED[reader.kind.name]
        cause = f"{len(parts)} given where {required} required"
        raise DataError(PLACE, cause, line=line, remedy=remedy)
    premise, *others = (sentence_of(part, line, reader) for part in parts)
    return Example(premise, others[0] if others else None, None, line)


def sentence_of(given: SentenceInput, line: int, reader: TextReader) -> Sentence:
    """Return an input as a sentence; see :func:`example_of`."""
    if isinstance(given, Sentence):
        return _checked(given, line)
    if isinstance(given, str):
        return reader.sentence(given, PLACE, line)
    cause = f"a sentence is {shorten(repr(given))}, which is no text"
    raise DataError(PLACE, cause, line=line, remedy="Give strings")


def _checked(sentence: Sentence, line: int) -> Sentence:
    """Check the words and the tree; return the latter, any sequence of numbers, as an array."""
    words, transitions = sentence
    if isinstance(words, str) or not all(isinstance(word, str) for word in words):
        cause = f"the words of a sentence are {shorten(repr(words))}"
        raise DataError(PLACE, cause, line=line, remedy="Give a list of strings")
    check_words(words, PLACE, line)
    if transitions is None:
        return sentence
    try:
        steps = np.asarray(transitions)
        if steps.ndim != 1:
            raise TreeError("its transitions are not a sequence of numbers")
        check(steps, len(words))
    except ValueError as error:  # also of numpy
        remedy = "Give SHIFT (3) and REDUCE (2) in the order in which they build the tree"
        cause = f"the tree of a sentence is none: {error}"
        raise DataError(PLACE, cause, line=line, remedy=remedy) from error
    return sentence._replace(transitions=steps.astype(np.int8, copy=False))
