"""Batch normalisation over all rows of a batch, also if they are split between processes.

``torch.nn.SyncBatchNorm`` supports GPUs only; this module supports every device.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from spinn.ops.allreduce import all_sum, world_size


class Statistics:
    """The mean over batches of the mean and the variance of their rows."""

    def __init__(self, width: int) -> None:
        self.batches = 0
        self.mean, self.variance = torch.zeros(width), torch.zeros(width)

    @torch.no_grad()
    def add(self, rows: Tensor) -> None:
        """Add a batch of rows ``[n, width]``, at least two."""
        self.batches += 1
        exact = rows.float()
        self.mean = self.mean.to(exact).lerp(exact.mean(0), 1 / self.batches)
        self.variance = self.variance.to(exact).lerp(exact.var(0), 1 / self.batches)


class GlobalBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of rows ``[n, width]`` split between processes.

    Outputs, gradients and running statistics are those of ``nn.BatchNorm1d`` over the rows of all
    processes; their numbers of rows may differ. The state dictionary has the same keys. In a single
    process, and in evaluation mode, this is ``nn.BatchNorm1d``, except that a batch of one row,
    which has no variance, is normalised as in evaluation mode.

    Attributes
    ----------
    counts
        Whether the rows of this process contribute to the statistics; set by :func:`count_rows`.
    tracks
        Whether batches change the running statistics; see :func:`untracked`.
    gathered
        Statistics that are being recomputed, by :func:`recomputed_statistics`.

    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.counts = self.tracks = True
        self.gathered: Statistics | None = None

    def forward(self, rows: Tensor) -> Tensor:
        """Normalise rows; in training every process must call this with at least one row."""
        if self.gathered is not None and len(rows) > 1:
            self.gathered.add(rows)
            return self._by_own_statistics(rows)
        if not self.training or (world_size() == 1 and len(rows) > 1 and self.tracks):
            return super().forward(rows)
        if world_size() == 1:
            return self._by_own_statistics(rows) if len(rows) > 1 else self._as_in_evaluation(rows)
        exact = rows.to(self.weight.dtype)  # bf16 is too imprecise for sums over many rows
        counted = len(exact) if self.counts else 0
        sums = all_sum(torch.cat([exact[:counted].sum(0), exact.new_tensor([counted])]))
        count = sums[-1].detach()
        if count == 1:
            return self._as_in_evaluation(rows)
        mean = sums[:-1] / count
        # Sum the squares of centred values: E[x^2] - E[x]^2 would cancel.
        centred = exact - mean
        variance = all_sum(centred[:counted].square().sum(0)) / count
        if self.tracks:
            self._track(mean.detach(), variance.detach(), count)
        normalised = centred * (variance + self.eps).rsqrt()
        return (normalised * self.weight + self.bias).to(rows.dtype)

    def _by_own_statistics(self, rows: Tensor) -> Tensor:
        return nn.functional.batch_norm(
            rows, None, None, self.weight, self.bias, training=True, eps=self.eps
        )

    def _as_in_evaluation(self, rows: Tensor) -> Tensor:
        return nn.functional.batch_norm(
            rows, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Update the running statistics, with the unbiased variance."""
        assert self.momentum is not None
        unbiased = variance * count / (count - 1).clamp(min=1)
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_(unbiased.to(self.running_var), self.momentum)


def _norms(model: nn.Module) -> list[GlobalBatchNorm]:
    return [module for module in model.modules() if isinstance(module, GlobalBatchNorm)]


def count_rows(model: nn.Module, counts: bool) -> None:
    """Set whether the next rows of this process contribute to the statistics.

    A process without a part of the batch still runs the model, because every process must take part
    in the sums, but its rows are not counted.
    """
    for norm in _norms(model):
        norm.counts = counts


@contextmanager
def untracked(model: nn.Module) -> Iterator[None]:
    """Keep the running statistics of a model while the block runs batches a second time."""
    norms = _norms(model)
    for norm in norms:
        norm.tracks = False
    try:
        yield
    finally:
        for norm in norms:
            norm.tracks = True


@contextmanager
def recomputed_statistics(model: nn.Module) -> Iterator[None]:
    """Replace the running statistics of a model by those of the batches run in the block.

    Running statistics lag behind the weights, and have the dropout of training in them. Run the
    final model in evaluation mode over a part of the training set ("precise BN" of Wu and Johnson
    2021, arXiv 2105.07576, section 3).
    """
    norms = _norms(model)
    for norm in norms:
        norm.gathered = Statistics(norm.num_features)
    try:
        yield
        for norm in norms:
            if norm.gathered is not None and norm.gathered.batches:
                norm.running_mean.copy_(norm.gathered.mean)
                norm.running_var.copy_(norm.gathered.variance)
    finally:
        for norm in norms:
            norm.gathered = None
