"""The policy: a distribution over the two transitions at each step of each sentence.

Illegal transitions are masked before the softmax, so that samples, the most probable choice,
log-probabilities and entropy belong to one distribution, in training and in evaluation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spinn.transitions import Transition

# Columns are REDUCE, SHIFT; column plus this is the transition.
FIRST_COLUMN = int(Transition.REDUCE)


class TransitionPolicy:
    """A masked distribution over transitions.

    Parameters
    ----------
    logits
        ``[..., 2]``, unnormalised log-probabilities, for REDUCE and SHIFT.
    legal
        ``[..., 2]``, true where the transition may be taken. Where neither may, the sentence is
        over: its transition is PAD, with probability 1.

    """

    def __init__(self, logits: Tensor, legal: Tensor) -> None:
        self.legal = legal
        # In bf16 the probabilities of a step would not even sum to 1.
        self.logits = logits.to(torch.promote_types(logits.dtype, torch.float32))

    @property
    def log_probs(self) -> Tensor:
        """``[..., 2]``, the normalised log-probabilities; computed on access."""
        # Half the lowest number: differences of masked logits stay finite, and so do gradients.
        lowest = torch.finfo(self.logits.dtype).min / 2
        return self.logits.masked_fill(~self.legal, lowest).log_softmax(dim=-1)

    @property
    def running(self) -> Tensor:
        """``[...]``, true where the sentence still has a transition to take."""
        return self.legal.any(dim=-1)

    @property
    def free(self) -> Tensor:
        """``[...]``, true where both transitions are legal."""
        return self.legal.all(dim=-1)

    def allows(self, transitions: Tensor) -> Tensor:
        """Return whether each of ``transitions`` ``[...]`` is legal."""
        return self.legal.gather(-1, self._column(transitions)).squeeze(-1)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw transitions ``[...]``."""
        logits = self.logits.detach()
        reduce = (logits[..., 0] - logits[..., 1]).sigmoid()
        coin = torch.rand(
            reduce.shape, generator=generator, dtype=reduce.dtype, device=reduce.device
        )
        return self._choose(coin >= reduce)

    def argmax(self) -> Tensor:
        """Return the most probable transitions ``[...]``; REDUCE on a tie."""
        logits = self.logits.detach()
        return self._choose(logits[..., 1] > logits[..., 0])

    def log_prob(self, transitions: Tensor) -> Tensor:
        """Return the log-probability of ``transitions`` ``[...]``; 0 where the sentence is over."""
        chosen = self.log_probs.gather(-1, self._column(transitions)).squeeze(-1)
        return chosen.masked_fill(~self.running, 0.0)

    def entropy(self) -> Tensor:
        """Return the entropy ``[...]`` in nats; 0 where only one transition is legal."""
        entropy = -(self.log_probs.exp() * self.log_probs).sum(dim=-1)
        return entropy.masked_fill(~self.free, 0.0)

    @staticmethod
    def _column(transitions: Tensor) -> Tensor:
        return (transitions.long() - FIRST_COLUMN).clamp(min=0).unsqueeze(-1)

    def _choose(self, shift: Tensor) -> Tensor:
        """Turn a preference ``[...]`` for SHIFT into transitions, within what is legal."""
        may_reduce, may_shift = self.legal.unbind(dim=-1)
        taken = may_shift & (shift | ~may_reduce)
        return (taken + FIRST_COLUMN).masked_fill(~self.running, int(Transition.PAD))
