"""Batch normalisation over all rows of a batch, also where several processes share its rows.

``torch.nn.SyncBatchNorm`` does this on GPUs alone; here it is the same on every device.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spinn.ops.allreduce import all_sum, world_size


class GlobalBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of rows ``[n, width]``, of which each process has some.

    Outputs, gradients and running statistics are those of ``nn.BatchNorm1d`` over the rows of all
    processes together, however unequal their numbers; so are the keys of its state. In a single
    process, and in evaluation, it is ``nn.BatchNorm1d``; but a row that is alone in a batch, which
    has no variance, is normalised as in evaluation.

    Attributes
    ----------
    counts
        Whether this process's rows have a part in the statistics; a mode, like ``training``, set
        by :func:`count_rows`.

    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.counts = True

    def forward(self, rows: Tensor) -> Tensor:
        """Normalise rows; in training every process has to take part, with a row at least."""
        if not self.training or (world_size() == 1 and len(rows) > 1):
            return super().forward(rows)
        if world_size() == 1:
            return self._as_in_evaluation(rows)
        exact = rows.to(self.weight.dtype)  # sums over many rows are too much for bf16
        own = len(exact) if self.counts else 0
        sums = all_sum(torch.cat([exact[:own].sum(0), exact.new_tensor([own])]))
        count = sums[-1].detach()
        if count == 1:
            return self._as_in_evaluation(rows)
        mean = sums[:-1] / count
        # A second sum, of squares around the mean: a difference of large sums would lose digits.
        centred = exact - mean
        variance = all_sum(centred[:own].square().sum(0)) / count
        self._track(mean.detach(), variance.detach(), count)
        normal = centred * (variance + self.eps).rsqrt()
        return (normal * self.weight + self.bias).to(rows.dtype)

    def _as_in_evaluation(self, rows: Tensor) -> Tensor:
        return nn.functional.batch_norm(
            rows, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics towards those of the batch, the variance without bias."""
        assert self.momentum is not None
        unbiased = variance * count / (count - 1).clamp(min=1)
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_(unbiased.to(self.running_var), self.momentum)


def count_rows(model: nn.Module, counts: bool) -> None:
    """Say whether what this process runs next belongs to the batch, or only keeps step."""
    for module in model.modules():
        if isinstance(module, GlobalBatchNorm):
            module.counts = counts
