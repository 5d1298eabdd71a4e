"""The pair model: nothing but its own words changes what becomes of a sentence pair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import DEVICE, examples
from models import model_of
from torch import Tensor, nn

import spinn.extensions  # noqa: F401 - registers what the options name
from spinn.model.pair import PairModel, PairOutput
from spinn.model.parser import ParsedEncoder
from spinn.model.spinn import SPINN, SPINNByHeight
from spinn.model.types import Plan
from spinn.ops.heights import heights_of
from spinn.support.runtime import evaluation_mode
from spinn.transitions import Transition, check, left_branching, random_uniform

WORDS, LABELS, PADDING = 11, 3, 1


@dataclass(frozen=True)
class Case:
    """Options of a model, and whether its transitions are given, or the most probable ones."""

    options: dict[str, Any]
    choice: str = "given"
    predicts: bool = False


def options(encoder: str = "spinn", norm: str = "layer", **others: object) -> dict[str, Any]:
    small = {"hidden_size": 6, "tracker_size": 5, "embedding_size": 4, "classifier_width": 7}
    norms = {"leaf_norm": norm, "classifier_norm": norm}
    return {"encoder": encoder, **small, **norms, **others}


CASES = {
    "trees given": Case(options()),
    "tracker": Case(options(norm="batch", tracker=True)),
    "taught": Case(options(tracker=True), predicts=True),
    "predicting": Case(options(norm="batch", tracker=True), "greedy", True),
    "predicting, leaf LSTM": Case(options(tracker=True, leaf_context="lstm"), "greedy", True),
    "parser": Case(options(parser="own", parser_size=3), "greedy", True),
    "parser, tracker": Case(
        options(norm="batch", parser="own", parser_size=3, tracker=True), "greedy", True
    ),
    "trees given, leaf BiLSTM": Case(options(norm="batch", leaf_context="bilstm")),
    "trees given, aligned words": Case(options(leaf_context="aligned")),
    "no norms": Case(options(norm="none")),
    "trees given, all phrases": Case(options(pooling="max")),
    "trees given, all nodes": Case(options(pooling="max-all", composition="gated-recursive")),
    "Gumbel": Case(options("gumbel"), "greedy"),
    "Gumbel, leaf BiLSTM": Case(options("gumbel", norm="batch", leaf_context="bilstm")),
    "Gumbel, all phrases": Case(options("gumbel", pooling="max")),
    "Gumbel, all nodes": Case(options("gumbel", pooling="max-all")),
    "LSTM": Case(options("lstm")),
    "LSTM, all states": Case(options("lstm", pooling="max")),
    "BiLSTM": Case(options("bilstm", norm="batch")),
    "BiLSTM, all states": Case(options("bilstm", pooling="max")),
    "bag of words": Case(options("bow", norm="batch", leaf_context="bilstm")),
    "bag of words, aligned": Case(options("bow", norm="batch", leaf_context="aligned")),
}
by_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
# Those that know a sentence without the other one of its pair.
ALONE = {name: case for name, case in CASES.items() if "aligned" not in case.options.values()}


def make_model(case: Case, seed: int = 0) -> PairModel:
    """Make a model in float64 and evaluation, with weights and statistics that all matter."""
    model = model_of(WORDS, LABELS, predicts=case.predicts, **case.options).double().eval()
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.6, generator=generator)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.normal_(module.running_mean, generator=generator)
            nn.init.uniform_(module.running_var, 0.5, 2.0, generator=generator)
    return model.to(DEVICE)


@dataclass(frozen=True)
class Pairs:
    """A batch as the model takes it."""

    words: Tensor
    lengths: Tensor
    transitions: Tensor

    @classmethod
    def drawn(cls, lengths: list[int], seed: int) -> Pairs:
        random = np.random.default_rng(seed)
        sizes = np.array(lengths)
        words = random.integers(2, WORDS, (sizes.max(), len(sizes)))
        words[np.arange(sizes.max())[:, None] >= sizes] = PADDING
        trees = random_uniform(sizes, random)
        steps = torch.tensor(trees).long()
        return cls(torch.tensor(words).to(DEVICE), torch.tensor(sizes), steps.to(DEVICE))

    def take(self, pairs: list[int]) -> Pairs:
        """Make a batch of some of the pairs, with no more padding than that needs."""
        count = len(self.lengths) // 2
        columns = [*pairs, *(pair + count for pair in pairs)]
        lengths = self.lengths[columns]
        longest = int(lengths.max())
        return Pairs(
            self.words[:longest, columns], lengths, self.transitions[: 2 * longest - 1, columns]
        )

    def pad(self, more: int) -> Pairs:
        """Put rows of padding below."""
        words = nn.functional.pad(self.words, (0, 0, 0, more), value=PADDING)
        steps = nn.functional.pad(self.transitions, (0, 0, 0, 2 * more), value=int(Transition.PAD))
        return Pairs(words, self.lengths, steps)

    def plan(self, choice: str) -> Plan:
        plans = {
            "given": Plan.given(self.transitions),
            "greedy": Plan(),
            "sampled": Plan.sampled(),
        }
        return plans[choice]

    def run(self, model: PairModel, choice: str) -> PairOutput:
        return model(self.words, self.lengths, self.plan(choice))


def assert_same(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


two_to_ten = st.integers(1, 5).flatmap(
    lambda pairs: st.lists(st.integers(1, 8), min_size=2 * pairs, max_size=2 * pairs)
)


@by_case
@given(lengths=two_to_ten, seed=st.integers(0, 1000))
@settings(max_examples=examples(12))
def test_a_pair_is_scored_the_same_alone_and_in_any_company(case, lengths, seed):
    model = make_model(case)
    batch = Pairs.drawn(lengths, seed)
    count = len(lengths) // 2
    together = batch.run(model, case.choice)
    assert together.scores.shape == (count, LABELS)
    for pair in range(count):
        alone = batch.take([pair]).run(model, case.choice)
        assert_same(together.scores[pair], alone.scores[0])
        for role in range(2):
            column = role * count + pair
            assert_same(together.encoding.sentences[column], alone.encoding.sentences[role])
            if together.encoding.transitions is not None:
                steps = 2 * int(batch.lengths[column]) - 1
                taken = together.encoding.transitions[:steps, column]
                assert torch.equal(taken, alone.encoding.transitions[:steps, role])
    backwards = list(range(count))[::-1]
    assert_same(batch.take(backwards).run(model, case.choice).scores, together.scores.flip(0))


@by_case
def test_padding_changes_nothing(case):
    model = make_model(case)
    batch = Pairs.drawn([5, 2, 1, 3, 8, 1], 0)
    assert_same(batch.pad(4).run(model, case.choice).scores, batch.run(model, case.choice).scores)


@by_case
def test_training_sees_no_padding_either(case):
    """Statistics of batch normalisation and all gradients are those of the batch without it."""
    found = []
    for more in (0, 5):
        still = {"embedding_dropout": 0.0, "leaf_dropout": 0.0, "classifier_dropout": 0.0}
        model = make_model(Case(case.options | still, case.choice, case.predicts)).train()
        batch = Pairs.drawn([5, 2, 1, 3, 8, 1], 0).pad(more)
        batch.run(model, case.choice).scores.square().sum().backward()
        gradients = {
            name: torch.zeros_like(weight) if weight.grad is None else weight.grad
            for name, weight in model.named_parameters()
        }
        found.append((gradients, {name: value.clone() for name, value in model.named_buffers()}))
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-9)
    # And the padding's own vector has learned nothing.
    assert not found[1][0]["leaves.embedding.trained"][PADDING].any()


def test_batch_norm_statistics_are_those_of_the_words():
    case = CASES["trees given, leaf BiLSTM"]
    model = make_model(case).train()
    batch = Pairs.drawn([5, 2, 1, 3, 8, 1], 0)
    rows = []
    model.leaves.norm.register_forward_hook(lambda module, inputs, output: rows.append(inputs[0]))
    batch.run(model, case.choice)
    assert [len(inputs) for inputs in rows] == [int(batch.lengths.sum())]


# A parser of its own.


def parsed(model: PairModel) -> ParsedEncoder:
    assert isinstance(model.encoder, ParsedEncoder)
    return model.encoder


@pytest.mark.parametrize("name", ["parser", "parser, tracker"])
@given(lengths=two_to_ten, seed=st.integers(0, 1000))
@settings(max_examples=examples(12))
def test_a_parsers_trees_are_composed_like_any_others(name, lengths, seed):
    model = make_model(CASES[name])
    batch = Pairs.drawn(lengths, seed)
    output = batch.run(model, "greedy")
    encoder = parsed(model)
    model.encoder = encoder.composer
    taken = Pairs(batch.words, batch.lengths, output.encoding.transitions)
    assert_same(output.scores, taken.run(model, "given").scores)
    model.encoder = encoder
    with torch.no_grad():
        for weight in (*model.leaves.parameters(), *encoder.composer.parameters()):
            weight += 1  # what composes has no say in the trees
    again = batch.run(model, "greedy")
    assert torch.equal(again.encoding.transitions, output.encoding.transitions)
    assert not torch.allclose(again.scores, output.scores)


@pytest.mark.parametrize("name", ["parser", "parser, tracker"])
def test_parsing_alone_gives_the_trees_of_the_encoding(name):
    model = make_model(CASES[name])
    batch = Pairs.drawn([1, 6, 3, 2, 7, 1], 3)
    for choice in ("given", "greedy"):
        leaves, plan = model.read(batch.words, batch.lengths, batch.plan(choice))
        alone, whole = model.parse(leaves, plan), batch.run(model, choice).encoding
        assert torch.equal(alone.transitions, whole.transitions)
        assert_same(alone.policy.log_probs, whole.policy.log_probs)
        assert_same(alone.tracker, whole.tracker)


def test_given_trees_by_height_need_no_parser():
    """Training that has settled on its own trees hands them over with their heights."""
    model = make_model(CASES["parser"])
    batch = Pairs.drawn([5, 2, 1, 3, 8, 1], 0)
    trees = batch.transitions.cpu().numpy()
    heights = heights_of(trees, batch.lengths.numpy()).to(DEVICE)
    output = model(batch.words, batch.lengths, Plan.given(batch.transitions, heights))
    assert output.encoding.policy is None
    assert torch.equal(output.encoding.transitions, batch.transitions)
    assert_same(output.scores, batch.run(model, "given").scores)


@given(lengths=two_to_ten, seed=st.integers(0, 1000), copies=st.integers(1, 3))
@settings(max_examples=examples(12))
def test_a_parsers_trees_share_what_is_equal_and_come_to_the_same(lengths, seed, copies):
    still = options(parser="own", parser_size=3, embedding_dropout=0.0, leaf_dropout=0.0)
    batch, found = Pairs.drawn(lengths, seed), []
    for shared in (True, False):
        model = make_model(Case(still, predicts=True), seed).train()
        assert model.shares(training=True)
        leaves, plan = model.read(batch.words, batch.lengths, Plan.sampled())
        assert leaves.alike
        leaves = replace(leaves, alike=shared).repeat(copies)
        torch.manual_seed(seed)
        scores = model.classify(leaves, plan).scores
        weights = [*model.leaves.parameters(), *parsed(model).composer.parameters()]
        loss = (scores * torch.linspace(-1, 1, scores.numel(), device=DEVICE).view_as(scores)).sum()
        gradients = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        found.append([scores.detach(), *gradients])
    for one, other in zip(*found, strict=True):
        assert_same(one, other)


def test_a_parsers_trees_are_composed_of_the_leaves_that_were_made():
    """The greedy baseline composes the samples' leaves, which were dropped, in evaluation."""
    model = make_model(Case(options(parser="own", parser_size=3), predicts=True)).train()
    batch = Pairs.drawn([2, 2, 2, 2], 0)  # of which there is one tree each
    leaves, plan = model.read(batch.words, batch.lengths, Plan.sampled())
    sampled = model.classify(leaves, plan).encoding.sentences
    with evaluation_mode(model):
        assert model.shares(training=False)
        greedy = model.classify(leaves, Plan()).encoding.sentences
        afresh = model(batch.words, batch.lengths, Plan())
    assert_same(greedy, sampled)
    assert not torch.allclose(greedy, afresh.encoding.sentences)


