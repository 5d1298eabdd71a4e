"""What each form minimises: which parts its loss has, with which weights, and when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from machine import DEVICE, alike, random_state
from torch import Tensor
from torch.nn import functional
from toys import FORMS, one_batch, small_configuration, small_model

from spinn.config import Configuration
from spinn.data.batching import Batch
from spinn.data.corpus import Corpus
from spinn.data.prepare import load_corpus
from spinn.evaluation.evaluate import evaluate
from spinn.inference import plan_of
from spinn.learning.objectives.label import Objective, StepResult
from spinn.learning.objectives.reinforce import policy_loss
from spinn.learning.objectives.teacher import teacher_loss
from spinn.model.pair import PairModel, PairOutput
from spinn.model.types import Encoding, Plan
from spinn.transitions import Transition
from spinn.trees import tree_source

# Without dropout, two runs over the same trees give the same numbers.
STILL = {"embedding_dropout": 0.0, "leaf_dropout": 0.0, "classifier_dropout": 0.0}
OWN = [("SPINN", "own"), ("RL-SPINN", "own")]


@dataclass
class Setting:
    """A configuration with its model, its objective, and a batch as training would cut it."""

    configuration: Configuration
    corpus: Corpus
    model: PairModel
    objective: Objective
    batch: Batch

    def step(self, epoch: float = 0.0, seed: int = 9) -> StepResult:
        torch.manual_seed(seed)
        result: StepResult = self.objective(self.model, self.batch, epoch)
        return result

    def output(self, plan: Plan | None = None, seed: int = 9) -> PairOutput:
        """Run the model, by default along the batch's transitions."""
        torch.manual_seed(seed)
        if plan is None:
            plan = plan_of(self.batch)
        result: PairOutput = self.model(self.batch.words, self.batch.lengths, plan)
        return result

    def label_loss(self, output: PairOutput, smoothing: float = 0.0) -> Tensor:
        return functional.cross_entropy(output.scores, self.batch.labels, label_smoothing=smoothing)


def setting(folder: Path, form: str, **options: Any) -> Setting:
    configuration = small_configuration(folder, **{**FORMS[form], **STILL, **options})
    corpus = load_corpus(configuration.data)
    torch.manual_seed(4)
    model = small_model(configuration, corpus)
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight *= 3  # so that the tracker has opinions
    source = configuration.teacher_source or configuration.source
    objective = configuration.build_objective(corpus.kind.count).to(DEVICE)
    return Setting(configuration, corpus, model, objective, one_batch(configuration, source))


def same(value: Tensor, expected: Tensor | float) -> bool:
    value, expected = (torch.as_tensor(number).detach().item() for number in (value, expected))
    return value == pytest.approx(expected, rel=1e-5, abs=1e-6)


# Given trees.


@pytest.mark.parametrize("form", ["SPINN-PI-NT", "SPINN-PI"])
@pytest.mark.parametrize("trees", ["gold", "random"])
def test_given_trees_pay_for_labels_alone(toy_either, form, trees):
    toy = setting(toy_either, form, trees=trees)
    output, result = toy.output(), toy.step()
    assert output.encoding.policy is None  # nothing scores transitions, so nothing can be paid
    assert same(result.loss, toy.label_loss(output))
    assert result.means == {}
    assert same(result.sums["loss"], toy.label_loss(output) * len(toy.batch))
    right = (output.scores.argmax(dim=1) == toy.batch.labels).sum()
    assert result.sums["correct"] == right


@pytest.mark.parametrize("encoder", ["lstm", "bilstm", "bow"])
def test_encoders_without_trees_pay_for_labels_alone(toy_either, encoder):
    toy = setting(toy_either, "SPINN-PI-NT", encoder=encoder)
    assert toy.batch.transitions is None
    assert same(toy.step().loss, toy.label_loss(toy.output()))
    assert toy.step().means == {}


