"""The predictor against an evaluation of the same examples, in every form of the model."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from machine import DEVICE
from toys import FORMS, small_configuration, small_model, write_corpus, write_expressions

from spinn.data.dataset import numericalise
from spinn.data.examples import Example, Sentence
from spinn.data.prepare import load_corpus
from spinn.data.readers import read_examples
from spinn.data.spacy_parser import SpacyParser
from spinn.evaluation.evaluate import evaluate_trained
from spinn.prediction import Prediction
from spinn.predictor import Predictor
from spinn.pretrained import TrainedModel, save_trained
from spinn.support.errors import ConfigurationError, DataError, SpinnError
from spinn.transitions import Transition, check, from_brackets, left_branching, right_branching

TRACKER = {"tracker": True, "tracker_size": 4}
OWN_PARSER = {"parser": "own", "parser_size": 5, "tracker_size": 4}
CASES: dict[str, dict[str, Any]] = {
    **FORMS,
    "balanced": {"trees": "balanced"},
    "balanced, max": {"trees": "balanced", "pooling": "max-all"},
    "own parser": {**OWN_PARSER, "trees": "sampled"},
    "own parser, aligned": {**OWN_PARSER, "trees": "predicted", "leaf_context": "aligned"},
    "aligned": {"leaf_context": "aligned"},
    "aligned, tracker": {**TRACKER, "trees": "predicted", "leaf_context": "aligned"},
    "leaf LSTM": {"leaf_context": "bilstm", "trees": "left"},
    "reference": {"engine": "reference"},
    "batch norm": {"leaf_norm": "batch", "classifier_norm": "batch"},
    "LSTM": {"encoder": "lstm"},
    "BiLSTM": {"encoder": "bilstm", "pooling": "max"},
    "bag of words": {"encoder": "bow"},
}
ALIGNED = [name for name in CASES if "aligned" in name]
SCORED = [
    name for name, options in CASES.items() if options.get("trees") in ("predicted", "sampled")
]
TREES = [name for name, options in CASES.items() if "encoder" not in options] + ["Gumbel Tree-LSTM"]
SINGLE = [name for name in CASES if name not in ALIGNED]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def expressions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_expressions(tmp_path_factory.mktemp("expressions"))


def make_trained(folder: Path, **options: Any) -> TrainedModel:
    """Return a model with random weights, large enough that trees and words matter."""
    configuration = small_configuration(folder, **options)
    corpus = load_corpus(configuration.data)
    torch.manual_seed(5)
    model = small_model(configuration, corpus)
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight *= 4
    return TrainedModel(model, configuration, corpus.vocabulary, corpus.labels, corpus.format)


def examples_of(trained: TrainedModel, folder: Path) -> list[Example]:
    file = next(folder.glob("dev.*"))
    return list(read_examples(file, "auto", labels=trained.labels, kind=trained.kind))


def transitions_of(prediction: Prediction) -> list[Any]:
    return [tree.transitions for tree in prediction.trees or ()]


def assert_same(one: Any, other: Any) -> None:
    """Compare predictions of the same examples."""
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        assert first.label == second.label
        assert first.probabilities == pytest.approx(second.probabilities, abs=1e-5)
        assert first.vectors == pytest.approx(second.vectors, abs=1e-5)
        assert first.unknown == second.unknown
        assert [words for words, _ in first.sentences] == [words for words, _ in second.sentences]
        assert (first.trees is None) == (second.trees is None)
        assert all(map(np.array_equal, transitions_of(first), transitions_of(second)))
        for own, others in zip(first.traces or (), second.traces or (), strict=True):
            assert (own.probabilities is None) == (others.probabilities is None)
            if own.probabilities is not None:
                assert own.probabilities == pytest.approx(others.probabilities, abs=1e-5)


# Against evaluation.


def assert_as_evaluated(trained: TrainedModel, folder: Path) -> None:
    examples = examples_of(trained, folder)
    dataset = numericalise(examples, trained.vocabulary, trained.labels, trained.kind)
    expected = evaluate_trained(trained, dataset, trained.tree_source(), batch_size=7)
    found = Predictor(trained).predict(examples)
    count = trained.kind.count
    for row, prediction in enumerate(found):
        probabilities = list(prediction.probabilities.values())
        assert probabilities == pytest.approx(expected.probabilities[row], abs=1e-5)
        assert tuple(prediction.probabilities) == trained.labels
        assert prediction.label == trained.labels[int(expected.probabilities[row].argmax())]
        if expected.trees is None:
            assert prediction.trees is None
        else:
            assert prediction.trees is not None
            trees = expected.trees[count * row : count * (row + 1)]
            assert all(map(np.array_equal, transitions_of(prediction), trees))


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_those_of_an_evaluation(pairs, name):
    assert_as_evaluated(make_trained(pairs, **CASES[name]), pairs)


@pytest.mark.parametrize("name", SINGLE)
def test_predictions_for_single_sentences_are_those_of_an_evaluation(expressions, name):
    assert_as_evaluated(make_trained(expressions, **CASES[name]), expressions)


# Order and batches.


@pytest.mark.parametrize("name", CASES)
def test_neither_order_nor_batch_size_matters(pairs, name):
    trained = make_trained(pairs, **CASES[name])
    examples = examples_of(trained, pairs)
    whole = Predictor(trained).predict(examples)
    distinct = {round(max(prediction.probabilities.values()), 4) for prediction in whole}
    assert len(distinct) > len(examples) / 3
    assert_same(Predictor(trained, batch_size=3).predict(examples), whole)
    assert_same(Predictor(trained, batch_size=1).predict(examples[:5]), whole[:5])
    assert_same(Predictor(trained).predict(examples[::-1]), whole[::-1])


@pytest.mark.parametrize("trees", ["random", "random-shift"])
def test_random_trees_do_not_depend_on_other_examples(pairs, trees):
    trained = make_trained(pairs, trees=trees, seed=7)
    examples = examples_of(trained, pairs)
    whole = Predictor(trained).predict(examples)
    assert_same(Predictor(trained, batch_size=3).predict(examples[::-1]), whole[::-1])
    for example, prediction in zip(examples[:6], whole, strict=False):
        alone = numericalise([example], trained.vocabulary, trained.labels)
        expected = evaluate_trained(trained, alone, trained.tree_source())
        assert expected.trees is not None
        assert all(map(np.array_equal, transitions_of(prediction), expected.trees))
        found = list(prediction.probabilities.values())
        assert found == pytest.approx(expected.probabilities[0], abs=1e-5)


# Sentences alone.


@pytest.mark.parametrize("name", SINGLE)
def test_vectors_are_those_that_pairs_are_classified_by(pairs, name):
    trained = make_trained(pairs, **CASES[name])
    examples, predictor = examples_of(trained, pairs), Predictor(trained, batch_size=4)
    predictions = predictor.predict(examples)
    vectors = predictor.encode([sentence for e in examples for sentence in e.sentences])
    assert vectors.shape == (2 * len(examples), trained.model.encoder.output_size)
    assert vectors.dtype == np.float32
    together = np.concatenate([prediction.vectors for prediction in predictions])
    assert vectors == pytest.approx(together, abs=1e-5)
    assert len(np.unique(vectors.round(4), axis=0)) > len(examples)


@pytest.mark.parametrize("name", [name for name in TREES if name not in ALIGNED])
def test_trees_are_those_that_pairs_are_classified_by(pairs, name):
    trained = make_trained(pairs, **CASES[name])
    examples, predictor = examples_of(trained, pairs), Predictor(trained, batch_size=4)
    parsed = predictor.parse([sentence for e in examples for sentence in e.sentences])
    together = [one for prediction in predictor.predict(examples) for one in prediction.sentences]
    for (words, tree), (others, other) in zip(parsed, together, strict=True):
        assert words == others
        assert tree is not None
        check(tree, len(words))
        assert np.array_equal(tree, other)


WORDS = ["a", "dog", "runs"]


@pytest.mark.parametrize(
    "tree", [[3, 3, 2, 3, 2], np.array([3, 3, 2, 3, 2]), torch.tensor([3, 3, 2, 3, 2])]
)
@pytest.mark.parametrize("name", ["SPINN-PI-NT", "SPINN-PI"])
def test_a_tree_can_be_given_as_any_sequence_of_numbers(pairs, name, tree):
    predictor = Predictor(make_trained(pairs, **CASES[name], trees="gold"))
    expected = predictor.encode("( ( a dog ) runs )")
    np.testing.assert_array_equal(predictor.encode(Sentence(WORDS, tree)), expected)


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        (Sentence(WORDS, [3, 3, 3, 2]), "the tree of a sentence is none: the stack ends with 2"),
        (Sentence(WORDS, [3, 2, 3, 3, 2]), "a REDUCE finds fewer than two items"),
        (Sentence(WORDS, [3, 3, 2]), "the tree has 2 words where the sentence has 3"),
        (Sentence(WORDS, ["s"] * 5), "a tree is a sequence of SHIFT and REDUCE"),
        (Sentence(WORDS, [[3, 3, 2, 3, 2]]), "its transitions are not a sequence of numbers"),
        (Sentence([], None), "a sentence is empty"),
        (Sentence("a dog", None), "the words of a sentence are 'a dog'"),
        (Sentence([1, 2], None), "the words of a sentence are"),
    ],
)
def test_sentences_that_are_none_are_refused(pairs, sentence, message):
    predictor = Predictor(make_trained(pairs))
    with pytest.raises(DataError, match=f"input, line 2: .*{re.escape(message)}"):
        predictor.encode(["( a dog )", sentence])


def test_trees_are_equal_if_words_and_transitions_are(pairs):
    predictor = Predictor(make_trained(pairs, trees="left"))
    tree, again, other = predictor.parse(["a dog runs", "a dog runs", "a dog sits"])
    assert tree == again == Sentence(WORDS, left_branching(3))
    assert (tree != again) is False
    assert tree in [other, again]
    assert len({tree, again, other}) == 2
    assert tree != other
    assert tree != Sentence(WORDS)
    assert tree != Sentence(WORDS, right_branching(3))


@pytest.mark.parametrize("trees", ["left", "random"])
def test_a_parser_apart_scores_given_trees_too(pairs, trees):
    predictor = Predictor(make_trained(pairs, **CASES["own parser"]), trees=trees)
    (one,) = predictor.predict([("a dog runs", "a dog sits")])
    assert one.traces is not None
    alone = predictor.trace("a dog runs")
    assert all(trace.probabilities is not None for trace in one.traces)
    if trees == "left":
        assert one.traces[0].probabilities == pytest.approx(alone.probabilities, abs=1e-6)


def test_a_batch_has_an_example(pairs):
    with pytest.raises(ConfigurationError, match="batch_size is 0; it must be at least 1"):
        Predictor(make_trained(pairs), batch_size=0)


@pytest.mark.parametrize("name", SCORED)
def test_the_steps_of_a_trace_are_the_most_probable_ones(pairs, name):
    trained = make_trained(pairs, **CASES[name])
    examples, predictor = examples_of(trained, pairs), Predictor(trained, batch_size=4)
    predictions = predictor.predict(examples)
    traces = [one for prediction in predictions for one in prediction.traces or ()]
    assert len(traces) == 2 * len(examples)
    for one in traces:
        assert one.probabilities is not None
        words, transitions = one.tree
        assert one.probabilities.shape == (2 * len(words) - 1, 2)
        assert one.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)
        reduces = transitions == Transition.REDUCE
        assert np.array_equal(reduces, one.probabilities[:, 0] >= one.probabilities[:, 1])
        depth = np.where(reduces, -1, 1).cumsum() + np.where(reduces, 1, -1)  # before each step
        shifted = (~reduces).cumsum() - ~reduces
        assert (one.probabilities[depth < 2, 0] == 0).all()
        assert (one.probabilities[shifted == len(words), 1] == 0).all()
        free = (depth >= 2) & (shifted < len(words))
        assert (one.probabilities[free] > 0).all()
    if name not in ALIGNED:
        sentences = [sentence for e in examples for sentence in e.sentences]
        for one, other in zip(predictor.trace(sentences), traces, strict=True):
            assert np.array_equal(one.tree.transitions, other.tree.transitions)
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)
            assert one.tree.words == other.tree.words
    first = examples[0].sentences
    for one, other in zip(predictor.trace((first[0], first[1])), traces, strict=False):
        assert np.array_equal(one.tree.transitions, other.tree.transitions)
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_steps_along_other_trees_are_scored_by_the_tracker(pairs):
    trained = make_trained(pairs, **FORMS["SPINN"])
    predictor = Predictor(trained, trees="left")
    trace = predictor.trace("( word1 ( word2 ( word3 word4 ) ) )")
    assert trace.tree.transitions.tolist() == left_branching(4).tolist()
    assert trace.probabilities is not None
    assert trace.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ["SPINN-PI-NT", "Gumbel Tree-LSTM"])
def test_traces_of_models_that_score_no_transitions_have_no_probabilities(pairs, name):
    predictor = Predictor(make_trained(pairs, **CASES[name]))
    trace = predictor.trace(TREE)
    assert trace.probabilities is None
    assert trace.tree.transitions.tolist() == predictor.parse(TREE).transitions.tolist()
    assert [step.probabilities for step in trace] == [None] * 5


@pytest.mark.parametrize("name", ALIGNED)
def test_sentences_of_aligned_models_do_not_stand_alone(pairs, name):
    predictor = Predictor(make_trained(pairs, **CASES[name]))
    for method in (predictor.encode, predictor.parse):
        with pytest.raises(ConfigurationError, match="two sentences of a pair together"):
            method("( word1 word2 )")


def test_encoders_without_trees_do_not_parse(pairs):
    with pytest.raises(ConfigurationError, match="LSTM has no trees"):
        Predictor(make_trained(pairs, encoder="lstm")).parse("word1")
    with pytest.raises(ConfigurationError, match="LSTM has no trees"):
        Predictor(make_trained(pairs, encoder="lstm")).trace(("word1", "word1"))
    assert Predictor(make_trained(pairs, encoder="lstm")).predict((TREE, TREE)).traces is None


@pytest.mark.parametrize("name", ["SPINN", "own parser", "own parser, aligned"])
def test_examples_are_parsed_without_a_change_of_the_rest(pairs, name):
    trained = make_trained(pairs, **CASES[name])
    examples, predictor = examples_of(trained, pairs), Predictor(trained, batch_size=6)
    parsed = predictor.parse_examples(examples)
    expected = predictor.predict(examples)
    for example, other, prediction in zip(examples, parsed, expected, strict=True):
        assert (other.label, other.line, other.identifier) == (
            example.label, example.line, example.identifier)  # fmt: skip
        for (words, tree), sentence in zip(other.sentences, prediction.sentences, strict=True):
            assert words == sentence.words
            assert np.array_equal(tree, sentence.transitions)


# What is given.

TREE = "( ( word1 word2 ) surely )"


def test_one_item_gives_one_result_and_a_list_a_list(pairs, expressions):
    trained = make_trained(pairs, **FORMS["SPINN"])
    predictor = Predictor(trained)
    words, tree = from_brackets(TREE)
    one = predictor.encode(TREE)
    assert one.shape == (trained.model.encoder.output_size,)
    parsed = predictor.parse(TREE)
    for given in (Sentence(words), Sentence(words, tree), parsed):
        assert np.array_equal(predictor.encode(given), one)
        assert np.array_equal(predictor.encode(iter([given])), one[None])
        assert predictor.parse(given).brackets == parsed.brackets
        assert [found.brackets for found in predictor.parse([given])] == [parsed.brackets]
        assert list(predictor.trace(given)) == list(predictor.trace([given])[0])
    expected = predictor.predict([(TREE, "word1")])
    assert_same([predictor.predict((TREE, "word1"))], expected)
    assert_same(predictor.predict(zip([TREE], ["word1"], strict=True)), expected)
    single = Predictor(make_trained(expressions, trees="left"))
    expected = [single.predict("[MAX 2 8 ]")]
    assert expected[0].sentences[0].words == ["[MAX", "2", "8", "]"]
    for given in (["[MAX 2 8 ]"], [("[MAX 2 8 ]",)], [Sentence(["[MAX", "2", "8", "]"])]):
        assert_same(single.predict(given), expected)
    assert_same([single.predict(("[MAX 2 8 ]",))], expected)


def test_pairs_may_be_given_as_text_words_or_examples(pairs):
    predictor = Predictor(make_trained(pairs))
    words, tree = from_brackets(TREE)
    expected = predictor.predict([(TREE, TREE)])
    assert_same(predictor.predict([[TREE, Sentence(words, tree)]]), expected)
    for label in ("entailment", "of another corpus", None):
        example = Example(Sentence(words, tree), Sentence(words, tree), label, 3)
        assert_same(predictor.predict([example]), expected)
    assert_same(predictor.predict([predictor.read([TREE, TREE])]), expected)


def test_raw_text_is_tokenised(pairs):
    pytest.importorskip("spacy")
    predictor = Predictor(make_trained(pairs, **FORMS["SPINN"]))
    (prediction,) = predictor.predict([("Word1 isn't (here).", "word2")])
    assert prediction.sentences[0].words == ["Word1", "is", "n't", "-LRB-", "here", "-RRB-", "."]
    assert prediction.unknown == ("is", "n't", "-LRB-", "here", "-RRB-", ".")


def test_nothing_gives_nothing(pairs):
    predictor = Predictor(make_trained(pairs, **FORMS["SPINN"]))
    assert predictor.predict([]) == predictor.parse([]) == predictor.trace([]) == []
    assert predictor.parse_examples([]) == []
    assert predictor.encode([]).shape == (0, 8)


def test_unknown_words_are_named_once_and_in_order(pairs):
    predictor = Predictor(make_trained(pairs))
    (prediction,) = predictor.predict([("( zebra ( word1 yak ) )", "( Word2 ( zebra gnu ) )")])
    assert prediction.unknown == ("zebra", "yak", "gnu")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([(TREE, TREE), TREE], "input, line 2: 1 given where a premise and a hypothesis are"),
        (TREE, "Give them as a tuple (premise, hypothesis)"),
        ([(TREE, TREE, TREE)], "3 given"),
        ([(TREE, None)], "input, line 1: a sentence is None, which is no text"),
        ([7], "1 given"),
        ([(TREE, TREE), (TREE, "( word1")], "input, line 2: "),
        ([Example(Sentence(["word1"], left_branching(1)), None, None, 1)], "1 given"),
    ],
)
def test_examples_that_cannot_be_used_are_refused(pairs, given, message):
    with pytest.raises(DataError) as caught:
        Predictor(make_trained(pairs)).predict(given)
    assert message in str(caught.value)


def test_sentences_that_cannot_be_used_are_refused(expressions):
    predictor = Predictor(make_trained(expressions, trees="left"))
    for given, message in (("", "empty"), ("( 1 2 3 )", "3 children"), ("[MAX ( 1 2", "bracket")):
        with pytest.raises(DataError, match=message):
            predictor.encode(["7", given])
    with pytest.raises(DataError, match="2 given where one sentence is required"):
        predictor.predict([("1", "2")])
    with pytest.raises(DataError, match="a sentence has no tree"):
        Predictor(make_trained(expressions)).parse_examples(
            [Example(Sentence(["7", "1"]), None, None, 1)]
        )


# Text without a tree, for models that follow given trees.


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    """Substitute spaCy's parser; return the pipelines and the sentences that they parse."""
    found: list[tuple[str, tuple[str, ...]]] = []

    def trees(self: SpacyParser, sentences: Iterable[tuple[str, ...]]) -> Iterator[Any]:
        for words in sentences:
            found.append((self.pipeline, words))
            yield right_branching(len(words))

    monkeypatch.setattr(SpacyParser, "trees", trees)
    return found


