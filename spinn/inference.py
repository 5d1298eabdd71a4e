"""Inference: a model over a whole data set, in batches of sentences of similar length.

Evaluation, the predictor and the freezing of a parser run a model through this module. Nothing is
sampled: a model that chooses transitions takes the most probable ones, and every other model
follows the trees of its source, as in training. In shapes, P is the number of examples, S the
number of sentences of an example, H the width of a sentence vector.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from spinn.data.batching import Batch, Batcher
from spinn.data.dataset import PairDataset
from spinn.data.examples import Example, Sentence
from spinn.model.pair import PairModel
from spinn.model.policy import TransitionPolicy
from spinn.model.types import Encoding, Leaves, Plan
from spinn.support.errors import SpinnError
from spinn.support.runtime import arithmetic, evaluation_mode, within_memory
from spinn.support.streams import is_terminal
from spinn.transitions import TransitionArray
from spinn.trees import TreeSource

T = TypeVar("T")
Floats = NDArray[np.float32]
BAR_DELAY = 1.0  # seconds of work before a bar appears


@dataclass
class Encodings:
    """Results for SP sentences; sentence ``S * i + s`` is sentence s of example i.

    Attributes
    ----------
    trees
        The transitions ``[2N - 1]`` that each sentence took; ``None`` for encoders without trees.
    steps
        For each sentence, ``[2N - 1, 2]``: p(REDUCE) and p(SHIFT) before each transition, where an
        illegal transition has probability 0; ``None`` if nothing scored transitions or the
        probabilities were not requested.
    vectors
        Sentence vectors ``[SP, H]``; ``None`` if they were not requested.

    """

    trees: list[TransitionArray] | None = None
    steps: list[Floats] | None = None
    vectors: Floats | None = None


def with_trees(example: Example, row: int, trees: list[TransitionArray] | None) -> list[Sentence]:
    """Return the sentences of example ``row`` with their trees, out of those of all sentences."""
    first = len(example.sentences) * row
    return [
        Sentence(words, None if trees is None else trees[first + side])
        for side, (words, _) in enumerate(example.sentences)
    ]


@dataclass(frozen=True)
class Outputs:
    """Results for P examples, in the order of the data set.

    Attributes
    ----------
    scores, probabilities
        ``[P, labels]``, before and after the softmax.
    encodings
        Results for the sentences.
    batches
        The rows of each batch.

    """

    scores: Floats
    probabilities: Floats
    encodings: Encodings
    batches: list[NDArray[np.int64]]


@dataclass(frozen=True)
class Inference:
    """Run a model over data sets, in evaluation mode and without gradients.

    Attributes
    ----------
    model
        The model; it runs on the device of its parameters.
    source
        Where transitions come from; ``None`` for encoders without trees.
    batch_size
        Number of examples in a batch.
    precision
        Of the matrix products; see :func:`spinn.support.runtime.arithmetic`.
    seed
        Seed of random trees, which also depend on the batch that a sentence is in.
    progress
        Whether a bar shows the progress of long work, on a terminal only.

    """

    model: PairModel
    source: TreeSource | None
    batch_size: int = 256
    precision: str = "fp32"
    seed: int = 0
    progress: bool = False

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return next(self.model.parameters()).device

    def classify(self, dataset: PairDataset, *, details: bool = False) -> Outputs:
        """Classify the examples of a data set with as many sentences each as the model takes.

        Parameters
        ----------
        dataset
            P examples.
        details
            Whether to return the probabilities of transitions and the sentence vectors, too.

        """
        return self._in_memory(lambda smaller: smaller._classify(dataset, details))

    def _classify(self, dataset: PairDataset, details: bool) -> Outputs:
        found = _Collected(dataset, steps=details, vectors=details)
        batches, scores, probabilities = [], [], []
        with self._running():
            for batch in self._batches(dataset):
                moved = batch.to(self.device)
                plan = plan_of(moved)
                if details and self.model.encoder.parser is not None:
                    plan = replace(plan, heights=None)  # with heights it would be left out
                output = self.model(moved.words, moved.lengths, plan)
                found.add(batch, output.encoding)
                unnormalised = output.scores.float()
                batches.append(batch.rows.numpy())
                scores.append(unnormalised.cpu().numpy())
                probabilities.append(unnormalised.softmax(dim=1).cpu().numpy())
        back = np.concatenate(batches).argsort()
        return Outputs(
            np.concatenate(scores)[back],
            np.concatenate(probabilities)[back],
            found.encodings,
            batches,
        )

    def encode(self, dataset: PairDataset) -> Encodings:
        """Return vectors and trees of the sentences of a data set of any kind."""
        return self._in_memory(
            lambda smaller: smaller._collect(
                self.model.encode, _Collected(dataset, vectors=True), dataset
            )
        )

    def parse(self, dataset: PairDataset, *, steps: bool = False) -> Encodings:
        """Return trees, and steps on request, of the sentences of a data set of any kind.

        The trees are those of :meth:`classify`. A parser apart from the encoder runs alone.
        """
        return self._in_memory(
            lambda smaller: smaller._collect(
                self.model.parse, _Collected(dataset, steps=steps), dataset
            )
        )

    def _collect(
        self, run: Callable[[Leaves, Plan], Encoding], found: _Collected, dataset: PairDataset
    ) -> Encodings:
        """Run a part of the model over a data set, and collect the encodings."""
        with self._running():
            for batch in self._batches(dataset):
                moved = batch.to(self.device)
                leaves, plan = self.model.read(moved.words, moved.lengths, plan_of(moved))
                found.add(batch, run(leaves, plan))
        return found.encodings

    def _in_memory(self, run: Callable[[Inference], T]) -> T:
        """Run with this batch size, or with half of it until the batches fit into the memory."""
        return within_memory(
            lambda size: run(replace(self, batch_size=size)),
            self.batch_size,
            self.device,
            "examples",
        )

    @contextmanager
    def _running(self) -> Iterator[None]:
        with evaluation_mode(self.model), arithmetic(self.device, self.precision):
            yield

    def _batches(self, dataset: PairDataset) -> Iterator[Batch]:
        batches = Batcher(
            dataset,
            self.source,
            batch_size=self.batch_size,
            shuffle=False,
            seed=self.seed,
            by_height=self.model.by_height,
            share=self.model.shares(training=False),
        ).batches()
        look: dict[str, Any] = {"delay": BAR_DELAY, "leave": False, "dynamic_ncols": True}
        hidden = not (self.progress and is_terminal(sys.stderr))
        unit = f" {dataset.kind.unit}"
        with tqdm(total=len(dataset), unit=unit, disable=hidden, **look) as bar:
            for batch in batches:
                yield batch
                bar.update(len(batch.rows))


def plan_of(batch: Batch) -> Plan:
    """Return the plan that follows the transitions of a batch, or else the most probable ones."""
    if batch.transitions is None:
        return Plan()
    return Plan.given(batch.transitions, batch.heights)


def random_trees_alone(
    dataset: PairDataset, source: TreeSource, seed: int
) -> list[TransitionArray]:
    """Return the trees that an evaluation of each example alone would draw."""
    trees = []
    for row in range(len(dataset)):
        alone = dataset.take(np.array([row]))
        batch = next(Batcher(alone, source, batch_size=1, shuffle=False, seed=seed).batches())
        assert batch.transitions is not None
        for side, length in enumerate(batch.lengths.tolist()):
            tree = batch.transitions[: 2 * length - 1, side]
            trees.append(tree.numpy().astype(np.int8))
    return trees


def require_finite(values: Floats) -> None:
    """Raise :class:`SpinnError` unless the results ``[n, ...]`` of n examples are finite."""
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not finite.all():
        raise SpinnError(
            f"The model's results are not finite for {(~finite).sum():,} of {len(values):,} "
            "examples: it has diverged. Give --checkpoint best, or train again with a lower "
            "--learning-rate."
        )


class _Collected:
    """The encodings of batches, in the order of the data set."""

    def __init__(self, dataset: PairDataset, *, steps: bool = False, vectors: bool = False) -> None:
        self.encodings = Encodings()
        self._sides, self._count = dataset.kind.count, len(dataset.lengths)
        self._steps, self._vectors = steps, vectors

    def add(self, batch: Batch, encoding: Encoding) -> None:
        """Add the encoding of the SP sentences of a batch."""
        found = self.encodings
        # The columns of a batch are all first sentences, then all second ones.
        side = np.arange(self._sides)[:, None]
        places = (self._sides * batch.rows.numpy() + side).ravel()
        ends = (2 * batch.lengths.numpy() - 1).tolist()
        if encoding.transitions is not None:
            taken = encoding.transitions.cpu().numpy().astype(np.int8)
            found.trees = [_NO_TREE] * self._count if found.trees is None else found.trees
            for column, place in enumerate(places):
                found.trees[place] = taken[: ends[column], column]
        if self._steps and encoding.policy is not None:
            probabilities = probabilities_of(encoding.policy)
            found.steps = [_NO_STEPS] * self._count if found.steps is None else found.steps
            for column, place in enumerate(places):
                found.steps[place] = probabilities[: ends[column], column]
        if self._vectors:
            vectors = encoding.sentences.float().cpu().numpy()
            if found.vectors is None:
                found.vectors = np.empty((self._count, vectors.shape[1]), dtype=np.float32)
            found.vectors[places] = vectors


def probabilities_of(policy: TransitionPolicy) -> Floats:
    """Return p(REDUCE) and p(SHIFT), ``[..., 2]``; an illegal transition has probability 0."""
    probabilities: Floats = policy.log_probs.exp().float().cpu().numpy()
    return probabilities


_NO_TREE: TransitionArray = np.empty(0, dtype=np.int8)
_NO_STEPS: Floats = np.empty((0, 2), dtype=np.float32)