@pytest.mark.parametrize("name", ["parser", "parser, tracker"])
def test_no_gradient_passes_between_parser_and_composition(name):
    model = make_model(CASES[name])
    output = Pairs.drawn([1, 6, 3, 2, 7, 1], 3).run(model, "given")
    encoding = output.encoding
    parts = {
        "labels": (output.scores.square().sum(), False),
        "trees": (encoding.policy.log_prob(encoding.transitions).sum(), True),
    }
    own = {id(weight) for weight in parsed(model).parser.parameters()}
    for part, (value, of_parser) in parts.items():
        found = torch.autograd.grad(
            value, list(model.parameters()), allow_unused=True, retain_graph=True
        )
        for weight, gradient in zip(model.parameters(), found, strict=True):
            reached = gradient is not None and bool(gradient.any())
            assert reached == ((id(weight) in own) == of_parser), (part, weight.shape)


# Premise and hypothesis.


def test_premises_come_before_hypotheses():
    case = CASES["trees given"]
    model = make_model(case)
    batch = Pairs.drawn([5, 2, 1, 3, 8, 1], 0)
    output = batch.run(model, case.choice)
    premise, hypothesis = output.encoding.sentences[:3], output.encoding.sentences[3:]
    assert_same(output.scores, model.classifier(premise, hypothesis))


