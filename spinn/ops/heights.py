"""The schedule for composing the trees of a batch by height.

Without a tracker a node depends on its children only, so all nodes of the same height, over all
sentences, are composed in one call. The number of calls is the height of the highest tree instead
of the number of transitions of the longest sentence. The schedule is computed by integer array
operations when the batch is built.

Equal subtrees have equal vectors, unless dropout below the compositions makes them differ. In this
case each distinct subtree of the batch can be listed once and shared by all its parents.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinn.transitions import Transition, TransitionArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Heights:
    """A schedule. Leaves are nodes 0 to N - 1; composed nodes follow in order of height.

    Attributes
    ----------
    children
        ``[M, 2]``, the left and the right child of each composed node, int64.
    sizes
        Number of nodes of height 1, 2, …; they add up to M.
    roots
        ``[B]``, the node of each whole sentence.
    phrases
        ``[L - 1, B]``, all composed nodes of each sentence, padded with the root.
    leaves
        ``[L, B]``, the leaf of each word of each sentence, padded with the root.
    words
        ``[N]``, the word of each leaf if leaves are shared. If ``None``, leaves are the words of
        the batch in the order of a packed sequence.

    """

    children: Tensor
    sizes: tuple[int, ...]
    roots: Tensor
    phrases: Tensor
    leaves: Tensor
    words: Tensor | None = None

    def to(self, device: torch.device) -> Heights:
        """Return a copy on another device."""
        return replace(
            self,
            children=self.children.to(device),
            roots=self.roots.to(device),
            phrases=self.phrases.to(device),
            leaves=self.leaves.to(device),
            words=None if self.words is None else self.words.to(device),
        )

    def reorder(self, order: Tensor) -> Heights:
        """Return the schedule with sentences in another order ``[B]``; node numbers are kept."""
        return replace(
            self,
            roots=self.roots[order],
            phrases=self.phrases[:, order],
            leaves=self.leaves[:, order],
        )


def heights_of(
    transitions: TransitionArray,
    lengths: Numbers,
    words: NDArray[np.int32] | NDArray[np.int64] | None = None,
) -> Heights:
    """Return the schedule of a batch.

    Parameters
    ----------
    transitions
        ``[T, B]``, padded; valid trees.
    lengths
        ``[B]``, words of each sentence.
    words
        ``[L, B]``, padded; if given, equal words and equal subtrees are shared.

    """
    # The transitions of the batch as one sequence, sentence after sentence.
    inside = np.arange(len(transitions)) < 2 * lengths[:, None] - 1
    steps = transitions.T[inside]
    is_reduce = steps == Transition.REDUCE
    left, right, parent = _relatives(is_reduce)
    node = np.empty(len(steps), dtype=np.int64)
    leaves = np.flatnonzero(~is_reduce)
    distinct: Numbers | None = None
    if words is None:
        node[leaves] = _packed_places(lengths)
        count = len(leaves)
    else:
        flat = words.T[np.arange(len(words)) < lengths[:, None]]
        distinct, node[leaves] = np.unique(flat, return_inverse=True)
        count = len(distinct)
    children: list[Numbers] = [np.empty((0, 2), dtype=np.int64)]
    for level in _levels(leaves, left, right, parent):
        below = node[np.stack([left[level], right[level]], axis=1)]
        if words is None:
            node[level] = np.arange(count, count + len(level))
        else:
            pairs, node[level] = np.unique(below @ [count, 1], return_inverse=True)
            node[level] += count
            below = np.stack(np.divmod(pairs, count), axis=1)
        count += len(below)
        children.append(below)
    roots = node[np.cumsum(2 * lengths - 1) - 1]
    phrases = _columns(node[is_reduce], lengths - 1, roots)
    all_leaves = _columns(node[leaves], lengths, roots)
    return Heights(
        torch.from_numpy(np.concatenate(children)),
        tuple(len(level) for level in children[1:]),
        torch.from_numpy(roots),
        torch.from_numpy(phrases),
        torch.from_numpy(all_leaves),
        None if distinct is None else torch.from_numpy(distinct.astype(np.int64)),
    )


def _columns(nodes: Numbers, counts: Numbers, padding: Numbers) -> Numbers:
    """Lay out nodes of B sentences, sentence after sentence, as padded ``[max(counts), B]``."""
    rows = np.tile(padding[:, None], int(counts.max()))
    rows[np.arange(rows.shape[1]) < counts[:, None]] = nodes
    return rows.T


def _relatives(is_reduce: NDArray[np.bool_]) -> tuple[Numbers, Numbers, Numbers]:
    """Return the steps that made the left and right child of each REDUCE, and each step's parent.

    The right child of a REDUCE is made by the step before it. The left child is made by the last
    earlier step after which the stack was as deep as it is after the REDUCE. Each sentence leaves
    one item on the stack, so this holds across sentences that follow each other.
    """
    # numpy sorts 16-bit integers in linear time.
    narrow = np.int16 if len(is_reduce) < 2**15 else np.int64
    depth = np.cumsum(np.where(is_reduce, -1, 1), dtype=narrow)
    order = np.argsort(depth, kind="stable")
    before = np.empty(len(depth), dtype=np.int64)
    before[order[1:]] = order[:-1]
    before[order[0]] = -1
    right = np.arange(-1, len(depth) - 1)
    parent = np.full(len(depth), -1, dtype=np.int64)
    reduces = np.flatnonzero(is_reduce)
    parent[before[reduces]] = parent[reduces - 1] = reduces
    return before, right, parent


def _levels(leaves: Numbers, left: Numbers, right: Numbers, parent: Numbers) -> list[Numbers]:
    """Return the REDUCE steps of height 1, 2, ….

    Each step is visited once, when its height is known; its parent is on the next level if the
    height of the other child is known too.
    """
    levels: list[Numbers] = []
    height = np.full(len(parent), -1, dtype=np.int64)
    level = leaves
    while True:
        height[level] = len(levels)
        above = parent[level]
        known = above >= 0
        level, above = level[known], above[known]
        other = height[left[above] + right[above] - level]
        # Count a pair of children of one height once, at the right child.
        ready = (other >= 0) & ((other < len(levels)) | (level == right[above]))
        level = above[ready]
        if len(level) == 0:
            return levels
        levels.append(level)


def _packed_places(lengths: Numbers) -> Numbers:
    """Return the row of each word, sentence after sentence, in a packed sequence.

    Sentences are sorted by length (stable), longest first; first words precede second words.
    """
    rank = np.empty(len(lengths), dtype=np.int64)
    rank[np.argsort(-lengths, kind="stable")] = np.arange(len(lengths))
    time = np.arange(int(lengths.max()))
    inside = time < lengths[:, None]
    sizes = inside.sum(axis=0)
    starts = np.cumsum(sizes) - sizes
    return (starts + rank[:, None])[inside]
