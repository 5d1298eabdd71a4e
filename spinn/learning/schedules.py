"""Schedules of the learning rate, registered by the names that ``--schedule`` takes.

A schedule is a frozen dataclass: its fields are its options, and :meth:`Schedule.share` is the
learning rate. Another one is registered in :data:`SCHEDULES`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

from spinn.support.options import Group, option
from spinn.support.registry import Choices, Registry

SCHEDULES: Registry[type[Schedule]] = Registry("schedule")
"""The schedules that ``--schedule`` takes, by name."""


def _name(default: str) -> Any:
    return option(default, "how the learning rate moves", choices=Choices(SCHEDULES))


def _decay() -> Any:
    return option(0.75, "factor of the rate at each decay", minimum=0, maximum=1)


def _decay_steps() -> Any:
    return option(10_000, "steps between decays", minimum=1)


@dataclass(frozen=True)
class Schedule:
    """How the learning rate moves in the course of training."""

    schedule: str = _name("cosine")

    def share(self, step: int, total: int, stalled: int) -> float:
        """Return the share of the peak rate at a step.

        Parameters
        ----------
        step
            Number of steps before it.
        total
            Number of steps of all epochs.
        stalled
            Number of evaluations so far whose score was not above all earlier ones.

        """
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Schedule):
    """The peak rate at all steps."""

    schedule: str = _name("constant")

    def share(self, step: int, total: int, stalled: int) -> float:
        """Return 1."""
        return 1.0


@dataclass(frozen=True)
class StepDecay(Schedule):
    """A decay at constant intervals."""

    schedule: str = _name("step")
    decay: float = _decay()
    decay_steps: int = _decay_steps()

    def share(self, step: int, total: int, stalled: int) -> float:
        """Decay once after each interval."""
        return self.decay ** (step // self.decay_steps)


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """A decay at every step, by a constant factor."""

    schedule: str = _name("exponential")
    decay: float = _decay()
    decay_steps: int = _decay_steps()

    def share(self, step: int, total: int, stalled: int) -> float:
        """Decay by the whole factor over each interval."""
        return float(self.decay ** (step / self.decay_steps))


@dataclass(frozen=True)
class Plateau(Schedule):
    """A decay after each evaluation whose score is not above all earlier ones."""

    schedule: str = _name("plateau")
    decay: float = _decay()

    def share(self, step: int, total: int, stalled: int) -> float:
        """Decay once for each such evaluation."""
        return self.decay**stalled


@dataclass(frozen=True)
class Cosine(Schedule):
    """A linear warm-up, then half a cosine to 0 (Loshchilov and Hutter 2017, arXiv 1608.03983)."""

    schedule: str = _name("cosine")
    warmup: float = option(
        0.1, "share of all steps in which the rate rises", minimum=0, maximum=0.9
    )

    def share(self, step: int, total: int, stalled: int) -> float:
        """Rise to 1, then fall to 0."""
        rising = int(self.warmup * total)
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, total - rising)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


SCHEDULES.register("constant", Constant)
SCHEDULES.register("step", StepDecay)
SCHEDULES.register("exponential", ExponentialDecay)
SCHEDULES.register("plateau", Plateau)
SCHEDULES.register("cosine", Cosine)

SCHEDULE_GROUP = Group("schedule", Schedule, variants=SCHEDULES)


class LearningRate:
    """The learning rate of a run, whose state is part of its checkpoints.

    Parameters
    ----------
    schedule
        The schedule.
    total_steps
        Number of steps of all epochs.

    """

    def __init__(self, schedule: Schedule, total_steps: int) -> None:
        self._schedule = schedule
        self._total = max(1, total_steps)
        self._stalled = 0
        self._best = -math.inf

    def share(self, step: int) -> float:
        """Return the share of the peak rate at a step, counted from 0."""
        return self._schedule.share(step, self._total, self._stalled)

    def apply(self, optimizer: Optimizer, step: int) -> float:
        """Set the rates of a step; return that of the first group."""
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * self.share(step)
        return float(optimizer.param_groups[0]["lr"])

    def note_score(self, score: float) -> None:
        """Record the score of an evaluation."""
        if score <= self._best:
            self._stalled += 1
        self._best = max(self._best, score)

    def state_dict(self) -> dict[str, float]:
        """Return the state for a checkpoint."""
        return {"decays": self._stalled, "best": self._best}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restore the state of a checkpoint."""
        self._stalled, self._best = int(state["decays"]), state["best"]