@pytest.mark.parametrize("case", ALONE.values(), ids=ALONE)
def test_single_sentences_are_encoded_as_in_pairs_and_classified_alone(case):
    torch.manual_seed(0)
    model = make_model(case)
    single = model_of(WORDS, LABELS, predicts=case.predicts, sides=1, **case.options)
    single = single.double().eval().to(DEVICE)
    single.leaves, single.encoder = model.leaves, model.encoder
    assert (single.sides, model.sides) == (1, 2)
    batch = Pairs.drawn([5, 2, 1, 3, 8, 1], 0)
    encoding, output = batch.run(model, case.choice).encoding, batch.run(single, case.choice)
    assert_same(output.encoding.sentences, encoding.sentences)
    assert_same(output.scores, single.classifier(encoding.sentences))
    assert output.scores.shape == (6, LABELS)


def test_a_sentence_of_a_thousand_words_by_height_and_by_step():
    case, words = Case(options(hidden_size=3, norm="none")), 1000
    model = make_model(case)
    single = model_of(WORDS, LABELS, sides=1, **case.options).double().eval()
    single = single.to(DEVICE)
    single.leaves, single.encoder = model.leaves, model.encoder
    batch = Pairs.drawn([words], 0)
    trees = left_branching(words)[:, None]
    heights = heights_of(trees, batch.lengths.numpy()).to(DEVICE)
    assert len(heights.sizes) == words - 1
    with torch.no_grad():
        given = torch.from_numpy(trees).long().to(DEVICE)
        by_height = single(batch.words, batch.lengths, Plan.given(given, heights))
        single.encoder = by_step_twin(model)
        by_step = single(batch.words, batch.lengths, Plan.given(given))
    assert_same(by_height.scores, by_step.scores)


