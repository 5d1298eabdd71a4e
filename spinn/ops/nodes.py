"""The table of nodes of a batch of trees: composed in groups, written once, read by row number.

The encoder keeps leaves and composed nodes as rows of a table; its buffers and stacks are row
numbers. A group of nodes, a height or a time step, is composed in one call of the cell.

:class:`PlainNodes` is the definition: it concatenates, calls the cell, and leaves gradients to
autograd. The two others compute the same with a backward of their own. A read or a composition
costs what it touches, forwards and backwards, while autograd would carry gradients of all rows
through every group. Under autocast the products run in its type; states keep that of the leaves.

- :class:`spinn.ops.tree_lstm.Nodes` knows the tree-LSTM of Bowman et al. (2016, equations 5 to 7)
  and has a hand-written backward. Inputs and outputs of the products of all groups are stored side
  by side, so that the gradient of the weights is one matrix product over all nodes, at the end.
- :class:`spinn.ops.recorded.RecordedNodes` takes any cell: autograd records each group separately.

A token, a scalar that runs through all groups, orders the backward pass: autograd reaches a group
only after everything that could have read it.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor


class Composition(Protocol):
    """A cell with its weights; see :mod:`spinn.model.cells`."""

    @property
    def table(self) -> type[NodeTable]:
        """The fast node table for this cell."""

    @property
    def hidden_size(self) -> int:
        """H; the first H numbers of a state are its hidden state."""

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """The weights, in the order in which the cell's class takes them."""

    def __call__(self, left: Tensor, right: Tensor, tracker: Tensor | None) -> Tensor:
        """Compose children ``[n, S]`` and tracker states ``[n, K]`` into ``[n, S]``."""


class TreeLSTMComposition(Composition, Protocol):
    """The tree-LSTM, whose states are ``(h, c)``; see :class:`spinn.model.cells.TreeLSTMGates`."""

    @property
    def weight(self) -> Tensor: ...  # noqa: D102
    @property
    def bias(self) -> Tensor: ...  # noqa: D102


class NodeTable(Protocol):
    """The nodes of a batch.

    Rows 0 to N - 1 are the leaves, rows N to N + M - 1 the composed nodes.

    Attributes
    ----------
    empty
        The number of a row of zeros, which is read where a buffer or stack is empty.

    """

    empty: int

    def __init__(self, leaves: Tensor, cell: Any, compositions: int) -> None:
        """Store leaves ``[N, S]``; reserve room for M compositions."""

    def compose(self, children: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose rows ``[n, 2]``, with tracker states ``[n, K]``; return the new rows ``[n]``."""

    def read(self, rows: Tensor) -> Tensor:
        """Return the hidden states ``[n, H]`` of rows ``[n]``."""


def node_table(
    leaves: Tensor, cell: Composition, compositions: int, *, plain: bool = False
) -> NodeTable:
    """Make the table of a batch with leaves ``[N, S]``.

    Parameters
    ----------
    leaves, cell
        The first rows, and what composes the others.
    compositions
        Number of nodes that will be composed.
    plain
        Whether to leave all gradients to autograd, instead of using the cell's fast table.

    """
    kind = PlainNodes if plain else cell.table
    return kind(leaves, cell, compositions)


class PlainNodes:
    """Nodes with gradients by autograd alone."""

    def __init__(self, leaves: Tensor, cell: Composition, compositions: int) -> None:
        self._cell = cell
        self._rows = torch.cat([leaves.new_zeros(1, leaves.shape[1]), leaves])
        self.empty = len(leaves) + compositions

    def compose(self, children: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose rows; see :class:`NodeTable`."""
        left, right = self._look_up(children[:, 0]), self._look_up(children[:, 1])
        made = len(self._rows)
        composed = self._cell(left, right, tracker)
        self._rows = torch.cat([self._rows, composed.to(self._rows.dtype)])
        return torch.arange(made - 1, len(self._rows) - 1, device=children.device)

    def read(self, rows: Tensor) -> Tensor:
        """Return hidden states; see :class:`NodeTable`."""
        return self._look_up(rows)[:, : self._cell.hidden_size]

    def _look_up(self, rows: Tensor) -> Tensor:
        # The empty row is kept first, where it does not move.
        return self._rows[torch.where(rows == self.empty, 0, rows + 1)]
