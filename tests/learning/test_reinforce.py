"""REINFORCE against the exact gradient, summed over every tree of short sentences, in float64."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from machine import DEVICE, EXACT
from torch import Tensor
from torch.nn import functional

from spinn.config import resolve
from spinn.data.batching import Batch
from spinn.learning.objectives.baselines import (
    Baseline,
    Greedy,
    LeaveOneOut,
    RunningMean,
    make_baseline,
)
from spinn.learning.objectives.reinforce import policy_loss
from spinn.model.cells import TreeLSTM
from spinn.model.classifier import PairClassifier
from spinn.model.leaves import LeafLayer, WordEmbedding
from spinn.model.pair import PairModel
from spinn.model.policy import TransitionPolicy
from spinn.model.spinn import SPINN
from spinn.model.tracker import Tracker
from spinn.model.types import Encoding, Plan
from spinn.transitions import Transition

BASELINES = ("none", "mean", "greedy", "leave-one-out")
LENGTHS = [(4, 3), (3, 1)]
LABEL = 0
tensor = partial(torch.tensor, device=DEVICE)


# The toy: one pair of short sentences, and all its trees.


def toy_model() -> PairModel:
    """Build a model whose policy has clear preferences, so that a wrong gradient shows."""
    torch.manual_seed(2)
    encoder = SPINN(TreeLSTM(3, 3), Tracker(3, 3, predicts=True))
    embedding = WordEmbedding(torch.randn(9, 3), torch.zeros(9, dtype=torch.bool))
    classifier = PairClassifier(3, 3, layers=1, width=4)
    model = PairModel(LeafLayer(embedding, encoder.leaf_size), encoder, classifier).double()
    with torch.no_grad():
        for weight in (*encoder.parameters(), *classifier.parameters()):
            weight *= 3
    return model.to(DEVICE)


def all_trees(words: int) -> list[list[int]]:
    """List the transitions of every binary tree over so many words."""

    def grow(taken: list[int], depth: int, waiting: int) -> list[list[int]]:
        if depth == 1 and waiting == 0:
            return [taken]
        trees = []
        if waiting:
            trees += grow([*taken, Transition.SHIFT], depth + 1, waiting - 1)
        if depth > 1:
            trees += grow([*taken, Transition.REDUCE], depth - 1, waiting)
        return trees

    return grow([], 0, words)


@dataclass
class Pair:
    """A pair of sentences of ``[N, M]`` words, repeated at will, under given trees or none."""

    premise: int
    hypothesis: int

    def trees(self) -> list[tuple[list[int], list[int]]]:
        return list(itertools.product(all_trees(self.premise), all_trees(self.hypothesis)))

    def batch(self, trees: list[tuple[list[int], list[int]]], *, given: bool = True) -> Batch:
        """Repeat the pair, once under each of ``trees``."""
        count = len(trees)
        words = torch.ones(max(self.premise, self.hypothesis), 2 * count, dtype=torch.long)
        words[: self.premise, :count] = torch.arange(2, 2 + self.premise)[:, None]
        words[: self.hypothesis, count:] = torch.arange(6, 6 + self.hypothesis)[:, None]
        lengths = torch.tensor([self.premise] * count + [self.hypothesis] * count)
        transitions = torch.ones(2 * len(words) - 1, 2 * count, dtype=torch.long)
        for column, tree in enumerate([p for p, _ in trees] + [h for _, h in trees]):
            transitions[: len(tree), column] = torch.tensor(tree)
        labels, rows = torch.full((count,), LABEL), torch.arange(count)
        batch = Batch(words, lengths, transitions if given else None, labels, rows)
        return batch.to(DEVICE)


def forced(model: PairModel, batch: Batch) -> tuple[Tensor, Tensor, Encoding]:
    """Run given trees: their log-probabilities ``[Z]``, losses ``[Z]``, and the encoding."""
    assert batch.transitions is not None
    output = model(batch.words, batch.lengths, Plan.given(batch.transitions))
    encoding = output.encoding
    assert encoding.policy is not None
    assert encoding.transitions is not None
    premise, hypothesis = encoding.policy.log_prob(encoding.transitions).sum(0).chunk(2)
    losses = functional.cross_entropy(output.scores, batch.labels, reduction="none")
    return premise + hypothesis, losses, encoding


def gradient(value: Tensor, model: PairModel) -> Tensor:
    """Flatten the gradient of a scalar with respect to all weights of the model."""
    parameters = list(model.parameters())
    parts = torch.autograd.grad(value, parameters, allow_unused=True)
    zeros = [torch.zeros_like(parameter) for parameter in parameters]
    pairs = zip(parts, zeros, strict=True)
    return torch.cat([(zero if part is None else part).flatten() for part, zero in pairs])


@dataclass
class Exact:
    """What enumeration gives: probabilities, and the gradient of the expected loss in two parts."""

    probabilities: Tensor
    through_loss: Tensor
    through_policy: Tensor


def exactly(model: PairModel, pair: Pair) -> Exact:
    log_probs, losses, _ = forced(model, pair.batch(pair.trees()))
    probabilities = log_probs.exp()
    whole = gradient((probabilities * losses).sum(), model)
    log_probs, losses, _ = forced(model, pair.batch(pair.trees()))
    through_loss = gradient((log_probs.exp().detach() * losses).sum(), model)
    return Exact(probabilities.detach(), through_loss, whole - through_loss)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_enumeration_finds_every_tree_and_the_policy_gives_them_probability_one(lengths):
    pair = Pair(*lengths)
    counts = [math.comb(2 * n - 2, n - 1) // n for n in lengths]  # Catalan numbers
    assert len(pair.trees()) == counts[0] * counts[1]
    exact = exactly(toy_model(), pair)
    assert exact.probabilities.sum().item() == pytest.approx(1, abs=1e-12)
    assert exact.probabilities.max() < 0.9  # so that there is something to learn
    assert exact.through_policy.norm() > 0.01 * exact.through_loss.norm()


# The estimator's expectation, without sampling: a sum over all outcomes.


def expectation(
    model: PairModel,
    pair: Pair,
    advantage: Callable[[Tensor], Tensor],
    samples: int = 1,
) -> Tensor:
    """Weigh the estimate of every outcome of ``samples`` trees with the outcome's probability."""
    count = sum(parameter.numel() for parameter in model.parameters())
    total = torch.zeros(count, dtype=torch.float64, device=DEVICE)
    for trees in itertools.product(pair.trees(), repeat=samples):
        log_probs, losses, encoding = forced(model, pair.batch(list(trees)))
        rewards = -losses.detach()[None]  # [1, samples]
        assert encoding.policy is not None
        assert encoding.transitions is not None
        weights = advantage(rewards)
        assert not weights.requires_grad
        loss = losses.mean() + policy_loss(encoding.policy, encoding.transitions, weights, 2)
        total += log_probs.sum().exp().detach() * gradient(loss, model)
    return total


