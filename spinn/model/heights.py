"""The heights of trees that are known only once the leaves are made, such as a parser's."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spinn.model.types import Leaves
from spinn.ops.heights import Heights, heights_of


def heights_of_leaves(leaves: Leaves, transitions: Tensor) -> tuple[Heights, Tensor]:
    """Order the compositions of transitions ``[T, B]`` by height.

    Where equal words have equal leaves, equal subtrees are composed once.

    Returns
    -------
    The heights, and the rows ``[N, W]`` of the leaves as they number them.

    """
    steps, lengths = transitions.cpu().numpy(), leaves.lengths.numpy()
    words = leaves.sentences.words
    if leaves.alike and words is not None:
        every = words.cpu().numpy()
        heights = heights_of(steps, lengths, every.repeat(leaves.copies, axis=1))
        # The first leaf of each distinct word; heights number the words in sorted order.
        packed = every[np.arange(len(every))[:, None] < leaves.sentences.lengths.numpy()]
        first = torch.from_numpy(np.unique(packed, return_index=True)[1])
        states = leaves.states[first.to(leaves.states.device)]
    else:
        heights = heights_of(steps, lengths)
        states = leaves.states.repeat_interleave(leaves.copies, dim=0)
    return heights.to(transitions.device), states
