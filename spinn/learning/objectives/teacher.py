"""Learning transitions from a teacher's trees: cross-entropy, a mean over steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spinn.data.batching import Batch
from spinn.learning.objectives.label import Objective, StepResult, counted, ramp
from spinn.model.pair import PairModel
from spinn.model.types import Encoding, Plan
from spinn.ops.allreduce import part_of_mean
from spinn.support.options import Group, option
from spinn.support.registry import Choices
from spinn.trees import TREE_SOURCES, WITH_PREDICTED_TREES

GIVEN_TREES = Choices(TREE_SOURCES, where=lambda source: not source.chosen_by_model)


@dataclass(frozen=True)
class TeacherOptions:
    """Learning transitions from given trees (``--predict``)."""

    teacher: str = option("gold", "trees that --predict learns from", choices=GIVEN_TREES)
    transition_weight: float = option(1.0, "weight of the transition loss", minimum=0)
    transition_weight_end: float | None = option(
        None, "weight at the end of training (default: the same)", minimum=0
    )
    scheduled_sampling: float = option(
        0.0,
        "share of steps that follow the tracker at the end of training, rising from 0: the "
        "composition also learns from trees that the tracker predicts",
        minimum=0,
        maximum=1,
    )


TEACHER_GROUP = Group("teacher", TeacherOptions, WITH_PREDICTED_TREES)


class TeacherObjective(Objective):
    """The label's loss plus the cross-entropy of the teacher's transitions.

    Parameters
    ----------
    options
        Its weights.
    epochs, label_smoothing
        As in :class:`Objective`.

    """

    def __init__(self, options: TeacherOptions, epochs: int, label_smoothing: float = 0.0) -> None:
        super().__init__(epochs, label_smoothing)
        self.options = options

    def step(self, model: PairModel, batch: Batch, epoch: float) -> StepResult:
        """Run the model on a batch with the teacher's transitions."""
        assert batch.transitions is not None
        options, done = self.options, epoch / self.epochs
        plan = Plan.mixed(batch.transitions, ramp(0.0, options.scheduled_sampling, done))
        output = counted(model(batch.words, batch.lengths, plan), batch)
        given = batch.transitions[:, : model.sides * len(batch)]
        transition_loss = teacher_loss(output.encoding, given)
        weight, end = options.transition_weight, options.transition_weight_end
        if end is not None:
            weight = ramp(weight, end, done)
        loss = self.label_loss(output, batch.labels) + weight * transition_loss
        return self.result(output, batch.labels, loss, transition_loss=transition_loss.detach())


def teacher_loss(encoding: Encoding, given: Tensor) -> Tensor:
    """Return the mean cross-entropy of the given transitions ``[T, B]`` over steps.

    A step counts while its sentence has followed the given tree; after that, the teacher's
    transitions do not apply to the tracker's states. A step whose transition is forced counts with
    a loss of zero.
    """
    assert encoding.policy is not None
    assert encoding.transitions is not None
    left = (encoding.transitions != given).long().cumsum(dim=0)
    followed = torch.cat([torch.zeros_like(left[:1]), left[:-1]]) == 0
    steps = encoding.policy.running & followed
    return -part_of_mean(encoding.policy.log_prob(given)[steps])
