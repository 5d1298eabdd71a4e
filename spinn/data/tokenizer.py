"""Raw text to the words that a treebank parser would have made of it.

SNLI and MultiNLI were parsed with the Stanford parser, and the vocabulary is built from the leaves
of its trees: ``t-shirt`` is one word there, a bracket is ``-LRB-``, a double quote is two grave
accents or two apostrophes, and ``don't`` is ``do`` and ``n't``. Sentences without a tree must be
cut in the same way, or their words miss the vocabulary and accuracy falls without a sound. spaCy's
blank English pipeline, which needs no download, does the cutting, under the rules below; readers
call it for each sentence that has no tree.

The conventions are those of the Penn Treebank (Marcus, Santorini and Marcinkiewicz 1993) as the
Stanford parser applies them, checked against the leaves of the published trees of SNLI.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from spinn.errors import ConfigurationError
from spinn.transitions import BRACKET_WORDS

if TYPE_CHECKING:
    from spacy.tokenizer import Tokenizer as SpacyTokenizer

# Typographic characters become the plain ones that the rules and the treebank know.
_PLAIN = str.maketrans(
    {
        "\N{LEFT DOUBLE QUOTATION MARK}": "``",
        "\N{DOUBLE LOW-9 QUOTATION MARK}": "``",
        "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
        "\N{LEFT SINGLE QUOTATION MARK}": "`",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{ACUTE ACCENT}": "'",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{EN DASH}": "--",
        "\N{EM DASH}": "--",
    }
)

# What is cut off at either end of a run of characters without blanks, in order of precedence.
_DOTS_DASHES_QUOTES = (r"\.\.\.+", r"--+", r"``", r"''", r'"', r"`")
_MARKS = r"[()\[\]{}<>,;:*/&%$£€#=~|@]"
# An apostrophe opens a quotation unless it stands for letters left out ('s, 'em, '60s, ...).
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
    r"(?<=[^A-Z])\.",  # but not after the last letter of U.S. or of an initial,
    r"(?<=[A-Z&/][A-Z])\.",  # though after a word in capitals
)
# Cut out wherever they stand; a comma or colon between digits is part of a number or a time.
_INFIXES = (
    r"\.\.\.+",
    r"--+",
    r"``",
    r'["()\[\]{}<>;!?]',
    r"(?<=\D),|,(?=\D)",
    r"(?<=\w):(?=[A-Za-z])",
)

# Words without an apostrophe that the treebank cuts in two, after so many letters.
_CONTRACTIONS = {"cannot": 3, "gonna": 3, "gotta": 3, "wanna": 3, "gimme": 3, "lemme": 3}
_CONTRACTIONS |= {"'tis": 2, "'Tis": 2, "'twas": 2, "'Twas": 2}
# Words that keep a dot or apostrophe which the rules above would cut off.
_WHOLE = (
    *("Mr.", "Mrs.", "Ms.", "Dr.", "dr.", "Prof.", "Rev.", "Gen.", "Gov.", "Sen.", "Rep.", "Lt."),
    *("Capt.", "Col.", "Sgt.", "Maj.", "Jr.", "Sr.", "Inc.", "Co.", "Corp.", "Ltd.", "Bros."),
    *("St.", "Mt.", "Ave.", "Blvd.", "Rd.", "Rt.", "Ft.", "ft.", "Jan.", "Feb.", "Aug.", "Sept."),
    *("Oct.", "Nov.", "Dec.", "a.m.", "p.m.", "vs.", "etc.", "e.g.", "i.e.", "t.v.", "'n'"),
)


class Tokenizer:
    """Cut a sentence into treebank words; a callable that fits torchtext's ``Field(tokenize=...)``.

    Parameters
    ----------
    cache_size
        How many different sentences are remembered: a premise mostly stands in several pairs.

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
        """Cut ``text`` into words: none is empty or holds a blank; none at all from blank text."""
        return list(self._cached(text))

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[int]]:
        """Pickle and copy as a fresh tokenizer with nothing remembered."""
        return Tokenizer, (self._cache_size,)

    def _words(self, text: str) -> tuple[str, ...]:
        plain = " ".join(text.translate(_PLAIN).split())
        return tuple(_spell(plain, ((token.idx, token.text) for token in self._spacy(plain))))


def _build() -> SpacyTokenizer:
    """Give spaCy's blank English tokenizer the rules above (importing spaCy takes seconds)."""
    try:
        import spacy
        from spacy.lang.tokenizer_exceptions import URL_MATCH
        from spacy.tokenizer import Tokenizer as SpacyTokenizer
        from spacy.util import compile_infix_regex, compile_prefix_regex, compile_suffix_regex
    except ImportError as error:
        raise ConfigurationError(
            "Sentences without a tree are cut into words by spaCy, which is not installed. "
            "Run `pip install spacy`, or use a corpus in which every sentence has a tree."
        ) from error
    return SpacyTokenizer(
        spacy.blank("en").vocab,
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
    """Write quotes and brackets as the treebank does; tokens are ``(position, word)``."""
    inside_quotation = False
    for position, word in tokens:
        if word == '"':
            # The side without a blank is the inner one; where both are alike, quotes take turns.
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
