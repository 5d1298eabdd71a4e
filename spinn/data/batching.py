"""Batches of a numericalised set: sentences of like length together, in an order that is seeded.

What is said of pairs here holds of single sentences too; they have one length to be sorted by.

Pairs are shuffled, cut into pools of 100 batches, sorted within each pool by the lengths of premise
and hypothesis, cut into batches, and the batches shuffled. The order is a function of the seed and
the epoch alone, so a run can be resumed at any batch, and processes that train together need not
speak of it: each cuts its own share out of the same batch.

Sorting has a price beside its speed: the pairs of a batch are alike in more than their lengths
(neutral hypotheses are longer), which slants its gradient and any statistics taken over it. A pool
of one batch leaves batches as they were drawn.
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
from spinn.data.symmetries import Symmetries
from spinn.data.vocabulary import PADDING
from spinn.ops.heights import Heights, heights_of
from spinn.transitions import Transition, TransitionArray
from spinn.trees import TreeSource

DEFAULT_POOL_BATCHES = 100


@dataclass(frozen=True)
class Batch:
    """P pairs or single sentences (S = 1), time first.

    Of pairs, premises are the first P columns, hypotheses the last P.

    A process that has no share in a small batch gets one without labels and rows. It has words and
    trees of one example all the same, so that the model can run and the process keep step.

    Attributes
    ----------
    words
        ``[L, SP]``, int64, padded.
    lengths
        ``[SP]``, int64, always on the CPU.
    transitions
        ``[T, SP]``, int64, padded; ``None`` where the model chooses its own and has no teacher.
    labels
        ``[P]``, int64.
    rows
        ``[P]``, the pairs' places in the data set, on the CPU.
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
        """Move what the model reads to a device."""
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
class Curriculum:
    """The shortest examples first: which share of them an epoch reads.

    After some epochs in which it is held, the share grows in a straight line: the linear competence
    of Platanios et al. (2019, arXiv 1903.09848, eq. 4), taken once an epoch, with the words of the
    longest sentence for difficulty. Examples as long as the longest of a share belong to it.

    Attributes
    ----------
    first_share
        What the first epoch reads.
    held_epochs, growing_epochs
        How long it stays at that, and how many epochs the rest then takes to join.

    """

    first_share: float
    held_epochs: int
    growing_epochs: int

    @property
    def epochs(self) -> int:
        """How many epochs read less than everything."""
        return self.held_epochs + self.growing_epochs

    def share(self, epoch: int) -> float:
        """Return the share that one of these epochs reads."""
        grown = max(0, epoch - self.held_epochs) / self.growing_epochs
        return self.first_share + (1 - self.first_share) * grown


