"""Evaluation of files: rows without gold labels, sets of two classes, and files in parts."""

from __future__ import annotations

import json
import math
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from machine import NEEDS_PIPES
from models import model_of

from spinn.config import resolve
from spinn.data.dataset import numericalise
from spinn.data.rows import from_rows
from spinn.data.spacy_parser import SpacyParser
from spinn.data.vocabulary import Vocabulary
from spinn.evaluation import evaluate_files as module
from spinn.evaluation.evaluate import evaluate_trained
from spinn.evaluation.evaluate_files import EvaluatedPart, evaluate_files
from spinn.evaluation.records import evaluation_records
from spinn.evaluation.scores import format_scores
from spinn.evaluation.tree_scores import Conventions
from spinn.pretrained import TrainedModel
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.transitions import right_branching

LABELS = ("entailment", "neutral", "contradiction")
WORDS = ("a", "dog", "runs", ".", "?")
TREES = ("( a ( dog runs ) )", "( a dog )", "( . ( . ? ) )", "( ( a dog ) ( dog runs ) )")


@pytest.fixture
def trained() -> TrainedModel:
    torch.manual_seed(3)
    model = model_of(len(WORDS) + 2, 3, hidden_size=8, embedding_size=6, classifier_width=8)
    configuration = resolve({"trees": "left"})
    return TrainedModel(model, configuration, Vocabulary(["<unk>", "<pad>", *WORDS]), LABELS)


