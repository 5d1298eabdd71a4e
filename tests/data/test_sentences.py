"""Trees and texts: whether they belong together."""

from __future__ import annotations

import pytest
from rows import read, without, write

from spinn.data.sentences import belongs_to
from spinn.support.errors import DataError


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


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a " * 10_001, "the premise has 10,001 words where at most 10,000"),
        ("b" * 1_001, "the premise has a word of 1,001 characters where at most 1,000"),
        ("\u200b\ufeff", "the premise is empty"),
    ],
)
def test_sentences_have_a_size(tmp_path, text, cause):
    pytest.importorskip("spacy")
    path = write(tmp_path / "f", without("sentence1_binary_parse", sentence1=text))
    with pytest.raises(DataError, match=f"f, line 1: {cause}"):
        read(path)