def close(estimate: Tensor, truth: Tensor) -> bool:
    return bool((estimate - truth).abs().max() < 1e-9)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("constant", [0.0, 0.7, -3.0])
def test_expected_estimate_is_the_gradient_whatever_constant_is_subtracted(lengths, constant):
    model, pair = toy_model(), Pair(*lengths)
    exact = exactly(model, pair)
    none = Baseline()

    def advantage(rewards: Tensor) -> Tensor:
        return none.advantage(rewards) - constant

    assert close(expectation(model, pair, advantage), exact.through_loss + exact.through_policy)


def test_expected_estimate_with_the_greedy_baseline_is_the_gradient():
    model, pair = toy_model(), Pair(4, 3)
    exact = exactly(model, pair)
    batch = pair.batch(pair.trees()[:1], given=False)
    output = model(batch.words, batch.lengths, Plan())
    reference = -functional.cross_entropy(output.scores, batch.labels, reduction="none").detach()
    estimate = expectation(model, pair, lambda rewards: Greedy().advantage(rewards, reference))
    assert close(estimate, exact.through_loss + exact.through_policy)


def test_expected_estimate_with_leave_one_out_is_the_gradient():
    model, pair = toy_model(), Pair(3, 3)
    exact = exactly(model, pair)
    estimate = expectation(model, pair, LeaveOneOut().advantage, samples=2)
    assert close(estimate, exact.through_loss + exact.through_policy)