def test_encoding_comes_back_in_the_order_of_the_batch():
    model = make_model(CASES["predicting"])
    batch = Pairs.drawn([1, 6, 3, 2, 7, 1], 3)
    encoding = batch.run(model, "greedy").encoding
    for column, length in enumerate(batch.lengths.tolist()):
        check(encoding.transitions[: 2 * length - 1, column].tolist(), length)
        assert encoding.policy.running[:, column].sum() == 2 * length - 1
        assert (encoding.tracker[:, column] != 0).any(dim=1).sum() == 2 * length - 1


@pytest.mark.parametrize("choice", ["given", "greedy", "sampled"])
@pytest.mark.parametrize("name", ["taught", "parser", "parser, tracker"])
def test_copies_of_a_pair_lie_side_by_side(choice, name):
    model = make_model(CASES[name])
    batch = Pairs.drawn([1, 6, 3, 2, 7, 1], 3)
    side_by_side = Plan.given(batch.transitions.repeat_interleave(4, dim=1))
    leaves, plan = model.read(batch.words, batch.lengths, batch.plan(choice))
    leaves = leaves.repeat(4)
    if choice == "given":  # one tree for each copy, in the order of the leaves
        plan = side_by_side.reorder(leaves.places.argsort())
    torch.manual_seed(0)
    output = model.classify(leaves, plan)
    assert output.scores.shape == (12, LABELS)
    encoding = output.encoding
    repeated = Pairs(
        batch.words.repeat_interleave(4, dim=1),
        batch.lengths.repeat_interleave(4),
        encoding.transitions,
    )
    if choice == "given":
        assert torch.equal(encoding.transitions, side_by_side.choose.transitions)
    again = repeated.run(model, "given")  # the same trees, without the machinery of copies
    assert_same(output.scores, again.scores)
    assert_same(encoding.sentences, again.encoding.sentences)
    assert_same(
        encoding.policy.log_prob(encoding.transitions),
        again.encoding.policy.log_prob(encoding.transitions),
    )


