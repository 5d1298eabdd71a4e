"""The matrix products of a pass, whose gradients are computed by hand.

A composition or a tracker takes many steps with the same weights. The inputs and outputs of all
steps are rows of two arrays, so that the gradient of the weights is one product, at the end of the
backward pass. Under autocast products are of its type.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spinn.ops.dispatch import loops_for
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
    type
        The type of the products; by default that of autocast.

    """

    def __init__(
        self,
        like: Tensor,
        weight: Tensor,
        bias: Tensor,
        rows: int,
        type: torch.dtype | None = None,
    ) -> None:
        self.type = product_type(like) if type is None else type
        self.loops = loops_for(like, self.type)
        self.weight = weight.detach().to(self.type)
        self.bias = bias.detach().contiguous()
        self.done = 0
        outputs, inputs = weight.shape
        # A product may compute rows past its own, up to a round number; the next one rewrites them.
        self.inputs = like.new_empty(rows + ROWS, inputs, dtype=self.type)
        self.outputs = like.new_empty(rows + ROWS, outputs, dtype=self.type)
        self._gradients: tuple[Tensor, Tensor] | None = None
        self._reached = 0  # rows that the backward pass has reached; the last may not matter

    def load(self, weight: Tensor, bias: Tensor) -> None:
        """Copy another weight and bias to the places of the first ones."""
        self.weight.copy_(weight)
        self.bias.copy_(bias)

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

    def finish(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of weight and bias; reset those of the pass."""
        outputs, bias = self.gradients()
        weight = outputs[: self._reached].T @ self.inputs[: self._reached]
        self._gradients, self._reached = None, 0
        return weight.to(bias.dtype), bias
