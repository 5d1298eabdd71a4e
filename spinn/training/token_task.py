"""What the tasks behind ``spinn lm train`` have in common: weights, steps and figures."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import nn
from torch.optim import Optimizer

from spinn.language.config import LanguageConfiguration
from spinn.language.fragments import FragmentConfiguration
from spinn.language.perplexity import figures_of
from spinn.learning.objectives.label import StepResult
from spinn.support.runtime import arithmetic
from spinn.training import distributed
from spinn.training.task import Batch, Task, Update


class TokenTask(Task[Batch]):
    """A language model, and the loss of the tokens that it predicts.

    Parameters
    ----------
    configuration
        All options.
    model
        The model, on its device.
    objective
        The loss of a model and a batch.
    token
        What is predicted, for messages.

    """

    def __init__(
        self,
        configuration: LanguageConfiguration | FragmentConfiguration,
        model: nn.Module,
        objective: nn.Module,
        token: str,
    ) -> None:
        self.model, self._training, self._token = model, configuration.training, token
        self.device = next(model.parameters()).device
        self.objective = objective.to(self.device)
        self._optimizer_options = configuration.optimizer
        self._step = distributed.data_parallel(_TrainingStep(model, self.objective))

    def make_optimizer(self) -> Optimizer:
        """Return the configured optimiser; it has one group of weights."""
        options = self._optimizer_options
        group = {"params": list(self.model.parameters()), "peak": options.learning_rate}
        return options.make([group], fused=True)

    def _random(self, epoch: int) -> np.random.Generator:
        """Return the generator of an epoch, the same also if the run is resumed in it."""
        return np.random.default_rng([self._training.seed, epoch])

    def begin_epoch(self, epoch: int) -> None:
        """Put the model in training."""
        self.model.train()

    def forward(self, batch: Batch, epoch: float) -> StepResult:
        """Compute the loss of a batch in the configured precision."""
        with arithmetic(self.device, self._training.precision):
            result: StepResult = self._step(batch)
        return result

    def weights(self) -> list[list[nn.Parameter]]:
        """Return all weights."""
        return [list(self.model.parameters())]

    def before_step(self) -> None:
        """Leave the gradients as they are."""

    def further_updates(self, result: StepResult) -> Iterator[Update]:
        """Yield nothing."""
        return iter(())

    def with_derived(self, figures: dict[str, float]) -> dict[str, float]:
        """Add perplexity and bits a token to a mean loss."""
        return figures | figures_of(figures["loss"])

    @abstractmethod
    def evaluate(self) -> dict[str, float]:
        """Return loss, perplexity and bits a token on the development set."""

    def score(self, figures: dict[str, float]) -> float:
        """Return the reciprocal of the perplexity."""
        return math.exp(-figures["loss"])

    def summary(self, figures: dict[str, float], *, short: bool = False) -> str:
        """Format perplexity, and loss and bits unless the line is to be short."""
        line = f"perplexity {figures['perplexity']:.2f}"
        if short:
            return line
        return f"{line} loss {figures['loss']:.4f} ({figures['bits']:.3f} bits a {self._token})"


class _TrainingStep(nn.Module):
    """Model and objective in one, so that a single call is the forward half of a training step.

    Every step gives all weights a gradient, also one of a process without tokens.
    """

    def __init__(self, model: nn.Module, objective: nn.Module) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, batch: Any) -> StepResult:
        """Compute the loss of a batch, or of this process's share of one."""
        result: StepResult = self.objective(self.model, batch)
        return result