def write(path: Path, labels: list[str], trees: tuple[str, ...] = TREES) -> Path:
    rows = [
        {
            "gold_label": label,
            "pairID": number,
            **{
                f"sentence{side}{ending}": text
                for side in (1, 2)
                for tree in [trees[(number + side) % len(trees)]]
                for ending, text in (
                    ("", tree.replace("( ", "").replace(" )", "")),
                    ("_binary_parse", tree),
                )
            },
        }
        for number, label in enumerate(labels)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def evaluated(trained: TrainedModel, *paths: Path, **options):
    """Evaluate files; return the result and the records."""
    records = []

    def each(part: EvaluatedPart) -> None:
        records.extend(evaluation_records(part, LABELS))

    return evaluate_files(trained, list(paths), each=each, **options), records


def test_a_file_without_gold_labels_has_predictions_and_no_scores(trained, tmp_path):
    path = write(tmp_path / "test.jsonl", ["hidden"] * 5)
    result, records = evaluated(trained, path)
    assert [record["id"] for record in records] == ["0", "1", "2", "3", "4"]
    assert {record["gold"] for record in records} == {None}
    assert (result.count, result.report.count, result.skipped) == (5, 0, 0)
    assert result.scores["accuracy"] is None
    assert "no scores of labels" in format_scores(result.scores, result.report)
    json.dumps(result.scores, allow_nan=False)


def test_rows_without_a_gold_label_are_skipped_among_others(trained, tmp_path):
    some = write(tmp_path / "some.jsonl", ["neutral", "-", "neutral"])
    none = write(tmp_path / "none.jsonl", ["-", "-"])
    result, records = evaluated(trained, some, none)
    assert [record["gold"] for record in records] == ["neutral", "neutral", None, None]
    assert (result.count, result.report.count, result.skipped) == (4, 2, 1)


@pytest.mark.parametrize("spelling", ["non-entailment", "not_entailment"])
def test_two_classes_are_scored_as_such(trained, tmp_path, spelling):
    three = ["entailment", "neutral", "contradiction"] * 3
    wide, wide_records = evaluated(trained, write(tmp_path / "three.jsonl", three))
    two = [label if label == "entailment" else spelling for label in three]
    result, records = evaluated(trained, write(tmp_path / "two.jsonl", two))
    assert result.report.labels == ("entailment", "non-entailment")
    cells = wide.report.confusion
    expected = [
        [cells[0, 0], cells[0, 1:].sum()],
        [cells[1:, 0].sum(), cells[1:, 1:].sum()],
    ]
    assert result.report.confusion.tolist() == expected
    losses = []
    for record, other in zip(records, wide_records, strict=True):
        assert record["probabilities"] == other["probabilities"]
        is_entailment = other["predicted"] == "entailment"
        assert record["predicted"] == ("entailment" if is_entailment else "non-entailment")
        p = record["probabilities"]["entailment"]
        losses.append(-math.log(p if record["gold"] == "entailment" else 1 - p))
    assert result.report.loss == pytest.approx(np.mean(losses), abs=1e-4)


def test_files_in_parts_give_what_they_give_as_a_whole(trained, tmp_path, monkeypatch):
    path = write(tmp_path / "dev.jsonl", list(LABELS) * 7)
    whole, records = evaluated(trained, path)
    monkeypatch.setattr(module, "PART", 4)
    result, others = evaluated(trained, path)
    assert [one["line"] for one in others] == list(range(1, 22))
    for one, other in zip(records, others, strict=True):
        expected = one["probabilities"]
        assert other["probabilities"] == pytest.approx(expected, abs=1e-5)
    assert result.scores["trees"] == whole.scores["trees"]
    assert result.scores["confusion"] == whole.scores["confusion"]
    assert result.report.loss == pytest.approx(whole.report.loss)


def test_memory_holds_one_part_at_a_time(trained, tmp_path, monkeypatch):
    class Counted(list):
        alive = 0

        def __init__(self, items):
            super().__init__(items)
            Counted.alive += 1
            most.append(Counted.alive)

        def __del__(self):
            Counted.alive -= 1

    most: list[int] = []
    path = write(tmp_path / "dev.jsonl", list(LABELS) * 7)
    monkeypatch.setattr("spinn.data.examples.list", Counted, raising=False)
    monkeypatch.setattr(module, "PART", 4)
    evaluate_files(trained, [path])
    assert len(most) == 7  # six parts, and the end
    assert max(most) == 1


@pytest.fixture
def right(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Parse by right-branching trees in place of spaCy; return the pipelines that were used."""
    used = []

    def trees(self, sentences):
        used.append(self.pipeline)
        return (right_branching(len(words)) for words in sentences)

    monkeypatch.setattr(SpacyParser, "trees", trees)
    return used


def test_text_without_a_tree_is_parsed_where_given_trees_are_followed(trained, tmp_path, right):
    pytest.importorskip("spacy")
    gold = replace(trained, configuration=resolve({"trees": "gold"}))
    both = write(tmp_path / "both.jsonl", ["neutral"] * 4)
    rows = [json.loads(line) for line in both.open()]
    for row in rows[2:]:
        del row["sentence1_binary_parse"], row["sentence2_binary_parse"]
    both.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result, records = evaluated(gold, both)
    assert right == ["en_core_web_sm"]
    assert (result.count, result.completed) == (4, 2)
    assert result.scores["trees"]["gold"]["sentences"] == 4
    assert records[0]["premise"] == "( a dog )"
    assert records[2]["premise"] == "( a ( dog ( dog runs ) ) )"  # TREES has another one
    evaluate_files(gold, [both], parser=SpacyParser("mine"))
    assert right == ["en_core_web_sm", "mine"]
    with pytest.raises(ConfigurationError, match="--parser does nothing here"):
        evaluate_files(trained, [both], parser=SpacyParser("mine"))


def test_text_alone_has_no_parse_f1(trained, tmp_path, right):
    pytest.importorskip("spacy")
    gold = replace(trained, configuration=resolve({"trees": "gold"}))
    path = tmp_path / "text.tsv"
    path.write_text("label\tpremise\thypothesis\nneutral\ta dog runs\ta dog .\n")
    result, _ = evaluated(gold, path)
    assert result.completed == 1
    assert "gold" not in result.scores["trees"]


def test_f1_of_no_sentence_is_not_a_figure(trained, tmp_path):
    path = write(tmp_path / "marks.jsonl", ["neutral"] * 3, ("( . ( . ? ) )",))
    conventions = Conventions(punctuation="drop", short_sentences="skip")
    result, _ = evaluated(trained, path, conventions=conventions)
    trees = result.scores["trees"]
    assert set(trees["shapes"].values()) == {trees["gold"]["f1"]} == {None}
    text = format_scores(result.scores, result.report)
    assert text.count("nothing is counted in F1") == 2
    assert "F1 left" not in text


def test_probabilities_that_are_not_finite_are_no_predictions(trained, tmp_path):
    for weight in trained.model.classifier.parameters():
        weight.data.fill_(math.inf)
    with pytest.raises(SpinnError, match="not finite"):
        evaluated(trained, write(tmp_path / "dev.jsonl", ["neutral"] * 3))


@NEEDS_PIPES
def test_a_pipe_is_read_once(trained, tmp_path):
    content = write(tmp_path / "dev.jsonl", ["neutral", "-", "neutral"]).read_text()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(content,))
    writer.start()
    result, _ = evaluated(trained, pipe)
    writer.join()
    assert (result.count, result.skipped) == (2, 1)


def test_rows_in_python_have_the_scores_of_a_file(trained, tmp_path):
    path = write(tmp_path / "f.jsonl", list(LABELS) * 2)
    expected, _ = evaluated(trained, path)
    rows = [json.loads(line) for line in path.open()]
    examples = from_rows(rows, labels=trained.labels)
    dataset = numericalise(examples, trained.vocabulary, trained.labels, trained.kind)
    result = evaluate_trained(trained, dataset, trained.tree_source(None))
    assert result.report.as_dict() == expected.report.as_dict()
