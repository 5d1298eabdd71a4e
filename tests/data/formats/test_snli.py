"""SNLI: rows of JSON, and an error for every kind of bad row."""

from __future__ import annotations

import pytest
from rows import ROW, read, without, write

from spinn.data.examples import Sentence
from spinn.data.formats import detect_format
from spinn.data.labels import INFERENCE_LABELS
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
    assert example.premise == Sentence(["A", "dog", "runs", "."])
    assert example.identifier == ""


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (without("gold_label"), "there is no field 'gold_label'"),
        (without("sentence1"), "there is no field 'sentence1'"),
        (without("sentence2"), "there is no field 'sentence2'"),
        (without(sentence2=None), "the field 'sentence2' is not text"),
        (without(sentence1_binary_parse=[1]), "the field 'sentence1_binary_parse' is not text"),
        (
            without(gold_label=2),
            "the label '2' is not one of: entailment, neutral, contradiction. N",
        ),
        (without(gold_label=0.5), "the field 'gold_label' is not text"),
        (without(gold_label=[2]), "the field 'gold_label' is not text"),
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


@pytest.mark.parametrize(("identifier", "text"), [(100, "100"), (0, "0"), ("a", "a"), (None, "")])
def test_identifiers_are_text_or_numbers(tmp_path, identifier, text):
    assert read(write(tmp_path / "f", without(pairID=identifier)))[0].identifier == text


def pair(**fields: object) -> dict[str, object]:
    return {"premise": "A dog runs.", "hypothesis": "It moves.", **fields}


def test_exported_rows_have_other_fields_and_any_labels(tmp_path):
    path = write(
        tmp_path / "f", pair(label=0), pair(label=-1), pair(label=2, id=7), pair(label=None)
    )
    assert detect_format(path).name == "jsonl"
    first, second = read(path)
    assert (first.label, second.label, second.identifier) == ("0", "2", "7")
    assert first.premise.words == ["A", "dog", "runs", "."]
    with pytest.raises(DataError, match=r"'0' .* --label-names entailment,neutral,contradiction\."):
        read(path, labels=INFERENCE_LABELS)


def test_rows_of_anli_are_those_of_its_labels(tmp_path):
    path = write(tmp_path / "f", {"uid": "a", "context": "It.", "hypothesis": "It.", "label": "c"})
    (example,) = read(path, labels=INFERENCE_LABELS)
    assert (example.label, example.identifier) == ("contradiction", "a")


def test_rows_of_scitail_are_those_of_its_labels(tmp_path):
    fields = {"answer": "move", "sentence2_structure": "((It moves))", "question": "What?"}
    row = {**fields, "sentence1": "A dog.", "sentence2": "It moves.", "gold_label": "entails"}
    (example,) = read(write(tmp_path / "f", row))
    assert (example.label, example.hypothesis.words) == ("entailment", ["It", "moves", "."])


def test_rows_need_no_label(tmp_path):
    path = write(tmp_path / "f", pair(), pair())
    assert [example.label for example in read(path, unlabelled=True)] == [None, None]
    with pytest.raises(DataError, match=r"all 2 rows are without a gold label.*--columns label="):
        read(path)


@pytest.mark.parametrize("start", ["[", "{", '[{"a": 1},'])
def test_rows_spread_over_several_lines_are_named_so(tmp_path, start):
    with pytest.raises(DataError, match=r"spread over several lines.*Write one object a line"):
        read(write(tmp_path / "f", start, ' "gold_label": "neutral",'))
