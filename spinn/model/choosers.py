"""Who chooses the transitions: a teacher, the policy's best, a sample of it, or a mixture.

A chooser is called once for each time step with the number of sentences that are still active
(they are the first ones) and with the policy of the step, if a tracker predicts one.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from spinn.model.policy import TransitionPolicy


class Chooser(Protocol):
    """Choose the next transition of each active sentence."""

    @property
    def transitions(self) -> Tensor | None:
        """``[T, B]``, where all transitions are known beforehand."""

    def __call__(self, time: int, active: int, policy: TransitionPolicy | None) -> Tensor:
        """Return transitions ``[active]`` of a time step."""

    def reorder(self, order: Tensor) -> Chooser:
        """Return the chooser for the sentences in another order ``[B]``."""


class Given:
    """Follow given transitions.

    Parameters
    ----------
    transitions
        ``[T, B]``, padded.

    """

    def __init__(self, transitions: Tensor) -> None:
        self.transitions: Tensor | None = transitions
        self._steps = transitions

    def __call__(self, time: int, active: int, policy: TransitionPolicy | None) -> Tensor:
        """Return the given transitions of the step."""
        return self._steps[time, :active].long()

    def reorder(self, order: Tensor) -> Given:
        """Reorder the transitions."""
        return Given(self._steps[:, order])


class Mixed(Given):
    """Follow given transitions, but in a share of the steps the policy's best (scheduled sampling).

    Parameters
    ----------
    transitions
        ``[T, B]``, padded.
    own_share
        Probability that a step takes the policy's best transition.

    """

    def __init__(self, transitions: Tensor, own_share: float) -> None:
        super().__init__(transitions)
        self._own_share = own_share

    def __call__(self, time: int, active: int, policy: TransitionPolicy | None) -> Tensor:
        """Draw which sentences follow the policy in this step."""
        given = super().__call__(time, active, policy)
        if policy is None:
            return given
        own = torch.rand(len(given), device=given.device) < self._own_share
        # A given transition may be illegal once an earlier step went another way.
        return torch.where(own | ~policy.allows(given), policy.argmax(), given)

    def reorder(self, order: Tensor) -> Mixed:
        """Reorder the transitions."""
        return Mixed(self._steps[:, order], self._own_share)


class Greedy:
    """Take the most probable transitions."""

    transitions: Tensor | None = None

    def __call__(self, time: int, active: int, policy: TransitionPolicy | None) -> Tensor:
        """Return the most probable transitions of the step."""
        return _scored(policy).argmax()

    def reorder(self, order: Tensor) -> Greedy:
        """Return itself: it does not depend on the order."""
        return self


class Sampled:
    """Draw transitions from the policy."""

    transitions: Tensor | None = None

    def __call__(self, time: int, active: int, policy: TransitionPolicy | None) -> Tensor:
        """Draw the transitions of the step."""
        return _scored(policy).sample()

    def reorder(self, order: Tensor) -> Sampled:
        """Return itself: it does not depend on the order."""
        return self


def _scored(policy: TransitionPolicy | None) -> TransitionPolicy:
    if policy is None:
        raise ValueError("this encoder has no tracker that predicts transitions; give them")
    return policy
