"""The task behind ``spinn lm train``: a language model, its text and its loss."""

from __future__ import annotations

from collections.abc import Iterator

from torch.optim import Optimizer

from spinn.data.language import TextCorpus
from spinn.data.streams import Sentences, Streams, TextBatch, fixed_lengths, varied_lengths
from spinn.language.config import LanguageConfiguration
from spinn.language.perplexity import text_scores
from spinn.learning.objectives.label import StepResult
from spinn.learning.objectives.language import LanguageObjective
from spinn.model.language import LanguageModel
from spinn.training import distributed
from spinn.training.token_task import TokenTask


class LanguageTask(TokenTask[TextBatch]):
    """A language model, its text and its loss.

    Parameters
    ----------
    configuration
        All options.
    corpus
        With a training set; without a development set, the training set is evaluated.
    model
        The model, on its device.

    """

    model: LanguageModel
    objective: LanguageObjective
    unit = "tokens"

    def __init__(
        self, configuration: LanguageConfiguration, corpus: TextCorpus, model: LanguageModel
    ) -> None:
        self.configuration, self.corpus = configuration, corpus
        model.embedding.requires_grad_(configuration.language.embeddings_of is None)
        batches, tokens = configuration.batches, corpus.sets["train"].tokens
        self._carried = batches.layout == "streams"
        size, rank, count = batches.batch_size, distributed.rank(), distributed.world_size()
        read = Streams if self._carried else Sentences
        self._data: Streams | Sentences = read(tokens, size, rank, count)
        state = model.zero_state(size) if self._carried else None
        objective = LanguageObjective(configuration.penalties, state, slice(rank, None, count))
        super().__init__(configuration, model, objective, corpus.unit.name)
        self._optimizer: Optimizer | None = None
        self._rate = 1.0  # factor of the learning rate of the current step

    def make_optimizer(self) -> Optimizer:
        """Return the configured optimiser; it has one group of weights."""
        self._optimizer = super().make_optimizer()
        return self._optimizer

    def _lengths(self, epoch: int) -> list[int]:
        """Return the lengths of the windows of an epoch."""
        batches = self.configuration.batches
        if batches.vary_steps:
            return varied_lengths(len(self._data), batches.steps, self._random(epoch))
        return fixed_lengths(len(self._data), batches.steps)

    def batches_in(self, epoch: int) -> int:
        """Return the number of windows, which varies with their lengths, or of batches."""
        return len(self._lengths(epoch)) if self._carried else len(self._data)

    def steps(self) -> int:
        """Return the number of steps of all epochs."""
        epochs = self.configuration.training.epochs
        if not self.configuration.batches.vary_steps:
            return epochs * self.batches_in(0)
        return sum(self.batches_in(epoch) for epoch in range(epochs))

    def batches(self, epoch: int, start: int) -> Iterator[TextBatch]:
        """Yield the rest of an epoch; at its start, streams begin anew."""
        if start == 0:
            self.objective.reset()
        if isinstance(self._data, Streams):
            options = self.configuration.batches
            base = options.steps if options.vary_steps else None
            found = self._data.windows(self._lengths(epoch), start, base)
        else:
            found = self._data.batches(self._random(epoch), start)
        for batch in found:
            yield batch.to(self.device)

    def size(self, batch: TextBatch) -> int:
        """Return the number of tokens that this process predicts."""
        return batch.tokens

    def forward(self, batch: TextBatch, epoch: float) -> StepResult:
        """Compute the loss of a batch in the configured precision."""
        self._rate = batch.rate
        return super().forward(batch, epoch)

    def before_step(self) -> None:
        """Scale the learning rate of the step by the length of its window."""
        if self._optimizer is not None and self._rate != 1.0:
            for group in self._optimizer.param_groups:
                group["lr"] *= self._rate

    def gather_state(self) -> None:
        """Gather the states of the streams of all processes."""
        self.objective.gather()

    def evaluate(self) -> dict[str, float]:
        """Return loss, perplexity and bits a token on the development set."""
        split = "dev" if "dev" in self.corpus.sets else "train"
        batches = self.configuration.batches
        scores = text_scores(
            self.model,
            self.corpus.sets[split].tokens,
            layout=batches.layout,
            size=batches.dev_streams if self._carried else batches.batch_size,
            precision=self.configuration.training.precision,
        )
        return scores.as_dict()

    def describe(self, epoch: int, batch: int) -> str:
        """Name a window or a batch."""
        kind = "window" if self._carried else "batch of sentences"
        return f"{kind} {batch + 1} of epoch {epoch + 1}"
