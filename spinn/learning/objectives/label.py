"""The label's loss: what every objective contains, and all there is where trees are given.

An objective maps a batch to a :class:`StepResult`. If several processes share a batch, each
computes its part of every mean; the sum of the parts is what a single process would compute from
the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from spinn.data.batching import Batch
from spinn.learning.objectives.next_word import NextWordLoss
from spinn.model.pair import PairModel, PairOutput
from spinn.model.types import Plan, WordStates
from spinn.ops.allreduce import part_of_mean
from spinn.support.options import Condition, Group, option


@dataclass(frozen=True)
class GumbelOptions:
    """The straight-through Gumbel-softmax of ``--encoder gumbel``."""

    temperature: float = option(
        1.0, "temperature of the Gumbel-softmax of the merges", minimum=0.01
    )
    temperature_end: float | None = option(
        None, "temperature at the end of training (default: the same)", minimum=0.01
    )


GUMBEL_GROUP = Group(
    "gumbel",
    GumbelOptions,
    Condition(lambda values: values["encoder"] == "gumbel", "it belongs to --encoder gumbel"),
)


@dataclass(frozen=True)
class StepResult:
    """The loss of a batch, and its figures.

    Attributes
    ----------
    loss
        A scalar with gradient.
    sums
        Sums over the examples of the batch: ``loss`` (cross-entropy of the labels), ``correct``.
    means
        Further figures, averaged over the batch.
    trees
        What was sampled, if the policy is to be updated again with it.
    word_states
        States of the LSTM that read the sentences, if any, for an auxiliary loss.

    In several processes, each result is a part; the figures are the sums over all processes.

    """

    loss: Tensor
    sums: dict[str, Tensor]
    means: dict[str, Tensor] = field(default_factory=dict)
    trees: Any = None
    word_states: WordStates | None = None

    def with_loss(self, loss: Tensor) -> StepResult:
        """Return the result with another loss."""
        return replace(self, loss=loss)


class Objective(nn.Module):
    """The loss of a form; a module because a baseline has statistics and an auxiliary loss weights.

    Subclasses override :meth:`step`.

    Parameters
    ----------
    epochs
        Epochs of training, over which weights move.
    label_smoothing
        Of the cross-entropy of the labels.
    temperature
        Of an encoder that draws merges.

    Attributes
    ----------
    next_word
        A language model's loss to be added to that of :meth:`step`, if any.

    """

    next_word: NextWordLoss | None

    def __init__(
        self, epochs: int, label_smoothing: float = 0.0, temperature: GumbelOptions | None = None
    ) -> None:
        super().__init__()
        self.epochs, self.label_smoothing = epochs, label_smoothing
        self._temperature = temperature
        self.next_word = None

    def forward(self, model: PairModel, batch: Batch, epoch: float) -> StepResult:
        """Return the loss of a batch, ``epoch`` passes (with a fraction) into training."""
        result = self.step(model, batch, epoch)
        if self.next_word is None:
            return result
        assert result.word_states is not None
        language = self.next_word(result.word_states, model.leaves.embedding)
        loss = result.loss + self.next_word.weight * language
        means = {**result.means, "language": language.detach()}
        return replace(result, loss=loss, means=means, word_states=None)

    def step(self, model: PairModel, batch: Batch, epoch: float) -> StepResult:
        """Run the model on a batch, and compute the loss without an auxiliary one."""
        plan = Plan(temperature=self._temperature_at(epoch))
        if batch.transitions is not None:
            plan = Plan.given(batch.transitions, batch.heights)
        output = counted(model(batch.words, batch.lengths, plan), batch)
        return self.result(output, batch.labels, self.label_loss(output, batch.labels))

    def _temperature_at(self, epoch: float) -> float | None:
        if self._temperature is None:
            return None
        start, end = self._temperature.temperature, self._temperature.temperature_end
        return start if end is None else ramp(start, end, epoch / self.epochs)

    def label_loss(self, output: PairOutput, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy of the labels ``[P]``."""
        losses = functional.cross_entropy(
            output.scores.float(), labels, reduction="none", label_smoothing=self.label_smoothing
        )
        return part_of_mean(losses)

    def result(
        self, output: PairOutput, labels: Tensor, loss: Tensor, samples: int = 1, **means: Tensor
    ) -> StepResult:
        """Gather a loss and its figures, over several samples of each example."""
        scores = output.scores.detach().float()
        sums = {
            "loss": functional.cross_entropy(scores, labels, reduction="sum") / samples,
            "correct": (scores.argmax(dim=1) == labels).sum() / samples,
        }
        return StepResult(loss, sums, means, word_states=output.word_states)


def ramp(start: float, end: float, done: float) -> float:
    """Return a weight that moves linearly while ``done`` goes from 0 to 1, and then stays."""
    return start + min(1.0, done) * (end - start)


def counted(output: PairOutput, batch: Batch) -> PairOutput:
    """Drop the output of an example that only keeps a process without examples in step."""
    return output if len(batch) else output.nothing()
