"""The task behind ``spinn train``: a classifier of sentence pairs or of single sentences."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import nn
from torch.optim import Optimizer

from spinn.config import Configuration
from spinn.data.batching import Batch, Batcher
from spinn.data.corpus import Corpus
from spinn.data.dataset import PairDataset
from spinn.data.examples import kind_with
from spinn.data.transforms import BatchTransform
from spinn.evaluation.evaluate import evaluate
from spinn.inference import Inference
from spinn.learning.objectives.label import Objective, StepResult
from spinn.learning.objectives.reinforce import ReinforceObjective
from spinn.learning.optimizers import make_optimizer
from spinn.model.norm import count_rows
from spinn.model.pair import PairModel
from spinn.ops.allreduce import world_size
from spinn.prediction import Tree
from spinn.support.runtime import arithmetic
from spinn.training import distributed
from spinn.training.loggers import Evaluated
from spinn.training.task import Task, Update
from spinn.trees import TreeSource, tree_source

logger = logging.getLogger(__name__)
SHOWN = 4  # sentences of the development set whose trees are logged


class PairTask(Task[Batch]):
    """A pair model, its corpus and its objective.

    Parameters
    ----------
    configuration
        All options.
    corpus
        With a training and a development set.
    model
        The model, on its device.

    """

    model: PairModel
    objective: Objective

    def __init__(self, configuration: Configuration, corpus: Corpus, model: PairModel) -> None:
        self.configuration, self.corpus, self.model = configuration, corpus, model
        self.unit = kind_with(model.sides).unit
        self.device = next(model.parameters()).device
        self._transform: BatchTransform | None = None
        transform = configuration.batch_transform
        if transform is not None:
            self._transform = transform.make_transform(corpus.vocabulary, corpus.labels)
        # A transform may write any word.
        words = corpus.training_words if transform is None else len(corpus.vocabulary)
        self.objective = configuration.build_objective(
            model.sides, embedding_size=model.leaves.embedding.size, words=words
        ).to(self.device)
        self._step = distributed.data_parallel(TrainingStep(model, self.objective))
        trees = configuration.teacher_source or configuration.source
        self._batcher = self._make_batcher(corpus.sets["train"], trees)
        self._evaluated: Evaluated | None = None
        self._frozen = False  # whether the parser is, and the model follows its trees
        self._transfer = configuration.transfer
        self._held: list[nn.Parameter] = []  # pretrained weights that are frozen in this epoch

    def _make_batcher(self, data: PairDataset, source: TreeSource | None) -> Batcher:
        options = self.configuration.training
        return Batcher(
            data,
            source,
            batch_size=options.batch_size,
            token_budget=options.token_budget,
            pool_batches=options.pool_batches,
            seed=options.seed,
            by_height=self.model.by_height,
            share=self.model.shares(training=True),
            rank=distributed.rank(),
            world_size=distributed.world_size(),
            curriculum=self.configuration.curriculum,
            transform=self._transform,
        )

    def make_optimizer(self) -> Optimizer:
        """Return the configured optimiser of model and objective."""
        options, reinforce = self.configuration.optimizer, self.configuration.reinforce
        rate = None if reinforce is None else reinforce.policy_learning_rate
        if self._transfer is None:
            return make_optimizer(options, self.model, self.objective, rate)
        taken = [weight for part in self._transfer.parts(self.model).values() for weight in part]
        factor = self._transfer.pretrained_rate
        return make_optimizer(options, self.model, self.objective, rate, taken, factor)

    def batches_in(self, epoch: int) -> int:
        """Return the number of batches of an epoch; with a token budget it varies."""
        return len(self._batcher.order(epoch))

    def steps(self) -> int:
        """Return the number of steps; with a token budget, as if all whole epochs had as many."""
        curriculum, epochs = self.configuration.curriculum, self.configuration.training.epochs
        partial = 0 if curriculum is None else curriculum.curriculum_epochs
        steps = [self.batches_in(epoch) for epoch in range(partial + 1)]
        return sum(steps) + (epochs - len(steps)) * steps[-1]

    def begin_epoch(self, epoch: int) -> None:
        """Report a curriculum's share, freeze the parser when it is time, set the mode."""
        curriculum, reinforce = self.configuration.curriculum, self.configuration.reinforce
        if curriculum is not None and epoch < curriculum.curriculum_epochs:
            data, rows = self.corpus.sets["train"], self._batcher.rows(epoch)
            logger.info(
                f"Epoch {epoch + 1} reads {len(rows):,} of {len(data):,} {self.unit}: "
                f"those of up to {data.longest[rows].max()} words a sentence."
            )
        if reinforce is not None and reinforce.ends_before(epoch) and not self._frozen:
            self._freeze_parser()
        if self._transfer is not None:
            self._held = self._transfer.frozen(self.model, epoch)
            for name in self._transfer.unfrozen_at(self.model, epoch):
                logger.info(f"Unfreezing the pretrained {name}.")
        self.model.train()
        if self._frozen and self.model.encoder.parser is not None:
            self.model.encoder.parser.eval()  # also its batch statistics are frozen

    def _freeze_parser(self) -> None:
        """Parse the training set once, and follow these trees from now on."""
        data, precision = self.corpus.sets["train"], self.configuration.training.precision
        logger.info("Freezing the parser; parsing the training set with it.")
        trees = (
            Inference(self.model, self.configuration.source, precision=precision).parse(data).trees
        )
        assert trees is not None
        self._batcher = self._make_batcher(data.with_trees(trees), tree_source("gold"))
        self._frozen = True

    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """Yield the rest of an epoch, with trees unless the model chooses them."""
        for batch in self._batcher.batches(epoch, start):
            yield batch.to(self.device)

    def size(self, batch: Batch) -> int:
        """Return the number of examples in this process's share of a batch."""
        return len(batch)

    def describe(self, epoch: int, batch: int) -> str:
        """Name the rows of a batch."""
        rows = self._batcher.order(epoch)[batch].tolist()
        shown = ", ".join(map(str, rows[:8])) + (", …" if len(rows) > 8 else "")
        return f"training {self.unit} {shown} of those that were read, counted from 0"

    def forward(self, batch: Batch, epoch: float) -> StepResult:
        """Compute the objective of a batch in the configured precision."""
        with arithmetic(self.device, self.configuration.training.precision):
            result: StepResult = self._step(batch, epoch)
        return result

    def weights(self) -> list[list[nn.Parameter]]:
        """Return the weights of model and objective; those of a parser apart are a second group."""
        every = [*self.model.parameters(), *self.objective.parameters()]
        if self.model.encoder.parser is None:
            return [every]
        own = list(self.model.encoder.parser.parameters())
        apart = {id(weight) for weight in own}
        return [[weight for weight in every if id(weight) not in apart], own]

    def before_step(self) -> None:
        """Drop the gradients of frozen weights, so that not even decay moves them."""
        for weight in self._held:
            weight.grad = None
        if self._frozen and self.model.encoder.parser is not None:
            self.model.encoder.parser.zero_grad()

    def further_updates(self, result: StepResult) -> Iterator[Update]:
        """Yield PPO's further updates of the policy."""
        if result.trees is None:
            return
        assert isinstance(self.objective, ReinforceObjective)
        assert self.objective.ppo is not None
        assert self.model.encoder.policy is not None
        held = set(map(id, self._held))
        weights = [one for one in self.model.encoder.policy.parameters() if id(one) not in held]
        for _ in range(self.objective.ppo.policy_updates - 1):
            with arithmetic(self.device, self.configuration.training.precision):
                loss, clipped = self.objective.improve(self.model, result.trees)
            yield Update(loss, {"clipped": clipped}, weights)

    def evaluate(self) -> dict[str, float]:
        """Return loss and accuracy on the development set."""
        options = self.configuration.training
        evaluation = evaluate(
            self.model,
            self.corpus.sets["dev"],
            self.corpus.labels,
            self.configuration.source,
            precision=options.precision,
            seed=options.seed,
        )
        report, trees = evaluation.report, evaluation.trees
        shown = [] if trees is None else list(map(Tree, self._first_sentences(), trees))
        self._evaluated = Evaluated(report.labels, report.confusion, shown)
        return {"loss": report.loss, "accuracy": report.accuracy}

    def _first_sentences(self) -> list[list[str]]:
        """Return the words of the first sentences of the development set."""
        dev, words = self.corpus.sets["dev"], self.corpus.vocabulary.words
        ends = dev.offsets[: SHOWN + 1].tolist()
        return [[words[one] for one in dev.words[i:j]] for i, j in pairwise(ends)]

    def evaluated(self) -> Evaluated | None:
        """Return the confusion matrix and some trees of the last evaluation."""
        return self._evaluated

    def score(self, figures: dict[str, float]) -> float:
        """Return the accuracy."""
        return figures["accuracy"]

    def summary(self, figures: dict[str, float], *, short: bool = False) -> str:
        """Format loss and accuracy, and the other figures unless the line is to be short."""
        line = f"loss {figures['loss']:.4f} accuracy {100 * figures['accuracy']:.2f}%"
        if short:
            return line
        others = (name for name in figures if name not in ("loss", "accuracy"))
        return line + "".join(f" {name.replace('_', ' ')} {figures[name]:.3f}" for name in others)


class TrainingStep(nn.Module):
    """Model and objective in one, so that a single call is the forward half of a training step."""

    def __init__(self, model: PairModel, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, batch: Batch, epoch: float) -> StepResult:
        """Run the model on a batch, or on this process's share of one."""
        count_rows(self.model, len(batch) > 0)
        result: StepResult = self.objective(self.model, batch, epoch)
        return result if world_size() == 1 else result.with_loss(self._tied(result.loss))

    def _tied(self, loss: torch.Tensor) -> torch.Tensor:
        """Give every weight a gradient, if only zero: processes wait for each other's.

        A share of one-word sentences does not use the composition.
        """
        idle = [*self.model.encoder.parameters(), *self.objective.parameters()]
        return loss + 0.0 * sum(weight.sum() for weight in idle)
