"""SNLI: rows of JSON, and an error for every kind of bad row."""

from __future__ import annotations

import pytest
from rows import ROW, read, without, write

from spinn.support.errors import DataError


@pytest.mark.parametrize("compress", [False, True])
def test_snli_row_becomes_words_transitions_label_line_and_identifier(tmp_path, compress):
    path = write(tmp_path / "pairs.txt", ROW, compress=compress)
    (example,) = read(path)
    assert example.premise.words == ["A", "dog", "runs", "."]
    assert example.premise.transitions.tolist() == [3, 3, 2, 3, 3, 2, 2]
    assert example.hypothesis.words == ["It", "moves"]
    assert (example.label, example.line, example.identifier) == ("entailment", 1, "7#0r1e")


def test_row_with_three_fields_is_enough(tmp_path):
    row = without("pairID", "sentence1_binary_parse", "sentence2_binary_parse")
    (example,) = read(write(tmp_path / "f", row), use_parses=True)
    assert example.premise == (["A", "dog", "runs", "."], None)
    assert example.identifier == ""


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (without("gold_label"), "there is no field 'gold_label'"),
        (without("sentence1"), "there is no field 'sentence1'"),
        (without("sentence2"), "there is no field 'sentence2'"),
        (without(sentence2=None), "the field 'sentence2' is not text"),
        (without(sentence1_binary_parse=[1]), "the field 'sentence1_binary_parse' is not text"),
        (without(gold_label=2), "the field 'gold_label' is not text"),
        (without(gold_label="neural"), "the label 'neural' is not one of: entailment, neutral"),
        (without("sentence1_binary_parse", sentence1=" "), "the premise is empty"),
        (without(sentence2_binary_parse="( It moves"), "the hypothesis is not a binary tree"),
        (without(sentence2_binary_parse="It moves"), "2 trees side by side"),
        (without(sentence1_binary_parse="( )"), "the premise is not a binary tree"),
        (without(sentence1="Several other people stroll."), "tree has other words than its text"),
    ],
)
def test_bad_json_row_is_named_by_line(tmp_path, row, cause):
    path = write(tmp_path / "bad.jsonl", ROW, row, ROW)
    with pytest.raises(DataError) as caught:
        read(path, "snli")
    assert (caught.value.path, caught.value.line) == (path, 2)
    assert cause in str(caught.value)
    assert caught.value.remedy
