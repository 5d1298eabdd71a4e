"""The table of nodes for any cell: autograd records each group separately.

This is :class:`spinn.ops.nodes.Nodes` for cells without a hand-written backward. Autograd sees one
group at a time, from its children to its states; between groups, gradients of states and weights
are accumulated in place. A group costs what it touches, and a new cell needs only its equations.
The token that orders the groups is that of :mod:`spinn.ops.nodes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinn.ops.nodes import Composition
from spinn.ops.sums import PassSums


class RecordedNodes:
    """Nodes composed by any cell."""

    def __init__(self, leaves: Tensor, cell: Composition, compositions: int) -> None:
        self._record = Record(leaves, cell, compositions)
        self.empty = len(leaves) + compositions
        self._token = _BeginRecord.apply(leaves, self._record, *cell.weights)

    def compose(self, children: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose rows; see :class:`NodeTable`."""
        start = self._record.done
        self._token = _ComposeRecorded.apply(self._token, children, tracker, self._record)
        return torch.arange(start, self._record.done, device=children.device)

    def read(self, rows: Tensor) -> Tensor:
        """Return hidden states; see :class:`NodeTable`."""
        return _ReadRecorded.apply(self._token, rows, self._record)


@dataclass(frozen=True)
class _Group:
    """The graph of a group, from children ``[2n, S]`` and tracker states to new states."""

    children: Tensor
    tracker: Tensor | None
    states: Tensor


class Record:
    """The arrays behind :class:`RecordedNodes`: states ``[N + M + 1, S]``, the last row zeros.

    Its cell has detached copies of the weights, at which the graph of a group ends.
    """

    def __init__(self, leaves: Tensor, cell: Composition, compositions: int) -> None:
        self.done, self.size = len(leaves), cell.hidden_size
        self.recording = torch.is_grad_enabled()
        self.weights = [weight.detach().requires_grad_() for weight in cell.weights]
        self.cell = type(cell)(*self.weights)
        self.states = leaves.new_empty(len(leaves) + compositions + 1, leaves.shape[1])
        self.states[-1] = 0
        self._gradients: PassSums[tuple[Tensor, list[Tensor]]] = PassSums()

    def compose(self, children: Tensor, tracker: Tensor | None) -> tuple[int, int, _Group | None]:
        """Compose rows ``[n, 2]``; return the range of new rows, and the graph of the group."""
        start, end = self.done, self.done + len(children)
        below = self.states.index_select(0, children.flatten())
        watched = None if tracker is None else tracker.detach()
        with torch.set_grad_enabled(self.recording):
            for given in (below, watched):
                if given is not None and self.recording:
                    given.requires_grad_()
            left, right = below.unflatten(0, (-1, 2)).unbind(1)
            made = self.cell(left, right, watched).to(below.dtype)
        self.states[start:end], self.done = made.detach(), end
        return start, end, _Group(below, watched, made) if self.recording else None

    def gradients(self) -> tuple[Tensor, list[Tensor]]:
        """Return the gradients of states and weights, which are added to."""
        return self._gradients.get(
            lambda: (torch.zeros_like(self.states), [torch.zeros_like(w) for w in self.weights])
        )

    def forget_gradients(self) -> None:
        """Reset the gradients for the next backward pass."""
        self._gradients.forget()


class _BeginRecord(torch.autograd.Function):
    """Store the leaves. At the end of the backward pass, return the gradients of the weights."""

    @staticmethod
    def forward(ctx: Any, leaves: Tensor, record: Record, *weights: Tensor) -> Tensor:
        record.states[: len(leaves)] = leaves
        ctx.record, ctx.leaves = record, len(leaves)
        return leaves.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        states, weights = ctx.record.gradients()
        ctx.record.forget_gradients()
        return states[: ctx.leaves], None, *weights


class _ComposeRecorded(torch.autograd.Function):
    """Compose a group of nodes; the result is the next token."""

    @staticmethod
    def forward(
        ctx: Any, token: Tensor, children: Tensor, tracker: Tensor | None, record: Record
    ) -> Tensor:
        ctx.start, ctx.end, ctx.group = record.compose(children, tracker)
        ctx.record, ctx.rows = record, children.flatten()
        return torch.zeros_like(token)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        record, group = ctx.record, ctx.group
        states, weights = record.gradients()
        watched = [] if group.tracker is None else [group.tracker]
        below, *found = torch.autograd.grad(
            group.states,
            [group.children, *record.weights, *watched],
            states[ctx.start : ctx.end],
            retain_graph=True,  # freed with the group; there may be a second backward pass
            allow_unused=True,
            materialize_grads=True,  # zeros for what the cell does not use
        )
        states.index_add_(0, ctx.rows, below)
        for whole, part in zip(weights, found, strict=False):
            whole += part
        return token, None, found[-1] if watched else None, None


class _ReadRecorded(torch.autograd.Function):
    """Gather hidden states."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, rows: Tensor, record: Record) -> Tensor:
        ctx.record, ctx.rows, ctx.token = record, rows, torch.zeros_like(token)
        return record.states[:, : record.size].index_select(0, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        states, _ = ctx.record.gradients()
        states[:, : ctx.record.size].index_add_(0, ctx.rows, gradient)
        return ctx.token, None, None
