"""Proximal policy optimisation: further updates of the policy with the same sampled trees.

REINFORCE uses a batch's trees once. To use them again, after the policy has moved, each advantage
is multiplied by the ratio of the trees' probabilities, new to old, and the clipped surrogate of
Schulman et al. (2017, arXiv 1707.06347, equation 7) removes the gradient of a tree whose
probability has changed by more than ``clip``. The policy then keeps pace with the composition,
which learns faster by its exact gradient (Havrylov, Kruszewski and Joulin 2019, arXiv 1902.09393,
for trees).

Where all ratios are 1 the surrogate's gradient is REINFORCE's. The first update with a batch is
therefore REINFORCE's, in one step with the rest of the model; this module makes the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinn.model.norm import untracked
from spinn.model.pair import PairModel
from spinn.model.policy import TransitionPolicy
from spinn.model.types import Encoding, Leaves, Plan
from spinn.ops.allreduce import part_of_mean
from spinn.support.options import Condition, Group, option
from spinn.trees import WITH_SAMPLED_TREES

_LARGEST = 20.0  # of the logarithm of a ratio: far past every clip, and finite


@dataclass(frozen=True)
class PPOOptions:
    """Several updates of the policy with the same trees (``--policy-updates 2`` or more)."""

    policy_updates: int = option(
        1,
        "updates of the policy with the trees of a batch; 1 for REINFORCE, more for PPO",
        minimum=1,
        when=WITH_SAMPLED_TREES,
    )
    policy_clip: float = option(
        0.2, "largest relative change of a tree's probability that PPO rewards", minimum=0
    )


PPO_GROUP = Group(
    "ppo",
    PPOOptions,
    Condition(
        lambda values: WITH_SAMPLED_TREES.holds(values) and values["policy_updates"] > 1,
        "it belongs to --rl with --policy-updates 2 or more",
    ),
)


@dataclass(frozen=True)
class SampledTrees:
    """The trees of a batch, their advantages, and what a policy needs to score them again.

    Attributes
    ----------
    leaves
        K copies of each sentence, as the sampling policy read them, dropout included, without
        gradient: only the change of the policy may move a ratio. (A parser makes its own leaves.)
    taken
        ``[T, SP * K]``, the transitions of all copies, in the order of the leaves.
    transitions, log_probs
        ``[T, SP * K]``, those of the batch, in its order, and their log-probabilities when
        sampled. A process without pairs has none.
    advantage
        ``[P, K]``, from the baseline.
    entropy_weight
        Of the bonus.
    sides
        Sentences that an advantage judges together: 2, or 1.

    """

    leaves: Leaves
    taken: Tensor
    transitions: Tensor
    log_probs: Tensor
    advantage: Tensor
    entropy_weight: float
    sides: int

    @classmethod
    def of(
        cls,
        sampled: Encoding,
        leaves: Leaves,
        advantage: Tensor,
        entropy_weight: float,
        sides: int,
    ) -> SampledTrees:
        """Keep what was ``sampled`` for ``leaves``, in the order of the batch."""
        assert sampled.policy is not None
        assert sampled.transitions is not None
        taken = sampled.transitions
        log_probs = sampled.policy.log_prob(taken).detach()
        counted = slice(None if len(advantage) else 0)
        return cls(
            replace(leaves, states=leaves.states.detach(), word_states=None),
            taken[:, leaves.places.argsort()],
            taken[:, counted],
            log_probs[:, counted],
            advantage,
            entropy_weight,
            sides,
        )

    @property
    def samples(self) -> int:
        """K, the number of trees of each sentence."""
        return self.advantage.shape[1]

    def judged_by(self, model: PairModel) -> TransitionPolicy:
        """Return the model's present distributions ``[T, SP * K]`` along these trees."""
        with untracked(model):  # the batch counts once
            policy = model.parse(self.leaves, Plan.given(self.taken)).policy
        assert policy is not None
        counted = slice(self.transitions.shape[1])
        return TransitionPolicy(policy.logits[:, counted], policy.legal[:, counted])


def surrogate_loss(
    policy: TransitionPolicy, trees: SampledTrees, clip: float
) -> tuple[Tensor, Tensor]:
    """Return PPO's loss, minus the clipped surrogate, a mean over pairs and samples.

    There is one ratio for each advantage: of a pair's two trees, whose transitions earn one reward
    together.

    Parameters
    ----------
    policy
        ``[T, SP * K]``, the present distributions.
    trees
        What was sampled from earlier ones.
    clip
        Largest distance of a ratio from 1 that still has a gradient.

    Returns
    -------
    The loss, and the share of ratios past the clip, which have no gradient.

    """
    advantage = trees.advantage
    moved = policy.log_prob(trees.transitions) - trees.log_probs
    ratio = of_pairs(moved, trees.samples, trees.sides).clamp(-_LARGEST, _LARGEST).exp()
    gain, limit = ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage
    clipped = part_of_mean((limit < gain).to(gain.dtype))
    return -part_of_mean(torch.minimum(gain, limit)), clipped


def of_pairs(log_probs: Tensor, samples: int, sides: int) -> Tensor:
    """Return log-probabilities of transitions ``[T, SP * K]`` summed by pair and sample ``[P, K]``.

    Parameters
    ----------
    log_probs
        Of the K samples of each sentence, which are neighbours; premises first.
    samples, sides
        K and S.

    """
    return log_probs.sum(dim=0).view(sides, -1, samples).sum(dim=0)
