"""An LSTM cell applied step by step, with a hand-written backward pass.

The tracker takes one step per transition. Results equal those of ``torch.nn.LSTMCell``, whose
backward pass adds a matrix to the gradient of the weights at every step. Here inputs and gates of
all steps are stored in contiguous arrays, and each weight gradient is one matrix product at the end
of the backward pass. Under autocast matrix products use its type; gates and states keep the type of
the input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from spinn.ops.precision import ROWS, product_type, rounded_rows

State = tuple[Tensor, Tensor]


class LSTMSteps:
    """The steps of one pass over a batch.

    Parameters
    ----------
    cell
        The cell, with inputs of width I and states of width K.
    like
        A tensor with the type and device of the inputs.
    rows
        Total number of rows of all steps.

    """

    def __init__(self, cell: nn.LSTMCell, like: Tensor, rows: int) -> None:
        self._work = _Work(cell, like, rows)
        with torch.autocast(like.device.type, enabled=False):
            self._token = _Begin.apply(
                like.new_zeros(()),
                cell.weight_ih,
                cell.weight_hh,
                cell.bias_ih,
                cell.bias_hh,
                self._work,
            )

    def __call__(self, inputs: Tensor, state: State) -> State:
        """Take a step from states ``[n, K]`` with inputs ``[n, I]``."""
        with torch.autocast(inputs.device.type, enabled=False):
            hidden, memory = _Step.apply(self._token, inputs, *state, self._work)
        return hidden, memory


class _Work:
    """The arrays of all steps; each row is one sentence at one step."""

    def __init__(self, cell: nn.LSTMCell, like: Tensor, rows: int) -> None:
        self.type = product_type(like)
        self.input_weight = cell.weight_ih.detach().to(self.type)
        self.state_weight = cell.weight_hh.detach().to(self.type)
        self.bias = (cell.bias_ih + cell.bias_hh).detach()
        self.size, self.done = cell.hidden_size, 0
        self.inputs = like.new_empty(rows + ROWS, cell.input_size, dtype=self.type)
        self.states = like.new_empty(rows + ROWS, cell.hidden_size, dtype=self.type)
        self.gates = like.new_empty(rows, 4 * cell.hidden_size)
        # Gradient of the gates before activation, allocated during a backward pass. ``reached`` is
        # the number of rows that have one: the last steps may have no influence on the loss.
        self.gradient: Tensor | None = None
        self.reached = 0


class _Begin(torch.autograd.Function):
    """Return a token that all steps depend on, so its backward runs last.

    It computes the gradients of the weights from those of the gates of all steps.
    """

    @staticmethod
    def forward(
        ctx: Any,
        token: Tensor,
        input_weight: Tensor,
        state_weight: Tensor,
        input_bias: Tensor,
        state_bias: Tensor,
        work: _Work,
    ) -> Tensor:
        ctx.work, ctx.type = work, input_weight.dtype
        return token.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, token: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        work: _Work = ctx.work
        assert work.gradient is not None
        rows = work.reached
        gates = work.gradient[:rows]
        work.gradient, work.reached = None, 0
        outer = gates.to(work.type).T
        bias = gates.sum(0)
        input_weight, state_weight = outer @ work.inputs[:rows], outer @ work.states[:rows]
        return None, input_weight.to(ctx.type), state_weight.to(ctx.type), bias, bias.clone(), None


class _Step(torch.autograd.Function):
    """Take one step; gates are in torch's order: input, forget, candidate, output."""

    @staticmethod
    def forward(
        ctx: Any, token: Tensor, inputs: Tensor, hidden: Tensor, memory: Tensor, work: _Work
    ) -> State:
        start = work.done
        end = work.done = start + len(inputs)
        work.inputs[start:end] = inputs
        work.states[start:end] = hidden
        stop = start + rounded_rows(end - start, work.type)
        product = work.inputs[start:stop] @ work.input_weight.T
        product += work.states[start:stop] @ work.state_weight.T
        gates = work.gates[start:end]
        torch.add(product[: end - start], work.bias, out=gates)
        write, keep, candidate, show = gates.chunk(4, dim=1)
        gates[:, : 2 * work.size].sigmoid_()
        candidate.tanh_()
        show.sigmoid_()
        after = (write * candidate).addcmul_(keep, memory)
        squashed = after.tanh()
        ctx.save_for_backward(memory, squashed)
        ctx.work, ctx.start, ctx.end, ctx.token = work, start, end, torch.zeros_like(token)
        return show * squashed, after

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, hidden_gradient: Tensor, memory_gradient: Tensor
    ) -> tuple[Any, ...]:
        work, start, end = ctx.work, ctx.start, ctx.end
        memory, squashed = ctx.saved_tensors
        if work.gradient is None:
            work.gradient = torch.empty_like(work.gates)
        work.reached = max(work.reached, end)
        write, keep, candidate, show = work.gates[start:end].chunk(4, dim=1)
        inner = hidden_gradient * show
        after = memory_gradient + inner.addcmul_(inner * squashed, squashed, value=-1)
        gates = work.gradient[start:end]
        to_write, to_keep, to_candidate, to_show = gates.chunk(4, dim=1)
        torch.mul(after, candidate * write * (1 - write), out=to_write)
        torch.mul(after, memory * keep * (1 - keep), out=to_keep)
        torch.mul(after, write * (1 - candidate * candidate), out=to_candidate)
        torch.mul(hidden_gradient, squashed * show * (1 - show), out=to_show)
        outer = gates.to(work.type)
        inputs = (outer @ work.input_weight).to(gates.dtype)
        hidden = (outer @ work.state_weight).to(gates.dtype)
        return ctx.token, inputs, hidden, after * keep, None