class Batcher:
    """Cut a data set into batches.

    Parameters
    ----------
    dataset
        The pairs.
    trees
        Where the batches' transitions come from; ``None`` or a source that leaves the choice to the
        model for batches without transitions.
    batch_size
        Pairs in a batch.
    token_budget
        If given, a batch holds as many pairs as keep ``SP * longest sentence`` within it, instead
        of ``batch_size``.
    pool_batches
        How many batches are sorted together; 1 for batches drawn at random.
    shuffle
        Whether to pool and shuffle; otherwise pairs come in batches sorted by length over the whole
        set, as evaluation likes them.
    seed
        Of the order and of random trees.
    by_height
        Whether batches with transitions get heights.
    share
        Whether equal words and subtrees of a batch are composed once.
    rank, world_size
        Which share of each batch to cut, of how many: every ``world_size``-th pair, so that all
        shares have sentences of like lengths.
    curriculum
        Which pairs the first epochs read; ``None`` for all.
    symmetries
        If given, each pair is read in a form drawn anew.

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
        curriculum: Curriculum | None = None,
        symmetries: Symmetries | None = None,
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
        self._symmetries = symmetries
        self._lengths = dataset.lengths.reshape(-1, dataset.sides)
        self._transition_offsets = dataset.transition_offsets

    def batches(self, epoch: int = 0, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the batches of an epoch, from number ``start`` up to ``stop``."""
        for number, rows in enumerate(self.order(epoch)[start:stop], start=start):
            yield self.cut(rows, np.random.default_rng([self._seed, 1, epoch, number]))

    def order(self, epoch: int) -> list[NDArray[np.int64]]:
        """List the rows of each batch of an epoch."""
        rows = self.rows(epoch)
        if not self._shuffle:
            return self._split(self._sort(rows))
        random = np.random.default_rng([self._seed, 0, epoch])
        count = len(rows)
        shuffled = rows[random.permutation(count)]
        pool = self._pool_batches * self._pairs_in_batch()
        # A pool of one pair would make a batch of one pair; it joins the pool before it.
        starts = [start for start in range(pool, count, pool) if start < count - 1]
        batches = []
        for rows in np.split(shuffled, starts):
            batches += self._split(self._sort(rows))
        return [batches[number] for number in random.permutation(len(batches))]

    def rows(self, epoch: int) -> NDArray[np.int64]:
        """List the rows that an epoch reads."""
        if self._curriculum is None or epoch >= self._curriculum.epochs:
            return np.arange(len(self.dataset))
        longest = self.dataset.longest
        limit = np.quantile(longest, self._curriculum.share(epoch), method="inverted_cdf")
        return np.flatnonzero(longest <= limit)

    def cut(self, rows: NDArray[np.int64], random: np.random.Generator) -> Batch:
        """Make a batch of the pairs ``rows`` ``[P]``, or of this process's share of them."""
        data = self.dataset
        own = np.arange(len(rows))[self._rank :: self._world_size]
        read = own if len(own) else np.zeros(1, dtype=np.int64)
        side = np.arange(data.sides)[:, None]
        columns = (side * len(rows) + read).ravel()
        places, labels = data.sides * rows + side, data.labels[rows]
        # What is random is drawn for the whole batch, and does not depend on how it is shared out.
        names = None
        if self._symmetries is not None:
            places, labels, names = self._symmetries.rewrite(places, labels, random)
        every = places.ravel()
        sentences = every[columns]
        lengths = data.offsets[sentences + 1] - data.offsets[sentences]
        words = _gather(data.words, data.offsets[sentences], lengths, PADDING)
        if names is not None:
            words = names[columns % len(rows), words]
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
        """Get the transitions ``[T, B]`` of sentences ``[B]``, if they are to have any."""
        if self._trees is None or self._trees.draw is None:
            return None
        data = self.dataset
        lengths = data.offsets[sentences + 1] - data.offsets[sentences]
        gold: TransitionArray = np.empty((0, 0), dtype=np.int8)
        if self._trees.needs_parse:
            begin = self._transition_offsets[sentences]
            gold = _gather(data.transitions, begin, 2 * lengths - 1, Transition.PAD)
        return self._trees.draw(lengths, gold, random)

    def _pairs_in_batch(self) -> int:
        if self._token_budget is None:
            return self._batch_size
        mean = max(1.0, float(self.dataset.longest.mean()))
        return max(1, int(self._token_budget / (self.dataset.sides * mean)))

    def _sort(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sort by length of the premise, then of the hypothesis; ties keep their order."""
        return rows[np.lexsort(self._lengths[rows].T[::-1])]

    def _split(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Cut sorted rows into batches; a single pair left over joins the batch before it."""
        if self._token_budget is None:
            ends = list(range(self._batch_size, len(rows), self._batch_size))
        else:
            ends = self._ends_within_budget(rows, self._token_budget)
        if self._shuffle and ends and len(rows) - ends[-1] == 1:
            ends.pop()  # batch statistics of one pair are of no use
        return np.split(rows, ends)

    def _ends_within_budget(self, rows: NDArray[np.int64], budget: int) -> list[int]:
        longest, sides = self._lengths[rows].max(axis=1), self.dataset.sides
        ends, begin, widest = [], 0, 0
        for place, length in enumerate(longest.tolist()):
            widest = max(widest, length)
            if place > begin and sides * (place + 1 - begin) * widest > budget:
                ends.append(place)
                begin, widest = place, length
        return ends


Number = TypeVar("Number", np.int8, np.int32)


def _gather(
    flat: NDArray[Number], begin: NDArray[np.int64], lengths: NDArray[np.int64], padding: int
) -> NDArray[Number]:
    """Stand stretches of a flat array side by side: ``[max(lengths), B]``, padded below."""
    time = np.arange(int(lengths.max()))[:, None]
    inside = time < lengths
    return np.where(inside, flat[np.where(inside, begin + time, 0)], flat.dtype.type(padding))
