"""Optimisers and schedules: each of its kind, and every figure of the options reaches it."""

from __future__ import annotations

import argparse
import itertools
import math
from typing import Any

import pytest
import torch
from machine import DEVICE
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from spinn.commands.options import add_configuration, configuration_of
from spinn.config import Configuration, resolve
from spinn.learning.objectives.label import Objective
from spinn.learning.optimizers import make_optimizer
from spinn.learning.schedules import SCHEDULES, Constant, Cosine, LearningRate, Plateau
from spinn.model.build import build_embedding
from spinn.model.pair import PairModel

KINDS = {"sgd": SGD, "rmsprop": RMSprop, "adam": Adam, "adamw": AdamW}
RL = {"trees": "sampled", "tracker": True, "tracker_size": 3}


def make(**options: Any) -> tuple[Configuration, PairModel, Objective, Optimizer]:
    small = {"hidden_size": 3, "embedding_size": 2, "classifier_width": 4}
    configuration = resolve(small, options)
    torch.manual_seed(0)
    embedding = build_embedding(7, configuration.embedding)
    model = configuration.build_model(embedding, 3).to(DEVICE)
    objective = configuration.build_objective().to(DEVICE)
    reinforce = configuration.reinforce
    rate = None if reinforce is None else reinforce.policy_learning_rate
    optimizer = make_optimizer(configuration.optimizer, model, objective, rate)
    return configuration, model, objective, optimizer


def set_gradients(model: nn.Module, value: float | None = None) -> None:
    random = torch.Generator().manual_seed(1)
    for weight in model.parameters():
        given = torch.randn(weight.shape, generator=random).to(DEVICE)
        weight.grad = given if value is None else torch.full_like(weight, value)


def moves(model: nn.Module, optimizer: Optimizer) -> dict[str, torch.Tensor]:
    """Make one step and tell how far every weight went."""
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer.step()
    return {name: weight.detach() - before[name] for name, weight in model.named_parameters()}


@pytest.mark.parametrize("name", KINDS)
def test_optimiser_is_of_the_kind_that_is_named(name):
    assert type(make(optimizer=name)[3]) is KINDS[name]


@pytest.mark.parametrize("name", KINDS)
def test_every_weight_is_trained_once(name):
    _, model, objective, optimizer = make(optimizer=name, **RL, policy_learning_rate=0.1)
    trained = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    weights = [*model.parameters(), *objective.parameters()]
    assert len(trained) == len(set(trained))
    assert set(trained) == {id(weight) for weight in weights}


@pytest.mark.parametrize("name", KINDS)
def test_learning_rate_reaches_the_steps(name):
    """From a fresh state, each of these optimisers moves in proportion to its rate."""
    by_rate = []
    for rate in (0.001, 0.003):
        _, model, _, optimizer = make(optimizer=name, learning_rate=rate)
        assert [group["lr"] for group in optimizer.param_groups] == [rate]
        set_gradients(model)
        by_rate.append(moves(model, optimizer))
    for weight, small in by_rate[0].items():
        assert small.abs().sum() > 0
        assert torch.allclose(by_rate[1][weight], 3 * small, rtol=1e-2, atol=1e-6)


def test_sgd_moves_by_exactly_the_rate_times_the_gradient():
    _, model, _, optimizer = make(optimizer="sgd", learning_rate=0.25)
    set_gradients(model)
    for name, weight in model.named_parameters():
        weight.data.zero_()
        assert weight.grad is not None, name
    for weight, move in zip(model.parameters(), moves(model, optimizer).values(), strict=True):
        assert torch.equal(move, -0.25 * weight.grad)


@pytest.mark.parametrize("name", KINDS)
def test_learning_rate_flag_reaches_the_optimiser(name):
    parser = argparse.ArgumentParser()
    add_configuration(parser)
    flags = f"--learning-rate 0.0123 --optimizer {name} --weight-decay 0.04".split()
    configuration = configuration_of(parser.parse_args(flags))
    embedding = build_embedding(7, configuration.embedding)
    model = configuration.build_model(embedding, 3).to(DEVICE)
    optimizer = make_optimizer(configuration.optimizer, model, configuration.build_objective())
    (group,) = optimizer.param_groups
    assert (group["lr"], group["peak"], group["weight_decay"]) == (0.0123, 0.0123, 0.04)


