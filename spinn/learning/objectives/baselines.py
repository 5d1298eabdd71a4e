"""Baselines of REINFORCE: what a reward is compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spinn.ops.allreduce import mean


class Baseline(nn.Module):
    """Turn rewards into advantages; this one returns them unchanged (``none``)."""

    def advantage(self, rewards: Tensor, reference: Tensor | None = None) -> Tensor:
        """Compare rewards with the baseline.

        Parameters
        ----------
        rewards
            ``[P, K]``, of K samples of each of P pairs.
        reference
            ``[P]``, the rewards of the greedy trees, if the baseline needs them.

        Returns
        -------
        ``[P, K]``, without gradient.

        """
        return rewards


class RunningMean(Baseline):
    """Subtract the running mean of rewards, and divide by their running deviation."""

    mean: Tensor
    variance: Tensor
    seen: Tensor

    def __init__(self, momentum: float = 0.95) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("variance", torch.ones(()))
        self.register_buffer("seen", torch.zeros(()))

    def advantage(self, rewards: Tensor, reference: Tensor | None = None) -> Tensor:
        """Use the statistics of earlier batches, so that a reward is not part of its baseline."""
        result = rewards
        if self.seen > 0:
            share = 1 - self.momentum**self.seen
            average = self.mean / share
            variance = (self.variance - self.momentum**self.seen) / share
            result = (rewards - average) / variance.clamp(min=1e-4).sqrt()
            centre = average
        else:
            centre = mean(rewards)
        self.seen += 1
        self.mean.lerp_(mean(rewards).to(self.mean), 1 - self.momentum)
        spread = mean((rewards - centre).square())
        self.variance.lerp_(spread.to(self.variance), 1 - self.momentum)
        return result


class Greedy(Baseline):
    """Subtract the reward of the policy's own best trees (self-critic, Rennie et al. 2017)."""

    def advantage(self, rewards: Tensor, reference: Tensor | None = None) -> Tensor:
        """Subtract the greedy rewards."""
        if reference is None:
            raise ValueError("the greedy baseline needs the rewards of the greedy trees")
        return rewards - reference[:, None]


class LeaveOneOut(Baseline):
    """Subtract the mean reward of the other samples of the same pair (Kool et al. 2019)."""

    def advantage(self, rewards: Tensor, reference: Tensor | None = None) -> Tensor:
        """Compare the samples of each pair with each other."""
        samples = rewards.shape[1]
        return (rewards - rewards.mean(dim=1, keepdim=True)) * samples / (samples - 1)


def make_baseline(name: str) -> Baseline:
    """Return the baseline that ``--baseline`` names."""
    kinds = {"none": Baseline, "mean": RunningMean, "greedy": Greedy, "leave-one-out": LeaveOneOut}
    return kinds[name]()
