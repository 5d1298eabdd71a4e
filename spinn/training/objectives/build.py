"""The objective of a configuration."""

from __future__ import annotations

from spinn.training.config import Configuration
from spinn.training.objectives.label import Objective
from spinn.training.objectives.reinforce import ReinforceObjective
from spinn.training.objectives.teacher import TeacherObjective


def build_objective(configuration: Configuration, sides: int = 2) -> Objective:
    """Build the objective; ``sides`` sentences are classified together, 2 or 1."""
    epochs, smoothing = configuration.training.epochs, configuration.training.label_smoothing
    teacher = None
    if configuration.teacher is not None:
        teacher = TeacherObjective(configuration.teaching, epochs, smoothing)
    if configuration.reinforce is not None:
        return ReinforceObjective(
            configuration.reinforce,
            epochs,
            smoothing,
            tracker_size=configuration.model.tracker_size,
            sides=sides,
            teacher=teacher,
            ppo=configuration.ppo,
        )
    return teacher or Objective(epochs, smoothing, configuration.gumbel)
