"""Composition of whole trees by height, with a hand-written backward.

This is the fast path of the encoder for given trees without a tracker: the tree-LSTM of
:class:`spinn.model.cells.TreeLSTM` over all nodes of a batch, level by level. Hidden states and
memory cells of all nodes lie in two arrays that are written once. What the levels have in common
is done once for all of them: the inputs of every composition are kept side by side, so that the
gradient of the weights is one matrix product over all nodes at the end of the backward pass.

The plain twin, for tests, composes each node by the cell and lets autograd do the rest
(``tests/ops/test_levels.py``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinn.schedule import Schedule

# Where matrices are bf16 on a processor, a kernel is compiled for each new number of rows, which
# takes milliseconds; rows are rounded up to a multiple of this.
ROWS = 64


def compose_levels(leaves: Tensor, weight: Tensor, bias: Tensor, schedule: Schedule) -> Tensor:
    """Compose all trees of a batch and return the hidden states of their roots.

    Under autocast the matrix products run in its type; gates, states and memory cells keep that of
    the leaves.

    Parameters
    ----------
    leaves
        ``[N, 2H]``, hidden states and memory cells, as the schedule numbers them.
    weight, bias
        ``[5H, 2H]`` and ``[5H]``, of the tree-LSTM: input, left forget, right forget and output
        gates, and the candidate (Bowman et al. 2016, equations 5 to 7).
    schedule
        What to compose when.

    Returns
    -------
    ``[B, H]``.

    """
    device = leaves.device.type
    precision = leaves.dtype
    if torch.is_autocast_enabled(device):
        precision = torch.get_autocast_dtype(device)
    with torch.autocast(device, enabled=False):
        return _Levels.apply(leaves, weight, bias, schedule, precision)


class _Levels(torch.autograd.Function):
    """Rows of ``hidden`` and ``memory`` are nodes, rows of everything else are compositions."""

    @staticmethod
    def forward(
        ctx: Any,
        leaves: Tensor,
        weight: Tensor,
        bias: Tensor,
        schedule: Schedule,
        precision: torch.dtype,
    ) -> Tensor:
        count, size = len(leaves), leaves.shape[1] // 2
        made = len(schedule.left)
        hidden, memory = leaves.new_empty(2, count + made, size)
        hidden[:count], memory[:count] = leaves[:, :size], leaves[:, size:]
        inputs = leaves.new_zeros(made + ROWS, 2 * size, dtype=precision)
        gates = leaves.new_empty(made + ROWS, 5 * size)
        squashed = leaves.new_empty(made, size)
        matrix = weight.to(precision)
        for start, end in _bounds(schedule):
            left, right = schedule.left[start:end], schedule.right[start:end]
            inputs[start:end, :size] = hidden[left]
            inputs[start:end, size:] = hidden[right]
            _affine(inputs, matrix, bias, gates, start, end)
            write, keep_left, keep_right, show, candidate = _activate(gates[start:end])
            cell = memory[count + start : count + end]
            torch.mul(write, candidate, out=cell)
            cell.addcmul_(keep_left, memory[left]).addcmul_(keep_right, memory[right])
            torch.tanh(cell, out=squashed[start:end])
            torch.mul(show, squashed[start:end], out=hidden[count + start : count + end])
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(weight, memory, inputs, gates, squashed)
            ctx.schedule, ctx.precision = schedule, precision
        return hidden[schedule.roots]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        weight, memory, inputs, gates, squashed = ctx.saved_tensors
        schedule: Schedule = ctx.schedule
        made, size = squashed.shape
        count = len(memory) - made
        matrix = weight.to(ctx.precision)
        hidden_gradient, memory_gradient = torch.zeros(
            2, *memory.shape, dtype=memory.dtype, device=memory.device
        )
        hidden_gradient.index_add_(0, schedule.roots, gradient)
        # Of the gates before their activation.
        gate_gradient = torch.zeros_like(gates)
        for start, end in reversed(_bounds(schedule)):
            left, right = schedule.left[start:end], schedule.right[start:end]
            above = hidden_gradient[count + start : count + end]
            cell = memory_gradient[count + start : count + end]
            own = gate_gradient[start:end]
            write, keep_left, keep_right, show, candidate = gates[start:end].chunk(5, dim=1)
            tanh = squashed[start:end]
            cell += _times_tanh_slope(above * show, tanh)
            to_write, to_left, to_right, to_show, to_candidate = own.chunk(5, dim=1)
            torch.mul(cell, candidate, out=to_write)
            torch.mul(cell, memory[left], out=to_left)
            torch.mul(cell, memory[right], out=to_right)
            torch.mul(above, tanh, out=to_show)
            open_gates = gates[start:end, : 4 * size]
            own[:, : 4 * size].mul_(torch.addcmul(open_gates, open_gates, open_gates, value=-1))
            to_candidate.copy_(_times_tanh_slope(cell * write, candidate))
            _add(memory_gradient, left, cell * keep_left, schedule)
            _add(memory_gradient, right, cell * keep_right, schedule)
            below = _below(gate_gradient, matrix, start, end)
            _add(hidden_gradient, left, below[:, :size], schedule)
            _add(hidden_gradient, right, below[:, size:], schedule)
        leaf_gradient = torch.cat([hidden_gradient[:count], memory_gradient[:count]], dim=1)
        gate_gradient = gate_gradient[:made]
        weight_gradient = gate_gradient.to(ctx.precision).T @ inputs[:made]
        return leaf_gradient, weight_gradient.to(weight.dtype), gate_gradient.sum(0), None, None


def _bounds(schedule: Schedule) -> list[tuple[int, int]]:
    """Give the first and last composition of each level."""
    bounds, start = [], 0
    for size in schedule.levels:
        bounds.append((start, start + size))
        start += size
    return bounds


def _affine(
    inputs: Tensor, matrix: Tensor, bias: Tensor, out: Tensor, start: int, end: int
) -> None:
    """Write ``inputs @ matrix.T + bias`` of the rows from start to end."""
    if inputs.dtype == out.dtype:
        torch.addmm(bias, inputs[start:end], matrix.T, out=out[start:end])
        return
    # The rows beyond the level are computed again, and right, with the next one.
    stop = start + -(-(end - start) // ROWS) * ROWS
    torch.add(inputs[start:stop] @ matrix.T, bias, out=out[start:stop])


def _activate(gates: Tensor) -> tuple[Tensor, ...]:
    """Apply the sigmoid to the four gates and tanh to the candidate, in place."""
    *_, candidate = parts = gates.chunk(5, dim=1)
    gates[:, : -candidate.shape[1]].sigmoid_()
    candidate.tanh_()
    return parts


def _times_tanh_slope(gradient: Tensor, tanh: Tensor) -> Tensor:
    """Multiply in place with the slope of tanh where it has this value, 1 - tanh²."""
    return gradient.addcmul_(gradient * tanh, tanh, value=-1)


def _below(gate_gradient: Tensor, matrix: Tensor, start: int, end: int) -> Tensor:
    """Give the gradient ``[end - start, 2H]`` of the children's hidden states."""
    if gate_gradient.dtype == matrix.dtype:
        return gate_gradient[start:end] @ matrix
    stop = start + -(-(end - start) // ROWS) * ROWS
    below = gate_gradient[start:stop].to(matrix.dtype) @ matrix
    return below[: end - start].to(gate_gradient.dtype)


def _add(gradients: Tensor, rows: Tensor, more: Tensor, schedule: Schedule) -> None:
    """Add to the gradients of some nodes; each has one parent, unless subtrees are shared."""
    if schedule.shared:
        gradients.index_add_(0, rows, more)
    else:
        gradients.index_copy_(0, rows, more)