def test_text_without_a_tree_is_parsed(pairs, parsed):
    pytest.importorskip("spacy")
    predictor = Predictor(make_trained(pairs))
    prediction = predictor.predict((TREE, "word1 word2 surely"))
    assert parsed == [("en_core_web_sm", ("word1", "word2", "surely"))]
    assert prediction.trees is not None
    assert prediction.trees[1].brackets == "( word1 ( word2 surely ) )"
    assert_same([prediction], predictor.predict([(TREE, "( word1 ( word2 surely ) )")]))
    assert predictor.parse("word1 word2 surely").brackets == "( word1 ( word2 surely ) )"
    example = predictor.read([TREE, "word1 word2 surely"])
    assert_same(predictor.predict([example]), [prediction])


def test_the_pipeline_is_that_of_the_run(pairs, parsed):
    predictor = Predictor(make_trained(pairs, parser="spacy:some/folder"))
    predictor.encode(Sentence(["word1", "word2"]))
    assert parsed == [("some/folder", ("word1", "word2"))]


@pytest.mark.parametrize("options", [{"trees": "left"}, FORMS["SPINN"], {"encoder": "lstm"}])
def test_models_that_follow_other_trees_parse_nothing(pairs, parsed, options):
    predictor = Predictor(make_trained(pairs, **options))
    predictor.encode(Sentence(["word1", "word2"]))
    assert parsed == []


