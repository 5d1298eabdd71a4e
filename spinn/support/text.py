"""Text from files, such as labels, words and names, in messages and tables.

It may contain characters that move the cursor, change the colours of a terminal or reverse the
order of a line, or markup that a browser would run.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

# Control characters, marks of the direction of writing, lone surrogates, and what XML excludes.
_HIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def printable(text: str) -> str:
    r"""Return a text with control characters as escapes, such as ``\x1b``."""
    return _HIDDEN.sub(lambda found: _escaped(found[0]), text)


def visible(text: str) -> str:
    r"""Return a text with all that cannot be seen as escapes, such as ``\u200b``.

    These are also characters without width and blanks other than the space, which belong into
    sentences, but make two labels or two file names look alike in a message.
    """
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


def printable_lines(text: str) -> str:
    """Return a text of several lines with control characters as escapes."""
    return "\n".join(map(printable, text.split("\n")))


def markdown_text(text: str) -> str:
    """Return a text for Markdown, in a table or not: pipes and raw HTML are escaped."""
    return _TAG.sub("&lt;", printable(text)).replace("|", "\\|")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the nearest of the right names for a wrong one, to be put after it in a message.

    Returns
    -------
    Such as ``" (did you mean 'balanced'?)"``, or an empty string if no name is near.

    """
    near = difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.7)
    return f" (did you mean {near[0]!r}?)" if near else ""


def columns(text: str) -> int:
    """Return the terminal columns of a text: wide characters take two, combining ones none."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def _columns_of(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1
