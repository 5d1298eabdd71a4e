"""The table of nodes and the tracker's LSTM, each pass over memory in a compiled loop.

They are :class:`spinn.ops.nodes.Nodes` and :class:`spinn.ops.lstm.LSTMSteps` for the processors and
types that :mod:`spinn.ops.native` serves: between two matrix products there is one loop. Inputs and
outputs of the products are stored in their type; the backward pass computes gates from the outputs
anew, which costs less than storing them. The inputs of a product, of all its parts, lie side by
side, so that there is one product a group or step, and one for the gradient of its weights.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from spinn.ops.native import Loops, loops, serves
from spinn.ops.nodes import Nodes, NodeTable, TreeLSTMComposition
from spinn.ops.precision import ROWS, product_type, rounded_rows

State = tuple[Tensor, Tensor]


class _Products:
    """The matrix products of a pass: inputs ``[R, I]``, outputs ``[R, O]``, and their gradients.

    Parameters
    ----------
    like
        A tensor with the type of the states.
    weight, bias
        ``[O, I]`` and ``[O]``.
    rows
        R, the number of rows of all products.

    """

    def __init__(self, like: Tensor, weight: Tensor, bias: Tensor, rows: int) -> None:
        self.loops = cast(Loops, loops())
        self.type = product_type(like)
        self.weight = weight.detach().to(self.type)
        self.bias = bias.detach().contiguous()
        self.done = 0
        outputs, inputs = weight.shape
        # A product may compute rows past its own, up to a round number; the next one rewrites them.
        self.inputs = like.new_empty(rows + ROWS, inputs, dtype=self.type)
        self.outputs = like.new_empty(rows + ROWS, outputs, dtype=self.type)
        self._gradients: tuple[Tensor, Tensor] | None = None
        self._reached = 0  # rows that the backward pass has reached; the last may not matter

    def take(self, count: int) -> tuple[int, int]:
        """Return the range of the next rows."""
        start = self.done
        self.done = start + count
        return start, self.done

    def multiply(self, start: int, end: int) -> Tensor:
        """Multiply the inputs of some rows; return the outputs."""
        stop = start + rounded_rows(end - start, self.type)
        torch.mm(self.inputs[start:stop], self.weight.T, out=self.outputs[start:stop])
        return self.outputs[start:end]

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of outputs and bias; the latter is added to."""
        if self._gradients is None:
            self._gradients = torch.empty_like(self.outputs), torch.zeros_like(self.bias)
        return self._gradients

    def below(self, start: int, end: int) -> Tensor:
        """Return the gradient of the inputs of some rows, from that of their outputs."""
        self._reached = max(self._reached, end)
        stop = start + rounded_rows(end - start, self.type)
        return (self.gradients()[0][start:stop] @ self.weight)[: end - start]

    def finish(self) -> State:
        """Return the gradients of weight and bias; reset those of the pass."""
        outputs, bias = self.gradients()
        weight = outputs[: self._reached].T @ self.inputs[: self._reached]
        self._gradients, self._reached = None, 0
        return weight.to(bias.dtype), bias


