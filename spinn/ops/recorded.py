"""The nodes of a batch of trees, composed by any cell, each group recorded by itself.

This is :class:`spinn.ops.nodes.Nodes` for cells that have no backward of their own. Autograd sees
one group at a time, from its children to its states; between groups, gradients of states and
weights are added up in place. So a group costs what it touches, here too, and a new cell needs
nothing but its equations. The token that holds the groups together is that of
:mod:`spinn.ops.nodes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinn.ops.nodes import Composition


class RecordedNodes:
    """The nodes, composed by any cell."""

    def __init__(self, leaves: Tensor, cell: Composition, compositions: int) -> None:
        self._record = Record(leaves, cell, compositions)
        self.empty = len(leaves) + compositions
        self._token = _BeginRecord.apply(leaves, self._record, *cell.weights)

    def compose(self, children: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose rows; see :class:`AnyNodes`."""
        start = self._record.done
        self._token = _ComposeRecorded.apply(self._token, children, tracker, self._record)
        return torch.arange(start, self._record.done, device=children.device)

    def read(self, rows: Tensor) -> Tensor:
        """Fetch hidden states; see :class:`AnyNodes`."""
        return _ReadRecorded.apply(self._token, rows, self._record)


@dataclass(frozen=True)
class _Group:
    """What autograd recorded of a group: from children ``[2n, S]`` and tracker to states."""

    children: Tensor
    tracker: Tensor | None
    states: Tensor


class Record:
    """The table behind :class:`RecordedNodes`, states ``[N + M + 1, S]``, the last of them zeros.

    Its cell is the one given, with weights of its own, where what autograd records of a group ends.
    """

    def __init__(self, leaves: Tensor, cell: Composition, compositions: int) -> None:
        self.done, self.size = len(leaves), cell.hidden_size
        self.recording = torch.is_grad_enabled()
        self.weights = [weight.detach().requires_grad_() for weight in cell.weights]
        self.cell = type(cell)(*self.weights)
        self.states = leaves.new_empty(len(leaves) + compositions + 1, leaves.shape[1])
        self.states[-1] = 0
        self._gradients: tuple[Tensor, list[Tensor]] | None = None

    def compose(self, children: Tensor, tracker: Tensor | None) -> tuple[int, int, _Group | None]:
        """Compose rows ``[n, 2]``; return the first new row, the next one, and the record."""
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
        """Return the gradients of states and weights, as far as they are."""
        if self._gradients is None:
            weights = [torch.zeros_like(weight) for weight in self.weights]
            self._gradients = torch.zeros_like(self.states), weights
        return self._gradients

    def forget_gradients(self) -> None:
        """Let the next backward pass start from nothing."""
        self._gradients = None


class _BeginRecord(torch.autograd.Function):
    """Write the leaves. At the end of the backward pass, hand out the gradients of the weights."""

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
            retain_graph=True,  # it goes with the group; a second pass may come before
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
