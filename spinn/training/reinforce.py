"""REINFORCE for transitions: the policy's loss, and what rewards are measured against.

A pair's reward is known once it is classified; both its sentences' transitions earned it. (What is
said of pairs holds of single sentences: an example has S of them, 2 or 1.) The policy's loss has
the gradient -(R - b) * grad log p(transitions), an unbiased estimate of the gradient of the
expected -R for every baseline b here except the running mean's deviation, which scales it
(Williams 1992; Yogatama et al. 2016 for trees).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spinn.model.policy import TransitionPolicy
from spinn.model.types import Encoding
from spinn.training.distributed import mean, part_of_mean


class Baseline(nn.Module):
    """Turn rewards into advantages; this one leaves them as they are (``none``)."""

    def advantage(self, rewards: Tensor, encoding: Encoding, reference: Tensor | None) -> Tensor:
        """Measure rewards against the baseline.

        Parameters
        ----------
        rewards
            ``[P, K]``, of K samples of each of P pairs.
        encoding
            Of the SP * K sentences.
        reference
            ``[P]``, the rewards of the greedy trees, where the baseline wants them.

        Returns
        -------
        ``[P, K]``, or ``[T, P, K, S]`` if it differs from step to step and from premise to
        hypothesis. It carries no gradient.

        """
        return rewards

    def loss(self) -> Tensor | None:
        """Return what the baseline itself has to learn from the last rewards, if it learns."""
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
        """Use the statistics of earlier batches, so that a reward has no part in its baseline."""
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
            raise ValueError("the greedy baseline wants the rewards of the greedy trees")
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
        """Predict at every step, and remember the error as this baseline's loss."""
        if encoding.tracker is None or encoding.policy is None:
            raise ValueError("the value baseline wants the tracker's states")
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
    """Make the baseline that ``--baseline`` names."""
    if name == "value":
        return Value(tracker_size, sides)
    kinds = {"none": Baseline, "mean": RunningMean, "greedy": Greedy, "leave-one-out": LeaveOneOut}
    return kinds[name]()


def by_pair(values: Tensor, samples: int, sides: int) -> Tensor:
    """Bring ``[T, SP * K]`` of sentences to ``[T, P, K, S]``: premise and hypothesis of a pair."""
    pairs = values.shape[1] // (sides * samples)
    return torch.stack(values.unflatten(1, (sides, pairs, samples)).unbind(1), dim=-1)


def policy_loss(
    policy: TransitionPolicy, transitions: Tensor, advantage: Tensor, sides: int
) -> Tensor:
    """Make the loss whose gradient is REINFORCE's, as (this process's part of) a mean.

    The mean is over pairs and samples.

    Parameters
    ----------
    policy, transitions
        ``[T, SP * K]``, what was sampled and from what.
    advantage
        ``[P, K]`` or ``[T, P, K, S]``, without gradient.
    sides
        S, how many sentences earn a reward together.

    """
    samples = advantage.shape[1] if advantage.dim() == 2 else advantage.shape[2]
    steps = by_pair(policy.log_prob(transitions), samples, sides)
    if advantage.dim() == 2:
        advantage = advantage[None, :, :, None]
    return -part_of_mean((advantage * steps).sum(dim=(0, 3)))