def test_running_mean_scales_the_policys_part_by_one_over_the_deviation():
    model, pair = toy_model(), Pair(4, 3)
    exact = exactly(model, pair)
    learned = RunningMean(momentum=0.5).double().to(DEVICE)
    for rewards in ([-1.0, -2.0], [-0.5, -4.0]):
        learned.advantage(tensor([rewards]).double())
    share = 1 - 0.5**2
    deviation = ((learned.variance - 0.25) / share).sqrt()

    def advantage(rewards: Tensor) -> Tensor:
        frozen = copy.deepcopy(learned)  # one step's worth: the statistics move afterwards
        return frozen.advantage(rewards)

    estimate = expectation(model, pair, advantage)
    assert close(estimate, exact.through_loss + exact.through_policy / deviation)


# The estimator as training runs it: many sampled trees.

REPEATS, COPIES, SAMPLES = 30, 100, 4


@dataclass
class Sampled:
    """Gradients of many batches ``[REPEATS, weights]``, and the deviation that scales them."""

    gradients: Tensor
    deviation: float


@pytest.fixture(scope="module")
def sampled() -> dict[str, Sampled]:
    """Run the objective on copies of one pair, with each baseline."""
    pair = Pair(4, 3)
    batch = pair.batch(pair.trees()[:1] * COPIES, given=False)
    results = {}
    for name in BASELINES:
        configuration = resolve(
            {"tracker": True, "tracker_size": 3, "trees": "sampled"},
            {"baseline": name, "samples": SAMPLES},
        )
        model, objective = toy_model(), configuration.build_objective().double().to(DEVICE)
        torch.manual_seed(11)
        for _ in range(3):
            objective(model, batch, 0.0)  # the running mean is to have statistics
        learned, deviation = copy.deepcopy(objective.state_dict()), 1.0
        if isinstance(objective.baseline, RunningMean):
            kept = 0.95**3
            deviation = float(((objective.baseline.variance - kept) / (1 - kept)).sqrt())
        gradients = []
        for _ in range(REPEATS):
            objective.load_state_dict(learned)
            gradients.append(gradient(objective(model, batch, 0.0).loss, model))
        results[name] = Sampled(torch.stack(gradients), deviation)
    return results


@pytest.mark.parametrize("name", BASELINES)
def test_mean_of_sampled_gradients_is_the_exact_one(sampled, name):
    exact = exactly(toy_model(), Pair(4, 3))
    seen = sampled[name]
    truth = exact.through_loss + exact.through_policy / seen.deviation
    # A few random directions, and the one in which the policy's part is largest.
    drawn = torch.randn(len(truth), 6, generator=torch.Generator().manual_seed(2))
    directions = torch.cat([drawn.double().to(DEVICE), exact.through_policy[:, None]], dim=1)
    estimates = seen.gradients @ directions
    errors = estimates.std(dim=0) / math.sqrt(REPEATS)
    limit = 3 if EXACT else 5  # of what another generator draws, something is further away
    assert ((estimates.mean(dim=0) - truth @ directions).abs() < limit * errors).all()
    # The test has teeth: with the policy's part left out, or doubled, it would fail by far.
    policy_part = (exact.through_policy / seen.deviation) @ directions[:, -1]
    assert policy_part > 8 * errors[-1]


@pytest.mark.parametrize("name", ["greedy", "leave-one-out"])
def test_baselines_make_the_estimate_less_noisy(sampled, name):
    none, other = (sampled[which].gradients.var(dim=0).sum() for which in ("none", name))
    assert other < 0.5 * none


# The parts.


@pytest.mark.parametrize("sides", [1, 2])
def test_policy_loss_is_the_plain_sum_over_steps_and_mean_over_pairs_and_samples(sides):
    steps, pairs, samples = 5, 2, 3
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(steps, sides * pairs * samples, 2, generator=random).double()
    legal = torch.ones_like(scores, dtype=torch.bool)
    legal[3:, 4] = False  # one sentence is over after three steps
    transitions = TransitionPolicy(scores, legal).sample(random).to(DEVICE)
    policy = TransitionPolicy(scores.to(DEVICE), legal.to(DEVICE))
    advantage = torch.randn(pairs, samples, generator=random).double().to(DEVICE)
    expected = 0.0
    for pair, sample, side in itertools.product(range(pairs), range(samples), range(sides)):
        column = side * pairs * samples + pair * samples + sample
        for time in range(steps):
            transition = int(transitions[time, column])
            if transition == Transition.PAD:
                assert (column, time) in {(4, 3), (4, 4)}
                continue
            chosen = transition - int(Transition.REDUCE)
            log_prob = scores[time, column].log_softmax(0)[chosen].item()
            expected -= advantage[pair, sample].item() * log_prob
    loss = policy_loss(policy, transitions, advantage, sides)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(expected / (pairs * samples), rel=1e-12)


