"""Tables: any labels, raw text."""

from __future__ import annotations

import pytest
from rows import DOG, IT, read, write

from spinn.data.labels import INFERENCE_LABELS, NON_ENTAILMENT
from spinn.support.errors import DataError


def test_tsv_takes_any_label_and_a_header(tmp_path):
    rows = ["yes\tIt rains (a lot).\tIt's wet.", "no\tIt rains.\tIt is dry."]
    plain = read(write(tmp_path / "plain", *rows))
    headed = read(write(tmp_path / "headed", "gold_label\tsentence1\tsentence2", *rows))
    assert [e.label for e in plain] == ["yes", "no"]
    assert plain[0].premise.words == ["It", "rains", "-LRB-", "a", "lot", "-RRB-", "."]
    assert plain[0].hypothesis.words == ["It", "'s", "wet", "."]
    assert [(e.premise, e.line - 1) for e in headed] == [(e.premise, e.line) for e in plain]


OFFICIAL = {
    "snli and multinli": (
        "gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1\tsentence2\tpairID",
        f"neutral\t{DOG['sentence1_binary_parse']}\t{IT['sentence2_binary_parse']}\tA dog runs.\t"
        "It moves\t7",
    ),
    "sick": (
        "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment",
        "7\tA dog runs.\tIt moves\t3.2\tNEUTRAL",
    ),
    "xnli": (
        "language\tgold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1\t"
        "sentence2\tpairID\tlabel1",
        "en\tneutral\t\t\tA dog runs.\tIt moves\t7\tneutral",
    ),
    "hans": (
        "gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t"
        "sentence2_parse\tsentence1\tsentence2\tpairID\theuristic\tsubcase\ttemplate",
        "neutral\t\t\t\t\tA dog runs.\tIt moves\t7\tsubsequence\tsn\ttemp1",
    ),
    "scitail": ("A dog runs.\tIt moves\tneutral", "A dog runs.\tIt moves\tneutral"),
    "translations of xnli": ("premise\thypo\tlabel", "A dog runs.\tIt moves\tneutral"),
    "glue": (
        "index\tgenre\tsentence1\tsentence2\tlabel1\tgold_label",
        "7\tfiction\tA dog runs.\tIt moves\tentailment\tneutral",
    ),
    "csv": (",premise,hypothesis,label", '0,"A dog runs.",It moves,neutral'),
    "quoted": ('"label"\t"premise"\t"hypothesis"', '"neutral"\t"A dog runs."\t"It moves"'),
    "semicolons": ("Label;Sentence 1;Sentence 2", "neutral;A dog runs.;It moves"),
    "unknown label": ("annotation\tpremise\thypothesis", "neutral\tA dog runs.\tIt moves"),
    "label alone": ("label\ttext\tother", "neutral\tA dog runs.\tIt moves"),
    "label last": ("A dog runs.\tIt moves\tentails", "A dog runs.\tIt moves\tneutral"),
    "trees": ("label\tpremise\thypothesis", "neutral\t( ( A dog ) ( runs . ) )\t( It moves )"),
}


@pytest.mark.parametrize("lines", OFFICIAL.values(), ids=OFFICIAL)
@pytest.mark.parametrize("format", ["auto", "tsv"])
def test_columns_are_found_by_the_header(tmp_path, lines, format):
    example = read(write(tmp_path / "f", *lines), format)[-1]
    assert example.label == "neutral"
    assert example.premise.words == ["A", "dog", "runs", "."]
    assert example.hypothesis.words == ["It", "moves"]
    assert example.is_parsed == ("( ( A dog ) ( runs . ) )" in lines[1])
    assert example.identifier in ("7", "")
    assert (example.identifier == "7") == ("7" in lines[1])


def test_quoted_cells_are_unquoted(tmp_path):
    comma = write(tmp_path / "c", "premise,hypothesis,label", '"He, ""Bo"", ran.",It,no', "A,B,yes")
    # Tables with tabs have marks as they are, or as spreadsheets write them.
    tab = write(tmp_path / "t", "premise\thypothesis\tlabel", '"He, ""Bo"", ran."\tIt\tno')
    for path in (comma, tab):
        assert read(path)[0].premise.words == ["He", ",", "``", "Bo", "''", ",", "ran", "."]
    bare = write(tmp_path / "b", "premise\thypothesis\tlabel", '"He ran.\tIt "ran"\tno')
    assert read(bare)[0].premise.words == ["``", "He", "ran", "."]


