"""SICK: labels, header and further columns."""

from __future__ import annotations

import pytest
from rows import read, write

from spinn.support.errors import DataError


def test_sick_labels_are_lower_case_and_header_and_further_columns_ignored(tmp_path):
    path = write(
        tmp_path / "f",
        "%entailment_judgment\tsentence_A\tsentence_B\trelatedness_score\tpair_ID",
        "NEUTRAL\t( A dog )\t( ( A cat ) sits )\t2.7\t6592\r",
        "CONTRADICTION\tdog\tcat",
    )
    first, second = read(path)
    assert (first.label, first.line, first.hypothesis.words) == ("neutral", 2, ["A", "cat", "sits"])
    assert (second.label, second.premise.words) == ("contradiction", ["dog"])


def test_one_wrong_label_among_many_is_named(tmp_path):
    rows = [f"NEUTRAL\t( A dog )\t( A {animal} )" for animal in "abcdefghijk"]
    path = write(tmp_path / "f", *rows, "NEUTRALL\t( A dog )\t( A cat )")
    with pytest.raises(DataError, match="f, line 12: the label 'neutrall' is not one of"):
        read(path)
