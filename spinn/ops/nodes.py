"""The table of nodes of a batch of trees: composed in groups, written once, read by row number.

The encoder keeps leaves and composed nodes as rows of a table; its buffers and stacks are row
numbers. A group of nodes, a height or a time step, is composed in one call of the cell.

:class:`PlainNodes` is the definition: it concatenates, calls the cell, and leaves gradients to
autograd. The two others compute the same with a backward of their own. A read or a composition
costs what it touches, forwards and backwards, while autograd would carry gradients of all rows
through every group. Under autocast the products run in its type; states keep that of the leaves.

- :class:`Nodes` knows the tree-LSTM of Bowman et al. (2016, equations 5 to 7) and has a
  hand-written backward. Inputs and gates of all groups are stored side by side, so that the
  gradient of the weights is one matrix product over all nodes, at the end.
- :class:`spinn.ops.recorded.RecordedNodes` takes any cell: autograd records each group separately.

A token, a scalar that runs through all groups, orders the backward pass: autograd reaches a group
only after everything that could have read it. A backward pass must reach the first group, as one
from a loss to all weights does; the gradient of a tracker's weight alone would leave gradients
behind for the next pass over the same graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinn.ops.precision import ROWS, product_type, rounded_rows


class Composition(Protocol):
    """A cell with its weights; see :mod:`spinn.model.cells`."""

    @property
    def table(self) -> MakeTable:
        """Makes the fast node table for this cell, from leaves, cell and number of compositions."""

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


MakeTable = Callable[[Tensor, Any, int], NodeTable]


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


class Nodes:
    """Nodes composed by a tree-LSTM; leaves are rows ``(h, c)`` of width 2H."""

    def __init__(self, leaves: Tensor, cell: TreeLSTMComposition, compositions: int) -> None:
        self._work = Work(leaves, cell, compositions)
        self.empty = len(leaves) + compositions
        with torch.autocast(leaves.device.type, enabled=False):
            self._token = _Begin.apply(leaves, cell.weight, cell.bias, self._work)

    def compose(self, children: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose rows; see :class:`NodeTable`."""
        start = self._work.done
        with torch.autocast(children.device.type, enabled=False):
            self._token = _Compose.apply(self._token, children.flatten(), tracker, self._work)
        first = self._work.leaves
        return torch.arange(first + start, first + self._work.done, device=children.device)

    def read(self, rows: Tensor) -> Tensor:
        """Return hidden states; see :class:`NodeTable`."""
        return _Read.apply(self._token, rows, self._work)


