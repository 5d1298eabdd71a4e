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
        longest, self._count = leaf_rows.shape
        device, lengths = leaf_rows.device, lengths.to(leaf_rows.device)
        sentences = torch.arange(self._count, device=device)
        # Buffers and stacks are one array each, in which a number says where the next word is, and
        # the topmost item: with one index, reading is several times as fast as with two.
        self._words = torch.cat([leaf_rows, leaf_rows.new_full((1, self._count), empty)])
        self._buffer = self._words.flatten()
        self._next, self._end = sentences.clone(), sentences + lengths * self._count
        # Two empty rows lie under each stack, so that looking two deep needs no special case.
        self._stack = leaf_rows.new_full((self._count * (longest + 2),), empty)
        self._top = sentences * (longest + 2) + 1
        self._pair = self._top + 2  # where the topmost item is if there are two

    @classmethod
    def load(cls, leaves: Leaves, empty: int) -> Machine:
        """Put the words of all sentences on their buffers."""
        rows, lengths = leaves.rows, leaves.lengths
        rows = rows.masked_fill(torch.arange(len(rows))[:, None] >= lengths, empty)
        return cls(rows.to(leaves.states.device), lengths, empty)

    def view(self, active: int) -> Tensor:
        """Return rows ``[active, 3]``: buffer top, stack top, second on the stack."""
        top = self._top[:active]
        return torch.stack(
            [
                self._buffer.index_select(0, self._next[:active]),
                self._stack.index_select(0, top),
                self._stack.index_select(0, top - 1),
            ],
            dim=1,
        )

    def legal(self, active: int) -> Tensor:
        """Return whether REDUCE and SHIFT are legal, ``[active, 2]``."""
        reduce = self._top[:active] >= self._pair[:active]
        shift = self._next[:active] < self._end[:active]
        return torch.stack([reduce, shift], dim=1)

    def shift(self, chosen: Tensor) -> None:
        """Move the next word of the chosen sentences ``[active]`` from buffer to stack."""
        sentences = chosen.nonzero().squeeze(1)
        words = self._next.index_select(0, sentences)
        top = self._top.index_select(0, sentences) + 1
        self._push(sentences, top, self._buffer.index_select(0, words))
        self._next.index_copy_(0, sentences, words + self._count)

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
            right = self._top.index_select(0, sentences)
            pair = [self._stack.index_select(0, place) for place in (right - 1, right)]
            children = torch.stack(pair, dim=1)
            made = nodes.compose(children, seen.index_select(0, sentences))
            self._push(sentences, right - 1, made)

    def tops(self, active: int) -> Tensor:
        """Return rows ``[active]`` of the topmost items."""
        return self._stack.index_select(0, self._top[:active])

    def words(self) -> Tensor:
        """Return rows ``[L, B]`` of all words; the empty row past the end of a sentence."""
        return self._words[:-1]

    def _push(self, sentences: Tensor, places: Tensor, rows: Tensor) -> None:
        """Put rows ``[n]`` on the stacks of sentences ``[n]``, at these places."""
        self._stack.index_copy_(0, places, rows)
        self._top.index_copy_(0, sentences, places)


def running(lengths: Tensor) -> list[int]:
    """Return the number of sentences that still have a transition to take, at each time step.

    Sentences with lengths ``[B]`` come longest first and take 2N - 1 transitions each.
    """
    steps = torch.arange(2 * int(lengths[0]) - 1)
    active: list[int] = ((2 * lengths - 1) > steps[:, None]).sum(dim=1).tolist()
    return active
