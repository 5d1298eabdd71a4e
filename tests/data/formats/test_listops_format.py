"""ListOps: single sentences with trees."""

from __future__ import annotations

import pytest
from rows import read, write

from spinn.data.examples import SENTENCE, Sentence
from spinn.data.readers import ReadCounts
from spinn.transitions import to_brackets


@pytest.mark.parametrize("format", ["auto", "listops"])
def test_listops_rows_are_single_sentences_with_their_trees(tmp_path, format):
    expression = "( ( ( ( [MAX 2 ) 9 ) ( ( ( [MIN 4 ) 7 ) ] ) ) ] )"
    path = write(tmp_path / "ops.tsv", f"9\t{expression}", "-\t( 1 2 )", "7\t7")
    counts = ReadCounts()
    first, second = read(path, format, counts=counts, kind=SENTENCE)
    assert first.premise.words == ["[MAX", "2", "9", "[MIN", "4", "7", "]", "]"]
    assert to_brackets(*first.premise) == expression
    assert (first.hypothesis, first.label, first.line) == (None, "9", 1)
    assert first.is_parsed
    assert (second.sentences, second.line) == ((Sentence(["7"], second.premise.transitions),), 3)
    assert counts == ReadCounts(2, 1, 0)
    (unused, _) = read(path, format, use_parses=False)
    assert unused.sentences == (Sentence(first.premise.words),)
    assert not unused.is_parsed
