"""Sentences of a file to words and transitions.

Words come from the leaves of the tree if the file has one, so the vocabulary does not depend on
whether trees are used. Sentences without a tree are tokenised.
"""

from __future__ import annotations

from pathlib import Path

from spinn.data.examples import Sentence
from spinn.data.formats.format import Format, Source
from spinn.data.tokenizer import Tokenizer
from spinn.support.errors import DataError, shorten
from spinn.transitions import BRACKET_WORDS, TreeError, from_brackets, tokens_of

LONGEST_SENTENCE = 10_000  # words; a tree may have as many levels, which take a step each
LONGEST_WORD = 1_000  # characters


class SentenceReader:
    """Turn the sentences of one file into words and, if ``use_parses``, transitions.

    Without ``use_parses``, trees need not be binary.
    """

    def __init__(self, path: Path, use_parses: bool, format: Format) -> None:
        self._path = path
        self._use_parses = use_parses
        self._roles = format.kind.roles
        self._rewrite = format.rewrite
        self._tokenizer: Tokenizer | None = None  # created when first needed; spaCy loads slowly
        self._last: tuple[Source, Sentence] | None = None

    def premise(self, source: Source, line: int) -> Sentence:
        """Read a premise, or reuse that of the previous row (SNLI repeats each three times)."""
        if self._last is None or self._last[0] != source:
            self._last = source, self._read(source, line, self._roles[0])
        return self._last[1]

    def hypothesis(self, source: Source, line: int) -> Sentence:
        """Read a hypothesis."""
        return self._read(source, line, self._roles[1])

    def _read(self, source: Source, line: int, role: str) -> Sentence:
        if source.brackets is None:
            words = self._tokenise(source.text or "")
            if not words:
                raise self._empty(line, role)
            self._check_size(words, line, role)
            return Sentence(words)
        if not source.brackets:
            raise self._empty(line, role)
        try:
            sentence = self._parse(source.brackets)
        except TreeError as error:
            raise DataError(
                self._path,
                f"the {role} is not a binary tree: {error}",
                line=line,
                remedy="Correct its brackets, or remove the row; name --format tsv if it is text",
            ) from error
        self._check_size(sentence.words, line, role)
        if source.text and not belongs_to(sentence.words, source.text):
            raise DataError(
                self._path,
                f"the {role}'s tree has other words than its text: "
                f"{shorten(' '.join(sentence.words))!r} for {shorten(source.text)!r}",
                line=line,
                remedy="Give the sentence its own tree, or none",
            )
        return sentence

    def _parse(self, brackets: str) -> Sentence:
        if self._rewrite is not None:
            brackets = self._rewrite(brackets)
        if self._use_parses:
            return Sentence(*from_brackets(brackets))
        words = [token for token in tokens_of(brackets) if token != "(" and token != ")"]
        if not words:
            raise TreeError("the tree has no words")
        return Sentence(words)

    def _tokenise(self, text: str) -> list[str]:
        if not text or text.isspace():
            return []
        if self._tokenizer is None:
            self._tokenizer = Tokenizer()
        return self._tokenizer(text)

    def _check_size(self, words: list[str], line: int, role: str) -> None:
        problem = size_problem(words)
        if problem is not None:
            remedy = "Shorten it, or remove the row"
            raise DataError(self._path, f"the {role} has {problem}", line=line, remedy=remedy)

    def _empty(self, line: int, role: str) -> DataError:
        remedy = "Remove the row, or fill in the sentence"
        return DataError(self._path, f"the {role} is empty", line=line, remedy=remedy)


def size_problem(words: list[str]) -> str | None:
    """Return what a sentence has too much of: words, or characters of a word."""
    if len("".join(words)) <= LONGEST_WORD:
        return None  # fast path for nearly every sentence
    if len(words) > LONGEST_SENTENCE:
        return f"{len(words):,} words where at most {LONGEST_SENTENCE:,} are read"
    longest = max(words, key=len)
    if len(longest) > LONGEST_WORD:
        return f"a word of {len(longest):,} characters where at most {LONGEST_WORD:,} are read"
    return None


def belongs_to(words: list[str], text: str) -> bool:
    """Return whether the leaves of a tree can be the words of a text, up to small differences.

    The published files escape quotes and brackets, normalise spellings, and drop characters. A tree
    is rejected only if its leaves have less than half or more than twice the characters of the text
    (plus four), or if it has four leaves or more and those that occur in the text make up less than
    half of their characters. Blanks, case and the treebank's quotes and brackets are ignored.
    """
    letters = len("".join(words))
    if letters == len(text) - text.count(" ") and text.startswith(words[0]):
        return True  # fast path for nearly every sentence: same first word, same length
    plain = "".join(text.split()).lower()
    leaves = [UNESCAPED.get(word, word).lower() for word in words]
    letters = len("".join(leaves))
    if max(letters, len(plain)) > 2 * min(letters, len(plain)) + 4:
        return False
    shared = sum(len(leaf) for leaf in leaves if leaf in plain)
    return len(leaves) < 4 or 2 * shared >= letters


UNESCAPED = {BRACKET_WORDS["("]: "(", BRACKET_WORDS[")"]: ")", "``": '"', "''": '"', "`": "'"}
