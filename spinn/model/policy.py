"""The policy: a distribution over the two transitions at each step of each sentence.

Illegal transitions are ruled out before the softmax, so sampling, the most probable choice, log
probabilities and entropy all speak of one distribution, in training and in evaluation alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spinn.transitions import Transition

# The columns of scores and of legality are REDUCE, SHIFT; this takes a column to its transition.
FIRST_COLUMN = int(Transition.REDUCE)


class TransitionPolicy:
    """A masked distribution over transitions.

    Parameters
    ----------
    scores
        ``[..., 2]``, unnormalised, for REDUCE and SHIFT.
    legal
        ``[..., 2]``, true where the transition may be taken. Where neither may, the sentence is
        over: its transition is PAD, with probability 1.

    """

    def __init__(self, scores: Tensor, legal: Tensor) -> None:
        self.legal = legal
        # In bf16 the probabilities of a step would not even sum to 1.
        self.scores = scores.to(torch.promote_types(scores.dtype, torch.float32))

    @property
    def log_probabilities(self) -> Tensor:
        """``[..., 2]``, computed when asked for: choosing a transition can do without."""
        # Half the lowest number: differences of masked scores stay finite, and so do gradients.
        lowest = torch.finfo(self.scores.dtype).min / 2
        return self.scores.masked_fill(~self.legal, lowest).log_softmax(dim=-1)

    @property
    def running(self) -> Tensor:
        """``[...]``, true where the sentence still has a transition to take."""
        return self.legal.any(dim=-1)

    @property
    def free(self) -> Tensor:
        """``[...]``, true where both transitions are legal, so that there is a choice."""
        return self.legal.all(dim=-1)

    def allows(self, transitions: Tensor) -> Tensor:
        """Tell for each of ``transitions`` ``[...]`` whether it is legal."""
        return self.legal.gather(-1, self._column(transitions)).squeeze(-1)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw transitions ``[...]``."""
        scores = self.scores.detach()
        reduce = (scores[..., 0] - scores[..., 1]).sigmoid()
        coin = torch.rand(
            reduce.shape, generator=generator, dtype=reduce.dtype, device=reduce.device
        )
        return self._choose(coin >= reduce)

    def argmax(self) -> Tensor:
        """Choose the most probable transitions ``[...]``; REDUCE where both are as probable."""
        scores = self.scores.detach()
        return self._choose(scores[..., 1] > scores[..., 0])

    def log_probability(self, transitions: Tensor) -> Tensor:
        """Give the log-probability of ``transitions`` ``[...]``; 0 where the sentence is over."""
        chosen = self.log_probabilities.gather(-1, self._column(transitions)).squeeze(-1)
        return chosen.masked_fill(~self.running, 0.0)

    def entropy(self) -> Tensor:
        """Give the entropy ``[...]`` in nats; 0 where there is no choice."""
        entropy = -(self.log_probabilities.exp() * self.log_probabilities).sum(dim=-1)
        return entropy.masked_fill(~self.free, 0.0)

    @staticmethod
    def _column(transitions: Tensor) -> Tensor:
        return (transitions.long() - FIRST_COLUMN).clamp(min=0).unsqueeze(-1)

    def _choose(self, shift: Tensor) -> Tensor:
        """Turn a preference ``[...]`` for SHIFT into transitions, within what is legal."""
        may_reduce, may_shift = self.legal.unbind(dim=-1)
        taken = may_shift & (shift | ~may_reduce)
        chosen = torch.where(taken, int(Transition.SHIFT), int(Transition.REDUCE))
        return chosen.masked_fill(~self.running, int(Transition.PAD))
