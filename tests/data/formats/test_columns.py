"""Names of columns and of numbered labels that the user gives."""

from __future__ import annotations

import json

import pytest
from rows import read, write

from spinn.data.formats import detect_format
from spinn.data.formats.columns import Naming, find_columns, read_naming
from spinn.data.labels import INFERENCE_LABELS
from spinn.support.errors import ConfigurationError, DataError

NAMING = read_naming("premise=eins,hypothesis=zwei,label=Urteil,id=Nr", "entailment, neutral")
VALUES = {"zwei": "It moves.", "Nr": "7", "Urteil": "1", "eins": "A dog runs.", "label": "x"}


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", None])
def test_named_columns_are_read_in_any_order_in_tables_and_json(tmp_path, delimiter):
    lines = [json.dumps(VALUES)]
    if delimiter is not None:
        lines = [delimiter.join(VALUES), delimiter.join(VALUES.values())]
    path = write(tmp_path / "f", *lines)
    assert detect_format(path, NAMING).name == ("jsonl" if delimiter is None else "tsv")
    (example,) = read(path, naming=NAMING)
    assert (example.label, example.identifier) == ("neutral", "7")
    assert example.premise.words == ["A", "dog", "runs", "."]
    assert example.hypothesis.words == ["It", "moves", "."]


def test_columns_that_are_not_named_are_found():
    columns = find_columns(["id", "text", "answer", "label"], read_naming("label=answer", None))
    assert columns is None  # text alone is no pair
    names = ["pairID", "hypothesis", "premise", "gold", "label"]
    columns = find_columns(names, read_naming("label=gold", None))
    assert columns[:3] == ("gold", "premise", "hypothesis")
    assert columns.identifier == "pairID"
    pair = read_naming("premise=answer,hypothesis=text", None)
    assert find_columns(["answer", "text"], pair).label is None
    assert find_columns(["answer", "other", "text"], pair).label == "other"


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "Unnamed: 0.1", "__index_level_0__"])
def test_the_row_numbers_of_pandas_are_no_label(name):
    assert find_columns([name, "premise", "hypothesis"]).label is None


def test_names_may_have_commas():
    columns = read_naming("premise=one, first,hypothesis=a=b", None).columns
    assert columns == {"premise": "one, first", "hypothesis": "a=b"}


@pytest.mark.parametrize(
    ("given", "missing"),
    [("premise=eins,hypothesis=drei", "'drei'"), ("premise=a,hypothesis=b", "'a', 'b'")],
)
@pytest.mark.parametrize("line", ["eins;zwei;x, y;Urteil", '{"eins": "A", "zwei": "B"}'])
def test_a_missing_column_is_named_with_the_header(tmp_path, given, missing, line):
    cause = rf"there is no column {missing}; the columns are eins, zwei.*\. Correct --columns\."
    with pytest.raises(DataError, match=cause):
        read(write(tmp_path / "f", line), naming=read_naming(given, None))


def test_named_columns_occur_once(tmp_path):
    path = write(tmp_path / "f", "eins,zwei,eins", "A,B,C")
    with pytest.raises(DataError, match="line 1: 2 columns are named 'eins'"):
        read(path, naming=read_naming("premise=eins,hypothesis=zwei", None))


@pytest.mark.parametrize(
    "columns",
    [
        "eins",
        "",
        "premise=a",
        "premise=a,hypothesis=",
        "premise=a,hypothesis=a",
        "text=a",
        "label=a,label=b",
    ],
)
def test_columns_of_another_form_are_refused(columns):
    with pytest.raises(ConfigurationError, match="write --columns premise=NAME,hypothesis=NAME"):
        read_naming(columns, None)


@pytest.mark.parametrize("names", ["", "a,,b", "a,a"])
def test_names_of_labels_of_another_form_are_refused(names):
    with pytest.raises(ConfigurationError, match="write the names of the labels 0, 1, 2"):
        read_naming(None, names)


def test_formats_without_names_of_columns_refuse_them(tmp_path):
    path = write(tmp_path / "f", "=\ta\tb")
    with pytest.raises(ConfigurationError, match="--columns does nothing with --format logic"):
        read(path, "logic", naming=NAMING)


@pytest.mark.parametrize("label", ["0", 0, 0.0, "0.0"])
def test_numbered_labels_have_the_given_names(tmp_path, label):
    naming = Naming(label_names=INFERENCE_LABELS)
    rows = [{"premise": "A.", "hypothesis": "B.", "label": x} for x in (label, -1, 2, "neutral")]
    found = [example.label for example in read(write(tmp_path / "f", *rows), naming=naming)]
    assert found == ["entailment", "contradiction", "neutral"]
    with pytest.raises(DataError, match=r"line 1: the label 7 has no name; 0 to 2 are entailment,"):
        read(write(tmp_path / "f", rows[0] | {"label": 7}), naming=naming)


@pytest.mark.parametrize(
    ("label", "labels", "remedy"),
    [
        ("1", ("no", "yes"), r"with --label-names, such as --label-names no,yes\."),
        ("neutral", ("0", "1"), "with --label-names if those are its numbers"),
    ],
)
def test_numbers_where_words_are_required_and_the_reverse(tmp_path, label, labels, remedy):
    path = write(tmp_path / "f", "label\tpremise\thypothesis", f"{label}\tA.\tB.")
    with pytest.raises(DataError, match=remedy):
        read(path, labels=labels)
