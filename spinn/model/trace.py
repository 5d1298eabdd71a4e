"""The record of a pass through a batch: transitions, policies, tracker states, phrases."""

from __future__ import annotations

import torch
from torch import Tensor

from spinn.model.policy import TransitionPolicy
from spinn.model.types import Encoding
from spinn.transitions import Transition


class Trace:
    """What happened at each time step; sentences that are over are padded.

    Parameters
    ----------
    count
        B, the number of sentences.

    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: list[Tensor] = []
        self._tops: list[Tensor] = []
        self._policies: list[TransitionPolicy] = []
        self._states: list[Tensor] = []

    def add(
        self, taken: Tensor, tops: Tensor, policy: TransitionPolicy | None, seen: Tensor
    ) -> None:
        """Record a step: transitions and topmost rows ``[active]``, states ``[active, K]``."""
        self._taken.append(taken)
        self._tops.append(tops)
        self._states.append(seen)
        if policy is not None:
            self._policies.append(policy)

    def phrases(self, empty: int) -> Tensor:
        """Return rows ``[T, B]`` of the node composed at each step; ``empty`` where none was."""
        return self._stack(self._tops, empty).where(self.taken == Transition.REDUCE, empty)

    @property
    def taken(self) -> Tensor:
        """``[T, B]``, the transitions."""
        return self._stack(self._taken, int(Transition.PAD))

    def encoding(self, sentences: Tensor) -> Encoding:
        """Return the encoding of sentence vectors ``[B, H]``."""
        policy = None
        if self._policies:
            policy = TransitionPolicy(
                self._stack([policy.logits for policy in self._policies], 0),
                self._stack([policy.legal for policy in self._policies], 0),
            )
        return Encoding(sentences, self.taken, policy, self._stack(self._states, 0))

    def _stack(self, steps: list[Tensor], padding: int) -> Tensor:
        """Stack ``[active, ...]`` of every step to ``[T, B, ...]``."""
        whole = steps[0].new_full((len(steps), self._count, *steps[0].shape[1:]), padding)
        padded = [
            torch.cat([step, whole[time, len(step) :]]) if len(step) < self._count else step
            for time, step in enumerate(steps)
        ]
        return torch.stack(padded)