@pytest.mark.parametrize(
    ("options", "temperatures"),
    [({"temperature": 2.5}, [2.5, 2.5, 2.5]), ({"temperature_end": 0.2}, [1.0, 0.6, 0.2])],
)
def test_merges_are_drawn_at_a_temperature_that_moves_in_a_straight_line(
    toy_folder, options, temperatures
):
    toy = setting(toy_folder, "Gumbel Tree-LSTM", epochs=4, **options)
    batch, losses = toy.batch, []
    for epoch, temperature in zip((0, 2, 4), temperatures, strict=True):
        torch.manual_seed(9)
        output = toy.model(batch.words, batch.lengths, Plan(temperature=temperature))
        result = toy.step(epoch)
        assert same(result.loss, toy.label_loss(output))
        assert result.means == {}
        weight = toy.model.encoder.query
        own, expected = (
            torch.autograd.grad(loss, weight)[0] for loss in (result.loss, toy.label_loss(output))
        )
        torch.testing.assert_close(own, expected)
        losses.append(own)
    assert alike(losses[0], losses[2]) == (len(set(temperatures)) == 1)
    assert not same(toy.step(seed=1).loss, toy.step(seed=2).loss)


@pytest.mark.parametrize(("form", "parser"), [*((form, "shared") for form in FORMS), *OWN])
def test_loss_gives_every_weight_a_gradient(toy_either, form, parser):
    samples = {"samples": 2} if form == "RL-SPINN" else {}
    toy = setting(toy_either, form, parser=parser, **samples)
    toy.step().loss.backward()
    for name, weight in toy.model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_label_smoothing_changes_the_loss_and_not_the_report(toy_folder):
    smooth = setting(toy_folder, "SPINN-PI-NT", label_smoothing=0.2)
    output, result = smooth.output(), smooth.step()
    assert same(result.loss, smooth.label_loss(output, smoothing=0.2))
    assert not same(result.loss, smooth.label_loss(output))
    assert same(result.sums["loss"], smooth.label_loss(output) * len(smooth.batch))


# Learning transitions from a teacher.


def plain_teacher_loss(encoding: Encoding, given: Tensor, lengths: Tensor) -> float:
    """Go through each sentence until it has left the given tree."""
    assert encoding.policy is not None
    assert encoding.transitions is not None
    losses = []
    for sentence, length in enumerate(lengths.tolist()):
        for time in range(2 * length - 1):
            wanted = int(given[time, sentence])
            column = wanted - int(Transition.REDUCE)
            losses.append(-encoding.policy.log_probs[time, sentence, column].item())
            if int(encoding.transitions[time, sentence]) != wanted:
                break
    return sum(losses) / len(losses)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_teacher_loss_stops_where_a_sentence_leaves_the_given_tree(toy_folder, share):
    toy = setting(toy_folder, "SPINN", teacher="balanced")
    torch.manual_seed(1)
    batch = toy.batch
    assert batch.transitions is not None
    output = toy.model(batch.words, batch.lengths, Plan.mixed(batch.transitions, share))
    left = (output.encoding.transitions != batch.transitions).any(dim=0)
    assert left.any() == (share > 0)
    loss = teacher_loss(output.encoding, batch.transitions)
    assert same(loss, plain_teacher_loss(output.encoding, batch.transitions, batch.lengths))


def test_supervised_loss_adds_the_weighted_transition_loss(toy_either):
    toy = setting(toy_either, "SPINN", transition_weight=2.5)
    output, result = toy.output(), toy.step()
    assert toy.batch.transitions is not None
    transition_loss = teacher_loss(output.encoding, toy.batch.transitions)
    assert transition_loss > 0.1
    assert same(result.loss, toy.label_loss(output) + 2.5 * transition_loss)
    assert same(result.means["transition_loss"], transition_loss)
    assert same(result.sums["loss"], toy.label_loss(output) * len(toy.batch))


