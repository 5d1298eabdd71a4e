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
        counts = torch.tensor([len(step) for step in steps])[:, None]
        sentences = torch.arange(self._count)
        # Row 0 is padding, and behind it are the rows of all steps.
        rows = (1 + counts.cumsum(0) - counts + sentences).where(sentences < counts, 0)
        whole = torch.cat([steps[0].new_full(steps[0][:1].shape, padding), *steps])
        return whole.index_select(0, rows.flatten().to(whole.device)).unflatten(0, rows.shape)
