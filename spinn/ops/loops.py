"""What tree-LSTM and LSTM compute between two matrix products, in torch.

These are the plain versions of the compiled loops (:mod:`spinn.ops.native`), for all devices and
types, and of those in Triton (:mod:`spinn.ops.triton_loops`); :mod:`spinn.ops.dispatch` chooses.
``table`` and ``memory`` are hidden states and memory cells ``[*, H]``, ``products`` the outputs of
a matrix product before bias and activation. A backward pass computes gates from the products anew,
which costs less than storing them.
"""

from __future__ import annotations

import torch
from torch import Tensor


class TorchLoops:
    """The loops in torch; see :class:`spinn.ops.native.CompiledLoops` for what each one does."""

    def gather(self, table: Tensor, rows: Tensor, out: Tensor) -> None:
        """Copy rows ``[n, parts]`` of a table side by side to the first columns of ``out``."""
        read = table.index_select(0, rows.flatten()).view(len(rows), -1)
        out[:, : read.shape[1]] = read

    def scatter(self, table: Tensor, rows: Tensor, out: Tensor) -> None:
        """Add to the rows of the table what :meth:`gather` would copy to ``out``."""
        width = rows.shape[1] * table.shape[1]
        added = out[:, :width].to(table.dtype).reshape(-1, table.shape[1])
        table.index_add_(0, rows.flatten(), added)

    def compose(
        self, products: Tensor, bias: Tensor, table: Tensor, memory: Tensor, rows: Tensor, at: int
    ) -> None:
        """Compose children ``[n, 2]``, to the rows from ``at`` on."""
        gates = tree_gates(products, bias)
        write, keep_left, keep_right, show, candidate = gates.chunk(5, dim=1)
        left, right = memories_of(memory, rows).unbind(1)
        cell = torch.mul(write, candidate, out=memory[at : at + len(rows)])
        cell.addcmul_(keep_left, left).addcmul_(keep_right, right)
        torch.mul(show, cell.tanh(), out=table[at : at + len(rows)])

    def compose_backward(
        self,
        products: Tensor,
        bias: Tensor,
        memory: Tensor,
        rows: Tensor,
        at: int,
        *,
        table_gradient: Tensor,
        memory_gradient: Tensor,
        gradient: Tensor,
        bias_gradient: Tensor,
    ) -> None:
        """Compute the gradient of the products; add those of memory cells and bias."""
        own = slice(at, at + len(rows))
        gates = tree_gates(products, bias)
        found = torch.empty_like(gates)
        kept = gate_gradients(
            gates,
            memory[own].tanh(),
            memories_of(memory, rows),
            table_gradient[own],
            memory_gradient[own],
            out=found,
        )
        gradient.copy_(found)
        bias_gradient += found.sum(0)
        memory_gradient.index_add_(0, rows.flatten(), kept.flatten(0, 1))

    def step(self, products: Tensor, bias: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step of an LSTM; return the new states ``[n, K]``."""
        write, keep, candidate, show = lstm_gates(products, bias).chunk(4, dim=1)
        after = (write * candidate).addcmul_(keep, memory)
        return show * after.tanh(), after

    def step_backward(
        self,
        products: Tensor,
        bias: Tensor,
        memory: Tensor,
        *,
        hidden_gradient: Tensor,
        memory_gradient: Tensor,
        gradient: Tensor,
        bias_gradient: Tensor,
    ) -> None:
        """Compute the gradient of the products; add that of the bias.

        ``memory_gradient`` is first that of the new memory cells, then that of the former ones.
        """
        write, keep, candidate, show = lstm_gates(products, bias).chunk(4, dim=1)
        squashed = (write * candidate).addcmul_(keep, memory).tanh_()
        cell = memory_gradient + times_tanh_slope(hidden_gradient * show, squashed)
        parts = [
            cell * candidate * write * (1 - write),
            cell * memory * keep * (1 - keep),
            cell * write * (1 - candidate * candidate),
            hidden_gradient * squashed * show * (1 - show),
        ]
        found = torch.cat(parts, dim=1)
        gradient.copy_(found)
        bias_gradient += found.sum(0)
        torch.mul(cell, keep, out=memory_gradient)


def memories_of(memory: Tensor, rows: Tensor) -> Tensor:
    """Return the memory cells ``[n, 2, H]`` of children ``[n, 2]``."""
    return memory.index_select(0, rows.flatten()).view(len(rows), 2, -1)


def tree_gates(products: Tensor, bias: Tensor) -> Tensor:
    """Return the gates ``[n, 5H]`` of a tree-LSTM: four sigmoids and the candidate's tanh."""
    gates, size = products + bias, products.shape[1] // 5
    gates[:, : 4 * size].sigmoid_()
    gates[:, 4 * size :].tanh_()
    return gates


def lstm_gates(products: Tensor, bias: Tensor) -> Tensor:
    """Return the gates ``[n, 4K]`` of an LSTM in torch's order: the third is the candidate."""
    gates, size = products + bias, products.shape[1] // 4
    gates[:, : 2 * size].sigmoid_()
    gates[:, 2 * size : 3 * size].tanh_()
    gates[:, 3 * size :].sigmoid_()
    return gates


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
    cell += times_tanh_slope(above * show, squashed)
    left, right = memories.unbind(1)
    to_write, to_left, to_right, to_show, to_candidate = out.chunk(5, dim=1)
    torch.mul(cell, candidate, out=to_write)
    torch.mul(cell, left, out=to_left)
    torch.mul(cell, right, out=to_right)
    torch.mul(above, squashed, out=to_show)
    torch.mul(cell, write, out=to_candidate)
    times_tanh_slope(to_candidate, candidate)
    times_sigmoid_slope(out[:, : 4 * size], gates[:, : 4 * size])
    return torch.stack([cell * keep_left, cell * keep_right], dim=1)


def times_tanh_slope(gradient: Tensor, tanh: Tensor) -> Tensor:
    """Multiply in place by the derivative of tanh, 1 - tanh²."""
    return gradient.addcmul_(gradient * tanh, tanh, value=-1)


def times_sigmoid_slope(gradient: Tensor, sigmoid: Tensor) -> None:
    """Multiply in place by the derivative of the sigmoid."""
    gradient.mul_(torch.addcmul(sigmoid, sigmoid, sigmoid, value=-1))