@pytest.mark.parametrize(("epoch", "weight"), [(0, 2.0), (0.5, 1.625), (2, 0.5), (9, 0.5)])
def test_transition_weight_moves_in_a_straight_line(toy_folder, epoch, weight):
    toy = setting(toy_folder, "SPINN", transition_weight=2.0, transition_weight_end=0.5, epochs=2)
    result, output = toy.step(epoch), toy.output()
    expected = toy.label_loss(output) + weight * result.means["transition_loss"]
    assert same(result.loss, expected)


def test_scheduled_sampling_rises_from_the_teachers_trees_to_the_trackers_own(toy_folder):
    toy = setting(toy_folder, "SPINN", teacher="left", scheduled_sampling=1.0, epochs=4)
    given, own = (toy.label_loss(toy.output(plan)) for plan in (None, Plan()))
    assert not same(given, own)
    count = len(toy.batch)
    assert same(toy.step(epoch=0).sums["loss"], given * count)
    assert same(toy.step(epoch=4).sums["loss"], own * count)
    half_way = [float(toy.step(epoch=2, seed=seed).sums["loss"]) for seed in range(4)]
    assert len({round(loss, 4) for loss in half_way}) > 1  # drawn anew


def test_without_scheduled_sampling_nothing_is_drawn(toy_folder):
    toy = setting(toy_folder, "SPINN")
    assert same(toy.step(epoch=1.5, seed=1).loss, toy.step(epoch=1.5, seed=2).loss)


# Learning transitions by REINFORCE.


@pytest.mark.parametrize("baseline", ["none", "leave-one-out", "greedy"])
def test_reinforce_adds_the_policy_loss(toy_either, baseline):
    toy = setting(toy_either, "RL-SPINN", baseline=baseline, samples=3)
    result = toy.step()
    # The same trees again: the sampling starts from the same seed.
    torch.manual_seed(9)
    batch, model = toy.batch, toy.model
    words, lengths, labels = (
        part.repeat_interleave(3, dim=-1) for part in (batch.words, batch.lengths, batch.labels)
    )
    output = model(words, lengths, Plan.sampled())
    losses = functional.cross_entropy(output.scores, labels, reduction="none")
    rewards = -losses.detach().view(-1, 3)
    encoding = output.encoding
    assert encoding.policy is not None
    if baseline == "none":
        advantage = rewards
    elif baseline == "leave-one-out":
        advantage = rewards - (rewards.sum(dim=1, keepdim=True) - rewards) / 2
    else:
        greedy = toy.output(Plan())
        advantage = rewards + functional.cross_entropy(
            greedy.scores, batch.labels, reduction="none"
        ).detach().unsqueeze(1)
    expected = losses.mean() + policy_loss(
        encoding.policy, encoding.transitions, advantage, toy.model.sides
    )
    assert same(result.loss, expected)
    assert same(result.means["reward"], rewards.mean())
    assert same(result.sums["loss"], losses.sum() / 3)
    right = (output.scores.argmax(dim=1) == labels).sum() / 3
    assert same(result.sums["correct"], right)


def test_rewards_know_nothing_of_label_smoothing(toy_folder):
    plain = setting(toy_folder, "RL-SPINN")
    smooth = setting(toy_folder, "RL-SPINN", label_smoothing=0.3)
    assert same(plain.step().means["reward"], smooth.step().means["reward"])
    assert not same(plain.step().loss, smooth.step().loss)


def test_entropy_bonus_is_subtracted_so_that_more_entropy_is_better(toy_folder):
    plain = setting(toy_folder, "RL-SPINN")
    bonus = setting(toy_folder, "RL-SPINN", entropy_weight=0.5, entropy_weight_end=0.5)
    entropy = bonus.step().means["entropy"]
    assert 0.05 < entropy < 0.7  # in nats, of a free choice between two
    assert same(bonus.step().loss, plain.step().loss - 0.5 * entropy)


