"""The matrix products of a pass, whose gradients are computed by hand.

A composition or a tracker takes many steps with the same weights. The inputs and outputs of all
steps are rows of two arrays, so that the gradient of the weights is one product, at the end of the
backward pass. Under autocast products are of its type.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spinn.ops.loops import loops_for
from spinn.ops.precision import ROWS, product_type, rounded_rows


class Products:
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
        self.type = product_type(like)
        self.loops = loops_for(like, self.type)
        self.weight = weight.detach().to(self.type)
        self.bias = bias.detach().contiguous()
        self.done = 0
        self._recorded = torch.is_grad_enabled()
        # A product may compute rows past its own, up to a round number; the next one rewrites them.
        self.inputs = like.new_empty(rows + ROWS, weight.shape[1], dtype=self.type)
        self.outputs = self._empty_outputs()
        self._gradients: tuple[Tensor, Tensor] | None = None
        self._reached = 0  # rows that the backward pass has reached; the last may not matter

    def take(self, count: int) -> tuple[int, int]:
        """Return the range of the next rows."""
        start = self.done
        self.done = start + count
        return start, self.done

    def place(self, start: int, end: int) -> slice:
        """Return where some rows are stored; without gradients the first rows serve every step."""
        return slice(start, end) if self._recorded else slice(0, end - start)

    def multiply(self, start: int, end: int) -> Tensor:
        """Multiply the inputs of some rows; return the outputs."""
        computed = self.place(start, start + rounded_rows(end - start, self.type))
        torch.mm(self.inputs[computed], self.weight.T, out=self.outputs[computed])
        return self.outputs[self.place(start, end)]

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of outputs and bias; the latter is added to."""
        if self._gradients is None:
            self._gradients = self._empty_outputs(), torch.zeros_like(self.bias)
        return self._gradients

    def below(self, start: int, end: int) -> Tensor:
        """Return the gradient of the inputs of some rows, from that of their outputs."""
        self._reached = max(self._reached, end)
        stop = start + rounded_rows(end - start, self.type)
        return (self.gradients()[0][start:stop] @ self.weight)[: end - start]

    def finish(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of weight and bias; reset those of the pass."""
        outputs, bias = self.gradients()
        weight = outputs[: self._reached].T @ self.inputs[: self._reached]
        self._gradients, self._reached = None, 0
        return weight.to(bias.dtype), bias

    def _empty_outputs(self) -> Tensor:
        """Return ``[R, O]`` whose rows are a multiple of 64 bytes apart.

        Else MKL's fp32 products take up to a third longer.
        """
        width = len(self.weight)
        return self.inputs.new_empty(len(self.inputs), -(-width // 16) * 16)[:, :width]
