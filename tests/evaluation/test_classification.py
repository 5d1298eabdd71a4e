"""Classification figures against hand-computed ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.evaluation.classification import ClassificationReport

LABELS = ("entailment", "neutral", "contradiction")


@pytest.fixture
def report() -> ClassificationReport:
    """Six pairs in two batches; gold 0 0 0 1 1 2, predicted 0 0 1 1 2 0."""
    result = ClassificationReport(LABELS)
    result.update(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), loss=0.5)
    result.update(np.array([2, 0]), np.array([1, 2]), loss=2.0)
    return result


def test_figures_by_hand(report: ClassificationReport):
    assert report.count == 6
    assert report.confusion.tolist() == [[2, 1, 0], [0, 1, 1], [1, 0, 0]]
    assert report.accuracy == pytest.approx(3 / 6)
    assert report.precision == pytest.approx([2 / 3, 1 / 2, 0])
    assert report.recall == pytest.approx([2 / 3, 1 / 2, 0])
    assert report.f1 == pytest.approx([2 / 3, 1 / 2, 0])
    assert report.macro_f1 == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_precision_and_recall_are_not_confused():
    report = ClassificationReport(("no", "yes"))
    report.update(np.array([1, 1, 1, 0]), np.array([1, 0, 0, 0]), loss=0.0)
    assert report.precision == pytest.approx([1, 1 / 3])
    assert report.recall == pytest.approx([1 / 3, 1])
    assert report.f1 == pytest.approx([1 / 2, 1 / 2])


def test_batches_weigh_by_their_size_in_the_loss(report: ClassificationReport):
    assert report.loss == pytest.approx((4 * 0.5 + 2 * 2.0) / 6)


def test_the_means_of_an_empty_report_are_undefined():
    report = ClassificationReport(LABELS)
    report.update(np.array([], dtype=np.int64), np.array([], dtype=np.int64), loss=0.0)
    assert np.isnan([report.accuracy, report.majority, report.loss, report.macro_f1]).all()
    assert report.f1.tolist() == [0, 0, 0]
    assert report.format() == "No pairs have a gold label, so there are no scores of labels."
    figures = report.as_dict()
    assert figures["count"] == 0
    assert [figures[name] for name in ("accuracy", "majority", "loss", "macro_f1")] == [None] * 4
    nothing = {"precision": None, "recall": None, "f1": None, "count": 0}
    assert figures["labels"] == dict.fromkeys(LABELS, nothing)


def test_macro_f1_leaves_out_labels_that_occur_nowhere():
    report = ClassificationReport(LABELS)
    report.update(np.array([0, 1]), np.array([0, 1]), loss=0.0)
    assert report.f1.tolist() == [1, 1, 0]
    assert report.macro_f1 == 1


def test_zero_divisions_are_stated():
    report = ClassificationReport(LABELS)
    report.update(np.array([0, 0]), np.array([0, 1]), loss=0.5)
    assert report.precision.tolist() == [0.5, 0, 0]
    remarks = report.format().splitlines()[-2:]
    assert remarks == [
        "Undefined, given as 0: precision (never predicted) of neutral, contradiction.",
        "Undefined, given as 0: recall (no gold pairs) of contradiction.",
    ]


def test_the_table(report: ClassificationReport):
    assert report.format() == "\n".join(
        [
            "accuracy 50.00%   macro F1 38.89%   loss 1.0000   pairs 6",
            "",
            "label          precision  recall     F1  pairs",
            "entailment         66.67   66.67  66.67      3",
            "neutral            50.00   50.00  50.00      2",
            "contradiction       0.00    0.00   0.00      1",
            "",
            "gold \\ predicted  entailment  neutral  contradiction",
            "entailment                 2        1              0",
            "neutral                    0        1              1",
            "contradiction              1        0              0",
        ]
    )


def test_the_dictionary_goes_through_json(report: ClassificationReport):
    figures = json.loads(json.dumps(report.as_dict()))
    assert figures["count"] == 6
    assert figures["accuracy"] == report.accuracy
    assert figures["loss"] == report.loss
    assert figures["macro_f1"] == report.macro_f1
    assert figures["labels"]["neutral"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "count": 2}
    assert figures["confusion"]["contradiction"] == {
        "entailment": 1,
        "neutral": 0,
        "contradiction": 0,
    }


@pytest.mark.parametrize(
    ("predicted", "gold", "message"),
    [
        ([0, 1], [0], "both must be"),
        ([[0, 1]], [[0, 1]], "both must be"),
        ([0, 3], [0, 1], "predicted label 3 is not in 0 to 2"),
        ([0, 0], [0, -1], "gold label -1 is not in 0 to 2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(predicted: list, gold: list, message: str):
    report = ClassificationReport(LABELS)
    with pytest.raises(ValueError, match=message):
        report.update(np.array(predicted), np.array(gold), loss=0.0)
    assert report.count == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1), st.integers(1, 7))
def test_batches_of_any_size_and_integer_type_give_the_same(
    pairs: list[tuple[int, int]], size: int
):
    predicted, gold = np.array(pairs).T
    whole, parts = ClassificationReport(LABELS), ClassificationReport(LABELS)
    whole.update(predicted, gold, loss=1.25)
    for start in range(0, len(pairs), size):
        part = slice(start, start + size)
        parts.update(predicted[part].astype(np.uint8), gold[part].astype(np.int8), loss=1.25)
    assert parts.as_dict() == whole.as_dict()
    assert whole.accuracy == pytest.approx(np.mean(predicted == gold))
    for label in range(3):
        right = np.sum((predicted == label) & (gold == label))
        denominator = np.sum(predicted == label) + np.sum(gold == label)
        assert whole.f1[label] == pytest.approx(2 * right / denominator if denominator else 0)


def test_a_label_cannot_move_the_cursor():
    report = ClassificationReport(["a\x1b[2J", "b\n"])
    report.update(np.array([0, 0, 1]), np.array([0, 1, 0]), 1.0)
    text = report.format()
    assert r"a\x1b[2J" in text
    assert "\x1b" not in text
    assert r"b\n" in text
