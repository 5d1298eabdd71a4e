"""Treebank tokenisation of raw text, for sentences without a tree.

SNLI and MultiNLI were parsed with the Stanford parser, and the vocabulary is built from the leaves
of its trees: ``t-shirt`` is one word, a bracket is ``-LRB-``, a double quote is two grave accents
or two apostrophes, and ``don't`` is ``do`` and ``n't``. Other sentences must be tokenised in the
same way, or their words are missing from the vocabulary. This is done by spaCy's tokenizer (no
pipeline, no download) with the rules below.

The conventions are those of the Penn Treebank (Marcus, Santorini and Marcinkiewicz 1993) as the
Stanford parser applies them, checked against the leaves of the published trees of SNLI.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

from spinn.support.errors import ConfigurationError
from spinn.transitions import BRACKET_WORDS

if TYPE_CHECKING:
    from spacy.tokenizer import Tokenizer as SpacyTokenizer

# Typographic characters and their plain equivalents in the treebank; the control characters are
# quotes and dashes of Windows-1252 in text that was read as Latin-1.
_PLAIN: dict[int, str] = {
    ord(character): plain
    for characters, plain in (
        ("\N{LEFT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}\x93\xab", "``"),
        ("\N{RIGHT DOUBLE QUOTATION MARK}\x94\xbb", "''"),
        ("\N{LEFT SINGLE QUOTATION MARK}\N{SINGLE HIGH-REVERSED-9 QUOTATION MARK}\x91", "`"),
        ("\N{RIGHT SINGLE QUOTATION MARK}\N{ACUTE ACCENT}\x92", "'"),
        ("\N{MODIFIER LETTER APOSTROPHE}\N{FULLWIDTH APOSTROPHE}", "'"),
        ("\N{HORIZONTAL ELLIPSIS}", "..."),
        ("\N{EN DASH}\N{EM DASH}\x96\x97", "--"),
    )
    for character in characters
}
# Characters that are not seen: control characters and spaces without width separate words, marks
# within a word (soft hyphens, joiners, directions, variants) are removed.
_PLAIN |= {
    code: " "
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x200B, 0xFEFF, 0xFFFC)
    if code not in _PLAIN
}
_PLAIN |= dict.fromkeys((0xAD, 0x34F, 0x61C, 0x180E, *range(0x200C, 0x2010)), "")
_PLAIN |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2060, 0x2070)), "")
_PLAIN |= dict.fromkeys(range(0xFE00, 0xFE10), "")
# Marks in place of the apostrophe of a contraction, as Stanford's tokeniser reads them.
_APOSTROPHE = re.compile(
    r"(?<=n)[`\u2032\u02b9](?=t\b)"
    r"|(?<=[^\W\d_])[`\u2032\u02b9](?=(?:[smd]|ll|re|ve)\b)"
    r"|(?<!\S)[`\u2032\u02b9](?=(?:em|tis|twas|\d0s)\b)",
    re.IGNORECASE,
)

_LONG = 200  # characters of a token that is cut at every mark before spaCy sees it
_LONGEST = 1000  # characters of a piece that spaCy sees; its rules take quadratic time
_MANY = 2**16  # strings after which spaCy's tokenizer is replaced, because it keeps all it has seen
_LONG_TOKEN = re.compile(rf"\S{{{_LONG},}}")
_LONG_PIECE = re.compile(rf"\S{{{_LONGEST + 1},}}")
_ANY_MARK = re.compile(r"(``|''|--+|\.\.\.+|[!?]+|[()\[\]{}<>,;:*/&%$£€#=~|@\"`'])")

# Split off at either end of a whitespace-delimited token, in order of precedence.
_DOTS_DASHES_QUOTES = (r"\.\.\.+", r"--+", r"``", r"''", r'"', r"`")
_MARKS = r"[()\[\]{}<>,;:*/&%$£€#=~|@]"
# An apostrophe opens a quotation unless it begins a contraction ('s, 'em, '60s, ...).
_OPENING_APOSTROPHE = r"'(?!(?i:[smd]|ll|re|ve|em|til|cause|bout|tis|twas|\d\ds?)\b)(?=.)"
_PREFIXES = (*_DOTS_DASHES_QUOTES, _MARKS, r"[!?]+", r"-(?=[A-Za-z])", _OPENING_APOSTROPHE)
_SUFFIXES = (
    *_DOTS_DASHES_QUOTES,
    _MARKS,
    r"[!?]+",
    r"-",
    r"(?<=[A-Za-z])(?i:n't)",
    r"'(?i:[smd]|ll|re|ve)",
    r"(?<=[A-Za-z0-9.])'",  # the bare possessive and the closing single quote
    r"(?<=[^A-Z])(?<!\b[a-z]\.[a-z])\.",  # not after U.S., an initial or a.k.a.
    r"(?<=[A-Z&/][A-Z])\.",  # but after a word in capitals
)
# Split anywhere in a token; a comma or colon between digits is part of a number or a time.
_INFIXES = (
    r"\.\.\.+",
    r"--+",
    r"``",
    r'["()\[\]{}<>;!?]',
    r"(?<=\D),|,(?=\D)",
    r"(?<=\w):(?=[A-Za-z])",
)

# Words without an apostrophe that the treebank splits, and the length of the first part.
_CONTRACTIONS = {"cannot": 3, "gonna": 3, "gotta": 3, "wanna": 3, "gimme": 3, "lemme": 3}
_CONTRACTIONS |= {"'tis": 2, "'Tis": 2, "'twas": 2, "'Twas": 2}
# Words that keep a dot or apostrophe that the rules above would split off.
_WHOLE = (
    *("Mr.", "Mrs.", "Ms.", "Dr.", "dr.", "Prof.", "Rev.", "Gen.", "Gov.", "Sen.", "Rep.", "Lt."),
    *("Capt.", "Col.", "Sgt.", "Maj.", "Jr.", "Sr.", "Inc.", "Co.", "Corp.", "Ltd.", "Bros."),
    *("St.", "Mt.", "Ave.", "Blvd.", "Rd.", "Rt.", "Ft.", "ft.", "Jan.", "Feb.", "Aug.", "Sept."),
    *("Oct.", "Nov.", "Dec.", "a.m.", "p.m.", "vs.", "etc.", "e.g.", "i.e.", "t.v.", "'n'"),
)


class Tokenizer:
    """Split a sentence into treebank words; usable as torchtext's ``Field(tokenize=...)``.

    Parameters
    ----------
    cache_size
        Number of sentences whose words are cached; most premises occur in several pairs.

    Raises
    ------
    ConfigurationError
        If spaCy is not installed.

    """

    def __init__(self, cache_size: int = 2**15) -> None:
        self._cache_size = cache_size
        self._spacy = _build()
        self._cached = lru_cache(maxsize=cache_size)(self._words)

    def __call__(self, text: str) -> list[str]:
        """Return the words of ``text``, without blanks; an empty list for blank text."""
        return list(self._cached(text))

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[int]]:
        """Pickle and copy as a new tokenizer with an empty cache."""
        return Tokenizer, (self._cache_size,)

    def _words(self, text: str) -> tuple[str, ...]:
        if len(self._spacy.vocab.strings) > _MANY:
            self._spacy = _build()
        plain = _APOSTROPHE.sub("'", " ".join(text.translate(_PLAIN).split()))
        if len(plain) > _LONG:
            plain = _LONG_TOKEN.sub(_spaced, plain)
        return tuple(_spell(plain, self._tokens(plain)))

    def _tokens(self, text: str) -> Iterator[tuple[int, str]]:
        """Yield the positions and texts of tokens; a piece that is too long for spaCy is one."""
        start = 0
        for piece in chain(_LONG_PIECE.finditer(text), [None]):
            end = len(text) if piece is None else piece.start()
            for token in self._spacy(text[start:end].rstrip()):
                yield start + token.idx, token.text
            if piece is not None:
                yield piece.start(), piece.group()
                start = piece.end() + 1


def _spaced(token: re.Match[str]) -> str:
    """Put blanks around the marks in a token."""
    return " ".join(_ANY_MARK.sub(r" \1 ", token.group()).split())


def _build() -> SpacyTokenizer:
    """Build spaCy's tokenizer with the rules above."""
    try:
        from spacy.lang.tokenizer_exceptions import URL_MATCH  # takes a second
        from spacy.tokenizer import Tokenizer as SpacyTokenizer
        from spacy.util import compile_infix_regex, compile_prefix_regex, compile_suffix_regex
        from spacy.vocab import Vocab
    except ImportError as error:
        raise ConfigurationError(
            "Sentences without a tree are tokenised by spaCy, which is not installed. "
            "Run `pip install spacy`, or use a corpus in which every sentence has a tree."
        ) from error
    return SpacyTokenizer(
        Vocab(),
        rules=_special_cases(),
        prefix_search=compile_prefix_regex(_PREFIXES).search,
        suffix_search=compile_suffix_regex(_SUFFIXES).search,
        infix_finditer=compile_infix_regex(_INFIXES).finditer,
        url_match=URL_MATCH,
    )


def _special_cases() -> dict[str, list[dict[str, str]]]:
    cases = {word: [{"ORTH": word}] for word in _WHOLE}
    for word, cut in _CONTRACTIONS.items():
        for form in (word, word.capitalize(), word.upper()):
            cases[form] = [{"ORTH": form[:cut]}, {"ORTH": form[cut:]}]
    return cases


def _spell(text: str, tokens: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Convert quotes and brackets to treebank notation; tokens are ``(position, word)``."""
    inside_quotation = False
    for position, word in tokens:
        if word == '"':
            # The inner side has no blank; if this does not decide, opening and closing alternate.
            before = position == 0 or text[position - 1] in " (["
            after = position + 1 == len(text) or text[position + 1] in " .,;:!?)]"
            opening = before if before != after else not inside_quotation
            inside_quotation = opening
            yield "``" if opening else "''"
        elif word == "'" and position + 1 < len(text) and text[position + 1] != " ":
            before = position == 0 or text[position - 1] in ' (["`'
            yield "`" if before else word
        else:
            yield BRACKET_WORDS.get(word, word)
