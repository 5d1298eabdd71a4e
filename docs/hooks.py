"""A hook of mkdocs: turn the Sphinx roles of docstrings into links to the Python pages."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):<code>(~?)([\w.]+)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """Replace each role by a link, which is plain code if its target has no page."""
    return _ROLE.sub(_link, html)


def _link(match: re.Match[str]) -> str:
    shortened, target = match.groups()
    text = target.rpartition(".")[2] if shortened else target
    return f'<autoref identifier="{target}" optional><code>{text}</code></autoref>'