def test_given_transitions_are_left_alone_where_the_model_chooses():
    model = make_model(CASES["Gumbel"])
    batch = Pairs.drawn([5, 2, 1, 3, 8, 1], 0)
    assert_same(batch.run(model, "given").scores, batch.run(model, "greedy").scores)


def test_missing_transitions_are_an_error():
    batch = Pairs.drawn([3, 2], 0)
    with pytest.raises(ValueError, match="give them"):
        batch.run(make_model(CASES["trees given"]), "greedy")


def test_no_example_gives_an_output_through_which_gradients_pass():
    model = make_model(CASES["taught"])
    output = Pairs.drawn([3, 2, 5, 1], 0).run(model, "given").nothing()
    assert output.scores.shape == (0, LABELS)
    assert len(output.encoding.sentences) == output.encoding.transitions.shape[1] == 0
    (output.scores.sum() + output.encoding.policy.log_probs.sum()).backward()
    assert all(weight.grad is not None and not weight.grad.any() for weight in model.parameters())


# By height.

BY_HEIGHT = {name: CASES[name] for name in CASES if "trees given" in name or name == "no norms"}


def gradients(model: PairModel, output: PairOutput) -> list[Tensor]:
    """Differentiate a sum in which every score has its own weight; 0 for weights not in it."""
    weights = list(model.parameters())
    scores = output.scores.flatten()
    loss = (scores * torch.arange(1.0, 1 + len(scores), device=DEVICE)).sum()
    return list(torch.autograd.grad(loss, weights, materialize_grads=True, allow_unused=True))


@pytest.mark.parametrize("case", BY_HEIGHT.values(), ids=BY_HEIGHT)
@given(lengths=two_to_ten, seed=st.integers(0, 1000), share=st.booleans())
@settings(max_examples=examples(25))
def test_by_height_and_by_step_agree(case, lengths, seed, share):
    """Scores, transitions and the gradients of all weights, with and without sharing."""
    model = make_model(case)
    batch = Pairs.drawn(lengths, seed)
    words = batch.words.cpu().numpy() if share and model.shares(training=False) else None
    trees = batch.transitions.cpu().numpy()
    heights = heights_of(trees, batch.lengths.numpy(), words).to(DEVICE)
    with torch.backends.cudnn.flags(enabled=False):  # it has no backward pass in evaluation mode
        by_height = model(batch.words, batch.lengths, Plan.given(batch.transitions, heights))
        by_step = batch.run(PairModel(model.leaves, by_step_twin(model), model.classifier), "given")
    assert_same(by_height.scores, by_step.scores)
    assert torch.equal(by_height.encoding.transitions, by_step.encoding.transitions)
    for actual, expected in zip(
        gradients(model, by_height), gradients(model, by_step), strict=True
    ):
        assert_same(actual, expected)


def by_step_twin(model: PairModel) -> SPINN:
    encoder = model.encoder
    assert isinstance(encoder, SPINNByHeight)
    return SPINN(encoder.composition, pooling=encoder.pooling)


def test_which_models_go_by_height_and_share_subtrees():
    """Dropout, batch statistics and neighbours make equal words unequal, in training at least."""

    def made(case: Case, engine: str = "auto") -> PairModel:
        return model_of(WORDS, LABELS, predicts=case.predicts, engine=engine, **case.options)

    for name, case in CASES.items():
        by_height = name == "parser" or name.startswith(("trees given", "no norms"))
        assert made(case).by_height is by_height, name
        assert not made(case, "reference").by_height
        assert not made(case, "reference").shares(training=False)
    still = {"embedding_dropout": 0.0, "leaf_dropout": 0.0}
    for more, training, evaluating in (
        (still, True, True),
        ({}, False, True),
        (still | {"leaf_dropout": 0.1}, False, True),
        (still | {"norm": "batch"}, False, True),
        (still | {"leaf_context": "lstm"}, False, False),
        (still | {"tracker": True}, False, False),
    ):
        model = made(Case(options(**more)))
        assert model.shares(training=True) is training, more
        assert model.shares(training=False) is evaluating, more