def test_expressions_are_not_parsed(expressions, parsed):
    with pytest.raises(DataError, match="a sentence has no tree"):
        Predictor(make_trained(expressions)).encode("[MAX 2 8 ]")
    assert parsed == []


def test_a_bar_shows_progress_on_a_terminal_only(pairs, monkeypatch):
    predictor = Predictor(make_trained(pairs, **FORMS["SPINN"]), batch_size=2)
    monkeypatch.setattr("spinn.inference.BAR_DELAY", 0)
    for terminal in (True, False):
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda terminal=terminal: terminal)
        monkeypatch.setattr(sys, "stderr", stream)
        predictor.predict([(TREE, TREE)] * 6)
        assert ("/6" in stream.getvalue()) == terminal
    monkeypatch.setattr(sys, "stderr", None)
    predictor.predict([(TREE, TREE)] * 6)


# Loading, and what a prediction leaves alone.


def test_a_predictor_is_loaded_from_a_folder(pairs, tmp_path):
    trained = make_trained(pairs, **FORMS["SPINN"])
    examples = examples_of(trained, pairs)
    save_trained(trained, tmp_path / "model")
    loaded = Predictor.load(tmp_path / "model", device=str(DEVICE), trees="left", batch_size=5)
    assert_same(loaded.predict(examples), Predictor(trained, trees="left").predict(examples))
    assert (loaded.labels, loaded.kind) == (trained.labels, trained.kind)
    assert {weight.device.type for weight in loaded.trained.model.parameters()} == {DEVICE.type}
    with pytest.raises(ConfigurationError, match="--device"):
        Predictor.load(tmp_path / "model", device="abacus")
    with pytest.raises(SpinnError, match="this is no run"):
        Predictor.load(tmp_path)
    with pytest.raises(ConfigurationError, match="builds its own trees"):
        Predictor(make_trained(pairs, encoder="gumbel"), trees="left")


