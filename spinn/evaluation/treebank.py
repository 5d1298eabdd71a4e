"""Penn Treebank conventions: punctuation words, and the notation of trees that evalb reads."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from spinn.transitions import BRACKET_WORDS, Transitions, to_brackets, tokens_of

SYMBOL_WORDS = frozenset("%&#@*")  # punctuation in Unicode, words or symbols in a treebank
_ESCAPES = str.maketrans({sign: BRACKET_WORDS[sign] for sign in "()"})


def is_punctuation(word: str) -> bool:
    """Return whether a word consists of punctuation only, or is the treebank word for a bracket.

    The signs ``% & # @ *`` and currency signs are not punctuation, in accordance with treebank
    tags.
    """
    if word.isalnum():  # a shortcut for most words
        return False
    if word in BRACKET_WORDS.values():
        return True
    marks = (sign == "`" or unicodedata.category(sign).startswith("P") for sign in word)
    return word not in SYMBOL_WORDS and word != "" and all(marks)


def to_treebank(words: Sequence[str], transitions: Transitions) -> str:
    """Write a tree in treebank notation: ``(X (X (T the) (T dog)) (T runs))``.

    Words have the tag ``T`` and punctuation the tag ``P``, which evalb can be configured to ignore.
    Brackets within words become ``-LRB-`` or ``-RRB-``.

    Raises
    ------
    TreeError
        If the transitions are not a tree over these words.

    """
    escaped = [word.translate(_ESCAPES) for word in words]
    leaves = iter(
        f"({'P' if is_punctuation(word) else 'T'} {written})"
        for word, written in zip(words, escaped, strict=True)
    )
    nodes = {"(": "(X", ")": ")"}
    tokens = tokens_of(to_brackets(escaped, transitions))
    return " ".join(nodes.get(token) or next(leaves) for token in tokens).replace(" )", ")")
