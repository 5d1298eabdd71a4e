"""The registry of formats, and their detection."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rows import ROW, read, write

from spinn.config import resolve
from spinn.data.examples import PAIR, SENTENCE, Example, Sentence
from spinn.data.formats import (
    FORMATS,
    Format,
    Row,
    Source,
    detect_format,
    format_that_writes,
    register_format,
)
from spinn.data.readers import read_examples
from spinn.support.errors import ConfigurationError
from spinn.support.files import write_lines
from spinn.transitions import left_branching, right_branching


def test_formats_are_registered_by_name():
    names = {
        "snli",
        "multinli",
        "sick",
        "logic",
        "logic-brackets",
        "tsv",
        "listops",
        "jsonl",
        "parquet",
    }
    assert set(FORMATS) == names
    assert {name for name, format in FORMATS.items() if format.kind == SENTENCE} == {"listops"}
    assert all(format.name == name for name, format in FORMATS.items())
    assert FORMATS["tsv"].labels is None


@pytest.fixture
def own_format():
    """Register a format of the user: ``premise => hypothesis``, always entailed."""

    def read_line(path: Path, number: int, content: bytes) -> Row:
        premise, hypothesis = content.decode().split("=>")
        return Row("entailment", Source(premise, None), Source(hypothesis, None))

    format = Format("arrow", ("entailment",), read_line, lambda first_line: "=>" in first_line)
    register_format(format)
    yield format
    del FORMATS[format.name]


def test_a_format_from_outside_is_detected_before_the_others_and_is_an_option(tmp_path, own_format):
    path = write(tmp_path / "f", "A dog runs. => It moves.")
    assert detect_format(path) is own_format
    for name in ("auto", "arrow"):
        (example,) = read(path, name)
        assert (example.label, example.hypothesis.words) == ("entailment", ["It", "moves", "."])
    assert resolve({"train": [str(path)], "format": "arrow"}).data.format == "arrow"
    with pytest.raises(ConfigurationError, match=r"choose from auto, .*arrow"):
        resolve({"train": [str(path)], "format": "xml"})


def test_a_name_is_given_once(own_format):
    register_format(own_format)
    with pytest.raises(ValueError, match="another corpus format named 'arrow'"):
        register_format(replace(own_format, labels=None))


@pytest.mark.parametrize(
    ("line", "format"),
    [
        (json.dumps(ROW), "snli"),
        ("[1, 2]", "snli"),
        ("=\ta\t( a ( or b ) )", "logic"),
        ("v\ta\tb", "logic"),
        ("ENTAILMENT\t( A dog )\t( A cat )", "sick"),
        ("%entailment_judgment\tsentence_A\tsentence_B", "sick"),
        ("ENTAILMENT\tA dog.\tA cat.", "tsv"),
        ("label\tpremise\thypothesis", "tsv"),
        ("v\tA dog (brown) runs.\tIt runs.", "tsv"),
        ("no tabs at all", "tsv"),
        ('{"premise": "A dog.", "hypothesis": "A cat.", "label": 0}', "jsonl"),
        ('{"sentence1": "A dog.", "sentence2": "A cat.", "label": "neutral"}', "jsonl"),
        ("ENTAILMENT\t( laughter ) A dog.\tA cat.", "tsv"),
        ("ENTAILMENT\t( laughter ) A dog.\t( laughter ) A cat.", "tsv"),
        ("premise,hypothesis,label", "tsv"),
    ],
)
def test_format_is_told_by_the_first_line(tmp_path, line, format):
    path = write(tmp_path / "f.anything", line, compress=format == "snli")
    assert detect_format(path).name == format


@pytest.mark.parametrize(
    ("line", "format"),
    [
        ("8\t8", "listops"),
        ("8\t( 8 9 )", "listops"),
        ("8\tA dog.", "tsv"),  # half a row of a table
        ("8\t( 8 9 )\t( 9 8 )", "tsv"),  # trees with labels of their own
        ("yes\t( 8 9 )", "tsv"),
    ],
)
def test_a_digit_and_one_expression_make_listops(tmp_path, line, format):
    assert detect_format(write(tmp_path / "f", line)).name == format


def test_trees_are_told_from_text_by_several_lines(tmp_path):
    """The first line may be either."""
    both, tree = "neutral\t( laughter )\tYes", "neutral\t( A dog )\t( A cat )"
    damaged = "neutral\t( A dog\t( A cat )"
    text = "neutral\t( laughter ) A dog.\t( uh ) A cat."
    for lines, format in (
        ([both, tree], "sick"),
        ([damaged, tree, tree], "sick"),
        ([both, text], "tsv"),
        ([text, both, text], "tsv"),
    ):
        assert detect_format(write(tmp_path / "f", *lines)).name == format


@pytest.mark.parametrize("name", ["snli", "logic", "listops"])
def test_written_examples_are_read_back(tmp_path: Path, name: str):
    format = FORMATS[name]
    numbered = name == "snli"
    examples = [
        Example(
            Sentence(["a", "b", "c"], right_branching(3)),
            Sentence(["d"], left_branching(1)) if format.kind == PAIR else None,
            label,
            line,
            f"p{line}" if numbered else "",
        )
        for line, label in enumerate((*format.labels, None), start=1)
    ]
    assert format_that_writes(format.labels, format.kind) is format
    path = tmp_path / f"pairs{format.extension}"
    write_lines(map(format.write_line, examples), path)
    again = read_examples(path, format=name, unlabelled=True)
    for one, other in zip(examples, again, strict=True):
        assert (one.label, one.line, one.identifier) == (other.label, other.line, other.identifier)
        for sentence, again in zip(one.sentences, other.sentences, strict=True):
            assert sentence.words == again.words
            assert np.array_equal(sentence.transitions, again.transitions)


def test_no_format_writes_labels_that_none_has():
    assert format_that_writes(["yes", "no"], PAIR) is None
    assert format_that_writes(["=", "<"], SENTENCE) is None
