"""The task behind ``spinn lm train --unit fragment``: a model over fragments, trees, the loss."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from torch import nn
from torch.optim import Optimizer

from spinn.data.fragments.corpus import FragmentCorpus
from spinn.data.fragments.dataset import FragmentBatch
from spinn.language.fragments import FragmentConfiguration, fragment_scores
from spinn.language.perplexity import figures_of
from spinn.learning.objectives.fragments import FragmentObjective
from spinn.learning.objectives.label import StepResult
from spinn.model.fragment_language import FragmentLanguageModel
from spinn.support.runtime import arithmetic
from spinn.training.task import Task, Update


class FragmentTask(Task[FragmentBatch]):
    """A language model over fragments, trees and the loss.

    Parameters
    ----------
    configuration
        All options.
    corpus
        With a training and a development set.
    model
        The model, on its device.

    """

    model: FragmentLanguageModel
    objective: FragmentObjective
    unit = "fragments"

    def __init__(
        self,
        configuration: FragmentConfiguration,
        corpus: FragmentCorpus,
        model: FragmentLanguageModel,
    ) -> None:
        self.configuration, self.corpus, self.model = configuration, corpus, model
        self.device = model.decoder.weight.device
        self.objective = FragmentObjective(configuration.objective)

    def make_optimizer(self) -> Optimizer:
        """Return the configured optimiser; it has one group of weights."""
        options = self.configuration.optimizer
        group = {"params": list(self.model.parameters()), "peak": options.learning_rate}
        return options.make([group], fused=True)

    def batches_in(self, epoch: int) -> int:
        """Return the number of batches."""
        return -(-len(self.corpus.sets["train"]) // self.configuration.batches.batch_size)

    def steps(self) -> int:
        """Return the number of steps of all epochs."""
        return self.configuration.training.epochs * self.batches_in(0)

    def begin_epoch(self, epoch: int) -> None:
        """Put the model in training."""
        self.model.train()

    def batches(self, epoch: int, start: int) -> Iterator[FragmentBatch]:
        """Yield the rest of an epoch, in an order that depends on the seed and the epoch."""
        random = np.random.default_rng([self.configuration.training.seed, epoch])
        size = self.configuration.batches.batch_size
        for batch in self.corpus.sets["train"].batches(size, random, start):
            yield batch.to(self.device)

    def size(self, batch: FragmentBatch) -> int:
        """Return the number of fragments that are predicted."""
        return batch.size

    def forward(self, batch: FragmentBatch, epoch: float) -> StepResult:
        """Compute the loss of a batch in the configured precision."""
        with arithmetic(self.device, self.configuration.training.precision):
            result: StepResult = self.objective(self.model, batch)
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
        """Add perplexity and bits a fragment to a mean loss."""
        return figures | figures_of(figures["loss"])

    def evaluate(self) -> dict[str, float]:
        """Return loss, perplexity and bits a fragment on the development set."""
        return self.scores(self.model, "dev")

    def scores(self, model: FragmentLanguageModel, split: str) -> dict[str, float]:
        """Return loss, perplexity and bits a fragment of a model on a set."""
        return fragment_scores(
            model,
            self.corpus.sets[split],
            batch_size=self.configuration.batches.batch_size,
            precision=self.configuration.training.precision,
        ).as_dict()

    def score(self, figures: dict[str, float]) -> float:
        """Return the reciprocal of the perplexity."""
        return math.exp(-figures["loss"])

    def describe(self, epoch: int, batch: int) -> str:
        """Name a batch."""
        return f"batch of trees {batch + 1} of epoch {epoch + 1}"

    def summary(self, figures: dict[str, float], *, short: bool = False) -> str:
        """Format perplexity, and loss and bits unless the line is to be short."""
        line = f"perplexity {figures['perplexity']:.2f}"
        if short:
            return line
        return f"{line} loss {figures['loss']:.4f} ({figures['bits']:.3f} bits a fragment)"