def test_running_mean_follows_the_statistics_computed_by_hand():
    baseline = RunningMean(momentum=0.5).double().to(DEVICE)

    def advantage(*rewards: float) -> list[float]:
        given = tensor([rewards], dtype=torch.float64)
        return baseline.advantage(given)[0].tolist()

    # The first batch has nothing to be measured against. Mean 2, spread ((1-2)^2 + (3-2)^2)/2 = 1.
    assert advantage(1, 3) == [1, 3]
    # Against mean 2 and deviation 1; the spread around 2 is (4 + 16) / 2 = 10.
    assert advantage(4, 6) == pytest.approx([2, 4])
    # The averages: (2/4 + 5/2) / (3/4) = 4, and (1/4 + 10/2) / (3/4) = 7.
    assert advantage(4, 11) == pytest.approx([0, math.sqrt(7)])


def test_running_mean_bears_rewards_that_never_vary():
    baseline, rewards = RunningMean().to(DEVICE), torch.full((4, 1), -2.0, device=DEVICE)
    for _ in range(5):
        advantage = baseline.advantage(rewards)
    assert advantage.abs().max() < 0.1
    assert torch.isfinite(advantage).all()


def test_running_mean_goes_on_from_its_saved_statistics():
    first, second = RunningMean().to(DEVICE), RunningMean().to(DEVICE)
    for seed in range(3):
        rewards = torch.randn(5, 2, generator=torch.Generator().manual_seed(seed))
        first.advantage(rewards.to(DEVICE))
    second.load_state_dict(first.state_dict())
    rewards = tensor([[0.5, -0.5]])
    ahead = first.advantage(rewards)
    assert torch.equal(second.advantage(rewards), ahead)
    assert not torch.equal(rewards, ahead)


def test_greedy_and_leave_one_out_measure_against_the_right_rewards():
    rewards = tensor([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]])
    greedy = Greedy().advantage(rewards, tensor([2.0, 1.0]))
    assert greedy.tolist() == [[-1, 0, 4], [-1, -1, 2]]
    others = LeaveOneOut().advantage(rewards)
    assert torch.allclose(others, tensor([[-3.0, -1.5, 4.5], [-1.5, -1.5, 3.0]]))


def test_a_baseline_without_what_it_needs_says_so():
    rewards = torch.zeros(2, 1)
    with pytest.raises(ValueError, match="greedy trees"):
        Greedy().advantage(rewards)


@pytest.mark.parametrize(
    ("name", "kind"),
    list(zip(BASELINES, (Baseline, RunningMean, Greedy, LeaveOneOut), strict=True)),
)
def test_make_baseline_makes_the_one_that_is_named(name, kind):
    assert type(make_baseline(name)) is kind


def test_sampled_steps_follow_the_probabilities_that_the_loss_sees():
    """Trees drawn by the model come as often as enumeration says."""
    model, pair = toy_model(), Pair(4, 3)
    exact = exactly(model, pair)
    count = 4000
    batch = pair.batch(pair.trees()[:1] * count, given=False)
    torch.manual_seed(3)
    with torch.no_grad():
        output = model(batch.words, batch.lengths, Plan.sampled())
    taken = output.encoding.transitions
    assert taken is not None
    names = [tuple(premise + hypothesis) for premise, hypothesis in pair.trees()]
    steps = [2 * pair.premise - 1, 2 * pair.hypothesis - 1]
    both = torch.cat([taken[: steps[0], :count], taken[: steps[1], count:]])
    seen = torch.tensor([names.index(tuple(column)) for column in both.T.tolist()])
    shares = torch.bincount(seen, minlength=len(names)) / count
    expected = exact.probabilities.cpu()
    errors = (expected * (1 - expected) / count).sqrt()
    assert ((shares - expected).abs() < 4 * errors + 1e-9).all()
