"""Statistics of batch normalisation, recomputed with the final weights."""

from __future__ import annotations

import torch
from torch import nn

from spinn.model.norm import GlobalBatchNorm, recomputed_statistics, untracked
from tests.machine import DEVICE


def test_statistics_are_those_of_the_batches_in_the_block():
    torch.manual_seed(1)
    model = nn.Sequential(GlobalBatchNorm(3), nn.Linear(3, 3)).to(DEVICE).eval()
    batches = [torch.randn(8, 3, device=DEVICE) * 3 + 1 for _ in range(4)]
    with recomputed_statistics(model):
        for batch in batches:
            model(batch)
    norm = model[0]
    mean = torch.stack([batch.mean(0) for batch in batches]).mean(0)
    variance = torch.stack([batch.var(0) for batch in batches]).mean(0)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)
    expected = (batches[0] - mean) / (variance + norm.eps).sqrt()
    torch.testing.assert_close(norm(batches[0]), expected)


def test_statistics_stay_while_a_batch_runs_again():
    torch.manual_seed(1)
    norm, rows = GlobalBatchNorm(3).to(DEVICE), torch.randn(8, 3, device=DEVICE)
    once = norm(rows)
    before = norm.running_mean.clone(), norm.running_var.clone()
    with untracked(nn.Sequential(norm)):
        torch.testing.assert_close(norm(rows), once)
    assert torch.equal(norm.running_mean, before[0])
    assert torch.equal(norm.running_var, before[1])
    norm(rows)
    assert not torch.equal(norm.running_mean, before[0])


def test_statistics_stay_without_batches_or_after_an_error():
    norm = GlobalBatchNorm(2).to(DEVICE).eval()
    before = norm.running_mean.clone(), norm.running_var.clone()
    with recomputed_statistics(norm):
        norm(torch.ones(1, 2, device=DEVICE))  # a single row has no variance
    try:
        with recomputed_statistics(norm):
            norm(torch.randn(4, 2, device=DEVICE))
            raise RuntimeError
    except RuntimeError:
        pass
    assert norm.gathered is None
    assert torch.equal(norm.running_mean, before[0])
    assert torch.equal(norm.running_var, before[1])
