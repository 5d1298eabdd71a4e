"""Trees and texts: whether they belong together."""

from __future__ import annotations

import pytest

from spinn.data.sentences import belongs_to


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["n/a"], "n/a"),
        (["``", "Hi", "''"], '"Hi"'),
        (["A", "-LRB-", "b", "-RRB-"], "A  (b)"),
        (["Color"], "Colour"),
        (["..."], "\N{HORIZONTAL ELLIPSIS}"),
        (["A", "child", "was", "happy", "`"], "A child was happy\N{ACUTE ACCENT}"),
        (["The", "gray", "theater", "opens"], "The grey theatre opens"),
    ],
)
def test_small_differences_between_tree_and_text_are_no_matter(words, text):
    assert belongs_to(words, text)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["A", "dog"], "A dog runs through the tall grass."),
        (["A", "dog", "runs", "through", "the", "grass"], "A dog."),
        (["Two", "women", "are", "embracing", "."], "Four fellows play loud music"),
    ],
)
def test_tree_of_another_text_is_told(words, text):
    assert not belongs_to(words, text)