@pytest.mark.parametrize(("epoch", "weight"), [(0, 1.0), (1, 0.6), (2, 0.2), (5, 0.2)])
def test_entropy_weight_moves_in_a_straight_line(toy_folder, epoch, weight):
    plain = setting(toy_folder, "RL-SPINN", epochs=2)
    toy = setting(toy_folder, "RL-SPINN", entropy_weight=1.0, entropy_weight_end=0.2, epochs=2)
    result = toy.step(epoch)
    expected = plain.step(epoch).loss - weight * result.means["entropy"]
    assert same(result.loss, expected)


@pytest.mark.parametrize(("epoch", "weight"), [(0, 1.0), (1, 0.6), (2, 0.2), (5, 0.2)])
def test_entropy_weight_can_come_to_its_end_before_training(toy_folder, epoch, weight):
    plain = setting(toy_folder, "RL-SPINN", entropy_weight=0.0)
    options = {"entropy_weight": 1.0, "entropy_weight_end": 0.2, "entropy_epochs": 2, "epochs": 6}
    result = setting(toy_folder, "RL-SPINN", **options).step(epoch)
    expected = plain.step(epoch).loss - weight * result.means["entropy"]
    assert same(result.loss, expected)


def test_the_trees_of_a_parser_that_is_kept_pay_for_labels_alone(toy_either):
    toy = setting(toy_either, "RL-SPINN", parser="own", tracker=False, policy_epochs=1)
    assert set(toy.step(epoch=0.99).means) == {"entropy", "reward"}
    toy.batch = one_batch(toy.configuration, tree_source("balanced"))
    after = toy.step(epoch=1)
    assert after.means == {}
    assert same(after.loss, toy.label_loss(toy.output()))
    after.loss.backward()
    assert toy.model.encoder.parser is not None
    assert all(weight.grad is None for weight in toy.model.encoder.parser.parameters())


@pytest.mark.parametrize(("epoch", "weight"), [(0.0, 0.4), (0.5, 0.3), (0.75, 0.25)])
def test_entropy_weight_comes_to_its_end_with_the_policys_learning(toy_folder, epoch, weight):
    options = {"entropy_weight": 0.4, "entropy_weight_end": 0.2, "samples": 2}
    own = {"parser": "own", "tracker": False, "policy_epochs": 1}
    toy = setting(toy_folder, "RL-SPINN", **own, **options, epochs=4)
    plain = setting(toy_folder, "RL-SPINN", parser="own", tracker=False, samples=2)
    result = toy.step(epoch)
    assert same(result.loss, plain.step(epoch).loss - weight * result.means["entropy"])


def test_objectives_without_an_auxiliary_loss_have_no_weights(toy_folder):
    for form in FORMS:
        assert list(setting(toy_folder, form).objective.parameters()) == []


# Evaluation.


@pytest.mark.parametrize("form", FORMS)
def test_evaluation_samples_nothing(toy_folder, form):
    toy = setting(toy_folder, form, embedding_dropout=0.5, classifier_dropout=0.5)
    torch.manual_seed(1)
    before = random_state()
    results = []
    for _ in range(2):
        results.append(
            evaluate(toy.model, toy.corpus.sets["dev"], toy.corpus.labels, toy.configuration.source)
        )
    first, second = results
    assert torch.equal(random_state(), before)
    assert (first.probabilities == second.probabilities).all()
    assert first.report.as_dict() == second.report.as_dict()
    assert first.trees is not None
    assert second.trees is not None
    assert all((a == b).all() for a, b in zip(first.trees, second.trees, strict=True))


def test_evaluation_of_a_sampling_model_takes_the_most_probable_transitions(toy_folder):
    toy = setting(toy_folder, "RL-SPINN")
    toy.model.eval()
    seen = evaluate(
        toy.model, toy.corpus.sets["train"], toy.corpus.labels, toy.configuration.source
    )
    encoding = toy.output(Plan()).encoding
    assert seen.trees is not None
    for column, length in enumerate(toy.batch.lengths.tolist()):
        side, pair = divmod(column, len(toy.batch))
        row = int(toy.batch.rows[pair])
        taken = encoding.transitions[: 2 * length - 1, column]
        assert seen.trees[2 * row + side].tolist() == taken.tolist()
