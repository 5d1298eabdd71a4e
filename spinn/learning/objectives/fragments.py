"""The loss of a language model over fragments."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from spinn.data.fragments.dataset import FragmentBatch
from spinn.learning.objectives.label import StepResult
from spinn.model.fragment_language import FragmentLanguageModel
from spinn.ops.allreduce import part_of_ratio
from spinn.support.options import Group, option


@dataclass(frozen=True)
class FragmentLossOptions:
    """The loss of the language model over fragments."""

    type_loss: float = option(
        0.0,
        "weight of the probability of fragments of other types among the most probable ones "
        "(Lee, Han, Cha and Son 2020)",
        minimum=0,
    )


FRAGMENT_LOSS_GROUP = Group("objective", FragmentLossOptions)


class FragmentObjective(nn.Module):
    """The mean cross-entropy of the fragments of a batch, with the top-k term if it has a weight.

    Parameters
    ----------
    options
        The weight; see :func:`spinn.model.fragment_language.top_k_excess`.

    """

    def __init__(self, options: FragmentLossOptions | None = None) -> None:
        super().__init__()
        self.options = options or FragmentLossOptions()

    def forward(self, model: FragmentLanguageModel, batch: FragmentBatch) -> StepResult:
        """Compute the loss of a batch; its figures are sums over the fragments, in nats."""
        weight = self.options.type_loss
        scores = model(
            batch.fragments, batch.parents, batch.types, batch.lengths, with_excess=weight > 0
        )
        nats = -scores.log_prob[:, : len(batch)].sum()
        sums = {"loss": nats.detach()}
        total = nats
        if scores.excess is not None:
            excess = scores.excess[:, : len(batch)].sum()
            sums["type_loss"] = excess.detach()
            total = total + weight * excess
        return StepResult(part_of_ratio(total, batch.size), sums)
