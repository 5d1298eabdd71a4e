"""Evaluation of a data set against a plain loop that classifies one pair after the other."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from machine import DEVICE
from models import model_of
from torch.nn import functional

from spinn.data.batching import Batcher
from spinn.data.dataset import NO_LABEL, DatasetBuilder, PairDataset
from spinn.data.examples import Example, Sentence, kind_with
from spinn.data.vocabulary import Vocabulary
from spinn.evaluation.evaluate import Evaluation, evaluate
from spinn.evaluation.scores import score_trees
from spinn.evaluation.tree_scores import Conventions, compare_with_shapes, mean_depth
from spinn.inference import Inference
from spinn.model.build import PretrainedOptions, build_embedding, count_parameters
from spinn.model.pair import PairModel
from spinn.model.types import Plan
from spinn.transitions import Transition, check, left_branching, random_uniform, right_branching
from spinn.trees import GUMBEL_TREES, TREE_SOURCES, TreeSource, tree_source

LABELS = ("entailment", "neutral", "contradiction")
WORDS = [f"w{number}" for number in range(15)]
PAIRS = 23


def make_dataset(*, parsed: bool = True, labelled: bool = True, sides: int = 2) -> PairDataset:
    """Make examples of many lengths, in no order, with random trees."""
    random = np.random.default_rng(7)
    builder = DatasetBuilder(LABELS, lower=True, kind=kind_with(sides))
    for _ in range(PAIRS):
        sentences = []
        for length in random.integers(1, 9, size=2):
            tree = random_uniform(np.array([length]), random)[:, 0] if parsed else None
            sentences.append(Sentence(random.choice(WORDS, size=length).tolist(), tree))
        label = str(random.choice(LABELS)) if labelled else None
        builder.add(Example(sentences[0], sentences[1] if sides == 2 else None, label, 1))
    return builder.build(Vocabulary(["<unk>", "<pad>", *WORDS]))


def make_model(*, predicts: bool = False, sides: int = 2, **options: Any) -> PairModel:
    torch.manual_seed(3)
    small = {"hidden_size": 8, "embedding_size": 6, "classifier_width": 8}
    model = model_of(len(WORDS) + 2, 3, predicts=predicts, sides=sides, **small, **options)
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight *= 4  # so that trees matter and a tracker has opinions
    return model.to(DEVICE)


TRACKER = {"tracker": True, "tracker_size": 4}
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "given": ({}, "gold"),
    "given, tracker": (TRACKER, "gold"),
    "given, shape": ({"classifier_norm": "batch"}, "balanced"),
    "predicted": ({**TRACKER, "predicts": True}, "predicted"),
    "sampled": ({**TRACKER, "predicts": True}, "sampled"),
    "gumbel": ({"encoder": "gumbel"}, "gumbel"),
    "lstm": ({"encoder": "lstm"}, None),
    "bow": ({"encoder": "bow"}, None),
}


def case(name: str, sides: int = 2) -> tuple[PairModel, TreeSource | None]:
    options, source = CASES[name]
    sources = {**TREE_SOURCES, "gumbel": GUMBEL_TREES}
    return make_model(**options, sides=sides), None if source is None else sources[source]


def one_by_one(
    model: PairModel, dataset: PairDataset, source: TreeSource | None
) -> tuple[list[list[float]], list[list[int]]]:
    """Classify every example alone: its probabilities, and the trees of its sentences."""
    batcher = Batcher(dataset, source, batch_size=1, shuffle=False)
    greedy = source is not None and source.chosen_by_model
    probabilities, trees = [], []
    model.eval()
    for row in range(len(dataset)):
        batch = batcher.cut(np.array([row]), np.random.default_rng(0)).to(DEVICE)
        with torch.no_grad():
            plan = Plan()
            if batch.transitions is not None and not greedy:
                plan = Plan.given(batch.transitions)
            output = model(batch.words, batch.lengths, plan)
        probabilities.append(output.scores.softmax(dim=1)[0].tolist())
        taken = output.encoding.transitions
        if taken is not None:
            for side in range(dataset.kind.count):
                steps = taken[:, side].tolist()
                trees.append([step for step in steps if step != Transition.PAD])
    return probabilities, trees


def tree_lists(evaluation: Evaluation) -> list[list[int]]:
    assert evaluation.trees is not None
    return [tree.tolist() for tree in evaluation.trees]


@pytest.mark.parametrize(("batch_size", "sides"), [(4, 2), (256, 2), (4, 1)])
@pytest.mark.parametrize("name", CASES)
def test_evaluation_gives_what_single_pairs_give_in_their_order(name, batch_size, sides):
    dataset = make_dataset(sides=sides)
    model, source = case(name, sides)
    probabilities, trees = one_by_one(model, dataset, source)
    seen = evaluate(model, dataset, LABELS, source, batch_size=batch_size)
    assert seen.probabilities == pytest.approx(np.array(probabilities), abs=1e-4)
    if source is None:
        assert seen.trees is None
    else:
        assert tree_lists(seen) == trees
    gold = torch.from_numpy(dataset.labels)
    logs = torch.tensor(probabilities).log()
    assert seen.report.loss == pytest.approx(functional.nll_loss(logs, gold).item(), rel=1e-4)
    right = (logs.argmax(dim=1) == gold).double().mean().item()
    assert seen.report.accuracy == pytest.approx(right)
    assert seen.report.count == PAIRS
    assert len(np.unique(seen.probabilities.round(4), axis=0)) > PAIRS / 3  # pairs differ


def test_given_trees_are_handed_back_as_the_data_have_them():
    dataset = make_dataset()
    offsets = dataset.transition_offsets
    seen = evaluate(make_model(), dataset, LABELS, tree_source("gold"), batch_size=5)
    assert tree_lists(seen) == [
        dataset.transitions[begin:end].tolist() for begin, end in itertools.pairwise(offsets)
    ]


def test_predicted_trees_are_trees_over_the_sentences():
    dataset = make_dataset(parsed=False)
    model, source = case("predicted")
    seen = evaluate(model, dataset, LABELS, source, batch_size=6)
    assert seen.trees is not None
    for tree, length in zip(seen.trees, dataset.lengths, strict=True):
        check(tree, length)


@pytest.mark.parametrize("sides", [2, 1])
@pytest.mark.parametrize("parser", ["shared", "own"])
@pytest.mark.parametrize("batch_size", [1, 5])
def test_parsing_finds_the_trees_of_an_evaluation(parser, sides, batch_size):
    model = make_model(**TRACKER, parser=parser, predicts=True, sides=sides).train()
    data = make_dataset(sides=sides)
    expected = evaluate(model, data, LABELS, tree_source("sampled")).trees
    trees = Inference(model, tree_source("sampled"), batch_size).parse(data).trees
    assert model.training
    assert trees is not None
    assert expected is not None
    assert [tree.tolist() for tree in trees] == [tree.tolist() for tree in expected]
    parsed = data.with_trees(trees)
    assert parsed.transitions.tolist() == np.concatenate(expected).tolist()
    assert parsed.words is data.words


def test_random_trees_hang_on_the_seed_alone():
    dataset, model, source = make_dataset(), make_model(), tree_source("random")
    first, again = (evaluate(model, dataset, LABELS, source, seed=5) for _ in range(2))
    other = evaluate(model, dataset, LABELS, source, seed=6)
    assert tree_lists(first) == tree_lists(again)
    assert (first.probabilities == again.probabilities).all()
    assert tree_lists(first) != tree_lists(other)


# Labels.


def test_pairs_without_a_label_are_classified_and_not_scored():
    dataset = make_dataset()
    labels = dataset.labels.copy()
    labels[::3] = NO_LABEL
    model, source = case("given")
    whole = evaluate(model, dataset, LABELS, source, batch_size=4)
    part = evaluate(model, replace(dataset, labels=labels), LABELS, source, batch_size=4)
    assert (part.probabilities == whole.probabilities).all()
    known = labels != NO_LABEL
    assert part.report.count == known.sum()
    right = part.probabilities.argmax(axis=1)[known] == labels[known]
    assert part.report.accuracy == pytest.approx(right.mean())
    losses = -np.log(part.probabilities[known, labels[known]])
    assert part.report.loss == pytest.approx(losses.mean(), rel=1e-4)


def test_a_set_without_any_labels_is_classified():
    model, source = case("given")
    seen = evaluate(model, make_dataset(labelled=False), LABELS, source)
    assert seen.report.count == 0
    assert seen.probabilities.sum(axis=1) == pytest.approx(np.ones(PAIRS), abs=1e-5)


# What evaluation leaves alone.


@pytest.mark.parametrize("training", [True, False])
def test_the_models_mode_and_statistics_are_left_as_they_were(training):
    model = make_model(classifier_norm="batch", leaf_norm="batch", classifier_dropout=0.5)
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, make_dataset(), LABELS, tree_source("gold"))
    assert model.training == training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())


def test_bf16_changes_probabilities_by_little():
    dataset, model = make_dataset(), make_model()
    fp32, bf16 = (
        evaluate(model, dataset, LABELS, tree_source("gold"), precision=precision)
        for precision in ("fp32", "bf16")
    )
    assert bf16.probabilities.dtype == np.float32
    assert not (bf16.probabilities == fp32.probabilities).all()
    assert bf16.probabilities == pytest.approx(fp32.probabilities, abs=0.05)


# Trees.


def test_trees_are_scored_against_the_parsers_and_against_shapes():
    dataset = make_dataset()
    trees = evaluate(make_model(), dataset, LABELS, tree_source("gold")).trees
    assert trees is not None
    scores = score_trees(trees, dataset, Conventions())
    assert scores["gold"]["f1"] == 1
    assert scores["gold"]["sentences"] == 2 * PAIRS
    assert scores["gold"]["accuracy"] == scores["gold"]["free_accuracy"] == 1
    assert scores["depth"] == pytest.approx(mean_depth(trees))
    assert scores["shapes"] == compare_with_shapes(trees, Conventions())
    assert scores["conventions"] == Conventions().describe()
    assert json.loads(json.dumps(scores)) == scores


def test_scores_of_known_trees():
    """Of three words: the left tree where gold is left, and where gold is right."""
    builder = DatasetBuilder(LABELS, lower=True)
    left, right = left_branching(3), right_branching(3)
    words = ["w1", "w2", "w3"]
    builder.add(Example(Sentence(words, left), Sentence(words, right), "neutral", 1))
    dataset = builder.build(Vocabulary(["<unk>", "<pad>", *WORDS]))
    scores = score_trees([left, left], dataset, Conventions(root=False))
    assert scores["gold"]["f1"] == pytest.approx(0.5)
    assert scores["gold"]["free_steps"] == 2  # only after two words is there a choice
    assert scores["gold"]["free_accuracy"] == pytest.approx(0.5)
    assert scores["shapes"] == {"left": 1.0, "right": 0.0, "balanced": 1.0}
    assert scores["depth"] == pytest.approx(5 / 3)


def test_only_sentences_that_were_parsed_are_held_against_the_parser():
    dataset = make_dataset()
    transitions = dataset.transitions.copy()
    begin, end = dataset.transition_offsets[[0, 6]]
    transitions[begin:end] = Transition.PAD  # the first three pairs
    part = replace(dataset, transitions=transitions)
    trees = evaluate(make_model(), part, LABELS, tree_source("left")).trees
    assert trees is not None
    assert score_trees(trees, part, Conventions())["gold"]["sentences"] == 2 * PAIRS - 6
    assert "gold" not in score_trees(trees, make_dataset(parsed=False), Conventions())


def test_words_are_handed_to_scores_that_drop_punctuation():
    builder = DatasetBuilder(LABELS, lower=True)
    words = ["w1", ",", "w2", "."]
    sentence = Sentence(words, right_branching(4))
    builder.add(Example(sentence, sentence, "neutral", 1))
    dataset = builder.build(Vocabulary(["<unk>", "<pad>", *words]))
    trees = [left_branching(4)] * 2
    kept = score_trees(trees, dataset, Conventions(), [words, words])
    dropped = score_trees(trees, dataset, Conventions(punctuation="drop"), [words, words])
    assert kept["gold"]["f1"] == pytest.approx(1 / 3)
    assert dropped["gold"]["f1"] == 1  # of the two words left there is one tree


# Sizes.


def test_only_trained_numbers_are_counted():
    layer = torch.nn.Linear(3, 2)
    assert count_parameters(layer) == 8
    layer.bias.requires_grad = False
    assert count_parameters(layer) == 6
    fixed = PretrainedOptions(embeddings="fixed")
    known = torch.tensor([True, True, False])
    embedding = build_embedding(3, pretrained=fixed, vectors=torch.randn(3, 5), known=known)
    assert count_parameters(embedding) == 5  # of the one word without a given vector
