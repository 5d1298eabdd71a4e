"""Baselines of REINFORCE: what a reward is compared with.

An example has S sentences, 2 of a pair or 1, which earn its reward together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spinn.model.types import Encoding
from spinn.ops.allreduce import mean, part_of_mean


class Baseline(nn.Module):
    """Turn rewards into advantages; this one returns them unchanged (``none``)."""

    def advantage(self, rewards: Tensor, encoding: Encoding, reference: Tensor | None) -> Tensor:
        """Compare rewards with the baseline.

        Parameters
        ----------
        rewards
            ``[P, K]``, of K samples of each of P pairs.
        encoding
            Of the SP * K sentences.
        reference
            ``[P]``, the rewards of the greedy trees, if the baseline needs them.

        Returns
        -------
        ``[P, K]``, or ``[T, P, K, S]`` if it depends on the step and on the sentence. It has no
        gradient.

        """
        return rewards

    def loss(self) -> Tensor | None:
        """Return the loss of the baseline's own weights, from the last rewards, if it has any."""
        return None


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

    def advantage(self, rewards: Tensor, encoding: Encoding, reference: Tensor | None) -> Tensor:
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

    def advantage(self, rewards: Tensor, encoding: Encoding, reference: Tensor | None) -> Tensor:
        """Subtract the greedy rewards."""
        if reference is None:
            raise ValueError("the greedy baseline needs the rewards of the greedy trees")
        return rewards - reference[:, None]


class LeaveOneOut(Baseline):
    """Subtract the mean reward of the other samples of the same pair (Kool et al. 2019)."""

    def advantage(self, rewards: Tensor, encoding: Encoding, reference: Tensor | None) -> Tensor:
        """Compare the samples of each pair with each other."""
        samples = rewards.shape[1]
        return (rewards - rewards.mean(dim=1, keepdim=True)) * samples / (samples - 1)


class Value(Baseline):
    """Subtract a reward predicted from the tracker's state before each transition.

    The state has not seen the transition it precedes, so the estimate stays unbiased.
    """

    def __init__(self, tracker_size: int, sides: int = 2) -> None:
        super().__init__()
        self.sides = sides
        self.predict = nn.Linear(tracker_size, 1)
        self._loss: Tensor | None = None

    def advantage(self, rewards: Tensor, encoding: Encoding, reference: Tensor | None) -> Tensor:
        """Predict at every step, and keep the error as this baseline's loss."""
        if encoding.tracker is None or encoding.policy is None:
            raise ValueError("the value baseline needs the tracker's states")
        values = self.predict(encoding.tracker.detach()).squeeze(-1)
        predicted = by_pair(values, rewards.shape[1], self.sides)
        running = by_pair(encoding.policy.running, rewards.shape[1], self.sides)
        error = rewards[None, :, :, None] - predicted
        self._loss = part_of_mean(error.square()[running])
        return error.detach()

    def loss(self) -> Tensor | None:
        """Return the mean squared error of the last predictions."""
        return self._loss


def make_baseline(name: str, tracker_size: int, sides: int = 2) -> Baseline:
    """Return the baseline that ``--baseline`` names."""
    if name == "value":
        return Value(tracker_size, sides)
    kinds = {"none": Baseline, "mean": RunningMean, "greedy": Greedy, "leave-one-out": LeaveOneOut}
    return kinds[name]()


def by_pair(values: Tensor, samples: int, sides: int) -> Tensor:
    """Return ``[T, SP * K]`` of sentences as ``[T, P, K, S]``, by pair."""
    pairs = values.shape[1] // (sides * samples)
    return torch.stack(values.unflatten(1, (sides, pairs, samples)).unbind(1), dim=-1)
