"""Proximal policy optimisation: further updates of the policy with trees that were sampled before.

REINFORCE uses a batch's trees once. To use them again, after the policy has moved away from the one
they were sampled from, each advantage is weighed with the ratio of their probabilities, new to old,
and the clipped surrogate of Schulman et al. (2017, arXiv 1707.06347, eq. 7) ends the attraction of
a tree once its probability has changed by a share of ``clip``. That lets the policy keep pace with
the composition, which learns faster by its exact gradient (Havrylov, Kruszewski and Joulin 2019,
arXiv 1902.09393, for trees).

Where all ratios are 1 the surrogate's gradient is REINFORCE's. The first update with a batch is
therefore REINFORCE's own, in one step with the rest of the model; what is here makes the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinn.model.encoder import Choice, Encoding, Leaves
from spinn.model.pair import PairModel, SortedSentences
from spinn.model.policy import TransitionPolicy
from spinn.training.distributed import part_of_mean
from spinn.training.reinforce import by_pair

# Of the logarithm of a ratio: far beyond every clip, and not yet infinite.
_LARGEST = 20.0


@dataclass(frozen=True)
class SampledTrees:
    """The trees of a batch, what they earned, and what a policy needs to judge them anew.

    Attributes
    ----------
    sentences
        Sorted, with the transitions ``[T, S * K]`` of the K samples of each, side by side.
    leaves
        The words as the sampling policy met them, dropout included, without gradient: only the
        model's own change is to move a ratio. (A parser makes its own.)
    order
        Which of the S * K trees count, in the order of the batch.
    transitions, log_probabilities
        ``[T, 2P * K]``, those that count, and what they were sampled with.
    advantage
        ``[P, K]`` or ``[T, P, K, 2]``, as the baseline measured it.
    entropy_weight
        Of the bonus.
    sides
        How many sentences an advantage judges together: 2, or 1.

    """

    sentences: SortedSentences
    leaves: Leaves
    order: Tensor
    transitions: Tensor
    log_probabilities: Tensor
    advantage: Tensor
    entropy_weight: float
    sides: int

    @classmethod
    def of(
        cls,
        sampled: Encoding,
        sentences: SortedSentences,
        leaves: Leaves,
        advantage: Tensor,
        entropy_weight: float,
        sides: int,
    ) -> SampledTrees:
        """Keep what was ``sampled`` for ``sentences``, in the order of the batch.

        A process that has no pair of its own has sampled for one that only stands in; the
        advantage of none says so.
        """
        assert sampled.policy is not None
        assert sampled.transitions is not None
        pairs, samples = advantage.shape[-2:] if advantage.dim() == 2 else advantage.shape[1:3]
        order = sentences.places(samples)
        taken, back = sampled.transitions, order.argsort()
        log_probabilities = sampled.policy.log_probability(taken).detach()
        counted = slice(None if pairs else 0)
        return cls(
            replace(sentences, transitions=taken[:, back]),
            replace(leaves, states=leaves.states.detach()),
            order[counted],
            taken[:, counted],
            log_probabilities[:, counted],
            advantage,
            entropy_weight,
            sides,
        )

    @property
    def samples(self) -> int:
        """K, how many trees there are of each sentence."""
        return self.advantage.shape[1] if self.advantage.dim() == 2 else self.advantage.shape[2]

    def judged_by(self, model: PairModel) -> TransitionPolicy:
        """Return the distributions ``[T, 2P * K]`` that the model now has along these trees."""
        encoding = model.parse(self.sentences, self.leaves, Choice.GIVEN, copies=self.samples)
        policy = encoding.reorder(self.order).policy
        assert policy is not None
        return policy


def surrogate_loss(
    policy: TransitionPolicy, trees: SampledTrees, clip: float
) -> tuple[Tensor, Tensor]:
    """Make PPO's loss, minus the clipped surrogate, as (this process's part of) a mean.

    A ratio is of the probabilities of what one advantage judges. A reward judges all transitions of
    a pair at once, so there is one ratio to a pair's two trees, as in the paper on trees; the value
    baseline judges each transition by itself, and each has its ratio. As in REINFORCE's loss, the
    mean is over pairs and samples.

    Parameters
    ----------
    policy
        ``[T, 2P * K]``, the distributions as they are now.
    trees
        What was sampled from earlier ones.
    clip
        How far a ratio may go from 1 and still be worth going further.

    Returns
    -------
    The loss, and the share of ratios beyond the clip, which get no gradient.

    """
    advantage = trees.advantage
    moved = policy.log_probability(trees.transitions) - trees.log_probabilities
    moved = by_pair(moved, trees.samples, trees.sides)
    judged = by_pair(policy.running, trees.samples, trees.sides)
    if advantage.dim() == 2:
        advantage = advantage[None, :, :, None]
        moved = moved.sum(dim=(0, 3), keepdim=True)
        judged = judged[:1].any(dim=3, keepdim=True)
    ratio = moved.clamp(-_LARGEST, _LARGEST).exp()
    gain, limit = ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage
    clipped = part_of_mean((limit < gain)[judged].to(gain.dtype))
    return -part_of_mean(torch.minimum(gain, limit).sum(dim=(0, 3))), clipped
