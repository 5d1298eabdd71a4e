"""Readers: every format, what is skipped and counted, and an error for every kind of bad file."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.data import jsonlines
from spinn.data.examples import Example, Sentence
from spinn.data.readers import (
    READERS,
    ReadCounts,
    belongs_to,
    detect_format,
    no_parse,
    read_examples,
    spell_brackets,
)
from spinn.errors import ConfigurationError, DataError, SpinnError
from spinn.transitions import check, from_brackets, random_uniform, to_brackets

SHARED = Path(__file__).parents[2] / "../shared/data"

DOG = {"sentence1": "A dog runs.", "sentence1_binary_parse": "( ( A dog ) ( runs . ) )"}
IT = {"sentence2": "It moves", "sentence2_binary_parse": "( It moves )"}
PAIR = {"gold_label": "entailment", "pairID": "7#0r1e", **DOG, **IT}


def without(*fields: str, **changes: object) -> dict[str, object]:
    return {key: value for key, value in (PAIR | changes).items() if key not in fields}


def write(path: Path, *rows: dict[str, object] | str | bytes, compress: bool = False) -> Path:
    lines = [json.dumps(row) if isinstance(row, dict) else row for row in rows]
    data = b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines)
    path.write_bytes(gzip.compress(data) if compress else data)
    return path


def read(path: Path, format: str = "auto", **options: object) -> list[Example]:
    return list(read_examples(path, format, **options))  # type: ignore[arg-type]


def real(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the real data are not there: {name}")
    return path


# What is read.


@pytest.mark.parametrize("compress", [False, True])
def test_snli_row_becomes_words_transitions_label_line_and_identifier(tmp_path, compress):
    path = write(tmp_path / "pairs.txt", PAIR, compress=compress)
    (example,) = read(path)
    assert example.premise.words == ["A", "dog", "runs", "."]
    assert example.premise.transitions.tolist() == [3, 3, 2, 3, 3, 2, 2]
    assert example.hypothesis.words == ["It", "moves"]
    assert (example.label, example.line, example.identifier) == ("entailment", 1, "7#0r1e")


def test_gzip_is_told_by_content_not_by_name(tmp_path):
    plain = write(tmp_path / "plain.jsonl.gz", PAIR)
    packed = write(tmp_path / "packed.jsonl", PAIR, compress=True)
    for path in (plain, packed):
        assert read(path)[0].premise.words == ["A", "dog", "runs", "."]


def test_unlabelled_rows_are_skipped_and_counted_and_lines_stay_those_of_the_file(tmp_path):
    path = write(tmp_path / "f", PAIR, without(gold_label="-"), "", PAIR, "  ")
    counts = ReadCounts()
    assert [example.line for example in read(path, counts=counts)] == [1, 4]
    assert counts == ReadCounts(read=2, unlabelled=1, unparsed=0)


@pytest.mark.parametrize("parse", [None, "", "  "])
def test_sentence_without_a_tree_is_tokenised(tmp_path, parse):
    pytest.importorskip("spacy")
    row = without(sentence1="He isn't  here.", sentence1_binary_parse=parse)
    counts = ReadCounts()
    (example,) = read(write(tmp_path / "f", row), counts=counts)
    assert example.premise == (["He", "is", "n't", "here", "."], None)
    assert example.hypothesis.transitions is not None
    assert counts.unparsed == 1


def test_row_with_three_fields_is_enough(tmp_path):
    pytest.importorskip("spacy")
    row = without("pairID", "sentence1_binary_parse", "sentence2_binary_parse")
    (example,) = read(write(tmp_path / "f", row), use_parses=True)
    assert example.premise == (["A", "dog", "runs", "."], None)
    assert example.identifier == ""


def test_without_parses_words_are_still_the_leaves_but_need_not_be_a_tree(tmp_path):
    path = write(tmp_path / "f", without(sentence1_binary_parse="( A dog runs . )"))
    counts = ReadCounts()
    (example,) = read(path, use_parses=False, counts=counts)
    assert example.premise == (["A", "dog", "runs", "."], None)
    assert counts.unparsed == 0
    with pytest.raises(DataError):
        read(path)


def test_row_after_row_with_one_premise_but_another_tree(tmp_path):
    other = without(sentence1_binary_parse="( A ( dog ( runs . ) ) )")
    trees = [e.premise.transitions.tolist() for e in read(write(tmp_path / "f", PAIR, other, PAIR))]
    assert trees == [[3, 3, 2, 3, 3, 2, 2], [3, 3, 3, 3, 2, 2, 2], [3, 3, 2, 3, 3, 2, 2]]


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


@pytest.mark.parametrize("relation", ["=", "<", ">", "|", "^", "v", "#"])
def test_logic_knows_seven_relations(tmp_path, relation):
    path = write(tmp_path / "f", f"{relation}\ta\t( not ( b ( or c ) ) )")
    (example,) = read(path)
    assert example.label == relation
    assert example.premise.words == ["a"]
    assert example.premise.transitions.tolist() == [3]
    assert example.hypothesis.words == ["not", "b", "or", "c"]


def test_the_brackets_of_formulas_can_be_words(tmp_path):
    path = write(tmp_path / "f", "=\ta\t( not ( b ( or c ) ) )", "=\t( b )\ta")
    first, second = read(path, "logic-brackets")
    assert first.premise.words == ["a"]
    words = "-LRB- not -LRB- b -LRB- or c -RRB- -RRB- -RRB-"
    assert first.hypothesis.words == words.split()
    inner = "( ( ( -LRB- or ) c ) -RRB- )"
    middle = f"( ( ( -LRB- b ) {inner} ) -RRB- )"
    tree = to_brackets(first.hypothesis.words, first.hypothesis.transitions)
    assert tree == f"( ( ( -LRB- not ) {middle} ) -RRB- )"
    assert second.premise.words == ["b"]
    bad = write(tmp_path / "bad", "=\ta\tb", "=\ta\t( b c d )")
    with pytest.raises(DataError, match="bad, line 2: the hypothesis is not a binary tree"):
        read(bad, "logic-brackets")


@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_spelt_brackets_have_the_tree_they_spell(count, seed):
    random = np.random.default_rng(seed)
    (transitions,) = random_uniform(np.array([count]), random).T
    text = to_brackets([f"w{number}" for number in range(count)], transitions)
    words, spelt = from_brackets(spell_brackets(text))
    as_text = text.replace("(", "-LRB-").replace(")", "-RRB-").split()
    assert words == as_text
    # Without the brackets' words every node is a node of the tree again.
    plain = to_brackets(words, spelt).replace("-LRB-", "").replace("-RRB-", "").split()
    assert drop_single(plain) == text.split()


def drop_single(tokens: list[str]) -> list[str]:
    """Take away brackets around a single child (or none)."""
    stack: list[list[list[str]]] = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")":
            children = stack.pop()
            if len(children) > 1:
                children = [["(", *(word for child in children for word in child), ")"]]
            stack[-1] += children
        else:
            stack[-1].append([token])
    (only,) = stack[0]
    return only


def test_tsv_takes_any_label_and_a_header(tmp_path):
    pytest.importorskip("spacy")
    rows = ["yes\tIt rains (a lot).\tIt's wet.", "no\tIt rains.\tIt is dry."]
    plain = read(write(tmp_path / "plain", *rows))
    headed = read(write(tmp_path / "headed", "gold_label\tsentence1\tsentence2", *rows))
    assert [e.label for e in plain] == ["yes", "no"]
    assert plain[0].premise.words == ["It", "rains", "-LRB-", "a", "lot", "-RRB-", "."]
    assert plain[0].hypothesis.words == ["It", "'s", "wet", "."]
    assert [(e.premise, e.line - 1) for e in headed] == [(e.premise, e.line) for e in plain]


def test_byte_order_mark_is_ignored(tmp_path):
    path = write(tmp_path / "f", b"\xef\xbb\xbf" + json.dumps(PAIR).encode())
    assert detect_format(path) == "snli"
    assert len(read(path)) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_file_is_opened_once_so_that_a_pipe_will_do(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=write, args=(pipe, PAIR, PAIR))
    writer.start()
    assert len(read(pipe)) == 2
    writer.join()


@pytest.mark.parametrize(
    ("line", "format"),
    [
        (json.dumps(PAIR), "snli"),
        ("[1, 2]", "snli"),
        ("=\ta\t( a ( or b ) )", "logic"),
        ("v\ta\tb", "logic"),
        ("ENTAILMENT\t( A dog )\t( A cat )", "sick"),
        ("%entailment_judgment\tsentence_A\tsentence_B", "sick"),
        ("ENTAILMENT\tA dog.\tA cat.", "tsv"),
        ("label\tpremise\thypothesis", "tsv"),
        ("v\tA dog (brown) runs.\tIt runs.", "tsv"),
        ("no tabs at all", "tsv"),
    ],
)
def test_format_is_told_by_the_first_line(tmp_path, line, format):
    path = write(tmp_path / "f.anything", line, compress=format == "snli")
    assert detect_format(path) == format


def test_labels_given_replace_those_of_the_format(tmp_path):
    pytest.importorskip("spacy")
    path = write(tmp_path / "f", without(gold_label="maybe"))
    assert read(path, labels=["maybe"])[0].label == "maybe"
    tsv = write(tmp_path / "t", "no\tA dog.\tA cat.", "oui\tA dog.\tA cat.")
    with pytest.raises(DataError, match=r"t, line 2: the label 'oui' is not one of: no, yes\."):
        read(tsv, labels=["no", "yes"])


def test_registry_names_its_readers():
    names = {"snli", "multinli", "sick", "logic", "logic-brackets", "tsv", "listops"}
    assert set(READERS) == names
    assert {name for name, reader in READERS.items() if reader.sides == 1} == {"listops"}
    assert all(reader.name == name for name, reader in READERS.items())
    assert READERS["tsv"].labels is None


@pytest.mark.parametrize("format", ["auto", "listops"])
def test_listops_rows_are_single_sentences_with_their_trees(tmp_path, format):
    expression = "( ( ( ( [MAX 2 ) 9 ) ( ( ( [MIN 4 ) 7 ) ] ) ) ] )"
    path = write(tmp_path / "ops.tsv", f"9\t{expression}", "-\t( 1 2 )", "7\t7")
    counts = ReadCounts()
    first, second = read(path, format, counts=counts, sides=1)
    assert first.premise.words == ["[MAX", "2", "9", "[MIN", "4", "7", "]", "]"]
    assert to_brackets(*first.premise) == expression
    assert (first.hypothesis, first.label, first.line) == (None, "9", 1)
    assert first.is_parsed
    assert (second.sentences, second.line) == ((Sentence(["7"], second.premise.transitions),), 3)
    assert counts == ReadCounts(2, 1, 0)
    (unused, _) = read(path, format, use_parses=False)
    assert unused.sentences == (Sentence(first.premise.words),)
    assert not unused.is_parsed


@pytest.mark.parametrize(
    ("line", "format"),
    [
        ("8\t8", "listops"),
        ("8\t( 8 9 )", "listops"),
        ("8\tA dog.", "tsv"),  # half a row of a table
        ("8\t( 8 9 )\t( 9 8 )", "sick"),
        ("yes\t( 8 9 )", "sick"),
    ],
)
def test_a_digit_and_one_expression_make_listops(tmp_path, line, format):
    assert detect_format(write(tmp_path / "f", line)) == format


@pytest.mark.parametrize(
    ("content", "sides", "cause"),
    [
        ("8\t( 8 9 )", 2, r"its rows are sentences \(format listops\) where pairs are wanted"),
        ("yes\tA dog.\tIt.", 1, r"its rows are pairs \(format tsv\) where sentences are wanted"),
    ],
)
def test_the_number_of_sentences_can_be_asked_for(tmp_path, content, sides, cause):
    if "tsv" in cause:
        pytest.importorskip("spacy")
    path = write(tmp_path / "f", content)
    assert len(read(path, sides=3 - sides)) == len(read(path)) == 1
    with pytest.raises(DataError, match=cause) as caught:
        read(path, sides=sides)
    assert caught.value.path == path
    assert caught.value.remedy


# What is refused: one error, naming file, line, cause and remedy.

TRUNCATED = gzip.compress(b"".join(json.dumps(PAIR | {"n": n}).encode() + b"\n" for n in range(99)))


@pytest.mark.parametrize(
    ("content", "format", "line", "cause"),
    [
        (b"", "auto", None, "empty"),
        (gzip.compress(b""), "snli", None, "empty"),
        (b"\n \n", "snli", None, "empty"),
        (b"label\tpremise\thypothesis\n", "tsv", None, "no rows"),
        (json.dumps(without(gold_label="-")).encode(), "snli", None, "all 1 rows are unlab"),
        (TRUNCATED[:-40], "snli", 1, "cut short or damaged"),
        (TRUNCATED[:-4], "snli", 1, "cut short or damaged"),
        (TRUNCATED[:60] + b"\xff" * 40 + TRUNCATED[100:], "snli", 1, "cut short or damaged"),
        (TRUNCATED[:-8] + b"\0" * 8, "snli", 1, "cut short or damaged"),
        (b"PK\x03\x04" + b"\0" * 60, "auto", None, "zip archive"),
        (b'{"gold_label": "neutral",', "auto", 1, "not JSON"),
        (b"[1, 2]", "auto", 1, "a JSON list where an object is wanted"),
        (b'{"gold_label": "neutr\xe9l"}', "auto", 1, "byte 22 of the line, 0xe9, is not UTF-8"),
        (b"yes\tA caf\xe9.\tIt.", "tsv", 1, "0xe9, is not UTF-8"),
        (b"yes\tA dog.", "auto", 1, "2 tab-separated columns"),
        (b"yes\tA dog.\tA cat.\tmore", "tsv", 1, "4 tab-separated columns"),
        (b"just text", "auto", 1, "1 tab-separated column."),
        (b"=\ta\tb\tc", "logic", 1, "4 tab-separated columns"),
        (b"NEUTRAL\t( A dog )", "sick", 1, "2 tab-separated columns"),
        (b"PERHAPS\t( A dog )\t( A cat )", "auto", 1, "the label 'perhaps' is not one of"),
        (b"!\ta\tb", "logic", 1, "the label '!' is not one of: =, <"),
        (b"\tA dog.\tA cat.", "tsv", 1, "the label is empty"),
        (b"yes\t \tA cat.", "tsv", 1, "the premise is empty"),
        (b"NEUTRAL\t( A dog )\t", "sick", 1, "the hypothesis is empty"),
        (b"NEUTRAL\t( A dog\t( A cat )", "sick", 1, "the premise is not a binary tree: 1 opening"),
        (b"NEUTRAL\t( A dog )\t( a b c )", "sick", 1, "a node has 3 children"),
        (b"8", "listops", 1, "1 tab-separated column."),
        (b"8\t( 8 9 )\t( 9 8 )", "listops", 1, "3 tab-separated columns"),
        (b"8\t ", "listops", 1, "the sentence is empty"),
        (b"8\t( ( [MAX 8 ) ]", "auto", 1, "the sentence is not a binary tree: 1 opening"),
        (b"8\t( [MAX 8 ] )", "auto", 1, "a node has 3 children"),
        (b"8\t[MAX 8 ]", "listops", 1, "3 trees stand side by side"),
        (b"10\t( 8 9 )", "listops", 1, "the label '10' is not one of: 0, 1, 2"),
        (b"\t( 8 9 )", "listops", 1, "the label is empty"),
        (b"-\t( 8 9 )", "listops", None, "all 1 rows are unlab"),
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
        (without(gold_label=""), "the label is empty"),
        (without("sentence1_binary_parse", sentence1=" "), "the premise is empty"),
        (without(sentence2_binary_parse="( It moves"), "the hypothesis is not a binary tree"),
        (without(sentence2_binary_parse="It moves"), "2 trees stand side by side"),
        (without(sentence1_binary_parse="( )"), "the premise is not a binary tree"),
        (without(sentence1="Several other people stroll."), "tree has other words than its text"),
    ],
)
def test_bad_json_row_is_named_by_line(tmp_path, row, cause):
    path = write(tmp_path / "bad.jsonl", PAIR, row, PAIR)
    with pytest.raises(DataError) as caught:
        read(path, "snli")
    assert (caught.value.path, caught.value.line) == (path, 2)
    assert cause in str(caught.value)
    assert caught.value.remedy


JSON = json.dumps(PAIR)
ROWS: dict[str, str | bytes] = {
    "plain": JSON,
    "blanks around": f" {JSON}\t\r",
    "characters": json.dumps(PAIR | {"pairID": "ö\N{GRINNING FACE}", "note": "\\ud83d"}),
    "characters unescaped": json.dumps(PAIR | {"pairID": "ö"}, ensure_ascii=False),
    "numbers": json.dumps(PAIR | {"note": [-0.5e3, 10**30, 1e-400]}),
    "a field twice": JSON[:-1] + ', "gold_label": "neutral"}',
    "too much": JSON + "}",
    "too little": JSON[:-1],
    "a comma": JSON[:-1] + ",}",
    "other quotes": JSON.replace('"', "'"),
    "a form feed": JSON.replace(" ", "\f"),
    "a tab in text": JSON.replace("dog", "\t"),
    "UTF-16": JSON.encode("utf-16-le"),
    "Latin-1": json.dumps(PAIR | {"note": "é"}, ensure_ascii=False).encode("latin1"),
    "a byte order mark": b"\xef\xbb\xbf" + JSON.encode(),
    "half a character": json.dumps(PAIR | {"note": "\ud83d"}),
    "its other half": json.dumps(PAIR | {"note": "\ude00"}),
    "half of one unescaped": json.dumps(PAIR | {"note": "_"})
    .encode()
    .replace(b"_", b"\xed\xa0\xbd"),
    **{number: f'{JSON[:-1]}, "n": {number}}}' for number in ("NaN", "-Infinity", "01", ".5")},
    "too large": JSON[:-1] + ', "n": 1e999}',
    "too large and whole": JSON[:-1] + f', "n": {10**400}}}',
    "too deep": JSON[:-1] + ', "n": ' + 5000 * "[" + 5000 * "]" + "}",
    "a list": "[1]",
    "text": '"text"',
    "nothing": "null",
}


@pytest.mark.parametrize("name", ROWS)
def test_json_is_read_and_refused_alike_with_and_without_orjson(tmp_path, monkeypatch, name):
    pytest.importorskip("orjson")
    path, found = write(tmp_path / "rows.jsonl", PAIR, ROWS[name]), []
    for loads in (jsonlines.loads, jsonlines.plain_loads):
        monkeypatch.setattr(jsonlines, "loads", loads)
        try:
            found.append([repr(example) for example in read(path, "snli")])
        except DataError as error:
            cause = error.cause.partition(" (")[0]  # in brackets stands what the library says
            found.append([str(error.path), str(error.line), cause, str(error.remedy)])
    assert found[0] == found[1]


def test_missing_file_and_folder(tmp_path):
    for open_it in (read, detect_format):
        with pytest.raises(DataError, match=r"nowhere: there is no such file\. Check the path"):
            open_it(tmp_path / "nowhere")
        with pytest.raises(DataError, match="this is a folder"):
            open_it(tmp_path)


def test_unknown_format_is_refused_before_reading(tmp_path):
    with pytest.raises(ConfigurationError, match=r"'xml'.*snli, multinli, sick, logic, logic-br"):
        read_examples(tmp_path / "nowhere", "xml")


def test_the_error_of_a_missing_parse_names_line_and_remedy(tmp_path):
    pytest.importorskip("spacy")
    path = write(tmp_path / "f", PAIR, without("sentence2_binary_parse"))
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


# Trees and texts.


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


# The real files.


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
    assert detect_format(path) == format
    counted = ReadCounts()
    for example in read_examples(path, counts=counted):
        assert example.label in READERS[format].labels
        for sentence in (example.premise, example.hypothesis):
            assert len(sentence.transitions) == 2 * len(sentence.words) - 1
            if example.line % 50 == 0:
                check(np.asarray(sentence.transitions), len(sentence.words))
    assert counted == counts


def test_real_rows_without_trees_are_tokenised():
    pytest.importorskip("spacy")
    counts = ReadCounts()
    reading = read_examples(real("snli/snli_1.0_train_unparsed.jsonl.gz"), counts=counts)
    examples = [example for example, _ in zip(reading, range(2000), strict=False)]
    assert counts.unparsed == counts.read >= 2000
    assert all(example.hypothesis.words for example in examples)
