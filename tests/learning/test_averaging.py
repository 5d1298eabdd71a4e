"""NT-ASGD: against torch's ASGD, against a mean by hand, and its trigger on a scripted log."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from spinn.learning.averaging import LANGUAGE_OPTIMIZERS, NTASGD, NTASGDOptions, averaged


def problem() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2).double()


def step(model: nn.Linear, optimizer: torch.optim.Optimizer, seed: int) -> None:
    rows = torch.randn(5, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    optimizer.zero_grad()
    model(rows).square().mean().backward()
    optimizer.step()


def test_it_is_torchs_asgd_at_a_constant_rate():
    mine, other = problem(), problem()
    own = NTASGD(mine.parameters(), 0.3, weight_decay=0.01, averaging=True)
    # Torch's weights of the mean are late by a step, too: with t0=0, the first one has none.
    torchs = torch.optim.ASGD(other.parameters(), 0.3, lambd=0, t0=-1, weight_decay=0.01)
    for seed in range(7):
        step(mine, own, seed)
        step(other, torchs, seed)
    for weight, twin in zip(mine.parameters(), other.parameters(), strict=True):
        assert_close(weight, twin)
    own.exchange()
    for weight, twin in zip(mine.parameters(), other.parameters(), strict=True):
        assert_close(weight.detach(), torchs.state[twin]["ax"])


def test_the_average_is_the_mean_of_the_weights_after_each_step_since_the_trigger():
    model = problem()
    optimizer = NTASGD(model.parameters(), 0.1, evaluations=1)
    seen = []
    for seed in range(6):
        optimizer.param_groups[0]["lr"] = 0.1 * (seed + 1)  # takes effect at once
        before = model.weight.detach().clone()
        step(model, optimizer, seed)
        assert_close(model.weight.detach(), before - 0.1 * (seed + 1) * model.weight.grad)
        if seed == 1:
            for score in (1.0, 0.5, 0.4):
                optimizer.note_score(score)
        if seed > 1:
            seen.append(model.weight.detach().clone())
    last = model.weight.detach().clone()
    with averaged(optimizer):
        assert_close(model.weight.detach(), torch.stack(seen).mean(0))
    assert torch.equal(model.weight, last)


def test_the_trigger_compares_with_all_but_the_last_evaluations():
    optimizer = NTASGD(problem().parameters(), 0.1, evaluations=2)
    fired = []
    # The fifth is above the best of the first two, the sixth below that of the first three.
    for score in (1.0, 3.0, 2.0, 5.0, 4.0, 2.5):
        optimizer.note_score(score)
        fired.append(optimizer.averaging)
    assert fired == [False, False, False, False, False, True]
    assert not optimizer.finished


def test_from_the_start_the_same_rule_ends_training():
    optimizer = NTASGD(problem().parameters(), 0.1, evaluations=1, averaging=True)
    for score in (2.0, 3.0):
        optimizer.note_score(score)
    assert not optimizer.finished
    optimizer.note_score(1.0)
    assert optimizer.finished


def test_from_the_trigger_on_training_goes_on_to_its_end():
    optimizer = NTASGD(problem().parameters(), 0.1, evaluations=1)
    for score in (2.0, 3.0, 1.0, 0.5):
        optimizer.note_score(score)
    assert optimizer.averaging
    assert not optimizer.finished
    optimizer.param_groups[0]["finished"] = True  # as earlier versions saved it
    twin = NTASGD(problem().parameters(), 0.1, evaluations=1)
    twin.load_state_dict(optimizer.state_dict())
    assert twin.averaging
    assert not twin.finished


def test_without_averages_nothing_is_exchanged():
    model = problem()
    optimizer = NTASGD(model.parameters(), 0.1)
    step(model, optimizer, 0)
    before = copy.deepcopy(model.state_dict())
    with averaged(optimizer):
        assert torch.equal(model.weight, before["weight"])
    with averaged(torch.optim.SGD(model.parameters(), 0.1)):
        assert torch.equal(model.weight, before["weight"])


def test_its_state_is_restored():
    model = problem()
    optimizer = NTASGD(model.parameters(), 0.1, averaging=True)
    for seed in range(3):
        step(model, optimizer, seed)
    optimizer.note_score(1.0)
    other = copy.deepcopy(model)
    twin = NTASGD(other.parameters(), 0.1)
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for seed in range(3, 6):
        step(model, optimizer, seed)
        step(other, twin, seed)
    optimizer.exchange()
    twin.exchange()
    assert torch.equal(model.weight, other.weight)
    assert twin.param_groups[0]["scores"] == [1.0]


def test_language_models_have_it_beside_the_others():
    options = NTASGDOptions(learning_rate=2.0, average_from="start")
    group = {"params": list(problem().parameters()), "peak": 2.0}
    made = options.make([group], fused=True)
    assert isinstance(made, NTASGD)
    assert made.averaging
    assert list(LANGUAGE_OPTIMIZERS)[-1] == "nt-asgd"
    assert made.param_groups[0]["lr"] == pytest.approx(2.0)
