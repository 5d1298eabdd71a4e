"""Rows in Python: dictionaries to examples and to a corpus."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from spinn.data.corpus import Corpus
from spinn.data.dataset import numericalise
from spinn.data.labels import INFERENCE_LABELS
from spinn.data.prepare import corpus_from_examples
from spinn.data.rows import from_rows
from spinn.support.errors import ConfigurationError, DataError

ROWS = [
    {"premise": "A dog runs.", "hypothesis": "It moves.", "label": 0, "uid": "a"},
    {"premise": "A dog runs.", "hypothesis": "It sits.", "label": np.int64(2), "uid": "b"},
    {"premise": "A cat sits.", "hypothesis": "It sits.", "label": -1},
    {"premise": "A cat sits.", "hypothesis": "A dog runs.", "label": float("nan")},
]


def test_rows_are_read_as_those_of_a_file():
    first, second = from_rows(iter(ROWS), label_names=INFERENCE_LABELS)
    assert (first.label, first.identifier, first.line) == ("entailment", "a", 1)
    assert first.premise.words == ["A", "dog", "runs", "."]
    assert (second.label, second.hypothesis.words) == ("contradiction", ["It", "sits", "."])
    every = from_rows(ROWS, label_names=INFERENCE_LABELS, unlabelled=True)
    assert [example.label for example in every][2:] == [None, None]


def test_a_data_set_names_its_labels():
    class Dataset(list):
        features = {"label": SimpleNamespace(names=["yes", "no", "maybe"])}  # noqa: RUF012

    assert [example.label for example in from_rows(Dataset(ROWS))] == ["yes", "maybe"]
    named = from_rows(Dataset(ROWS), label_names=["a", "b", "c"])
    assert [example.label for example in named] == ["a", "c"]


def test_fields_can_be_named():
    rows = [{"b": "It.", "c": "e", "a": "A dog."}]
    columns = {"premise": "a", "hypothesis": "b", "label": "c"}
    (example,) = from_rows(rows, columns=columns, labels=INFERENCE_LABELS)
    assert (example.label, example.premise.words) == ("entailment", ["A", "dog", "."])
    with pytest.raises(DataError, match=r"rows: the fields \(b, c, a\) are not known"):
        list(from_rows(rows))
    with pytest.raises(ConfigurationError, match="does not name columns"):
        from_rows(rows, columns={"text": "a"})


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        ([], "rows: the file has no rows"),
        ([ROWS[0], "premise"], "rows, line 2: a row is of type str where a dictionary is required"),
        ([ROWS[0], {"premise": "A.", "label": 0}], "rows, line 2: there is no field 'hypothesis'"),
        (ROWS, "rows, line 1: the label '0' is not one of: entailment.*--label-names"),
        ([{0: "yes", 1: "A.", 2: "B."}], "rows: the name of a field is 0 where text .*columns = "),
        ([ROWS[0] | {"label": 10**400}], "rows, line 1: the field 'label' is not text"),
        ([ROWS[0], ROWS[1] | {"premise": "A \udce9"}], r"rows, line 2: 'A \\udce9' is not UTF-8"),
        ([ROWS[0] | {"uid": "\udce9"}], "rows, line 1: .* is not UTF-8"),
    ],
)
def test_bad_rows_are_named(rows, cause):
    with pytest.raises(DataError, match=cause):
        list(from_rows(rows, labels=INFERENCE_LABELS if rows is ROWS else None))


def test_examples_become_a_corpus_to_train_on(tmp_path):
    train = list(from_rows(ROWS, label_names=["e", "n", "c"], unlabelled=True))
    dev = from_rows([ROWS[0] | {"label": "entailment", "hypothesis": "It flies."}])
    corpus = corpus_from_examples({"train": train, "dev": dev}, minimum_count=1)
    assert corpus.labels == ("contradiction", "entailment")
    assert corpus.sets["train"].labels.tolist() == [1, 0]
    assert corpus.sets["dev"].labels.tolist() == [1]
    assert corpus.unparsed == {"train": ["train", 1], "dev": ["dev", 1]}
    assert corpus.vocabulary.lower
    assert "flies" not in corpus.vocabulary.words
    same = numericalise(train[:2], corpus.vocabulary, ("c", "n", "e"))
    assert same.words.tolist() == corpus.sets["train"].words.tolist()
    corpus.save(tmp_path / "prepared")
    assert Corpus.load(tmp_path / "prepared").labels == corpus.labels


def test_an_iterator_is_not_used_for_two_sets():
    examples = from_rows(ROWS)
    with pytest.raises(DataError, match=r"dev: no example has a label\. .*give a list"):
        corpus_from_examples({"train": examples, "dev": examples})


def test_a_corpus_needs_labelled_training_examples():
    examples = list(from_rows(ROWS, label_names=INFERENCE_LABELS))
    with pytest.raises(ConfigurationError, match="no training set among: dev"):
        corpus_from_examples({"dev": examples})
    with pytest.raises(DataError, match="train: no example has a label"):
        corpus_from_examples({"train": [examples[0]._replace(label=None)]})
    with pytest.raises(DataError, match="dev, line 2: the label 'contradiction' is not one of"):
        corpus_from_examples({"train": examples[:1], "dev": examples})
