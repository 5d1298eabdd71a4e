"""Relative links in the documents lead to files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]
PAGES = [*sorted(CLONE.glob("*.md")), *sorted((CLONE / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CLONE)))
def test_relative_links_lead_to_files(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_is_short_and_links_to_the_loop():
    text = (CLONE / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") <= 150
    assert "spinn/model/spinn.py" in LINK.findall(text)
