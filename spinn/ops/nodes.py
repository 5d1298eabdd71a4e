"""The node table: every node of a batch of trees in one array, written once and read by number.

The encoder keeps leaves and composed nodes as rows of one table; buffers and stacks are row
numbers. Done with plain indexing, each write into the table would make autograd carry a gradient
of the whole table backwards, a cost that grows with the square of the sentence length. Here a
write costs what it writes and a read what it reads, forwards and backwards: the gradients of all
rows gather in one array, and a write hands back the rows it made. A scalar token that runs through
all writes keeps the order: autograd reaches a write only after everything that could read it.

A backward pass must reach every write that it has gradients for, as one from a loss to all weights
does; asking for the gradient of a single weight alone may leave some behind for the next pass.

The plain twin, for tests, concatenates and indexes (``tests/ops/test_nodes.py``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Storage:
    """The arrays behind a table. They live apart from its token, so that no cycle keeps them."""

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self._gradients: Tensor | None = None

    @property
    def gradients(self) -> Tensor:
        if self._gradients is None:
            self._gradients = torch.zeros_like(self.values)
        return self._gradients


class _Write(torch.autograd.Function):
    """Put new rows behind those already there; the result is the next token."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, rows: Tensor, storage: _Storage, start: int) -> Tensor:
        end = start + rows.shape[0]
        storage.values[start:end] = rows
        ctx.storage, ctx.start, ctx.end, ctx.type = storage, start, end, rows.dtype
        return torch.zeros_like(token)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token_gradient: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        own = ctx.storage.gradients[ctx.start : ctx.end]
        result = own.to(ctx.type, copy=True)
        own.zero_()  # so that a second backward pass starts from nothing
        return token_gradient, result, None, None


class _Read(torch.autograd.Function):
    """Gather the first ``width`` columns of the named rows."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, rows: Tensor, storage: _Storage, width: int) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.storage, ctx.width = storage, width
        ctx.token = torch.zeros_like(token)
        return storage.values[:, :width].index_select(0, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        (rows,) = ctx.saved_tensors
        ctx.storage.gradients[:, : ctx.width].index_add_(0, rows, gradient)
        return ctx.token, None, None, None


class NodeTable:
    """A table of ``capacity`` rows, filled from the top by :meth:`write`.

    Parameters
    ----------
    capacity
        How many rows will be written in all.
    like
        A tensor ``[*, width]`` whose width, type and device the table takes.

    """

    def __init__(self, capacity: int, like: Tensor) -> None:
        self._storage = _Storage(like.new_empty(capacity, like.shape[-1]))
        self._token = like.new_zeros(())
        self.used = 0

    def write(self, rows: Tensor) -> Tensor:
        """Append ``rows`` ``[n, width]`` and return their numbers ``[n]``."""
        start = self.used
        self._token = _Write.apply(self._token, rows, self._storage, start)
        self.used += rows.shape[0]
        return torch.arange(start, self.used, device=rows.device)

    def read(self, rows: Tensor, width: int | None = None) -> Tensor:
        """Fetch rows ``[n]`` as ``[n, width]``; a row may be fetched any number of times."""
        width = self._storage.values.shape[1] if width is None else width
        return _Read.apply(self._token, rows, self._storage, width)
