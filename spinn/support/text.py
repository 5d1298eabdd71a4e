"""Text from files, such as labels, words and names, in messages and tables.

It may contain characters that move the cursor, change the colours of a terminal or reverse the
order of a line, or markup that a browser would run.
"""

from __future__ import annotations

import re

# Control characters, marks of the direction of writing, and lone surrogates.
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def printable(text: str) -> str:
    r"""Return a text with control characters as escapes, such as ``\x1b``."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def printable_lines(text: str) -> str:
    """Return a text of several lines with control characters as escapes."""
    return "\n".join(map(printable, text.split("\n")))


def markdown_text(text: str) -> str:
    """Return a text for Markdown, in a table or not: pipes and raw HTML are escaped."""
    return _TAG.sub("&lt;", printable(text)).replace("|", "\\|")