class FusedNodes:
    """Nodes composed by a tree-LSTM; see :class:`spinn.ops.nodes.NodeTable`."""

    def __init__(self, leaves: Tensor, cell: TreeLSTMComposition, compositions: int) -> None:
        self.rows = _Rows(leaves, cell, compositions)
        self.empty = len(leaves) + compositions
        with torch.autocast(leaves.device.type, enabled=False):
            self.token = _BeginNodes.apply(leaves, cell.weight, cell.bias, self.rows)

    def compose(self, children: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose rows; see :class:`spinn.ops.nodes.NodeTable`."""
        start = self.rows.leaves + self.rows.products.done
        with torch.autocast(children.device.type, enabled=False):
            self.token = _Compose.apply(self.token, children.contiguous(), tracker, self.rows)
        return torch.arange(start, start + len(children))

    def read(self, rows: Tensor) -> Tensor:
        """Return hidden states; see :class:`spinn.ops.nodes.NodeTable`."""
        return _Read.apply(self.token, rows, self.rows)


class _Rows:
    """Hidden states and memory cells ``[N + M + 1, H]``; the last row is zeros."""

    def __init__(self, leaves: Tensor, cell: TreeLSTMComposition, compositions: int) -> None:
        self.leaves, size = len(leaves), cell.hidden_size
        self.products = _Products(leaves, cell.weight, cell.bias, compositions)
        self.hidden = leaves.new_empty(self.leaves + compositions + 1, size)
        self.memory = torch.empty_like(self.hidden)
        self.hidden[: self.leaves] = leaves.detach()[:, :size]
        self.memory[: self.leaves] = leaves.detach()[:, size:]
        self.hidden[-1] = self.memory[-1] = 0
        self._gradients: State | None = None

    def gradients(self) -> State:
        """Return the gradients of hidden states and memory cells, which are added to."""
        if self._gradients is None:
            self._gradients = torch.zeros_like(self.hidden), torch.zeros_like(self.memory)
        return self._gradients

    def finish(self) -> Tensor:
        """Return the gradient of the leaves ``[N, 2H]``; reset those of all rows."""
        hidden, memory = self.gradients()
        self._gradients = None
        return torch.cat([hidden[: self.leaves], memory[: self.leaves]], dim=1)


class _BeginNodes(torch.autograd.Function):
    """Return a token; its backward runs last, and has the gradients of leaves and weights."""

    @staticmethod
    def forward(ctx: Any, leaves: Tensor, weight: Tensor, bias: Tensor, rows: _Rows) -> Tensor:
        ctx.rows = rows
        return leaves.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        return ctx.rows.finish(), *ctx.rows.products.finish(), None


class _Compose(torch.autograd.Function):
    """Compose children ``[n, 2]``; the result is the next token."""

    @staticmethod
    def forward(
        ctx: Any, token: Tensor, children: Tensor, tracker: Tensor | None, rows: _Rows
    ) -> Tensor:
        products = rows.products
        start, end = products.take(len(children))
        inputs = products.inputs[start:end]
        products.loops.gather(rows.hidden, children, inputs)
        size = 2 * rows.hidden.shape[1]
        if tracker is not None and inputs.shape[1] > size:
            inputs[:, size:] = tracker
        gates, at = products.multiply(start, end), rows.leaves + start
        products.loops.compose(gates, products.bias, rows.hidden, rows.memory, children, at)
        ctx.save_for_backward(children)
        ctx.rows, ctx.start, ctx.end = rows, start, end
        return torch.zeros_like(token)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        rows, start, end = ctx.rows, ctx.start, ctx.end
        products, (children,) = rows.products, ctx.saved_tensors
        hidden, memory = rows.gradients()
        outputs, bias = products.gradients()
        products.loops.compose_backward(
            products.outputs[start:end],
            products.bias,
            rows.memory,
            children,
            rows.leaves + start,
            table_gradient=hidden,
            memory_gradient=memory,
            gradient=outputs[start:end],
            bias_gradient=bias,
        )
        below = products.below(start, end)
        products.loops.scatter(hidden, children, below)
        size = 2 * hidden.shape[1]
        tracker = below[:, size:].to(hidden.dtype) if ctx.needs_input_grad[2] else None
        return token, None, tracker, None


class _Read(torch.autograd.Function):
    """Gather hidden states of rows ``[n]``."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, numbers: Tensor, rows: _Rows) -> Tensor:
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


class FusedLSTMSteps:
    """The steps of an LSTM that reads rows of a table; see :class:`spinn.ops.lstm.LSTMSteps`."""

    def __init__(self, cell: nn.LSTMCell, like: Tensor, rows: int) -> None:
        with torch.autocast(like.device.type, enabled=False):
            weight = torch.cat([cell.weight_ih, cell.weight_hh], dim=1)
            bias = cell.bias_ih + cell.bias_hh
        self._products = _Products(like, weight, bias, rows)
        self._token = _BeginSteps.apply(weight, bias, self._products)

    def __call__(self, nodes: NodeTable, rows: Tensor, state: State) -> State:
        """Take a step from states ``[n, K]``, reading rows ``[n, parts]``."""
        assert isinstance(nodes, FusedNodes)
        with torch.autocast("cpu", enabled=False):
            hidden, memory = _Step.apply(
                self._token, nodes.token, rows, *state, nodes.rows, self._products
            )
        return hidden, memory


class _BeginSteps(torch.autograd.Function):
    """Return a token that all steps depend on; its backward has the gradients of the weights."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor, products: _Products) -> Tensor:
        ctx.products = products
        return weight.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        return *ctx.products.finish(), None


class _Step(torch.autograd.Function):
    """Take a step."""

    @staticmethod
    def forward(
        ctx: Any,
        token: Tensor,
        nodes: Tensor,
        numbers: Tensor,
        hidden: Tensor,
        memory: Tensor,
        rows: _Rows,
        products: _Products,
    ) -> State:
        start, end = products.take(len(numbers))
        inputs = products.inputs[start:end]
        products.loops.gather(rows.hidden, numbers, inputs)
        inputs[:, -hidden.shape[1] :] = hidden
        outputs, memory = products.multiply(start, end), memory.contiguous()
        after = products.loops.step(outputs, products.bias, memory)
        ctx.save_for_backward(numbers, memory)
        ctx.rows, ctx.products, ctx.start, ctx.end = rows, products, start, end
        ctx.token = torch.zeros_like(token)
        return after

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, hidden_gradient: Tensor, memory_gradient: Tensor
    ) -> tuple[Any, ...]:
        rows, products, start, end = ctx.rows, ctx.products, ctx.start, ctx.end
        numbers, memory = ctx.saved_tensors
        outputs, bias = products.gradients()
        before = memory_gradient.clone(memory_format=torch.contiguous_format)
        products.loops.step_backward(
            products.outputs[start:end],
            products.bias,
            memory,
            hidden_gradient=hidden_gradient.contiguous(),
            memory_gradient=before,
            gradient=outputs[start:end],
            bias_gradient=bias,
        )
        below = products.below(start, end)
        products.loops.scatter(rows.gradients()[0], numbers, below)
        hidden = below[:, -memory.shape[1] :].to(memory.dtype)
        return ctx.token, ctx.token, None, hidden, before, None, None


def tree_lstm_nodes(leaves: Tensor, cell: TreeLSTMComposition, compositions: int) -> NodeTable:
    """Make the fastest table of nodes for leaves of this type and device."""
    kind = FusedNodes if serves(leaves, product_type(leaves)) else Nodes
    return kind(leaves, cell, compositions)
