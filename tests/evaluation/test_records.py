"""Records of predictions and of evaluations."""

from __future__ import annotations

import numpy as np
import pytest

from spinn.data.examples import Example, Sentence
from spinn.evaluation.classification import ClassificationReport
from spinn.evaluation.evaluate import Evaluation
from spinn.evaluation.evaluate_files import EvaluatedPart
from spinn.evaluation.records import evaluation_records, prediction_record
from spinn.transitions import left_branching, right_branching

LABELS = ("entailment", "neutral", "contradiction")


def test_a_record_of_a_prediction_has_trees_or_words():
    sentences = [Sentence(["a", "dog"], left_branching(2)), Sentence(["it", "runs"])]
    record = prediction_record("no", {"yes": 0.12345678, "no": 0.87654322}, sentences)
    assert record == {
        "predicted": "no",
        "probabilities": {"yes": 0.123457, "no": 0.876543},
        "premise": "( a dog )",
        "hypothesis": "it runs",
    }
    assert list(prediction_record("no", {}, sentences[:1])) == [
        "predicted", "probabilities", "sentence"]  # fmt: skip


@pytest.mark.parametrize("has_trees", [True, False])
def test_records_of_an_evaluation_have_the_trees_of_each_example(has_trees):
    examples = [
        Example(Sentence(["a", "b", "c"]), Sentence(["d"]), "neutral", 2, "p1"),
        Example(Sentence(["e"]), Sentence(["f", "g", "h"]), None, 5),
    ]
    one = left_branching(1)
    trees = [left_branching(3), one, one, right_branching(3)] if has_trees else None
    probabilities = np.array([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]], dtype=np.float32)
    evaluation = Evaluation(ClassificationReport(LABELS), probabilities, trees)
    first, second = evaluation_records(EvaluatedPart(examples, evaluation), LABELS)
    assert (first["id"], first["line"], first["gold"]) == ("p1", 2, "neutral")
    assert (second["id"], second["line"], second["gold"]) == ("", 5, None)
    assert (first["predicted"], second["predicted"]) == ("entailment", "contradiction")
    assert first["probabilities"] == {"entailment": 0.5, "neutral": 0.25, "contradiction": 0.25}
    assert first["premise"] == ("( ( a b ) c )" if has_trees else "a b c")
    assert second["hypothesis"] == ("( f ( g h ) )" if has_trees else "f g h")
