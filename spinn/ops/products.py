"""The matrix products of a pass, whose gradients are computed by hand.

A composition or a tracker takes many steps with the same weights. The inputs of all steps are rows
of one array, and so are the gradients of their outputs, so that the gradient of the weights is one
product, at the end of the backward pass. On a CPU the weights are laid out once in the order in
which oneDNN reads them, while ``torch.mm`` does that at every call. Under autocast products are of
its type.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from spinn.ops.dispatch import loops_for
from spinn.ops.precision import ROWS, product_type, rounded_rows
from spinn.ops.sums import PassSums

Multiply = Callable[[Tensor], Tensor]
MANY = 256  # rows; for fewer, laying out the weights costs more than it saves
FP32_ROWS = 4  # oneDNN compiles a kernel for each number of rows; MKL does not


def product_with(weight: Tensor, rows: int) -> Multiply:
    """Return the product of inputs ``[n, I]`` and the transpose of a weight ``[O, I]``.

    ``rows`` is the number of rows of all inputs.
    """
    if rows >= MANY and weight.device.type == "cpu" and _lays_out(weight.dtype):
        return _laid_out(weight)
    return lambda inputs: inputs @ weight.T


def _laid_out(weight: Tensor) -> Multiply:
    # These are the operations that torch.compile uses for linear layers.
    mkldnn = torch.ops.mkldnn
    order = mkldnn._reorder_linear_weight(weight.contiguous(), MANY)
    return lambda inputs: mkldnn._linear_pointwise(inputs, order, None, "none", [], "")


@cache
def _lays_out(type: torch.dtype) -> bool:
    """Return whether torch and the processor have these operations for a type."""
    if type not in (torch.float32, torch.bfloat16):
        return False
    ones = torch.ones(32, 32, dtype=type)
    try:
        return torch.equal(_laid_out(ones)(ones), 32 * ones)
    except (AttributeError, RuntimeError, TypeError):
        return False


class Products:
    """The matrix products of a pass: inputs ``[R, I]``, outputs, and their gradients ``[R, O]``.

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

    Attributes
    ----------
    outputs
        The outputs of each product that a backward pass may need, by its first row.

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
        self._recorded = torch.is_grad_enabled()
        # A product computes rows past its own, up to a round number; the next one rewrites them.
        self.inputs = like.new_empty(rows + ROWS, weight.shape[1], dtype=self.type)
        self._lay_out()
        self.outputs: dict[int, Tensor] = {}
        self._gradients: PassSums[tuple[Tensor, Tensor]] = PassSums()
        self._reached = 0  # rows that the backward pass has reached; the last may not matter

    def load(self, weight: Tensor, bias: Tensor) -> None:
        """Copy another weight and bias to the places of the first ones."""
        self.weight.copy_(weight)
        self.bias.copy_(bias)
        self._lay_out()

    def take(self, count: int) -> tuple[int, int]:
        """Return the range of the next rows."""
        start = self.done
        self.done = start + count
        return start, self.done

    def _lay_out(self) -> None:
        self._forward = product_with(self.weight, len(self.inputs))
        self._backward: Multiply | None = None  # for a backward pass, which there may not be

    def place(self, start: int, end: int) -> slice:
        """Return where some rows are stored; without gradients the first rows serve every step."""
        return slice(start, end) if self._recorded else slice(0, end - start)

    def multiply(self, start: int, end: int) -> Tensor:
        """Multiply the inputs of some rows; return the outputs."""
        computed = self.place(start, self._stop(start, end))
        outputs = self._forward(self.inputs[computed])[: end - start]
        if self._recorded:
            self.outputs[start] = outputs
        return outputs

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of outputs and bias; the latter is added to."""

        def zeros() -> tuple[Tensor, Tensor]:
            self._reached = 0
            outputs = self.inputs.new_empty(len(self.inputs), len(self.weight))
            return outputs, torch.zeros_like(self.bias)

        return self._gradients.get(zeros)

    def below(self, start: int, end: int) -> Tensor:
        """Return the gradient of the inputs of some rows, from that of their outputs."""
        self._reached = max(self._reached, end)
        stop = self._stop(start, end)
        if self._backward is None:
            self._backward = product_with(self.weight.T, len(self.inputs))
        return self._backward(self.gradients()[0][start:stop])[: end - start]

    def finish(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of weight and bias; reset those of the pass."""
        outputs, bias = self.gradients()
        weight = outputs[: self._reached].T @ self.inputs[: self._reached]
        self._gradients.forget()
        return weight.to(bias.dtype), bias

    def _stop(self, start: int, end: int) -> int:
        """Return the end of the rows that are computed; see :func:`rounded_rows`."""
        count = rounded_rows(end - start, self.type)
        if self.type == torch.float32 and len(self.inputs) >= MANY:
            count = -(-count // FP32_ROWS) * FP32_ROWS
        return start + count
