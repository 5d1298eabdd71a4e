"""Learning transitions from the label alone: REINFORCE.

A pair's reward is known once it is classified; the transitions of both its sentences earned it. The
policy's loss has the gradient -(R - b) * grad log p(transitions), an unbiased estimate of the
gradient of the expected -R for every baseline b of :mod:`spinn.learning.objectives.baselines`
except the running mean's deviation, which scales it (Williams 1992; Yogatama et al. 2016 for
trees).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.nn import functional

from spinn.data.batching import Batch
from spinn.learning.objectives.baselines import Greedy, make_baseline
from spinn.learning.objectives.label import Objective, StepResult, counted, ramp
from spinn.learning.objectives.ppo import PPOOptions, SampledTrees, of_pairs, surrogate_loss
from spinn.model.pair import PairModel, PairOutput
from spinn.model.policy import TransitionPolicy
from spinn.model.types import Leaves, Plan
from spinn.ops.allreduce import all_sum, part_of_mean
from spinn.support.options import Condition, Group, option
from spinn.support.runtime import evaluation_mode
from spinn.trees import WITH_SAMPLED_TREES


@dataclass(frozen=True)
class ReinforceOptions:
    """Learning transitions by REINFORCE (``--rl``)."""

    baseline: str = option(
        "greedy",
        "what a reward is compared with",
        choices=("none", "mean", "greedy", "leave-one-out"),
    )
    samples: int = option(1, "trees sampled for each sentence", minimum=1)
    policy_learning_rate: float | None = option(
        None,
        "learning rate of the tracker, or of the parser (default: that of the model)",
        minimum=0,
    )
    policy_epochs: int = option(
        0,
        "epochs after which a parser of its own (--parser own) is frozen and its most probable "
        "trees are followed; 0 for never",
        minimum=0,
        former_none=True,
        when=Condition(
            lambda values: values["parser"] == "own", "it belongs to --rl with --parser own"
        ),
    )
    entropy_weight: float = option(0.02, "weight of the entropy bonus", minimum=0)
    entropy_weight_end: float = option(0.0, "entropy weight at the end of training", minimum=0)
    entropy_epochs: int | None = option(
        None,
        "epochs of policy learning after which the entropy weight is at its end (default: all)",
        minimum=1,
        when=Condition(
            lambda values: values["entropy_weight"] != values["entropy_weight_end"],
            "it belongs to --rl with an --entropy-weight-end that differs from --entropy-weight",
        ),
    )

    def ends_before(self, epoch: float) -> bool:
        """Return whether the policy no longer learns, ``epoch`` epochs into training."""
        return 0 < self.policy_epochs <= epoch


REINFORCE_GROUP = Group("reinforce", ReinforceOptions, WITH_SAMPLED_TREES)

LEARNED_TREES: Mapping[str, Any] = {
    "parser": "own",
    "samples": 4,
    "baseline": "leave-one-out",
    "policy_updates": 3,
    "policy_learning_rate": 2e-3,
    "policy_epochs": 5,
    "entropy_weight": 0.2,
    "entropy_weight_end": 0.005,
    "entropy_epochs": 3,
    "curriculum": 0.4,
    "curriculum_epochs": 8,
    "warmup": 0.02,
}
"""The options that ``--rl`` sets, in this and other groups: a separate parser is trained by PPO, on
short sentences first and with a decreasing entropy bonus, and is then frozen. The reasons are in
``docs/learning-trees.md``."""


class ReinforceObjective(Objective):
    """The label's loss over sampled trees, the policy's loss, and an entropy bonus.

    Parameters
    ----------
    options
        Baseline, samples and weights.
    epochs, label_smoothing
        As in :class:`Objective`.
    sides
        Sentences that earn a reward together: 2, or 1.
    ppo
        Options of further updates with the same trees, if there are any.

    """

    def __init__(
        self,
        options: ReinforceOptions,
        epochs: int,
        label_smoothing: float = 0.0,
        *,
        sides: int = 2,
        ppo: PPOOptions | None = None,
    ) -> None:
        super().__init__(epochs, label_smoothing)
        self.options, self.sides, self.ppo = options, sides, ppo
        self.baseline = make_baseline(options.baseline)

    def step(self, model: PairModel, batch: Batch, epoch: float) -> StepResult:
        """Run the model on a batch, along sampled trees or those of a frozen parser."""
        options = self.options
        if options.ends_before(epoch):
            return super().step(model, batch, epoch)
        leaves, plan = model.read(batch.words, batch.lengths, Plan.sampled())
        copies = leaves.repeat(options.samples)
        every = model.classify(copies, plan)
        output = counted(every, batch)
        labels = batch.labels.repeat_interleave(options.samples)
        rewards = rewards_of(output, labels).view(len(batch), options.samples)
        reference = self._greedy_rewards(model, batch, leaves)
        encoding = output.encoding
        assert encoding.policy is not None
        assert encoding.transitions is not None
        advantage = self.baseline.advantage(rewards, reference)
        loss = self.label_loss(output, labels)
        loss = loss + policy_loss(encoding.policy, encoding.transitions, advantage, self.sides)
        entropy = mean_entropy(encoding.policy)
        weight = self._entropy_weight(epoch)
        if weight > 0:
            loss = loss - weight * entropy
        figures = {"entropy": entropy.detach(), "reward": part_of_mean(rewards)}
        result = self.result(output, labels, loss, options.samples, **figures)
        if self.ppo is None:
            return result
        trees = SampledTrees.of(every.encoding, copies, advantage, weight, self.sides)
        return replace(result, trees=trees)

    def improve(self, model: PairModel, trees: SampledTrees) -> tuple[Tensor, Tensor]:
        """Return the loss of a further update of the policy, and the share of clipped ratios."""
        assert self.ppo is not None
        policy = trees.judged_by(model)
        loss, clipped = surrogate_loss(policy, trees, self.ppo.policy_clip)
        bonus = trees.entropy_weight * mean_entropy(policy)
        return loss - bonus, clipped

    def _entropy_weight(self, epoch: float) -> float:
        options = self.options
        last = options.policy_epochs or self.epochs
        done = epoch / (options.entropy_epochs or last)
        return ramp(options.entropy_weight, options.entropy_weight_end, done)

    def _greedy_rewards(self, model: PairModel, batch: Batch, leaves: Leaves) -> Tensor | None:
        """Return the rewards ``[P]`` of the policy's best trees, if the baseline needs them."""
        if not isinstance(self.baseline, Greedy):
            return None
        with evaluation_mode(model):  # leaves no trace in batch statistics
            greedy = counted(model.classify(leaves, Plan()), batch)
            return rewards_of(greedy, batch.labels)


def rewards_of(output: PairOutput, labels: Tensor) -> Tensor:
    """Return rewards ``[P]``: the log-probabilities of the labels, without gradient."""
    return -functional.cross_entropy(output.scores.detach().float(), labels, reduction="none")


def mean_entropy(policy: TransitionPolicy) -> Tensor:
    """Return (this process's part of) the mean entropy of all free choices, in nats."""
    free = all_sum(policy.free.sum()).clamp(min=1)
    return policy.entropy().sum() / free


def policy_loss(
    policy: TransitionPolicy, transitions: Tensor, advantage: Tensor, sides: int
) -> Tensor:
    """Return a loss with REINFORCE's gradient, a mean over pairs and samples.

    Parameters
    ----------
    policy, transitions
        ``[T, SP * K]``, what was sampled and from what.
    advantage
        ``[P, K]``, without gradient.
    sides
        S, sentences that earn a reward together.

    """
    log_probs = of_pairs(policy.log_prob(transitions), advantage.shape[1], sides)
    return -part_of_mean(advantage * log_probs)