class Work:
    """The arrays behind :class:`Nodes`, apart from its token, so that no reference cycle forms.

    :mod:`spinn.ops.merges`, which composes nodes in another order, fills the same arrays. Rows of
    ``hidden`` and ``memory`` (and of their gradients) are nodes; rows of all others are
    compositions, in the order in which they are made.
    """

    def __init__(self, leaves: Tensor, cell: TreeLSTMComposition, compositions: int) -> None:
        size = cell.hidden_size
        self.leaves, self.size, self.done = len(leaves), size, 0
        self.type = product_type(leaves)
        weight = cell.weight.detach().to(self.type)
        self.child_weight, self.tracker_weight = weight.tensor_split([2 * size], dim=1)
        self.bias = cell.bias.detach()
        self.hidden, self.memory = leaves.new_empty(2, len(leaves) + compositions + 1, size)
        self.hidden[-1], self.memory[-1] = 0, 0
        rows = compositions + ROWS
        self.inputs = leaves.new_empty(rows, 2 * size, dtype=self.type)
        self.watched = leaves.new_empty(rows, weight.shape[1] - 2 * size, dtype=self.type)
        self.gates = leaves.new_empty(rows, 5 * size)
        self.squashed = leaves.new_empty(compositions, size)
        # Of nodes, and of the gates before activation; allocated during a backward pass.
        self.hidden_gradient: Tensor | None = None
        self.memory_gradient: Tensor | None = None
        self.gate_gradient: Tensor | None = None
        # Compositions that the backward pass has reached; the last ones may not matter to the loss.
        self.reached = 0

    def gradients(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of hidden states, memory cells and gates accumulated so far."""
        if self.hidden_gradient is None or self.memory_gradient is None:
            self.hidden_gradient = torch.zeros_like(self.hidden)
            self.memory_gradient = torch.zeros_like(self.memory)
        if self.gate_gradient is None:
            self.gate_gradient = torch.empty_like(self.gates)
        return self.hidden_gradient, self.memory_gradient, self.gate_gradient

    def forget_gradients(self) -> None:
        """Reset the gradients for the next backward pass."""
        self.hidden_gradient = self.memory_gradient = self.gate_gradient = None
        self.reached = 0


class _Begin(torch.autograd.Function):
    """Store the leaves. At the end of the backward pass, compute the gradients of the weights."""

    @staticmethod
    def forward(ctx: Any, leaves: Tensor, weight: Tensor, bias: Tensor, work: Work) -> Tensor:
        work.hidden[: work.leaves] = leaves[:, : work.size]
        work.memory[: work.leaves] = leaves[:, work.size :]
        ctx.work, ctx.type = work, weight.dtype
        return leaves.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        work: Work = ctx.work
        hidden, memory, gates = work.gradients()
        leaves = torch.cat([hidden[: work.leaves], memory[: work.leaves]], dim=1)
        gates, inputs, watched = (
            rows[: work.reached] for rows in (gates, work.inputs, work.watched)
        )
        outer = gates.to(work.type).T
        weight = outer @ inputs
        if watched.shape[1]:
            weight = torch.cat([weight, outer @ watched], dim=1)
        work.forget_gradients()
        return leaves, weight.to(ctx.type), gates.sum(0), None


class _Compose(torch.autograd.Function):
    """Compose a group of nodes; the result is the next token."""

    @staticmethod
    def forward(
        ctx: Any, token: Tensor, children: Tensor, tracker: Tensor | None, work: Work
    ) -> Tensor:
        start, end = compose_rows(work, children, tracker)
        ctx.save_for_backward(children)
        ctx.work, ctx.start, ctx.end = work, start, end
        ctx.tracker = tracker is not None and tracker.shape[1] > 0
        return torch.zeros_like(token)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        work, start, end = ctx.work, ctx.start, ctx.end
        (children,) = ctx.saved_tensors
        hidden, memory, gates = work.gradients()
        work.reached = max(work.reached, end)
        above = hidden[work.leaves + start : work.leaves + end]
        cell = memory[work.leaves + start : work.leaves + end]
        memories = work.memory.index_select(0, children).view(end - start, 2, -1)
        kept = gate_gradients(
            work.gates[start:end],
            work.squashed[start:end],
            memories,
            above,
            cell,
            out=gates[start:end],
        )
        memory.index_add_(0, children, kept.view(-1, work.size))
        stop = start + rounded_rows(end - start, work.type)
        outer = gates[start:stop].to(work.type)
        below = (outer @ work.child_weight)[: end - start].to(hidden.dtype)
        hidden.index_add_(0, children, below.view(-1, work.size))
        tracker = None
        if ctx.tracker:
            tracker = (outer @ work.tracker_weight)[: end - start].to(hidden.dtype)
        return token, None, tracker, None


class _Read(torch.autograd.Function):
    """Gather hidden states."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, rows: Tensor, work: Work) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.work, ctx.token = work, torch.zeros_like(token)
        return work.hidden.index_select(0, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        (rows,) = ctx.saved_tensors
        hidden, _, _ = ctx.work.gradients()
        hidden.index_add_(0, rows, gradient)
        return ctx.token, None, None


def compose_rows(work: Work, children: Tensor, tracker: Tensor | None = None) -> tuple[int, int]:
    """Compose children, rows ``[2n]`` in pairs; return the range of new compositions."""
    start = work.done
    end = work.done = start + len(children) // 2
    work.inputs[start:end].view(-1, work.size).copy_(work.hidden.index_select(0, children))
    if tracker is not None:
        work.watched[start:end] = tracker
    _fill_gates(work, start, end)
    write, keep_left, keep_right, show, candidate = work.gates[start:end].chunk(5, dim=1)
    left, right = work.memory.index_select(0, children).view(end - start, 2, -1).unbind(1)
    cell = work.memory[work.leaves + start : work.leaves + end]
    torch.mul(write, candidate, out=cell)
    cell.addcmul_(keep_left, left).addcmul_(keep_right, right)
    squashed = torch.tanh(cell, out=work.squashed[start:end])
    torch.mul(show, squashed, out=work.hidden[work.leaves + start : work.leaves + end])
    return start, end


def gate_gradients(
    gates: Tensor, squashed: Tensor, memories: Tensor, above: Tensor, cell: Tensor, *, out: Tensor
) -> Tensor:
    """Compute the gradients of the gates of compositions.

    Parameters
    ----------
    gates, squashed, memories
        ``[n, 5H]`` after activation, ``[n, H]`` (tanh of the memory cells), and ``[n, 2, H]``, the
        memory cells of the children.
    above, cell
        The gradients ``[n, H]`` of hidden states and memory cells; the hidden states' contribution
        is added to the second in place.
    out
        ``[n, 5H]``, receives the gradient of the gates before activation.

    Returns
    -------
    The gradient of the children's memory cells, ``[n, 2, H]``.

    """
    size = squashed.shape[1]
    write, keep_left, keep_right, show, candidate = gates.chunk(5, dim=1)
    cell += _times_tanh_slope(above * show, squashed)
    left, right = memories.unbind(1)
    to_write, to_left, to_right, to_show, to_candidate = out.chunk(5, dim=1)
    torch.mul(cell, candidate, out=to_write)
    torch.mul(cell, left, out=to_left)
    torch.mul(cell, right, out=to_right)
    torch.mul(above, squashed, out=to_show)
    torch.mul(cell, write, out=to_candidate)
    _times_tanh_slope(to_candidate, candidate)
    _times_sigmoid_slope(out[:, : 4 * size], gates[:, : 4 * size])
    return torch.stack([cell * keep_left, cell * keep_right], dim=1)


def _fill_gates(work: Work, start: int, end: int) -> None:
    """Compute the gates of some compositions, activated: four sigmoids and the candidate's tanh."""
    gates = work.gates[start:end]
    # Rows past the end of the group are recomputed with the next one.
    stop = start + rounded_rows(end - start, work.type)
    if work.type == gates.dtype:
        torch.addmm(work.bias, work.inputs[start:end], work.child_weight.T, out=gates)
    else:
        product = work.inputs[start:stop] @ work.child_weight.T
        torch.add(product[: end - start], work.bias, out=gates)
    if work.watched.shape[1]:
        gates += (work.watched[start:stop] @ work.tracker_weight.T)[: end - start]
    gates[:, : 4 * work.size].sigmoid_()
    gates[:, 4 * work.size :].tanh_()


def _times_tanh_slope(gradient: Tensor, tanh: Tensor) -> Tensor:
    """Multiply in place by the derivative of tanh, 1 - tanh²."""
    return gradient.addcmul_(gradient * tanh, tanh, value=-1)


def _times_sigmoid_slope(gradient: Tensor, sigmoid: Tensor) -> None:
    """Multiply in place by the derivative of the sigmoid."""
    gradient.mul_(torch.addcmul(sigmoid, sigmoid, sigmoid, value=-1))
