"""The table of nodes that a tree-LSTM composes, with a hand-written backward pass.

A group of nodes is one matrix product, with one loop over memory before and one after it
(:mod:`spinn.ops.loops`); the inputs of the product, children and tracker, lie side by side.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinn.ops.nodes import TreeLSTMComposition
from spinn.ops.products import Products
from spinn.ops.sums import PassSums


class Nodes:
    """Nodes composed by a tree-LSTM; see :class:`spinn.ops.nodes.NodeTable`."""

    def __init__(self, leaves: Tensor, cell: TreeLSTMComposition, compositions: int) -> None:
        self.rows = Rows(leaves, cell.weight, cell.bias, compositions)
        self.empty = len(leaves) + compositions
        with torch.autocast(leaves.device.type, enabled=False):
            self.token = _Begin.apply(leaves, cell.weight, cell.bias, self.rows)

    def compose(self, children: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose rows; see :class:`spinn.ops.nodes.NodeTable`."""
        start = self.rows.leaves + self.rows.products.done
        with torch.autocast(children.device.type, enabled=False):
            self.token = _Compose.apply(self.token, children.contiguous(), tracker, self.rows)
        return torch.arange(start, start + len(children), device=children.device)

    def read(self, rows: Tensor) -> Tensor:
        """Return hidden states; see :class:`spinn.ops.nodes.NodeTable`."""
        return _Read.apply(self.token, rows, self.rows)


class Rows:
    """The arrays behind :class:`Nodes`, apart from its token, so that no reference cycle forms.

    They are hidden states and memory cells ``[N + M + 1, H]``, of which the last row is zeros.
    :mod:`spinn.ops.merges`, which composes in another order, fills the same arrays.
    """

    def __init__(
        self,
        leaves: Tensor,
        weight: Tensor,
        bias: Tensor,
        compositions: int,
        type: torch.dtype | None = None,
    ) -> None:
        self.leaves, self.size = len(leaves), len(bias) // 5
        self.products = Products(leaves, weight, bias, compositions, type)
        self.hidden = leaves.new_empty(self.leaves + compositions + 1, self.size)
        self.memory = torch.empty_like(self.hidden)
        self.hidden[-1] = self.memory[-1] = 0
        self._gradients: PassSums[tuple[Tensor, Tensor]] = PassSums()
        self.load(leaves)

    def load(self, leaves: Tensor) -> None:
        """Copy the states of leaves ``[N, 2H]`` to their rows."""
        self.hidden[: self.leaves] = leaves.detach()[:, : self.size]
        self.memory[: self.leaves] = leaves.detach()[:, self.size :]

    def compose(self, children: Tensor, tracker: Tensor | None = None) -> tuple[int, int]:
        """Compose children ``[n, 2]``; return the range of new compositions."""
        products, size = self.products, 2 * self.size
        start, end = products.take(len(children))
        inputs = products.inputs[products.place(start, end)]
        products.loops.gather(self.hidden, children, inputs)
        if tracker is not None and inputs.shape[1] > size:
            inputs[:, size:] = tracker
        gates, at = products.multiply(start, end), self.leaves + start
        products.loops.compose(gates, products.bias, self.hidden, self.memory, children, at)
        return start, end

    def compose_backward(self, children: Tensor, start: int, end: int) -> Tensor:
        """Go back through a composition; return the gradient ``[n, K]`` of the tracker's states."""
        products, (hidden, memory) = self.products, self.gradients()
        outputs, bias = products.gradients()
        products.loops.compose_backward(
            products.outputs[start],
            products.bias,
            self.memory,
            children,
            self.leaves + start,
            table_gradient=hidden,
            memory_gradient=memory,
            gradient=outputs[start:end],
            bias_gradient=bias,
        )
        below = products.below(start, end)
        products.loops.scatter(hidden, children, below)
        return below[:, 2 * self.size :]

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of hidden states and memory cells, which are added to."""
        return self._gradients.get(
            lambda: (torch.zeros_like(self.hidden), torch.zeros_like(self.memory))
        )

    def finish(self) -> Tensor:
        """Return the gradient of the leaves ``[N, 2H]``; reset those of all rows."""
        hidden, memory = self.gradients()
        self._gradients.forget()
        return torch.cat([hidden[: self.leaves], memory[: self.leaves]], dim=1)


class _Begin(torch.autograd.Function):
    """Return a token; its backward runs last, and has the gradients of leaves and weights."""

    @staticmethod
    def forward(ctx: Any, leaves: Tensor, weight: Tensor, bias: Tensor, rows: Rows) -> Tensor:
        ctx.save_for_backward(weight, bias)  # not used, but an error if changed in place
        ctx.rows = rows
        return leaves.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        _ = ctx.saved_tensors
        return ctx.rows.finish(), *ctx.rows.products.finish(), None


class _Compose(torch.autograd.Function):
    """Compose children ``[n, 2]``; the result is the next token."""

    @staticmethod
    def forward(
        ctx: Any, token: Tensor, children: Tensor, tracker: Tensor | None, rows: Rows
    ) -> Tensor:
        start, end = rows.compose(children, tracker)
        ctx.save_for_backward(children)
        ctx.rows, ctx.start, ctx.end = rows, start, end
        return torch.zeros_like(token)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        (children,) = ctx.saved_tensors
        below = ctx.rows.compose_backward(children, ctx.start, ctx.end)
        tracker = below.to(ctx.rows.hidden.dtype) if ctx.needs_input_grad[2] else None
        return token, None, tracker, None


class _Read(torch.autograd.Function):
    """Gather hidden states of rows ``[n]``."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, numbers: Tensor, rows: Rows) -> Tensor:
        ctx.save_for_backward(numbers)
        ctx.rows, ctx.token = rows, torch.zeros_like(token)
        return rows.hidden.index_select(0, numbers)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        (numbers,) = ctx.saved_tensors
        hidden, _ = ctx.rows.gradients()
        ctx.rows.products.loops.scatter(hidden, numbers[:, None], gradient.contiguous())
        return ctx.token, None, None
