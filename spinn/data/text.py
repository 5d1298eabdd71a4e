"""Sentences given as text: raw, or as bracketed binary trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spinn.data.examples import PAIR, Example, ExampleKind, Sentence
from spinn.data.tokenizer import Tokenizer
from spinn.support.errors import DataError
from spinn.transitions import TreeError, from_brackets

_NUMBER_OF_SENTENCES = {
    "sentence": ("one sentence is", "Give one sentence, without tabs"),
    "pair": ("a premise and a hypothesis are", "Put one tab between the two"),
}


class TextReader:
    """Turn text into examples.

    A sentence that looks like a tree, such as ``( a ( small dog ) )``, is read as one. Other
    sentences of pairs are tokenised; single sentences are expressions with blanks between words.

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
        looks_like_a_tree = text.lstrip().startswith("( ")
        words = [] if looks_like_a_tree else self._tokenise(text)
        if looks_like_a_tree or "(" in words or ")" in words:
            try:
                return Sentence(
                    *from_brackets(text if self._rewrite is None else self._rewrite(text))
                )
            except TreeError as error:
                remedy = "Correct the brackets"
                raise DataError(place, str(error), line=line, remedy=remedy) from error
        if not words:
            raise DataError(place, "a sentence is empty", line=line, remedy="Give it some words")
        return Sentence(words)

    def _tokenise(self, text: str) -> list[str]:
        if self._words is None:
            self._words = Tokenizer()  # created when first needed; spaCy loads slowly
        return self._words(text)
