"""The task behind ``spinn lm train --unit fragment``: a model over fragments, trees, the loss."""

from __future__ import annotations

from collections.abc import Iterator

from spinn.data.fragments.corpus import FRAGMENT, FragmentCorpus
from spinn.data.fragments.dataset import FragmentBatch
from spinn.language.fragments import FragmentConfiguration, fragment_scores
from spinn.learning.objectives.fragments import FragmentObjective
from spinn.model.fragment_language import FragmentLanguageModel
from spinn.training import distributed
from spinn.training.token_task import TokenTask


class FragmentTask(TokenTask[FragmentBatch]):
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
        self.configuration, self.corpus = configuration, corpus
        super().__init__(configuration, model, FragmentObjective(configuration.objective), FRAGMENT)

    def batches_in(self, epoch: int) -> int:
        """Return the number of batches."""
        return -(-len(self.corpus.sets["train"]) // self.configuration.batches.batch_size)

    def steps(self) -> int:
        """Return the number of steps of all epochs."""
        return self.configuration.training.epochs * self.batches_in(0)

    def batches(self, epoch: int, start: int) -> Iterator[FragmentBatch]:
        """Yield the rest of an epoch, in an order that depends on the seed and the epoch."""
        size, data = self.configuration.batches.batch_size, self.corpus.sets["train"]
        rank, count = distributed.rank(), distributed.world_size()
        for batch in data.batches(size, self._random(epoch), start, rank, count):
            yield batch.to(self.device)

    def size(self, batch: FragmentBatch) -> int:
        """Return the number of fragments that this process predicts."""
        return batch.size

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

    def describe(self, epoch: int, batch: int) -> str:
        """Name a batch."""
        return f"batch of trees {batch + 1} of epoch {epoch + 1}"
