"""Readers: what is skipped and counted, and an error for every kind of bad file."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import ROW, read, without, write

from spinn.data.examples import PAIR, SENTENCE, Sentence
from spinn.data.formats import FORMATS, Naming, detect_format
from spinn.data.readers import ReadCounts, no_parse, read_examples
from spinn.support.errors import ConfigurationError, DataError, SpinnError
from spinn.transitions import check

SHARED = Path(__file__).parents[2] / "../shared/data"


def real(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the real data are not there: {name}")
    return path


def test_unlabelled_rows_are_skipped_and_counted_and_lines_stay_those_of_the_file(tmp_path):
    path = write(tmp_path / "f", ROW, without(gold_label="-"), "", ROW, "  ")
    counts = ReadCounts()
    assert [example.line for example in read(path, counts=counts)] == [1, 4]
    assert counts == ReadCounts(read=2, unlabelled=1, unparsed=0)


@pytest.mark.parametrize("label", ["-", "-1", "", "hidden"])
def test_rows_without_a_gold_label_are_skipped_or_kept_without_a_label(tmp_path, label):
    path = write(tmp_path / "f", ROW, without(gold_label=label))
    table = write(tmp_path / "t", "label\tpremise\thypothesis", "1\tIt.\tIt.", f"{label}\tA.\tB.")
    for file, known in ((path, "entailment"), (table, "1")):
        counts = ReadCounts()
        assert [example.label for example in read(file, counts=counts)] == [known]
        assert counts.unlabelled == 1
        assert [example.label for example in read(file, unlabelled=True)] == [known, None]


@pytest.mark.parametrize("names", [("a", "b"), ("yes",)])
def test_names_of_other_labels_are_refused(tmp_path, names):
    """They would do nothing where labels are words, and be refused one by one as numbers."""
    path = write(tmp_path / "t", "entails\tIt rains.\tIt is wet.")
    with pytest.raises(ConfigurationError, match=f"--label-names {','.join(names)} names none of"):
        read(path, labels=["entailment", "neutral"], naming=Naming(label_names=names))
    named = Naming(label_names=("n", "e"))
    (example,) = read(path, labels=["entailment", "neutral"], naming=named)
    assert example.label == "entailment"


def test_a_label_that_is_allowed_is_one(tmp_path):
    path = write(tmp_path / "t", "-1\tIt rains.\tIt is dry.", "1\tIt rains.\tIt is wet.")
    assert [example.label for example in read(path, labels=["-1", "1"])] == ["-1", "1"]


@pytest.mark.parametrize("parse", [None, "", "  "])
def test_sentence_without_a_tree_is_tokenised(tmp_path, parse):
    row = without(sentence1="He isn't  here.", sentence1_binary_parse=parse)
    counts = ReadCounts()
    (example,) = read(write(tmp_path / "f", row), counts=counts)
    assert example.premise == Sentence(["He", "is", "n't", "here", "."])
    assert example.hypothesis.transitions is not None
    assert counts.unparsed == 1


def test_without_parses_words_are_still_the_leaves_but_need_not_be_a_tree(tmp_path):
    path = write(tmp_path / "f", without(sentence1_binary_parse="( A dog runs . )"))
    counts = ReadCounts()
    (example,) = read(path, use_parses=False, counts=counts)
    assert example.premise == Sentence(["A", "dog", "runs", "."])
    assert counts.unparsed == 0
    with pytest.raises(DataError):
        read(path)


def test_row_after_row_with_one_premise_but_another_tree(tmp_path):
    other = without(sentence1_binary_parse="( A ( dog ( runs . ) ) )")
    trees = [e.premise.transitions.tolist() for e in read(write(tmp_path / "f", ROW, other, ROW))]
    assert trees == [[3, 3, 2, 3, 3, 2, 2], [3, 3, 3, 3, 2, 2, 2], [3, 3, 2, 3, 3, 2, 2]]


def test_labels_given_replace_those_of_the_format(tmp_path):
    path = write(tmp_path / "f", without(gold_label="maybe"))
    assert read(path, labels=["maybe"])[0].label == "maybe"
    tsv = write(tmp_path / "t", "no\tA dog.\tA cat.", "oui\tA dog.\tA cat.")
    with pytest.raises(DataError, match=r"t, line 2: the label 'oui' is not one of: no, yes\."):
        read(tsv, labels=["no", "yes"])


@pytest.mark.parametrize(
    ("content", "kind", "other", "cause"),
    [
        ("8\t( 8 9 )", PAIR, SENTENCE, r"rows are sentences \(format listops\) where pairs are"),
        ("yes\tA dog.\tIt.", SENTENCE, PAIR, r"rows are pairs \(format tsv\) where sentences are"),
    ],
)
def test_a_kind_of_example_can_be_required(tmp_path, content, kind, other, cause):
    path = write(tmp_path / "f", content)
    assert len(read(path, kind=other)) == len(read(path)) == 1
    with pytest.raises(DataError, match=cause) as caught:
        read(path, kind=kind)
    assert caught.value.path == path
    assert caught.value.remedy


def gzipped(content: bytes) -> bytes:
    """Return a gzip file without its time, which would make names of tests differ."""
    return gzip.compress(content, mtime=0)


TRUNCATED = gzipped(b"".join(json.dumps(ROW | {"n": n}).encode() + b"\n" for n in range(99)))


@pytest.mark.parametrize(
    ("content", "format", "line", "cause"),
    [
        (b"", "auto", None, "empty"),
        (gzipped(b""), "snli", None, "empty"),
        (b"\n \n", "snli", None, "empty"),
        (b"label\tpremise\thypothesis\n", "tsv", None, "no rows"),
        (
            json.dumps(without(gold_label="-")).encode(),
            "snli",
            None,
            "all 1 rows are without a gold",
        ),
        (TRUNCATED[:-40], "snli", 1, "cut short or damaged"),
        (TRUNCATED[:-4], "snli", 1, "cut short or damaged"),
        (TRUNCATED[:60] + b"\xff" * 40 + TRUNCATED[100:], "snli", 1, "cut short or damaged"),
        (TRUNCATED[:-8] + b"\0" * 8, "snli", 1, "cut short or damaged"),
        (b"PK\x03\x04" + b"\0" * 60, "auto", None, "zip archive"),
        (b'{"gold_label": "neutral",', "auto", 1, "not JSON"),
        (b"[1, 2]", "auto", 1, "a JSON list where an object is required"),
        (b'{"gold_label": "neutr\xe9l"}', "auto", 1, "byte 22 of the line, 0xe9, is not UTF-8"),
        (b"yes\tA caf\xe9.\tIt.", "tsv", 1, "0xe9, is not UTF-8"),
        (b"yes\tA dog.", "auto", 1, "2 tab-separated columns"),
        (b"yes\tA dog.\tA cat.\tmore", "tsv", 1, "4 tab-separated columns"),
        (b"just text", "auto", 1, "1 tab-separated column."),
        (b"=\ta\tb\tc", "logic", 1, "4 tab-separated columns"),
        (b"NEUTRAL\t( A dog )", "sick", 1, "2 tab-separated columns"),
        (b"PERHAPS\t( A dog )\t( A cat )", "sick", 1, "the label 'perhaps' is not one of"),
        (b"!\ta\tb", "logic", 1, "the label '!' is not one of: =, <"),
        (b"\tA dog.\tA cat.", "tsv", None, "all 1 rows are without a gold"),
        (b"yes\t \tA cat.", "tsv", 1, "the premise is empty"),
        (b"NEUTRAL\t( A dog )\t", "sick", 1, "the hypothesis is empty"),
        (b"NEUTRAL\t( A dog\t( A cat )", "sick", 1, "the premise is not a binary tree: 1 opening"),
        (b"NEUTRAL\t( A dog )\t( a b c )", "sick", 1, "a node has 3 children"),
        (b"8", "listops", 1, "1 tab-separated column."),
        (b"8\t( 8 9 )\t( 9 8 )", "listops", 1, "3 tab-separated columns"),
        (b"8\t ", "listops", 1, "the sentence is empty"),
        (b"8\t( ( [MAX 8 ) ]", "auto", 1, "the sentence is not a binary tree: 1 opening"),
        (b"8\t( [MAX 8 ] )", "auto", 1, "a node has 3 children"),
        (b"8\t[MAX 8 ]", "listops", 1, "3 trees side by side"),
        (b"10\t( 8 9 )", "listops", 1, "the label '10' is not one of: 0, 1, 2"),
        (b"\t( 8 9 )", "listops", None, "all 1 rows are without a gold"),
        (b"-\t( 8 9 )", "listops", None, "all 1 rows are without a gold"),
        (b"8\t( 8 \xff )", "listops", 1, "0xff, is not UTF-8"),
    ],
)
def test_bad_content(tmp_path, content, format, line, cause):
    path = tmp_path / "bad.data"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(path, format)
    assert caught.value.path == path
    assert caught.value.line == line
    assert cause in str(caught.value)
    assert caught.value.remedy


def test_unknown_format_is_refused_before_reading(tmp_path):
    with pytest.raises(ConfigurationError, match=r"'xml'.*logic, logic-brackets, snli, multinli"):
        read_examples(tmp_path / "nowhere", "xml")


def test_the_error_of_a_missing_parse_names_line_and_remedy(tmp_path):
    path = write(tmp_path / "f", ROW, without("sentence2_binary_parse"))
    _, unparsed = read(path)
    assert unparsed.hypothesis.transitions is None
    error = str(no_parse(path, unparsed.line))
    assert "f, line 2: a sentence has no tree. " in error
    assert "--trees balanced" in error


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_clear_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "random.data"
    path.write_bytes(content)
    with contextlib.suppress(SpinnError):
        assert read(path)


@pytest.mark.parametrize(
    ("name", "format", "counts"),
    [
        ("snli/snli_1.0_dev.jsonl.gz", "snli", ReadCounts(9842, 158, 0)),
        ("snli/snli_1.0_train_parsed.jsonl.gz", "snli", ReadCounts(6490, 0, 0)),
        ("sick/SICK_train_parsed.txt.gz", "sick", ReadCounts(4500, 0, 0)),
        ("sick/SICK_trial_parsed.txt.gz", "sick", ReadCounts(500, 0, 0)),
        ("logic/train0.gz", "logic", ReadCounts(30, 0, 0)),
        ("logic/test4.gz", "logic", ReadCounts(5361, 0, 0)),
    ],
)
def test_real_files_load_whole(name, format, counts):
    path = real(name)
    assert detect_format(path).name == format
    counted = ReadCounts()
    for example in read_examples(path, counts=counted):
        assert example.label in FORMATS[format].labels
        for sentence in (example.premise, example.hypothesis):
            assert len(sentence.transitions) == 2 * len(sentence.words) - 1
            if example.line % 50 == 0:
                check(np.asarray(sentence.transitions), len(sentence.words))
    assert counted == counts


def test_real_rows_without_trees_are_tokenised():
    counts = ReadCounts()
    reading = read_examples(real("snli/snli_1.0_train_unparsed.jsonl.gz"), counts=counts)
    examples = [example for example, _ in zip(reading, range(2000), strict=False)]
    assert counts.unparsed == counts.read >= 2000
    assert all(example.hypothesis.words for example in examples)


@pytest.mark.parametrize("labels", [None, ["0", "1"]])
def test_whole_numbers_are_read_as_pandas_writes_them(tmp_path, labels):
    rows = ["1.0,A.,B.", ",A.,B.", "0,A.,B.", "0.00,A.,B."]
    path = write(tmp_path / "f.csv", "label,premise,hypothesis", *rows)
    assert [example.label for example in read(path, labels=labels)] == ["1", "0", "0"]
    half = write(tmp_path / "half.csv", "label,premise,hypothesis", "0.5,A.,B.")
    assert [example.label for example in read(half)] == ["0.5"]