def test_quoted_cells_may_have_line_breaks(tmp_path):
    rows = ["label;premise;hypothesis", 'no;"A dog', "", 'runs.";It', 'yes;"A; ""B""";It', "no;A;B"]
    examples = read(write(tmp_path / "c", *rows))
    assert [example.line for example in examples] == [2, 5, 6]
    assert examples[0].premise.words == ["A", "dog", "runs", "."]
    assert examples[1].premise.words == ["A", ";", "``", "B", "''"]


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ('"He,It,no', "line 4: a quotation mark is not closed"),
        ('"He" ran,It,no', "line 4: the row is not CSV"),
        ("He,It", "line 4: the line has 2 columns where the header has 3"),
    ],
)
def test_bad_rows_of_csv_are_named_by_their_first_line(tmp_path, row, cause):
    path = write(tmp_path / "c", "premise,hypothesis,label", '"A', 'B",C,yes', row, "A,B,yes")
    with pytest.raises(DataError, match=cause):
        read(path)


def test_byte_order_mark_and_blank_lines_are_skipped(tmp_path):
    header = b"\xef\xbb\xbfhypothesis,label,premise"
    (example,) = read(write(tmp_path / "c", header, "", "It moves.,yes,A dog runs.", " "))
    assert (example.label, example.line) == ("yes", 3)
    assert example.premise.words == ["A", "dog", "runs", "."]


def test_a_table_without_a_label_column_has_unlabelled_rows(tmp_path):
    path = write(tmp_path / "f", "index\tsentence1\tsentence2", "3\tA dog.\tIt.")
    (example,) = read(path, unlabelled=True)
    assert (example.label, example.identifier) == (None, "3")


def test_a_header_again_is_skipped(tmp_path):
    header, row = "premise\thypothesis\tlabel", "A dog.\tIt.\tyes"
    assert len(read(write(tmp_path / "f", header, row, header, row))) == 2


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (["Urteil\tText\tHypothese"], "line 1: the line looks like a header"),
        (
            ["verdict 1\tone text\tother text", "no\tA dog.\tA cat.", "no\tA dog.\tA cat."],
            "line 1: the line looks like a header",
        ),
        (["A dog runs.\tIt moves.\tA cat sits."], "no column of its first rows holds labels"),
        (
            ["Dogs run\tIt moves\tno", "Cats run\tIt moves\tno"],
            "no column of its first rows holds labels",
        ),
        (["premise\thypothesis\tlabel", "A dog.\tno"], "line 2: the line has 2 columns where"),
        (["label\tlabel\tpremise\thypothesis"], "line 1: 2 columns are named 'label'"),
    ],
)
def test_columns_that_are_unknown_are_refused(tmp_path, lines, cause):
    with pytest.raises(DataError, match=cause) as caught:
        read(write(tmp_path / "f", *lines))
    assert caught.value.remedy


def test_labels_in_other_spellings_are_those_of_the_model(tmp_path):
    labels = ["ENTAILMENT", "contradictory", "not_entailment", "n"]
    path = write(tmp_path / "f", "label\tpremise\thypothesis", *(f"{x}\tA.\tB." for x in labels))
    found = [example.label for example in read(path, labels=(*INFERENCE_LABELS, NON_ENTAILMENT))]
    assert found == ["entailment", "contradiction", NON_ENTAILMENT, "neutral"]
    with pytest.raises(DataError, match="line 4: the label 'not_entailment' is not one of"):
        read(path, labels=INFERENCE_LABELS)
    assert [example.label for example in read(path)] == ["entailment", *labels[1:]]


@pytest.mark.parametrize("name", ["y", "target"])
@pytest.mark.parametrize("texts", ["A dog runs {}.\tIt moves.", "dogs{}\tcats"])
def test_a_first_row_may_have_a_label_that_is_the_name_of_a_column(tmp_path, name, texts):
    rows = [f"{name if row % 2 == 0 else 'n'}\t{texts.format(row)}" for row in range(6)]
    examples = read(write(tmp_path / "f", *rows))
    assert [example.label for example in examples] == [name, "n"] * 3


def test_a_header_of_the_label_alone_is_skipped_again(tmp_path):
    header, row = "y\ttext\tother", "no\tA dog.\tIt."
    assert [one.line for one in read(write(tmp_path / "f", header, row, header, row))] == [2, 4]


@pytest.mark.parametrize("format", ["auto", "tsv"])
@pytest.mark.parametrize(
    "first",
    ["pos\t( A ( dog runs ) )\t( It moves )", "neutral\tYes\tNo", "label\ttree\tother"],
)
def test_trees_are_read_under_any_label_and_without_names(tmp_path, first, format):
    rows = [f"{label}\t( A ( dog runs ) )\t( It moves )" for label in ("neg", "pos")]
    examples = read(write(tmp_path / "f", first, *rows), format)
    assert all(example.is_parsed for example in examples)
    assert [example.label for example in examples[-2:]] == ["neg", "pos"]
    assert examples[-1].premise.words == ["A", "dog", "runs"]


def test_a_carriage_return_in_a_cell_is_named(tmp_path):
    path = write(tmp_path / "c", "premise,hypothesis,label", "He\rran,It,no")
    with pytest.raises(DataError, match="line 2: a cell without quotation marks contains a carr"):
        read(path)
