"""Sentences given as text: raw, or as bracketed binary trees."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence

from spinn.data.examples import PAIR, Example, ExampleKind, Sentence
from spinn.data.tokenizer import Tokenizer
from spinn.support.errors import DataError, shorten
from spinn.transitions import TreeError, from_brackets

logger = logging.getLogger(__name__)

_NESTED = re.compile(r"\( \(|\) \)")  # hardly occurs in text
_NUMBER_OF_SENTENCES = {
    "sentence": ("one sentence is", "Give one sentence, without tabs"),
    "pair": ("a premise and a hypothesis are", "Put one tab between the two"),
}


class TextReader:
    """Turn text into examples.

    A binary tree, such as ``( a ( small dog ) )``, is read as one. Other sentences of pairs are
    tokenised, with brackets as words; in single sentences, which are expressions with blanks
    between words, and in formats that rewrite trees, other brackets are errors.

    Parameters
    ----------
    kind
        Kind of the examples.
    rewrite
        Function that replaces each bracketed tree before it is read, if any; see
        :class:`spinn.data.formats.format.Format`.

    """

    def __init__(self, kind: ExampleKind, rewrite: Callable[[str], str] | None = None) -> None:
        self.kind = kind
        self._rewrite = rewrite
        self._brackets_are_trees = kind != PAIR or rewrite is not None
        self._words: Callable[[str], list[str]] | None = None if kind == PAIR else str.split

    def example(self, texts: Sequence[str], place: str, line: int) -> Example:
        """Read an example without a label from the texts of its sentences.

        Parameters
        ----------
        texts
            As many as an example has sentences.
        place, line
            Origin of the texts, for errors.

        Raises
        ------
        DataError
            If a text cannot be read, or there are too many or too few.

        """
        self.check_count(len(texts), place, line)
        premise, *others = (self.sentence(text, place, line) for text in texts)
        return Example(premise, others[0] if others else None, None, line)

    def check_count(self, count: int, place: str, line: int) -> None:
        """Raise :class:`DataError` if an example does not have ``count`` sentences."""
        if count != self.kind.count:
            required, remedy = _NUMBER_OF_SENTENCES[self.kind.name]
            cause = f"{count} fields where {required} required"
            raise DataError(place, cause, line=line, remedy=remedy)

    def sentence(self, text: str, place: str, line: int) -> Sentence:
        """Read a sentence; see :meth:`example`."""
        if not _is_unicode(text):
            cause = f"{shorten(text)!r} is not UTF-8"
            raise DataError(place, cause, line=line, remedy="Convert it to UTF-8")
        looks_like_a_tree = text.lstrip().startswith("( ")
        words = [] if looks_like_a_tree else self._tokenise(text)
        if looks_like_a_tree or "(" in words or ")" in words:
            try:
                return Sentence(
                    *from_brackets(text if self._rewrite is None else self._rewrite(text))
                )
            except TreeError as error:
                if self._brackets_are_trees:
                    remedy = "Correct the brackets"
                    raise DataError(place, str(error), line=line, remedy=remedy) from error
                if _NESTED.search(text):
                    logger.warning(
                        f"{place}, line {line}: the brackets are not a binary tree ({error}), so "
                        "they are read as text."
                    )
                words = self._tokenise(text)
        if not words:
            raise DataError(place, "a sentence is empty", line=line, remedy="Give it some words")
        return Sentence(words)

    def _tokenise(self, text: str) -> list[str]:
        if self._words is None:
            self._words = Tokenizer()  # created when first needed; spaCy loads slowly
        return self._words(text)


def _is_unicode(text: str) -> bool:
    """Return whether a text can be encoded; bytes that were not decoded are lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
