"""PPO: REINFORCE where nothing has moved, exact where it has, and clipped as by hand."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import DEVICE, alike, examples
from safetensors.torch import load_file
from test_reinforce import Pair, forced, gradient, toy_model
from torch import Tensor
from toys import FORMS, one_batch, small_configuration, small_model, write_corpus

from spinn.config import resolve
from spinn.data.prepare import load_corpus
from spinn.evaluation import plots
from spinn.learning.objectives.label import Objective, StepResult
from spinn.learning.objectives.ppo import SampledTrees, surrogate_loss
from spinn.learning.objectives.reinforce import policy_loss
from spinn.model.cells import TreeLSTM
from spinn.model.leaves import LeafLayer, WordEmbedding
from spinn.model.pair import PairModel
from spinn.model.parser import ParsedEncoder, Parser
from spinn.model.policy import TransitionPolicy
from spinn.model.spinn import SPINN, SPINNByHeight
from spinn.model.tracker import Tracker
from spinn.model.types import Leaves
from spinn.training import run
from spinn.training.log import read_metrics
from spinn.training.run_directory import RunDirectory
from spinn.transitions import Transition

NO_CLIP = 1e9
tensor = partial(torch.tensor, device=DEVICE)
REDUCE, SHIFT, PAD = (int(t) for t in (Transition.REDUCE, Transition.SHIFT, Transition.PAD))


def trees(transitions: Tensor, before: Tensor, advantage: Tensor, sides: int = 2) -> SampledTrees:
    """Make trees to be judged by a policy that is at hand."""
    nowhere = Leaves.of_lengths(torch.zeros(0), torch.zeros(0))
    return SampledTrees(
        nowhere, torch.zeros(0), transitions, before.detach(), advantage, 0.0, sides
    )


# The surrogate.


def reduced_with(probabilities: list[list[float]]) -> TransitionPolicy:
    """Make a policy ``[T, B]`` that reduces with these probabilities."""
    chosen = tensor(probabilities, dtype=torch.float64)
    scores = torch.stack([chosen.log(), (1 - chosen).log()], dim=-1).requires_grad_()
    return TransitionPolicy(scores, torch.ones_like(scores, dtype=torch.bool))


# Three pairs of sentences of two steps, all reduced. Their trees had the probability 0.5 ** 4.
OLD = [[0.5] * 6] * 2
NEW = [[0.6, 0.5, 0.4, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5, 0.6, 0.3]]
REDUCED = torch.full((2, 6), REDUCE, device=DEVICE)


def test_whole_trees_have_one_ratio_to_a_pair():
    """Ratios 1.2, 1.2 and 0.8 * 0.6 = 0.48, clipped to 1.1 and 0.9."""
    before = reduced_with(OLD).log_prob(REDUCED)
    for advantage, expected, clipped in (
        ([1, 1, 1], (1.1 + 1.1 + 0.48) / 3, 2 / 3),
        ([-2, 1, -1], (-2 * 1.2 + 1.1 - 0.9) / 3, 2 / 3),
        ([-1, -1, 1], (-1.2 - 1.2 + 0.48) / 3, 0),
        ([0, 0, 0], 0, 0),
    ):
        rewards = tensor(advantage, dtype=torch.float64)[:, None]
        loss, share = surrogate_loss(reduced_with(NEW), trees(REDUCED, before, rewards), 0.1)
        assert loss.item() == pytest.approx(-expected)
        assert share.item() == pytest.approx(clipped)


def test_beyond_the_clip_nothing_pulls_a_tree_further_and_all_pulls_it_back():
    before = reduced_with(OLD).log_prob(REDUCED)
    for sign in (1.0, -1.0):
        policy = reduced_with(NEW)
        rewards = torch.full((3, 1), sign, dtype=torch.float64, device=DEVICE)
        loss, _ = surrogate_loss(policy, trees(REDUCED, before, rewards), 0.1)
        (found,) = torch.autograd.grad(loss, policy.logits)
        pulled = found.abs().sum(dim=(0, 2)).view(2, 3).sum(0) > 0
        # The first two pairs have become more probable, the last one less.
        assert pulled.tolist() == ([False, False, True] if sign > 0 else [True, True, False])


@given(
    seed=st.integers(0, 10_000),
    samples=st.integers(1, 3),
    sides=st.integers(1, 2),
    clip=st.floats(0.0, 3.0),
)
@settings(max_examples=examples(60), deadline=None)
def test_surrogate_starts_as_reinforce_and_never_promises_more(seed, samples, sides, clip):
    random = torch.Generator().manual_seed(seed)
    steps, pairs = 4, 2
    scores = torch.randn(steps, sides * pairs * samples, 2, generator=random).double()
    legal = torch.ones_like(scores, dtype=torch.bool)
    legal[2:, ::3] = False  # some sentences are over after two steps
    legal[1, ::2, 0] = False
    transitions = TransitionPolicy(scores, legal).sample(random).to(DEVICE)
    scores, legal = scores.to(DEVICE).requires_grad_(), legal.to(DEVICE)
    old = TransitionPolicy(scores, legal)
    advantage = torch.randn(pairs, samples, generator=random).double().to(DEVICE)
    known = trees(transitions, old.log_prob(transitions), advantage, sides)
    loss, clipped = surrogate_loss(old, known, clip)
    (ours,) = torch.autograd.grad(loss, scores)
    (reinforces,) = torch.autograd.grad(policy_loss(old, transitions, advantage, sides), scores)
    torch.testing.assert_close(ours, reinforces, rtol=1e-12, atol=1e-12)
    assert clipped == 0
    change = torch.randn(scores.shape, generator=random).to(DEVICE)
    new = TransitionPolicy(scores + change, legal)
    cautious, beyond = surrogate_loss(new, known, clip)
    free, none = surrogate_loss(new, known, NO_CLIP)
    assert cautious >= free - 1e-12
    assert none == 0
    assert 0 <= beyond <= 1
    assert (beyond > 0) == (cautious > free)


def test_ratios_beyond_all_bounds_stay_finite():
    """Also where the advantage is nothing at all."""
    scores = tensor([[[500.0, -500.0], [0.0, 0.0]]], requires_grad=True)
    policy = TransitionPolicy(scores, torch.ones_like(scores, dtype=torch.bool))
    before = tensor([[-1000.0, 0.0]])
    taken = torch.full((1, 2), REDUCE, device=DEVICE)
    for advantage in (-1.0, 0.0, 1.0):
        loss, _ = surrogate_loss(policy, trees(taken, before, tensor([[advantage]])), 0.2)
        (found,) = torch.autograd.grad(loss, scores)
        assert torch.isfinite(loss)
        assert torch.isfinite(found).all()


def test_expected_surrogate_is_the_reward_of_the_policy_as_it_has_become():
    """Summed over all trees with their old probabilities; the gradient is that of the new ones."""
    model, pair = toy_model(), Pair(4, 3)
    batch = pair.batch(pair.trees())
    with torch.no_grad():
        old, losses, sampled = forced(model, batch)
        assert sampled.policy is not None
        assert sampled.transitions is not None
        before = sampled.policy.log_prob(sampled.transitions)
        torch.manual_seed(5)
        assert isinstance(model.encoder, SPINN)
        for weight in model.encoder.tracker.parameters():
            weight += 0.3 * torch.randn(weight.shape, dtype=weight.dtype).to(DEVICE)
    new, _, encoding = forced(model, batch)
    assert (new.exp() - old.exp()).abs().max() > 0.05
    assert encoding.policy is not None
    advantage = -(losses * old.exp())[:, None] * len(old)
    known = trees(sampled.transitions, before, advantage)
    loss, _ = surrogate_loss(encoding.policy, known, NO_CLIP)
    found = gradient(loss, model)
    expected = (forced(model, batch)[0].exp() * losses).sum()
    assert loss.item() == pytest.approx(expected.item())
    torch.testing.assert_close(found, gradient(expected, model))
    assert found.norm() > 0.01


# The objective.

DROPOUT = {"embedding_dropout": 0.4, "leaf_dropout": 0.3, "classifier_dropout": 0.2}
APART = {"tracker": False, "parser": "own", "parser_size": 5}
SETTINGS: dict[str, dict[str, Any]] = {
    "tracker": {"samples": 2, "entropy_weight": 0.3},
    "greedy": {"baseline": "greedy"},
    "parser": {**APART, "samples": 2, "entropy_weight": 0.3},
    "parser, leave-one-out": {**APART, "baseline": "leave-one-out", "samples": 3},
}


def first_update(folder: Path, options: dict[str, Any]) -> tuple[Objective, PairModel, StepResult]:
    configuration = small_configuration(folder, **{**FORMS["RL-SPINN"], **DROPOUT, **options})
    torch.manual_seed(4)
    model = small_model(configuration, load_corpus(configuration.data)).double()
    objective = configuration.build_objective().double().to(DEVICE)
    batch = one_batch(configuration, configuration.source)
    return objective, model, objective(model, batch, 0.0)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_further_update_starts_where_reinforce_stood(toy_folder, monkeypatch, name):
    """With dropout, and with several samples: the trees are judged by what has sampled them."""
    options = SETTINGS[name]
    objective, model, result = first_update(toy_folder, {**options, "policy_updates": 2})
    weights = list(model.encoder.policy.parameters())
    whole = torch.autograd.grad(result.loss, weights)
    assert result.trees is not None
    loss, clipped = objective.improve(model, result.trees)
    assert clipped == 0
    further = torch.autograd.grad(loss, weights)
    # The label's part of the loss, which a tracker feels and a parser does not.
    monkeypatch.setattr("spinn.learning.objectives.reinforce.policy_loss", lambda *arguments: 0.0)
    _, model, result = first_update(toy_folder, {**options, "entropy_weight": 0.0})
    assert result.trees is None
    weights = list(model.encoder.policy.parameters())
    of_labels = torch.autograd.grad(result.loss, weights, materialize_grads=True)
    assert any(part.any() for part in of_labels) == (name in ("tracker", "greedy"))
    for found, all_of_it, part in zip(further, whole, of_labels, strict=True):
        torch.testing.assert_close(found, all_of_it - part, rtol=1e-9, atol=1e-12)
        assert found.any()


# Training.


def toy_with_parser() -> PairModel:
    """Give the toy a parser of its own; what composes cannot change, so some trees are best."""
    toy = toy_model()
    torch.manual_seed(6)
    vectors = WordEmbedding(torch.randn(9, 3), torch.zeros(9, dtype=torch.bool))
    parsing = SPINN(TreeLSTM(4, 4), Tracker(4, 4, predicts=True))
    parser = Parser(LeafLayer(vectors, parsing.leaf_size), parsing)
    composing = SPINNByHeight(TreeLSTM(3))
    model = PairModel(toy.leaves, ParsedEncoder(parser, composing), toy.classifier).double()
    with torch.no_grad():
        for weight in composing.parameters():
            weight *= 6
    return model.to(DEVICE)


def expected_losses(model: PairModel, pair: Pair) -> tuple[float, float]:
    """Weigh the loss of every tree with its probability; and find the least loss there is."""
    with torch.no_grad():
        log_probs, losses, _ = forced(model, pair.batch(pair.trees()))
    return float((log_probs.exp() * losses).sum()), float(losses.min())


def train_policy(pair: Pair, batches: int, **options: Any) -> tuple[float, float]:
    """Let a parser learn which trees are best, from few samples; return loss and least loss."""
    configuration = resolve({"trees": "sampled", "parser": "own", "tracker_size": 4}, options)
    model, objective = toy_with_parser(), configuration.build_objective().double().to(DEVICE)
    weights = list(model.encoder.policy.parameters())
    optimizer = torch.optim.Adam(weights, lr=0.02)
    batch = pair.batch(pair.trees()[:1] * 8, given=False)
    torch.manual_seed(1)
    for _ in range(batches):
        result = objective(model, batch, 0.0)
        for update in range(configuration.ppo.policy_updates if configuration.ppo else 1):
            loss = result.loss if update == 0 else objective.improve(model, result.trees)[0]
            gradients = torch.autograd.grad(loss, weights)
            for weight, found in zip(weights, gradients, strict=True):
                weight.grad = found
            optimizer.step()
    return expected_losses(model, pair)


def test_a_parser_finds_the_best_trees_in_fewer_batches_than_with_reinforce():
    pair = Pair(4, 3)
    start, least = expected_losses(toy_with_parser(), pair)
    ppo, _ = train_policy(pair, 20, policy_updates=4)
    reinforce, _ = train_policy(pair, 20)
    assert least < reinforce < start
    assert ppo - least < 0.1 * (start - least)
    assert ppo - least < 0.3 * (reinforce - least)


def weights_after_one_step(folder: Path, path: Path, **options: Any) -> dict[str, Tensor]:
    still = {"epochs": 1, "schedule": "constant"}
    options = {**FORMS["RL-SPINN"], **DROPOUT, **still, **options}
    run.train(small_configuration(folder, **options), path)
    assert RunDirectory.open(path).training_state()["progress"]["step"] == 1
    return load_file(RunDirectory.open(path).checkpoint("last") / "weights.safetensors")


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_further_updates_move_the_policy_and_nothing_else(tmp_path, monkeypatch, name, optimizer):
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)
    folder = write_corpus(tmp_path / "corpus", train=8)
    options = {**SETTINGS[name], "optimizer": optimizer, "weight_decay": 0.1}
    once = weights_after_one_step(folder, tmp_path / "once", **options)
    twice = weights_after_one_step(folder, tmp_path / "twice", **options, policy_updates=3)
    policy = "encoder.parser." if "parser" in options else "encoder.tracker."
    for part, weight in once.items():
        learned = part.startswith(policy) and weight.is_floating_point() and len(weight) > 0
        assert alike(weight, twice[part]) == (not learned), part


def test_further_updates_do_not_count_a_batch_again(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)
    folder = write_corpus(tmp_path / "corpus", train=8)
    options = {**APART, "leaf_norm": "batch"}
    once = weights_after_one_step(folder, tmp_path / "once", **options)
    thrice = weights_after_one_step(folder, tmp_path / "thrice", **options, policy_updates=3)
    parts = [part for part in once if "parser" in part and "running" in part]
    assert parts
    assert all(torch.equal(once[part], thrice[part]) for part in parts)


def test_a_parsers_gradient_is_limited_by_itself(tmp_path, monkeypatch):
    """What composes learns the same whatever the parser's gradient is."""
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)
    folder = write_corpus(tmp_path / "corpus", train=8)
    options = {**APART, "optimizer": "sgd", "clip": 0.01}
    found = [
        weights_after_one_step(folder, tmp_path / str(weight), **options, entropy_weight=weight)
        for weight in (1.0, 1000.0)
    ]
    for part, value in found[0].items():
        if not part.startswith("encoder.parser."):
            assert alike(value, found[1][part]), part


@pytest.mark.parametrize("parser", ["shared", "own"])
def test_metrics_tell_how_many_trees_are_clipped(toy_folder, tmp_path, monkeypatch, parser):
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)
    path, ppo = tmp_path / "run", {"policy_updates": 4, "policy_clip": 0.05}
    options = {**FORMS["RL-SPINN"], "parser": parser, **ppo, "learning_rate": 0.05}
    run.train(small_configuration(toy_folder, **options), path)
    shares = [
        line["clipped"]
        for line in read_metrics(RunDirectory.open(path).metrics)
        if "clipped" in line
    ]
    assert shares
    assert all(0 < share < 1 for share in shares)
