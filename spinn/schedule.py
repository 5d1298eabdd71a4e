"""The order in which the trees of a batch are composed: by height, all sentences together.

Without a tracker a node depends on its children alone, so all nodes of one height can be composed
in one step: as many steps as the deepest tree is high, not as many as the longest sentence has
transitions. The schedule is integer work. It is done when a batch is built, from its transitions,
in array operations over the whole batch; the model only follows it.

Equal subtrees have equal vectors. Where nothing random happens below the compositions, a schedule
can hence list each distinct subtree of the batch once and let all its parents share it.
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
class Schedule:
    """Which nodes are composed when. Leaves are nodes 0 to N - 1, the others follow by height.

    Attributes
    ----------
    children
        ``[M, 2]``, the left and the right child of each composed node, int64.
    levels
        How many of them have height 1, 2, …; they add up to M.
    roots
        ``[B]``, the node of each whole sentence.
    phrases
        ``[L - 1, B]``, all composed nodes of each sentence; the rest of a column repeats the root.
    leaves
        ``[L, B]``, the leaf of each word of each sentence; the rest of a column repeats the root.
    words
        ``[N]``, the words of the leaves where leaves are shared; otherwise ``None``, and the
        leaves are all words of the batch in the order of a packed sequence.

    """

    children: Tensor
    levels: tuple[int, ...]
    roots: Tensor
    phrases: Tensor
    leaves: Tensor
    words: Tensor | None = None

    @property
    def shared(self) -> bool:
        """Whether a node may have several parents."""
        return self.words is not None

    def to(self, device: torch.device) -> Schedule:
        """Move it to a device."""
        return replace(
            self,
            children=self.children.to(device),
            roots=self.roots.to(device),
            phrases=self.phrases.to(device),
            leaves=self.leaves.to(device),
            words=None if self.words is None else self.words.to(device),
        )


def build_schedule(
    transitions: TransitionArray,
    lengths: Numbers,
    words: NDArray[np.int32] | None = None,
) -> Schedule:
    """Schedule the trees of a batch.

    Parameters
    ----------
    transitions
        ``[T, B]``, padded; valid trees.
    lengths
        ``[B]``, words of each sentence.
    words
        ``[L, B]``, padded; if given, equal words and equal subtrees are shared.

    """
    # The batch as one long sequence of transitions, sentence after sentence.
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
    return Schedule(
        torch.from_numpy(np.concatenate(children)),
        tuple(len(level) for level in children[1:]),
        torch.from_numpy(roots),
        torch.from_numpy(phrases),
        torch.from_numpy(all_leaves),
        None if distinct is None else torch.from_numpy(distinct.astype(np.int64)),
    )


def _columns(nodes: Numbers, counts: Numbers, padding: Numbers) -> Numbers:
    """Stand the nodes of B sentences, so many of each, side by side: ``[max(counts), B]``."""
    rows = np.tile(padding[:, None], int(counts.max()))
    rows[np.arange(rows.shape[1]) < counts[:, None]] = nodes
    return rows.T


def _relatives(is_reduce: NDArray[np.bool_]) -> tuple[Numbers, Numbers, Numbers]:
    """Find the steps that made the children of each REDUCE, and each step's parent.

    A REDUCE takes what the step before it left on the stack as its right child. After it the stack
    is as high as it was when the left child came to lie on top, and was higher at all steps in
    between: the left child was made by the last earlier step that left the stack at that height.
    Where sentences follow each other, each leaves one item behind, so this holds across the batch.
    """
    # Numbers of 16 bits are sorted in linear time.
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
    """List the REDUCE steps of height 1, 2, … and so on.

    Each step is looked at once, when its own level is known, and takes its parent to the next level
    if the other child is not still to come.
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
        # Of two children of one height, the right one speaks for both.
        ready = (other >= 0) & ((other < len(levels)) | (level == right[above]))
        level = above[ready]
        if len(level) == 0:
            return levels
        levels.append(level)


def _packed_places(lengths: Numbers) -> Numbers:
    """Give the row of each word, sentence after sentence, in a packed sequence.

    There the longest sentence comes first (of equals, the first of the batch), and the first words
    of all sentences come before the second words.
    """
    rank = np.empty(len(lengths), dtype=np.int64)
    rank[np.argsort(-lengths, kind="stable")] = np.arange(len(lengths))
    time = np.arange(int(lengths.max()))
    inside = time < lengths[:, None]
    sizes = inside.sum(axis=0)
    starts = np.cumsum(sizes) - sizes
    return (starts + rank[:, None])[inside]
