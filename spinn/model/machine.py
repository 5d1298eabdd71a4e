"""The integer half of the shift-reduce machine: buffers and stacks of row numbers.

The nodes of all sentences lie in one table (:mod:`spinn.ops.nodes`). A buffer is the position of
the next word, a stack is a row of node numbers, and SHIFT copies a number.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spinn.model.types import Leaves
from spinn.ops.nodes import NodeTable


class Machine:
    """Buffers and stacks of B sentences.

    Parameters
    ----------
    leaf_rows
        ``[L, B]``, the row of each word; ``empty`` past the end of a sentence.
    lengths
        ``[B]``.
    empty
        The row that is read where a buffer or stack is empty.

    """

    def __init__(self, leaf_rows: Tensor, lengths: Tensor, empty: int) -> None:
        longest, count = leaf_rows.shape
        device = leaf_rows.device
        self._buffer = torch.cat([leaf_rows, torch.full((1, count), empty, device=device)])
        # Two empty rows lie under each stack, so that looking two deep needs no special case.
        self._stack = torch.full((count, longest + 2), empty, device=device)
        self._depth = torch.full((count,), 2, device=device)
        self._position = torch.zeros(count, dtype=torch.long, device=device)
        self._lengths = lengths.to(device)
        self._sentences = torch.arange(count, device=device)

    @classmethod
    def load(cls, leaves: Leaves, empty: int) -> Machine:
        """Put the words of all sentences on their buffers."""
        rows, lengths = leaves.rows, leaves.lengths
        rows = rows.masked_fill(torch.arange(len(rows))[:, None] >= lengths, empty)
        return cls(rows.to(leaves.states.device), lengths, empty)

    def view(self, active: int) -> Tensor:
        """Return rows ``[active, 3]``: buffer top, stack top, second on the stack."""
        sentence, depth = self._sentences[:active], self._depth[:active]
        return torch.stack(
            [
                self._buffer[self._position[:active], sentence],
                self._stack[sentence, depth - 1],
                self._stack[sentence, depth - 2],
            ],
            dim=1,
        )

    def legal(self, active: int) -> Tensor:
        """Return whether REDUCE and SHIFT are legal, ``[active, 2]``."""
        reduce = self._depth[:active] >= 4
        shift = self._position[:active] < self._lengths[:active]
        return torch.stack([reduce, shift], dim=1)

    def shift(self, chosen: Tensor) -> None:
        """Move the next word of the chosen sentences ``[active]`` from buffer to stack."""
        sentences = chosen.nonzero().squeeze(1)
        position = self._position[sentences]
        self._push(sentences, self._buffer[position, sentences])
        self._position[sentences] = position + 1

    def reduce(self, chosen: Tensor, nodes: NodeTable, seen: Tensor) -> None:
        """Compose the two topmost items of the chosen sentences ``[active]``, in one call.

        Parameters
        ----------
        chosen
            ``[active]``, true for the sentences that reduce.
        nodes
            The table that composes.
        seen
            ``[active, K]``, the tracker's states; K may be 0.

        """
        sentences = chosen.nonzero().squeeze(1)
        if len(sentences):
            self._push(sentences, nodes.compose(self._pop(sentences), seen[sentences]))

    def tops(self, active: int) -> Tensor:
        """Return rows ``[active]`` of the topmost items."""
        return self._stack[self._sentences[:active], self._depth[:active] - 1]

    def words(self) -> Tensor:
        """Return rows ``[L, B]`` of all words; the empty row past the end of a sentence."""
        return self._buffer[:-1]

    def _pop(self, sentences: Tensor) -> Tensor:
        """Take two items off the stacks of sentences ``[n]``; return left and right ``[n, 2]``."""
        depth = self._depth[sentences]
        self._depth[sentences] = depth - 2
        top = torch.stack([depth - 2, depth - 1], dim=1)
        return self._stack[sentences[:, None], top]

    def _push(self, sentences: Tensor, rows: Tensor) -> None:
        depth = self._depth[sentences]
        self._stack[sentences, depth] = rows
        self._depth[sentences] = depth + 1


def running(lengths: Tensor) -> list[int]:
    """Return the number of sentences that still have a transition to take, at each time step.

    Sentences with lengths ``[B]`` come longest first and take 2N - 1 transitions each.
    """
    steps = torch.arange(2 * int(lengths[0]) - 1)
    active: list[int] = ((2 * lengths - 1) > steps[:, None]).sum(dim=1).tolist()
    return active
