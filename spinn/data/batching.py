"""Batches of a numericalised data set, with sentences of similar length together.

Examples are shuffled, divided into pools of 100 batches, sorted within each pool by the lengths of
their sentences, and divided into batches, which are shuffled in turn. The order depends on the seed
and the epoch only. So a run can be resumed at any batch, and data-parallel processes take their
shares of the same batch without communication.

Sorting saves padding, but examples of similar length are correlated in other respects (neutral
hypotheses are longer), which biases gradients and batch statistics. With pools of one batch,
batches are uniformly random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinn.data.dataset import PairDataset
from spinn.data.transforms import BatchTransform
from spinn.data.vocabulary import PADDING
from spinn.ops.heights import Heights, heights_of
from spinn.support.options import Condition, Group, option
from spinn.transitions import Transition, TransitionArray
from spinn.trees import TreeSource

DEFAULT_POOL_BATCHES = 100


@dataclass(frozen=True)
class Batch:
    """P examples, time first; in batches of pairs, the first P columns are premises.

    A process without a share in a small batch gets a batch without labels and rows. It holds the
    sentences of one example nevertheless, so that the model can run in step with other processes.

    Attributes
    ----------
    words
        ``[L, SP]``, int64, padded.
    lengths
        ``[SP]``, int64, always on the CPU.
    transitions
        ``[T, SP]``, int64, padded; ``None`` if the model chooses them and has no teacher.
    labels
        ``[P]``, int64.
    rows
        ``[P]``, positions of the examples in the data set, on the CPU.
    heights
        The trees by height, for encoders that compose by height.

    """

    words: Tensor
    lengths: Tensor
    transitions: Tensor | None
    labels: Tensor
    rows: Tensor
    heights: Heights | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Batch:
        """Return the batch with the inputs of the model on a device."""
        if device.type == "cpu":
            return self
        given = None if self.transitions is None else self.transitions.to(device)
        return replace(
            self,
            words=self.words.to(device),
            transitions=given,
            labels=self.labels.to(device),
            heights=None if self.heights is None else self.heights.to(device),
        )


@dataclass(frozen=True)
class CurriculumOptions:
    """Training that begins with the shortest examples (``--curriculum`` less than 1).

    The share of the training set that an epoch reads grows linearly: the linear competence of
    Platanios et al. (2019, arXiv 1903.09848, eq. 4), updated once per epoch, with the length of the
    longest sentence as difficulty. Examples tied with the longest of a share are included.
    """

    curriculum: float = option(
        1.0,
        "share of the training set, its shortest examples, that the first epoch reads",
        minimum=0.01,
        maximum=1,
    )
    curriculum_epochs: int = option(
        4,
        "epochs in which the rest of the training set then joins, the longest examples last",
        minimum=1,
    )

    def share(self, epoch: int) -> float:
        """Return the share that one of the first ``curriculum_epochs`` epochs reads."""
        return self.curriculum + (1 - self.curriculum) * (epoch / self.curriculum_epochs)


CURRICULUM_GROUP = Group(
    "curriculum",
    CurriculumOptions,
    Condition(lambda values: values["curriculum"] < 1, "it belongs to --curriculum"),
)


class Batcher:
    """Divide a data set into batches.

    Parameters
    ----------
    dataset
        The examples.
    trees
        Source of transitions. Batches have none if it is ``None`` or leaves the choice to the
        model.
    batch_size
        Number of examples in a batch.
    token_budget
        If given, replaces ``batch_size``: maximum of ``SP * longest sentence``.
    pool_batches
        Number of batches that are sorted together; 1 for uniformly random batches.
    shuffle
        If false, the whole set is sorted by length and batches are in order, for evaluation.
    seed
        Seed of the order, of random trees and of the transform.
    by_height
        Whether batches with transitions get heights.
    share
        Whether equal words and subtrees of a batch are composed once.
    rank, world_size
        Take every ``world_size``-th example of each batch, from ``rank`` on.
    curriculum
        Share of the examples in the first epochs; ``None`` for all.
    transform
        Applied to each batch with fresh randomness.

    """

    def __init__(
        self,
        dataset: PairDataset,
        trees: TreeSource | None,
        *,
        batch_size: int,
        token_budget: int | None = None,
        pool_batches: int = DEFAULT_POOL_BATCHES,
        shuffle: bool = True,
        seed: int = 0,
        by_height: bool = False,
        share: bool = False,
        rank: int = 0,
        world_size: int = 1,
        curriculum: CurriculumOptions | None = None,
        transform: BatchTransform | None = None,
    ) -> None:
        self.dataset = dataset
        self._trees = trees if trees is not None and trees.draw is not None else None
        self._batch_size = batch_size
        self._token_budget = token_budget
        self._pool_batches = pool_batches
        self._shuffle = shuffle
        self._seed = seed
        self._by_height = by_height
        self._share = share
        self._rank = rank
        self._world_size = world_size
        self._curriculum = curriculum
        self._transform = transform
        self._lengths = dataset.lengths.reshape(-1, dataset.kind.count)
        self._transition_offsets = dataset.transition_offsets

    def batches(self, epoch: int = 0, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the batches ``start`` to ``stop - 1`` of an epoch."""
        for number, rows in enumerate(self.order(epoch)[start:stop], start=start):
            yield self.cut(rows, np.random.default_rng([self._seed, 1, epoch, number]))

    def order(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the rows of each batch of an epoch."""
        rows = self.rows(epoch)
        if not self._shuffle:
            return self._split(self._sort(rows))
        random = np.random.default_rng([self._seed, 0, epoch])
        count = len(rows)
        shuffled = rows[random.permutation(count)]
        pool = self._pool_batches * self._examples_in_batch()
        # A last pool of one example would make a batch of one; it joins the pool before it.
        starts = [start for start in range(pool, count, pool) if start < count - 1]
        batches = []
        for rows in np.split(shuffled, starts):
            batches += self._split(self._sort(rows))
        return [batches[number] for number in random.permutation(len(batches))]

    def rows(self, epoch: int) -> NDArray[np.int64]:
        """Return the rows that an epoch reads."""
        if self._curriculum is None or epoch >= self._curriculum.curriculum_epochs:
            return np.arange(len(self.dataset))
        longest = self.dataset.longest
        limit = np.quantile(longest, self._curriculum.share(epoch), method="inverted_cdf")
        return np.flatnonzero(longest <= limit)

    def cut(self, rows: NDArray[np.int64], random: np.random.Generator) -> Batch:
        """Return a batch of the examples ``rows`` ``[P]``, or of this process's share of them."""
        data = self.dataset
        own = np.arange(len(rows))[self._rank :: self._world_size]
        read = own if len(own) else np.zeros(1, dtype=np.int64)
        side = np.arange(data.kind.count)[:, None]
        columns = (side * len(rows) + read).ravel()
        places, labels = data.kind.count * rows + side, data.labels[rows]
        # Randomness is drawn for the whole batch, so it does not depend on rank and world size.
        replacements = None
        if self._transform is not None:
            places, labels, replacements = self._transform.rewrite(places, labels, random)
        every = places.ravel()
        sentences = every[columns]
        lengths = data.offsets[sentences + 1] - data.offsets[sentences]
        words = _gather(data.words, data.offsets[sentences], lengths, PADDING)
        if replacements is not None:
            words = replacements[columns % len(rows), words]
        transitions, heights = None, None
        drawn = self._draw(every, random)
        if drawn is not None:
            drawn = drawn[: 2 * int(lengths.max()) - 1, columns]
            transitions = torch.from_numpy(drawn.astype(np.int64))
            if self._by_height:
                heights = heights_of(drawn, lengths, words if self._share else None)
        return Batch(
            torch.from_numpy(words.astype(np.int64)),
            torch.from_numpy(lengths),
            transitions,
            torch.from_numpy(labels[own]),
            torch.from_numpy(rows[own]),
            heights,
        )

    def _draw(
        self, sentences: NDArray[np.int64], random: np.random.Generator
    ) -> TransitionArray | None:
        """Return the transitions ``[T, B]`` of sentences ``[B]`` from the tree source, if any."""
        if self._trees is None or self._trees.draw is None:
            return None
        data = self.dataset
        lengths = data.offsets[sentences + 1] - data.offsets[sentences]
        gold: TransitionArray = np.empty((0, 0), dtype=np.int8)
        if self._trees.needs_parse:
            begin = self._transition_offsets[sentences]
            gold = _gather(data.transitions, begin, 2 * lengths - 1, Transition.PAD)
        return self._trees.draw(lengths, gold, random)

    def _examples_in_batch(self) -> int:
        if self._token_budget is None:
            return self._batch_size
        mean = max(1.0, float(self.dataset.longest.mean()))
        return max(1, int(self._token_budget / (self.dataset.kind.count * mean)))

    def _sort(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sort stably by the length of the first sentence, then of the second."""
        return rows[np.lexsort(self._lengths[rows].T[::-1])]

    def _split(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Divide sorted rows into batches; if shuffling, a last one of one example is merged.

        Within a budget it is not: it is the longest, to which the others would be padded.
        """
        if self._token_budget is not None:
            return np.split(rows, self._ends_within_budget(rows, self._token_budget))
        ends = list(range(self._batch_size, len(rows), self._batch_size))
        if self._shuffle and ends and len(rows) - ends[-1] == 1:
            ends.pop()  # batch normalisation needs two examples
        return np.split(rows, ends)

    def _ends_within_budget(self, rows: NDArray[np.int64], budget: int) -> list[int]:
        longest, count = self._lengths[rows].max(axis=1), self.dataset.kind.count
        ends, begin, widest = [], 0, 0
        for place, length in enumerate(longest.tolist()):
            widest = max(widest, length)
            if place > begin and count * (place + 1 - begin) * widest > budget:
                ends.append(place)
                begin, widest = place, length
        return ends


Number = TypeVar("Number", np.int8, np.int32)


def _gather(
    flat: NDArray[Number], begin: NDArray[np.int64], lengths: NDArray[np.int64], padding: int
) -> NDArray[Number]:
    """Gather ranges of a flat array as padded columns ``[max(lengths), B]``."""
    time = np.arange(int(lengths.max()))[:, None]
    inside = time < lengths
    return np.where(inside, flat[np.where(inside, begin + time, 0)], flat.dtype.type(padding))
