"""Trees as arrays of numbers, and batches of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinn.data.fragments.tree import Fragment, open_slots
from spinn.data.fragments.vocabulary import FragmentVocabulary

_POOL = 100  # batches whose trees are sorted by length together


@dataclass(frozen=True)
class FragmentBatch:
    """B trees of up to T fragments, in pre-order.

    A process without a share in a small batch gets a tree that does not count, so that it can run
    the model in step with other processes. The length of the batch is the number that counts.

    Attributes
    ----------
    fragments
        ``[T, B]``, numbers of fragments; entries past the end of a tree are 0.
    parents
        ``[T, B]``, the number of the fragment that each fragment is a child of; the size of the
        vocabulary for the root.
    types
        ``[T, B]``, the number of the type of each fragment.
    lengths
        ``[B]``, the number of fragments of each tree, always on the CPU.
    counts
        Whether the trees count.

    """

    fragments: Tensor
    parents: Tensor
    types: Tensor
    lengths: Tensor
    counts: bool = True

    def __len__(self) -> int:
        return len(self.lengths) if self.counts else 0

    @property
    def size(self) -> int:
        """The number of fragments of all trees that count."""
        return int(self.lengths.sum()) if self.counts else 0

    def to(self, device: torch.device) -> FragmentBatch:
        """Return the batch with the inputs of the model on a device."""
        return replace(
            self,
            fragments=self.fragments.to(device),
            parents=self.parents.to(device),
            types=self.types.to(device),
        )


@dataclass(frozen=True)
class FragmentDataset:
    """Trees, concatenated.

    Attributes
    ----------
    fragments, parents, types
        ``[N]``, see :class:`FragmentBatch`.
    offsets
        ``[S + 1]``, the position of each of S trees, and N.

    """

    fragments: NDArray[np.int32]
    parents: NDArray[np.int32]
    types: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """``[S]``, the number of fragments of each tree."""
        return np.diff(self.offsets)

    def batch(self, rows: NDArray[np.int64]) -> FragmentBatch:
        """Return the batch of the trees with these numbers, in this order."""
        starts, lengths = self.offsets[rows], self.lengths[rows]
        time = np.arange(lengths.max())[:, None]
        inside = time < lengths
        place = np.where(inside, starts + time, 0)
        fragments, parents, types = (
            torch.from_numpy(np.where(inside, values[place], 0).astype(np.int64))
            for values in (self.fragments, self.parents, self.types)
        )
        return FragmentBatch(fragments, parents, types, torch.from_numpy(lengths))

    @property
    def fingerprint(self) -> str:
        """A digest of the trees."""
        digest = hashlib.sha256(self.offsets.tobytes())
        for values in (self.fragments, self.parents, self.types):
            digest.update(values.tobytes())
        return digest.hexdigest()

    def batches(
        self,
        size: int,
        random: np.random.Generator | None = None,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> Iterator[FragmentBatch]:
        """Yield batches of trees of similar length.

        Parameters
        ----------
        size
            Number of trees of a batch; the last one may have fewer.
        random
            Shuffles trees and batches. Without it, trees are sorted by length.
        start
            The first batch that is yielded.
        rank, world_size
            Take every ``world_size``-th tree of each batch, from ``rank`` on.

        """
        if random is None:
            order = np.argsort(self.lengths, kind="stable")
        else:
            order = random.permutation(len(self))
            for first in range(0, len(self), _POOL * size):
                pool = order[first : first + _POOL * size]
                by_length = np.argsort(self.lengths[pool], kind="stable")
                order[first : first + _POOL * size] = pool[by_length]
        places = np.arange(0, len(self), size)
        shuffled = places if random is None else random.permutation(places)
        for place in shuffled[start:].tolist():
            rows = order[place : place + size]
            own = rows[rank::world_size]
            yield self.batch(own) if len(own) else replace(self.batch(rows[:1]), counts=False)


def number_sequences(
    sequences: Sequence[Sequence[Fragment]], vocabulary: FragmentVocabulary
) -> FragmentDataset:
    """Return the data set of trees that are given as their fragments in pre-order.

    Raises
    ------
    TreeError
        If a sequence is not one complete tree.

    """
    offsets = np.cumsum([0, *map(len, sequences)], dtype=np.int64)
    fragments, parents, types = (np.empty(offsets[-1], dtype=np.int32) for _ in range(3))
    for start, sequence in zip(offsets, sequences, strict=False):
        place = slice(start, start + len(sequence))
        slots = open_slots(sequence)
        # The entry behind the last one is the root's parent: its position is -1.
        numbers = np.append(vocabulary.numbers(sequence), np.int32(len(vocabulary)))
        fragments[place] = numbers[:-1]
        parents[place] = numbers[[slot.parent for slot in slots]]
        types[place] = [vocabulary.type_number(slot.type) for slot in slots]
    return FragmentDataset(fragments, parents, types, offsets)
