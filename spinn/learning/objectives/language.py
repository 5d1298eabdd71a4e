"""The loss of a language model, and the state that it carries from one window to the next."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinn.data.streams import IGNORED, TextBatch
from spinn.learning.objectives.label import StepResult
from spinn.model.language import LanguageModel, LanguageOutput, State, detached
from spinn.ops.allreduce import all_sum, part_of_mean
from spinn.support.options import Group, option


@dataclass(frozen=True)
class PenaltyOptions:
    """Penalties of the last layer's outputs (Merity, McCann and Socher 2017)."""

    activation_penalty: float = option(
        0.0, "weight of the mean square of the outputs after dropout (AR)", minimum=0
    )
    temporal_penalty: float = option(
        0.0, "weight of the mean square of their changes from token to token (TAR)", minimum=0
    )


PENALTY_GROUP = Group("penalties", PenaltyOptions)


class LanguageObjective(nn.Module):
    """The mean cross-entropy of the tokens of a batch, with penalties.

    The carried state is in buffers, so that checkpoints keep it. In several processes, each carries
    only its streams; the buffers hold the states of all streams, see :meth:`gather`.

    Parameters
    ----------
    penalties
        Weights of the penalties.
    state
        The state before the first token of all streams; ``None`` if sentences are read.
    own
        The streams of this process.

    """

    def __init__(
        self, penalties: PenaltyOptions, state: State | None, own: slice = slice(None)
    ) -> None:
        super().__init__()
        self.penalties, self._own = penalties, own
        self._shape = None if state is None else [len(parts) for parts in state]
        for number, parts in enumerate(state or []):
            for place, part in enumerate(parts):
                self.register_buffer(f"state_{number}_{place}", part)

    @property
    def state(self) -> State | None:
        """The carried state of the streams of this process, as views of the buffers."""
        if self._shape is None:
            return None
        return [
            tuple(
                self.get_buffer(f"state_{number}_{place}")[:, self._own] for place in range(parts)
            )
            for number, parts in enumerate(self._shape)
        ]

    def reset(self) -> None:
        """Begin the streams anew."""
        for buffer in self.buffers():
            buffer.zero_()

    def gather(self) -> None:
        """Copy the states of all processes into the buffers of each; every process must call this.

        A checkpoint of them can then be resumed by any number of processes.
        """
        for buffer in self.buffers():
            own = torch.zeros_like(buffer)
            own[:, self._own] = buffer[:, self._own]
            buffer.copy_(all_sum(own))

    def _carry(self, state: State) -> None:
        for kept, parts in zip(self.state or [], detached(state), strict=False):
            for buffer, part in zip(kept, parts, strict=True):
                buffer.copy_(part)

    def forward(self, model: LanguageModel, batch: TextBatch) -> StepResult:
        """Compute the loss of a batch; its figures are sums over the tokens, in nats."""
        state = self.state
        # Buffers are written in place after the step; the backward pass needs what was read.
        before = None if state is None else [tuple(p.clone() for p in parts) for parts in state]
        output: LanguageOutput = model(batch.inputs, before, batch.lengths)
        if before is not None:
            self._carry(output.state)
        losses = token_losses(model, output.dropped, batch.targets)
        loss = part_of_mean(losses) + self._penalty(output, batch.targets != IGNORED)
        return StepResult(loss, {"loss": losses.detach().sum()})

    def _penalty(self, output: LanguageOutput, real: Tensor) -> Tensor | float:
        penalty: Tensor | float = 0.0
        if self.penalties.activation_penalty > 0:
            square = part_of_mean(output.dropped[real].float().square())
            penalty = penalty + self.penalties.activation_penalty * square
        if self.penalties.temporal_penalty > 0:
            change = (output.raw[1:] - output.raw[:-1])[real[1:]]
            square = part_of_mean(change.float().square())
            penalty = penalty + self.penalties.temporal_penalty * square
        return penalty


def token_losses(model: LanguageModel, hidden: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each target that is not padding, in nats ``[N]``.

    The scores of all of them are one matrix product.
    """
    real = targets != IGNORED
    rows = hidden.flatten(0, 1) if bool(real.all()) else hidden[real]
    scores = model.decode(rows).float()
    return functional.cross_entropy(scores, targets[real].flatten(), reduction="none")
