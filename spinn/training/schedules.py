"""Schedules of the learning rate."""

from __future__ import annotations

import math

from torch.optim import Optimizer

from spinn.training.config import TrainingOptions


class LearningRate:
    """The learning rate at each step, as a share of its peak.

    It is a function of the step, except for ``plateau``, which counts its decays; the count is in
    the checkpoint.

    Parameters
    ----------
    options
        The schedule, and what belongs to it.
    total_steps
        Steps of all epochs.

    """

    def __init__(self, options: TrainingOptions, total_steps: int) -> None:
        self._options = options
        self._total = max(1, total_steps)
        self._decays = 0
        self._best = -math.inf

    def share(self, step: int) -> float:
        """Return the share of the peak rate at a step, counted from 0."""
        options = self._options
        if options.schedule == "cosine":
            rising = int(options.warmup * self._total)
            if step < rising:
                return (step + 1) / rising
            done = (step - rising) / max(1, self._total - rising)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        if options.schedule == "step":
            return options.decay ** (step // options.decay_steps)
        if options.schedule == "exponential":
            return options.decay ** (step / options.decay_steps)
        return options.decay**self._decays

    def apply(self, optimizer: Optimizer, step: int) -> float:
        """Set the rates of a step; return that of the first group."""
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * self.share(step)
        return float(optimizer.param_groups[0]["lr"])

    def note_score(self, score: float) -> None:
        """Record a dev score; ``plateau`` decays if it is not above the best one."""
        if self._options.schedule == "plateau" and score <= self._best:
            self._decays += 1
        self._best = max(self._best, score)

    def state_dict(self) -> dict[str, float]:
        """Return the state for a checkpoint."""
        return {"decays": self._decays, "best": self._best}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restore the state of a checkpoint."""
        self._decays, self._best = int(state["decays"]), state["best"]
