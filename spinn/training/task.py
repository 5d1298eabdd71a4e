"""What the training loop asks of the thing it trains.

The loop knows epochs, steps, learning rates, checkpoints and figures. A task knows what a batch is,
what a step minimises and how well the model does: sentence pairs (:mod:`spinn.training.pairs`), or
a language model, whose batches are streams with a carried state and whose figure is perplexity.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor, nn
from torch.optim import Optimizer

from spinn.learning.objectives.label import StepResult
from spinn.training.loggers import Evaluated

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Update:
    """A further update of some weights with a batch that was used before.

    Attributes
    ----------
    loss
        A scalar with gradient.
    figures
        Of the update; those of the last one are logged.
    weights
        The weights that it moves.

    """

    loss: Tensor
    figures: dict[str, Tensor]
    weights: list[nn.Parameter]


class Task(ABC, Generic[Batch]):
    """A model with its data and its objective.

    Attributes
    ----------
    model
        What is saved.
    objective
        The loss; a module, whose buffers and weights a checkpoint keeps.
    unit
        What is counted, in the plural: ``"pairs"``.

    """

    model: nn.Module
    objective: nn.Module
    unit: str

    @abstractmethod
    def make_optimizer(self) -> Optimizer:
        """Return the optimiser; each group has its peak learning rate under ``"peak"``."""

    @abstractmethod
    def batches_in(self, epoch: int) -> int:
        """Return the number of batches of an epoch."""

    @abstractmethod
    def steps(self) -> int:
        """Return the number of steps of all epochs."""

    @abstractmethod
    def begin_epoch(self, epoch: int) -> None:
        """Prepare an epoch, also one that is resumed in the middle; put the model in training."""

    @abstractmethod
    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """Yield the batches of an epoch from number ``start`` on, on the device."""

    @abstractmethod
    def size(self, batch: Batch) -> int:
        """Return the number of units in a batch."""

    @abstractmethod
    def forward(self, batch: Batch, epoch: float) -> StepResult:
        """Compute the loss of a batch, ``epoch`` passes (with a fraction) into training."""

    @abstractmethod
    def weights(self) -> list[list[nn.Parameter]]:
        """Return the groups of weights whose gradients are clipped together."""

    @abstractmethod
    def before_step(self) -> None:
        """Change gradients, or the learning rates of this step, after the backward pass."""

    @abstractmethod
    def further_updates(self, result: StepResult) -> Iterator[Update]:
        """Yield further updates with a batch."""

    def with_derived(self, figures: dict[str, float]) -> dict[str, float]:
        """Return mean figures with those computed from them, such as perplexity."""
        return figures

    def gather_state(self) -> None:
        """Gather from all processes what a checkpoint keeps; each of them calls this before one."""

    @abstractmethod
    def evaluate(self) -> dict[str, float]:
        """Return the figures on the development set."""

    def evaluated(self) -> Evaluated | None:
        """Return what the last evaluation found besides figures, if anything."""
        return None

    @abstractmethod
    def score(self, figures: dict[str, float]) -> float:
        """Return how good the figures are; the checkpoint with the highest score is the best."""

    @abstractmethod
    def describe(self, epoch: int, batch: int) -> str:
        """Name the contents of a batch, for the error of a loss that is not finite."""

    @abstractmethod
    def summary(self, figures: dict[str, float], *, short: bool = False) -> str:
        """Format figures for a line, all or the most telling: ``loss 0.51 accuracy 79.1%``."""
