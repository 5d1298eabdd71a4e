"""Building the objective from its options."""

from __future__ import annotations

from spinn.learning.objectives.label import GumbelOptions, Objective
from spinn.learning.objectives.next_word import NextWordLoss
from spinn.learning.objectives.ppo import PPOOptions
from spinn.learning.objectives.reinforce import ReinforceObjective, ReinforceOptions
from spinn.learning.objectives.teacher import TeacherObjective, TeacherOptions


def build_objective(
    epochs: int,
    label_smoothing: float = 0.0,
    *,
    teacher: TeacherOptions | None = None,
    reinforce: ReinforceOptions | None = None,
    ppo: PPOOptions | None = None,
    gumbel: GumbelOptions | None = None,
    next_word: NextWordLoss | None = None,
    sides: int = 2,
) -> Objective:
    """Build the objective that these options describe.

    Parameters
    ----------
    epochs, label_smoothing
        As in :class:`Objective`.
    teacher, reinforce, ppo, gumbel
        Options of these parts; ``None`` for those that are absent.
    next_word
        An auxiliary loss to be added, if any.
    sides
        Sentences that are classified together: 2, or 1.

    """
    objective = Objective(epochs, label_smoothing, gumbel)
    if teacher is not None:
        objective = TeacherObjective(teacher, epochs, label_smoothing)
    if reinforce is not None:
        objective = ReinforceObjective(reinforce, epochs, label_smoothing, sides=sides, ppo=ppo)
    objective.next_word = next_word
    return objective