def test_momentum_reaches_sgd():
    _, model, _, optimizer = make(optimizer="sgd", learning_rate=0.1, momentum=0.5)
    set_gradients(model, value=1.0)
    first = moves(model, optimizer)
    second = moves(model, optimizer)
    for name in first:
        assert torch.allclose(first[name], torch.full_like(first[name], -0.1), atol=1e-6)
        assert torch.allclose(second[name], torch.full_like(first[name], -0.15), atol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_weight_decay_pulls_weights_towards_zero(name):
    _, model, _, optimizer = make(optimizer=name, learning_rate=0.01, weight_decay=0.5)
    set_gradients(model, value=0.0)
    before = {key: weight.detach().clone() for key, weight in model.named_parameters()}
    for key, move in moves(model, optimizer).items():
        weight = before[key]
        if name in ("sgd", "adamw"):
            assert torch.allclose(move, -0.01 * 0.5 * weight, atol=1e-7)
        else:  # as a gradient of its own, which these two bring to the size of the rate
            assert (move * weight <= 0).all()
            assert move.abs().sum() > 0 or not weight.any()


@pytest.mark.parametrize("name", KINDS)
def test_without_weight_decay_weights_without_gradient_stay(name):
    _, model, _, optimizer = make(optimizer=name)
    set_gradients(model, value=0.0)
    assert not any(move.any() for move in moves(model, optimizer).values())


# The tracker's own rate.


def test_policy_learning_rate_is_the_trackers_alone():
    options = {"optimizer": "sgd", "learning_rate": 0.1, "policy_learning_rate": 0.02}
    configuration, model, _, optimizer = make(**RL, **options, schedule="constant")
    LearningRate(configuration.schedule, 1).apply(optimizer, 0)
    set_gradients(model, value=1.0)
    for name, move in moves(model, optimizer).items():
        rate = 0.02 if name.startswith("encoder.tracker.") else 0.1
        assert torch.allclose(move, torch.full_like(move, -rate), atol=1e-6), name


def test_a_policy_learning_rate_of_zero_keeps_the_tracker_still():
    configuration, model, _, optimizer = make(**RL, policy_learning_rate=0.0)
    LearningRate(configuration.schedule, 1).apply(optimizer, 0)
    set_gradients(model)
    for name, move in moves(model, optimizer).items():
        assert move.any() != name.startswith("encoder.tracker."), name


def test_without_a_policy_learning_rate_there_is_one_group():
    assert len(make(**RL)[3].param_groups) == 1


def test_schedule_moves_both_rates_by_the_same_share():
    configuration, _, _, optimizer = make(
        **RL,
        learning_rate=0.1,
        policy_learning_rate=0.02,
        schedule="step",
        decay=0.5,
        decay_steps=2,
    )
    schedule = LearningRate(configuration.schedule, 10)
    for step, share in ((0, 1), (1, 1), (2, 0.5), (5, 0.25)):
        assert schedule.apply(optimizer, step) == pytest.approx(0.1 * share)
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([0.1 * share, 0.02 * share])


# Schedules.


def shares(total: int, **options: Any) -> list[float]:
    schedule = LearningRate(resolve(options).schedule, total)
    return [schedule.share(step) for step in range(total)]


def test_constant_schedule_stays_at_the_peak():
    assert shares(5, schedule="constant") == [1.0] * 5


def test_cosine_schedule_rises_in_a_line_and_falls_in_a_cosine():
    warm = [0.25, 0.5, 0.75, 1.0]
    fall = [1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    assert shares(8, schedule="cosine", warmup=0.5) == pytest.approx(warm + fall)


def test_cosine_schedule_without_warm_up_starts_at_the_peak_and_nearly_ends_at_zero():
    whole = shares(100, schedule="cosine", warmup=0.0)
    assert whole[0] == 1
    assert whole[50] == pytest.approx(0.5)
    assert 0 < whole[-1] < 0.001
    assert all(later < earlier for earlier, later in itertools.pairwise(whole))


def test_cosine_schedule_stays_at_zero_beyond_its_end():
    schedule = LearningRate(Cosine(), 10)
    assert schedule.share(10) == pytest.approx(0, abs=1e-12)
    assert schedule.share(25) == pytest.approx(0, abs=1e-12)


def test_step_schedule_falls_at_once():
    seen = shares(7, schedule="step", decay=0.75, decay_steps=3)
    assert seen == pytest.approx([1, 1, 1, 0.75, 0.75, 0.75, 0.5625])


def test_exponential_schedule_meets_the_step_schedule_at_its_steps():
    seen = shares(7, schedule="exponential", decay=0.25, decay_steps=2)
    assert seen == pytest.approx([1, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625])


def test_plateau_schedule_falls_when_the_accuracy_does_not_rise():
    schedule = LearningRate(Plateau(decay=0.5), 100)
    seen = []
    for accuracy in (0.4, 0.6, 0.6, 0.5, 0.7, 0.65):
        schedule.note_score(accuracy)
        seen.append(schedule.share(7))
    assert seen == [1, 1, 0.5, 0.25, 0.25, 0.125]


def test_other_schedules_do_not_listen_to_accuracy():
    schedule = LearningRate(Constant(), 10)
    for _ in range(3):
        schedule.note_score(0.1)
    assert schedule.share(5) == 1


def test_plateau_schedule_goes_on_from_its_saved_state():
    options = Plateau(decay=0.5)
    first, second = LearningRate(options, 10), LearningRate(options, 10)
    for accuracy in (0.5, 0.4):
        first.note_score(accuracy)
    second.load_state_dict(first.state_dict())
    assert second.share(0) == 0.5
    second.note_score(0.45)  # still below the best, which it remembers
    assert second.share(0) == 0.25


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_schedules_bear_a_run_of_one_step(name):
    assert shares(1, schedule=name) == [1.0]
