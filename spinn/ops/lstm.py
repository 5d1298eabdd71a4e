"""An LSTM cell applied step by step to rows of a table, with a hand-written backward pass.

The tracker takes one step per transition. Results equal those of ``torch.nn.LSTMCell``, whose
backward pass adds a matrix to the gradient of the weights at every step; here each weight gradient
is one matrix product (:mod:`spinn.ops.products`). Under autocast products use its type; gates and
states keep the type of the input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from spinn.ops.nodes import NodeTable
from spinn.ops.products import Products
from spinn.ops.tree_lstm import Nodes, Rows

State = tuple[Tensor, Tensor]


class PlainSteps:
    """The steps with gradients by autograd alone; see :class:`LSTMSteps`."""

    def __init__(self, cell: nn.LSTMCell, like: Tensor, rows: int) -> None:
        self._cell = cell

    def __call__(self, nodes: NodeTable, rows: Tensor, state: State) -> State:
        """Take a step; see :class:`LSTMSteps`."""
        hidden, memory = state[0][: len(rows)], state[1][: len(rows)]
        after: State = self._cell(_side_by_side(nodes, rows), (hidden, memory))
        return after


class LSTMSteps:
    """The steps of one pass over a batch.

    Parameters
    ----------
    cell
        The cell, with inputs of width I and states of width K.
    like
        A tensor with the type and device of the states.
    rows
        Total number of rows of all steps.

    """

    def __init__(self, cell: nn.LSTMCell, like: Tensor, rows: int) -> None:
        with torch.autocast(like.device.type, enabled=False):
            weight = torch.cat([cell.weight_ih, cell.weight_hh], dim=1)
            bias = cell.bias_ih + cell.bias_hh
        self._products = Products(like, weight, bias, rows)
        self._token = _Begin.apply(weight, bias, self._products)

    def __call__(self, nodes: NodeTable, rows: Tensor, state: State) -> State:
        """Take a step; the input is rows ``[n, parts]`` side by side, the state ``[n + ..., K]``.

        Only the first n states take it.
        """
        table = nodes.rows if isinstance(nodes, Nodes) else None
        read = nodes.token if isinstance(nodes, Nodes) else _side_by_side(nodes, rows)
        with torch.autocast(rows.device.type, enabled=False):
            hidden, memory = _Step.apply(self._token, read, rows, *state, table, self._products)
        return hidden, memory


def _side_by_side(nodes: NodeTable, rows: Tensor) -> Tensor:
    return nodes.read(rows.flatten()).reshape(len(rows), -1)


class _Begin(torch.autograd.Function):
    """Return a token that all steps depend on; its backward has the gradients of the weights."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor, products: Products) -> Tensor:
        ctx.products = products
        return weight.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        return *ctx.products.finish(), None


class _Step(torch.autograd.Function):
    """Take a step; ``read`` is the token of the table, or inputs that were read from another."""

    @staticmethod
    def forward(
        ctx: Any,
        token: Tensor,
        read: Tensor,
        numbers: Tensor,
        hidden: Tensor,
        memory: Tensor,
        table: Rows | None,
        products: Products,
    ) -> State:
        start, end = products.take(len(numbers))
        ctx.over = (0, 0, 0, len(hidden) - len(numbers))
        hidden, memory = hidden[: len(numbers)], memory[: len(numbers)].contiguous()
        inputs, width = products.inputs[products.place(start, end)], hidden.shape[1]
        if table is None:
            inputs[:, :-width] = read
        else:
            products.loops.gather(table.hidden, numbers, inputs)
        inputs[:, -width:] = hidden
        outputs = products.multiply(start, end)
        after = products.loops.step(outputs, products.bias, memory)
        ctx.save_for_backward(numbers, memory)
        ctx.table, ctx.products, ctx.start, ctx.end = table, products, start, end
        ctx.token = torch.zeros_like(token)
        return after

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, hidden_gradient: Tensor, memory_gradient: Tensor
    ) -> tuple[Any, ...]:
        table, products, start, end = ctx.table, ctx.products, ctx.start, ctx.end
        numbers, memory = ctx.saved_tensors
        outputs, bias = products.gradients()
        before = functional.pad(memory_gradient.contiguous(), ctx.over)  # a copy in any case
        products.loops.step_backward(
            products.outputs[start],
            products.bias,
            memory,
            hidden_gradient=hidden_gradient.contiguous(),
            memory_gradient=before[: end - start],
            gradient=outputs[start:end],
            bias_gradient=bias,
        )
        below, width = products.below(start, end), memory.shape[1]
        if table is None:
            read = below[:, :-width].to(memory.dtype)
        else:
            products.loops.scatter(table.gradients()[0], numbers, below)
            read = ctx.token
        hidden = functional.pad(below[:, -width:].to(memory.dtype), ctx.over)
        return ctx.token, read, None, hidden, before, None, None
