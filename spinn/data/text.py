"""Sentences given as text: raw, or as bracketed binary trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from spinn.data.examples import PAIR, Example, ExampleKind, Sentence
from spinn.data.sentences import size_problem
from spinn.data.tokenizer import Tokenizer
from spinn.support.errors import DataError, shorten
from spinn.transitions import TreeError, from_brackets, left_branching, tokens_of

_NUMBER_OF_SENTENCES = {
    "sentence": ("one sentence is", "Give one sentence, without tabs"),
    "pair": ("a premise and a hypothesis are", "Put one tab between the two"),
}


class TextReader:
    """Turn text into examples.

    A sentence in brackets, such as ``( a ( small dog ) )``, is read as a tree. Other sentences of
    pairs are tokenised, also if they begin with a bracket, as in ``( laughter ) That is true.``;
    single sentences are expressions with blanks between words.

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
        check_unicode(text, place, line)
        tree = self._looks_like_a_tree(text)
        words = [] if tree else self._tokenise(text)
        if tree or "(" in words or ")" in words:
            try:
                sentence = Sentence(
                    *from_brackets(text if self._rewrite is None else self._rewrite(text))
                )
            except TreeError as error:
                remedy = "Correct the brackets"
                if self.kind == PAIR:
                    remedy += "; if this is text, write no blank after the first one"
                raise DataError(place, str(error), line=line, remedy=remedy) from error
        else:
            only_tree = left_branching(1) if len(words) == 1 else None
            sentence = Sentence(words, only_tree)
        check_words(sentence.words, place, line)
        return sentence

    def _looks_like_a_tree(self, text: str) -> bool:
        """Return whether a sentence is in brackets, not text that begins with some."""
        if not text.lstrip().startswith("( "):
            return False
        depth = 0
        tokens = tokens_of(text)
        for position, token in enumerate(tokens, start=1):
            depth += (token == "(") - (token == ")")
            if depth == 0:
                return self.kind != PAIR or position == len(tokens)
        return True

    def _tokenise(self, text: str) -> list[str]:
        if self._words is None:
            self._words = Tokenizer()  # created when first needed; spaCy loads slowly
        return self._words(text)


def check_words(words: list[str], place: str, line: int) -> None:
    """Raise :class:`DataError` if a sentence has no words, too many, or one that is too long."""
    if len(words) == 0:
        raise DataError(place, "a sentence is empty", line=line, remedy="Give it some words")
    problem = size_problem(words)
    if problem is not None:
        raise DataError(place, f"a sentence has {problem}", line=line, remedy="Shorten it")


def check_unicode(text: str, place: str | Path, line: int) -> None:
    """Raise :class:`DataError` if a text cannot be encoded.

    Bytes that were not decoded are lone surrogates.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        cause = f"{shorten(text)!r} is not UTF-8"
        raise DataError(place, cause, line=line, remedy="Convert it to UTF-8") from None
