"""What a training step minimises: the label's loss, and the transitions' where they are learned.

Trees that are given, or built by the encoder, leave the classification loss alone. A tracker that
learns from a teacher adds the cross-entropy of the teacher's transitions; one that learns by
REINFORCE adds the policy's loss, and one that learns by PPO has more of that from the same trees.
The trees of a parser that has learned enough are given like any others.

Where several processes share a batch, each makes its part of every mean: the parts add up to what a
single process would have made of the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinn.data.batching import Batch
from spinn.model.norm import count_rows
from spinn.model.pair import PairModel, PairOutput
from spinn.model.policy import TransitionPolicy
from spinn.model.types import Encoding, Leaves, Plan
from spinn.ops.allreduce import all_sum, world_size
from spinn.runtime import evaluation_mode
from spinn.training.config import Configuration
from spinn.training.distributed import part_of_mean
from spinn.training.ppo import SampledTrees, surrogate_loss
from spinn.training.reinforce import Greedy, make_baseline, policy_loss


@dataclass(frozen=True)
class StepResult:
    """A batch's loss, to be minimised, and the figures to report.

    Attributes
    ----------
    loss
        A scalar with gradient.
    sums
        Sums over the examples of the batch: ``loss`` (the label's cross-entropy) and ``correct``.
    means
        Further figures, already averaged over the batch.
    trees
        What was sampled, where the policy is to learn more from it.

    Of several processes, each has its part: their sum over the processes is the figure.

    """

    loss: Tensor
    sums: dict[str, Tensor]
    means: dict[str, Tensor] = field(default_factory=dict)
    trees: SampledTrees | None = None


class Objective(nn.Module):
    """The loss of a configuration; a module because a baseline may have weights of its own.

    Parameters
    ----------
    configuration
        All options.
    sides
        How many sentences the model classifies together: 2, or 1.

    """

    def __init__(self, configuration: Configuration, sides: int = 2) -> None:
        super().__init__()
        self.configuration = configuration
        self.sides = sides
        sampled = configuration.source is not None and configuration.source.sampled
        self.baseline = (
            make_baseline(configuration.policy.baseline, configuration.model.tracker_size, sides)
            if sampled
            else None
        )

    def forward(self, model: PairModel, batch: Batch, epoch: float) -> StepResult:
        """Run the model on a batch, ``epoch`` passes (with a fraction) into training."""
        settled = self.configuration.follows_own_trees(epoch)
        taught = epoch < self.configuration.policy.warm_start and batch.transitions is not None
        if self.baseline is not None and not taught and not settled:
            return self._reinforce(model, batch, epoch)
        if self.configuration.teacher is not None and not settled:
            return self._follow_teacher(model, batch, epoch)
        plan = Plan(temperature=self._temperature(epoch))
        if batch.transitions is not None:
            plan = Plan.given(batch.transitions, batch.heights)
        output = model(batch.words, batch.lengths, plan)
        output = _counted(output, batch)
        return self._result(output, batch.labels, self._label_loss(output, batch.labels))

    def _follow_teacher(self, model: PairModel, batch: Batch, epoch: float) -> StepResult:
        """Add the cross-entropy of the teacher's transitions, a mean over all steps."""
        options = self.configuration.trees
        assert batch.transitions is not None
        own_share = self._between(0.0, options.scheduled_sampling, epoch)
        plan = Plan.mixed(batch.transitions, own_share)
        output = _counted(model(batch.words, batch.lengths, plan), batch)
        given = batch.transitions[:, : self.sides * len(batch)]
        transition_loss = teacher_loss(output.encoding, given)
        weight, end = options.transition_weight, options.transition_weight_end
        if end is not None:
            weight = self._between(weight, end, epoch)
        loss = self._label_loss(output, batch.labels) + weight * transition_loss
        return self._result(output, batch.labels, loss, transition_loss=transition_loss.detach())

    def _reinforce(self, model: PairModel, batch: Batch, epoch: float) -> StepResult:
        """Add REINFORCE's loss of sampled transitions, and the entropy bonus."""
        options = self.configuration.policy
        assert self.baseline is not None
        leaves, plan = model.read(batch.words, batch.lengths, Plan.sampled())
        copies = leaves.repeat(options.samples)
        output = model.classify(copies, plan)
        sampled, output = output.encoding, _counted(output, batch)
        labels = batch.labels.repeat_interleave(options.samples)
        rewards = self._rewards(output, labels).view(len(batch), options.samples)
        reference = self._greedy_rewards(model, batch, leaves)
        encoding = output.encoding
        assert encoding.policy is not None
        assert encoding.transitions is not None
        advantage = self.baseline.advantage(rewards, encoding, reference)
        loss = self._label_loss(output, labels)
        loss = loss + options.policy_weight * policy_loss(
            encoding.policy, encoding.transitions, advantage, self.sides
        )
        entropy = _entropy(encoding.policy)
        start, end = options.entropy_weight, options.entropy_weight_end
        last = options.policy_epochs or self.configuration.training.epochs
        epochs = options.entropy_epochs or last - options.warm_start
        weight = self._between(start, end, epoch - options.warm_start, epochs)
        if weight > 0:
            loss = loss - weight * entropy
        own = self.baseline.loss()
        if own is not None:
            loss = loss + own
        figures = {"entropy": entropy.detach(), "reward": part_of_mean(rewards)}
        result = self._result(output, labels, loss, options.samples, **figures)
        if options.policy_updates == 1:
            return result
        trees = SampledTrees.of(sampled, copies, advantage, weight, self.sides)
        return replace(result, trees=trees)

    def _greedy_rewards(self, model: PairModel, batch: Batch, leaves: Leaves) -> Tensor | None:
        """Give the rewards ``[P]`` of the policy's best trees, where the baseline wants them."""
        if not isinstance(self.baseline, Greedy):
            return None
        with evaluation_mode(model):  # so that the reference leaves no trace in batch statistics
            greedy = _counted(model.classify(leaves, Plan()), batch)
            return self._rewards(greedy, batch.labels)

    def improve(self, model: PairModel, trees: SampledTrees) -> tuple[Tensor, Tensor]:
        """Make the loss of a further update of the policy, and the share of ratios it clips."""
        options = self.configuration.policy
        policy = trees.judged_by(model)
        loss, clipped = surrogate_loss(policy, trees, options.policy_clip)
        bonus = trees.entropy_weight * _entropy(policy)
        return options.policy_weight * loss - bonus, clipped

    def _temperature(self, epoch: float) -> float:
        """Give the temperature of the Gumbel-softmax, for an encoder that has one."""
        start, end = self.configuration.trees.temperature, self.configuration.trees.temperature_end
        return start if end is None else self._between(start, end, epoch)

    def _between(
        self, start: float, end: float, epoch: float, epochs: float | None = None
    ) -> float:
        """Move a weight in a straight line over so many epochs, or all of training."""
        done = min(1.0, epoch / (epochs or self.configuration.training.epochs))
        return start + done * (end - start)

    def _rewards(self, output: PairOutput, labels: Tensor) -> Tensor:
        """Give ``[P]`` rewards: minus the loss, or 1 for a correct label and 0 for a wrong one."""
        scores = output.scores.detach().float()
        if self.configuration.policy.reward == "correct":
            return (scores.argmax(dim=1) == labels).to(scores.dtype)
        return -functional.cross_entropy(scores, labels, reduction="none")

    def _label_loss(self, output: PairOutput, labels: Tensor) -> Tensor:
        """Return (this process's part of) the mean cross-entropy of the labels."""
        smoothing = self.configuration.training.label_smoothing
        losses = functional.cross_entropy(
            output.scores.float(), labels, reduction="none", label_smoothing=smoothing
        )
        return part_of_mean(losses)

    def _result(
        self, output: PairOutput, labels: Tensor, loss: Tensor, samples: int = 1, **means: Tensor
    ) -> StepResult:
        scores = output.scores.detach().float()
        sums = {
            "loss": functional.cross_entropy(scores, labels, reduction="sum") / samples,
            "correct": (scores.argmax(dim=1) == labels).sum() / samples,
        }
        return StepResult(loss, sums, means)


class TrainingStep(nn.Module):
    """Model and objective in one, so that a single call is the forward half of a training step."""

    def __init__(self, model: PairModel, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, batch: Batch, epoch: float) -> StepResult:
        """Run the model on a batch, or on this process's share of one."""
        count_rows(self.model, len(batch) > 0)
        result: StepResult = self.objective(self.model, batch, epoch)
        return result if world_size() == 1 else replace(result, loss=self._tied(result.loss))

    def _tied(self, loss: Tensor) -> Tensor:
        """Let every weight get a gradient, if only of zero: processes wait for each other's.

        A share of one-word sentences leaves out the composition and whatever of the tracker serves
        nothing else; steps that follow a teacher leave out a baseline that learns.
        """
        idle = [*self.model.encoder.parameters(), *self.objective.parameters()]
        return loss + 0.0 * sum(weight.sum() for weight in idle)


def _entropy(policy: TransitionPolicy) -> Tensor:
    """Make (this process's part of) the mean entropy of all free choices, in nats."""
    free = all_sum(policy.free.sum()).clamp(min=1)
    return policy.entropy().sum() / free


def _counted(output: PairOutput, batch: Batch) -> PairOutput:
    """Drop what the model made of an example that only stands in where a process has none."""
    return output if len(batch) else output.nothing()


def teacher_loss(encoding: Encoding, given: Tensor) -> Tensor:
    """Average the cross-entropy of the given transitions ``[T, B]`` over steps.

    A step counts as long as its sentence has followed the given tree so far: from there on, the
    teacher's transitions do not speak of the states the tracker is in. A step whose transition is
    forced counts with its loss of zero.
    """
    assert encoding.policy is not None
    assert encoding.transitions is not None
    left = (encoding.transitions != given).long().cumsum(dim=0)
    followed = torch.cat([torch.zeros_like(left[:1]), left[:-1]]) == 0
    counted = encoding.policy.running & followed
    return -part_of_mean(encoding.policy.log_prob(given)[counted])