def test_the_precision_is_that_of_training(pairs):
    trained = make_trained(pairs)
    options = replace(trained.configuration.training, precision="bf16")
    low = replace(trained, configuration=replace(trained.configuration, training=options))
    examples = examples_of(trained, pairs)
    fp32, bf16 = (
        np.array([list(one.probabilities.values()) for one in Predictor(model).predict(examples)])
        for model in (trained, low)
    )
    assert not (bf16 == fp32).all()
    assert bf16 == pytest.approx(fp32, abs=0.05)


@pytest.mark.parametrize("training", [True, False])
def test_mode_and_weights_of_the_model_are_kept(pairs, training):
    trained = make_trained(pairs, leaf_norm="batch", classifier_dropout=0.5)
    trained.model.train(training)
    before = {name: value.clone() for name, value in trained.model.state_dict().items()}
    predictor, examples = Predictor(trained), examples_of(trained, pairs)
    predictor.predict(examples)
    predictor.encode(TREE)
    predictor.parse(TREE)
    assert trained.model.training == training
    after = trained.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_predictions_without_details_are_the_same_predictions(pairs):
    trained = make_trained(pairs, **CASES["own parser"])
    examples, predictor = examples_of(trained, pairs), Predictor(trained)
    plain = predictor.predict(examples, details=False)
    for one, other in zip(predictor.predict(examples), plain, strict=True):
        assert one.as_dict() == other.as_dict()
        assert other.vectors is None
        assert other.traces is not None
        assert [trace.probabilities for trace in other.traces] == [None, None]
