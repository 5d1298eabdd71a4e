"""The loops in Triton, for GPUs: what is between two matrix products, as one kernel each.

They are those of :mod:`spinn.ops.loops` for states in fp32, equal to the plain versions up to
rounding. Launches do not wait for the device, and their grids depend on shapes alone, so that they
can be captured in a CUDA graph. Gradients that several rows share are added in any order.

A program of a kernel computes a tile of rows and columns. Triton comes with torch's builds for
CUDA; :func:`spinn.ops.dispatch.fused_loops` imports this module only where it is used.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from spinn.ops.loops import TorchLoops

TILE = {"height": 8, "width": 64}

# These vary from call to call; a kernel is compiled once for all their values.
_kernel = triton.jit(do_not_specialize=["first", "count", "stride"])


@triton.jit
def _tile(count, size: tl.constexpr, height: tl.constexpr, width: tl.constexpr):
    """Return rows, columns, and which of the tile's places exist."""
    row = tl.program_id(0).to(tl.int64) * height + tl.arange(0, height)[:, None]
    column = tl.program_id(1) * width + tl.arange(0, width)[None, :]
    return row, column, (row < count) & (column < size)


@triton.jit
def _add(place, value, inside):
    """Add to memory that programs share; not zeros, which many add to the empty row."""
    tl.atomic_add(place, value, inside & (value != 0), sem="relaxed")


@triton.jit
def _sigmoid(x):
    return 1 / (1 + tl.exp(-x))


@triton.jit
def _tanh(x):
    return 1 - 2 / (1 + tl.exp(2 * x))


@triton.jit
def _gate(products, bias, row, column, inside, gate: tl.constexpr, size: tl.constexpr):
    """Return a gate before activation; ``row`` counts rows of one gate's width."""
    product = tl.load(products + (row + gate) * size + column, inside, 0.0)
    return product.to(tl.float32) + tl.load(bias + gate * size + column, column < size, 0.0)


@triton.jit
def _store(
    value, gradient, bias_gradient, row, column, inside, gate: tl.constexpr, size: tl.constexpr
):
    """Store the gradient of a gate; add its sum over the rows to that of the bias."""
    place = gradient + (row + gate) * size + column
    tl.store(place, value.to(gradient.dtype.element_ty), inside)
    total = tl.sum(value, 0)[None, :]
    tl.atomic_add(bias_gradient + gate * size + column, total, column < size, sem="relaxed")


@triton.jit
def _tree_gates(products, bias, row, column, inside, size: tl.constexpr):
    write = _sigmoid(_gate(products, bias, 5 * row, column, inside, 0, size))
    keep_left = _sigmoid(_gate(products, bias, 5 * row, column, inside, 1, size))
    keep_right = _sigmoid(_gate(products, bias, 5 * row, column, inside, 2, size))
    show = _sigmoid(_gate(products, bias, 5 * row, column, inside, 3, size))
    candidate = _tanh(_gate(products, bias, 5 * row, column, inside, 4, size))
    return write, keep_left, keep_right, show, candidate


@triton.jit
def _lstm_gates(products, bias, row, column, inside, size: tl.constexpr):
    write = _sigmoid(_gate(products, bias, 4 * row, column, inside, 0, size))
    keep = _sigmoid(_gate(products, bias, 4 * row, column, inside, 1, size))
    candidate = _tanh(_gate(products, bias, 4 * row, column, inside, 2, size))
    show = _sigmoid(_gate(products, bias, 4 * row, column, inside, 3, size))
    return write, keep, candidate, show


@triton.jit
def _copied(rows, out, stride, count, row, column, parts: tl.constexpr, size: tl.constexpr):
    """Return where numbers are in the table, and where they lie side by side."""
    in_table = tl.load(rows + row, row < count, 0) * size + column
    return in_table, out + row // parts * stride + row % parts * size + column


@_kernel
def gather(
    table, rows, out, stride, count,
    parts: tl.constexpr, size: tl.constexpr, height: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    """Copy rows of a table side by side; ``count`` is that of all parts."""
    row, column, inside = _tile(count, size, height, width)
    read, place = _copied(rows, out, stride, count, row, column, parts, size)
    tl.store(place, tl.load(table + read, inside, 0.0).to(out.dtype.element_ty), inside)


@_kernel
def scatter(
    table, rows, out, stride, count,
    parts: tl.constexpr, size: tl.constexpr, height: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    """Add to the rows of a table what lies side by side."""
    row, column, inside = _tile(count, size, height, width)
    added, place = _copied(rows, out, stride, count, row, column, parts, size)
    value = tl.load(place, inside, 0.0).to(tl.float32)
    _add(table + added, value, inside)


@_kernel
def compose(
    products, bias, table, memory, rows, first, count,
    size: tl.constexpr, height: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    """Compose children ``[n, 2]``, to the rows from ``first`` on."""
    row, column, inside = _tile(count, size, height, width)
    write, keep_left, keep_right, show, candidate = _tree_gates(
        products, bias, row, column, inside, size
    )
    left = tl.load(rows + 2 * row, row < count, 0) * size + column
    right = tl.load(rows + 2 * row + 1, row < count, 0) * size + column
    cell = write * candidate
    cell += keep_left * tl.load(memory + left, inside, 0.0)
    cell += keep_right * tl.load(memory + right, inside, 0.0)
    own = (first + row) * size + column
    tl.store(memory + own, cell, inside)
    tl.store(table + own, show * _tanh(cell), inside)


@_kernel
def compose_backward(
    products, bias, memory, rows, table_gradient, memory_gradient, gradient, bias_gradient,
    first, count, size: tl.constexpr, height: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    """Compute the gradient of the products; add those of memory cells and bias."""
    row, column, inside = _tile(count, size, height, width)
    write, keep_left, keep_right, show, candidate = _tree_gates(
        products, bias, row, column, inside, size
    )
    left = tl.load(rows + 2 * row, row < count, 0) * size + column
    right = tl.load(rows + 2 * row + 1, row < count, 0) * size + column
    own = (first + row) * size + column
    squashed = _tanh(tl.load(memory + own, inside, 0.0))
    above = tl.load(table_gradient + own, inside, 0.0)
    cell = tl.load(memory_gradient + own, inside, 0.0)
    cell += above * show * (1 - squashed * squashed)
    by_write = cell * candidate * write * (1 - write)
    by_left = cell * tl.load(memory + left, inside, 0.0) * keep_left * (1 - keep_left)
    by_right = cell * tl.load(memory + right, inside, 0.0) * keep_right * (1 - keep_right)
    by_show = above * squashed * show * (1 - show)
    by_candidate = cell * write * (1 - candidate * candidate)
    _store(by_write, gradient, bias_gradient, 5 * row, column, inside, 0, size)
    _store(by_left, gradient, bias_gradient, 5 * row, column, inside, 1, size)
    _store(by_right, gradient, bias_gradient, 5 * row, column, inside, 2, size)
    _store(by_show, gradient, bias_gradient, 5 * row, column, inside, 3, size)
    _store(by_candidate, gradient, bias_gradient, 5 * row, column, inside, 4, size)
    _add(memory_gradient + left, cell * keep_left, inside)
    _add(memory_gradient + right, cell * keep_right, inside)


@_kernel
def step(
    products, bias, memory, hidden, after, count,
    size: tl.constexpr, height: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    """Take a step of an LSTM, to new states ``hidden`` and ``after``."""
    row, column, inside = _tile(count, size, height, width)
    write, keep, candidate, show = _lstm_gates(products, bias, row, column, inside, size)
    place = row * size + column
    cell = write * candidate + keep * tl.load(memory + place, inside, 0.0)
    tl.store(after + place, cell, inside)
    tl.store(hidden + place, show * _tanh(cell), inside)


@_kernel
def step_backward(
    products, bias, memory, hidden_gradient, memory_gradient, gradient, bias_gradient, count,
    size: tl.constexpr, height: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    """Compute the gradients of products and former memory cells; add that of the bias."""
    row, column, inside = _tile(count, size, height, width)
    write, keep, candidate, show = _lstm_gates(products, bias, row, column, inside, size)
    place = row * size + column
    before = tl.load(memory + place, inside, 0.0)
    above = tl.load(hidden_gradient + place, inside, 0.0)
    squashed = _tanh(write * candidate + keep * before)
    cell = tl.load(memory_gradient + place, inside, 0.0)
    cell += above * show * (1 - squashed * squashed)
    by_write = cell * candidate * write * (1 - write)
    by_keep = cell * before * keep * (1 - keep)
    by_candidate = cell * write * (1 - candidate * candidate)
    by_show = above * squashed * show * (1 - show)
    _store(by_write, gradient, bias_gradient, 4 * row, column, inside, 0, size)
    _store(by_keep, gradient, bias_gradient, 4 * row, column, inside, 1, size)
    _store(by_candidate, gradient, bias_gradient, 4 * row, column, inside, 2, size)
    _store(by_show, gradient, bias_gradient, 4 * row, column, inside, 3, size)
    tl.store(memory_gradient + place, cell * keep, inside)


class TritonLoops(TorchLoops):
    """The loops in Triton; arguments are contiguous tensors, as for the compiled ones."""

    def _launch(
        self, kernel: Any, count: int, size: int, *arguments: Tensor | int, **constants: int
    ) -> None:
        """Launch a kernel over n rows of width H."""
        grid = (triton.cdiv(count, TILE["height"]), triton.cdiv(size, TILE["width"]))
        with torch.cuda.device_of(arguments[0]):
            kernel[grid](*arguments, count, size=size, **TILE, **constants)

    def gather(self, table: Tensor, rows: Tensor, out: Tensor) -> None:
        """Copy rows ``[n, parts]`` of a table side by side to the first columns of ``out``."""
        size, parts = table.shape[1], rows.shape[1]
        self._launch(gather, rows.numel(), size, table, rows, out, out.stride(0), parts=parts)

    def scatter(self, table: Tensor, rows: Tensor, out: Tensor) -> None:
        """Add to the rows of the table what :meth:`gather` would copy to ``out``."""
        size, parts = table.shape[1], rows.shape[1]
        self._launch(scatter, rows.numel(), size, table, rows, out, out.stride(0), parts=parts)

    def compose(
        self, products: Tensor, bias: Tensor, table: Tensor, memory: Tensor, rows: Tensor, at: int
    ) -> None:
        """Compose children ``[n, 2]``, to the rows from ``at`` on."""
        count, size = len(rows), memory.shape[1]
        self._launch(compose, count, size, products, bias, table, memory, rows, at)

    def compose_backward(
        self, products: Tensor, bias: Tensor, memory: Tensor, rows: Tensor, at: int,
        *, table_gradient: Tensor, memory_gradient: Tensor, gradient: Tensor, bias_gradient: Tensor,
    ) -> None:  # fmt: skip
        """Compute the gradient of the products; add those of memory cells and bias."""
        gradients = (table_gradient, memory_gradient, gradient, bias_gradient)
        count, size = len(rows), memory.shape[1]
        self._launch(compose_backward, count, size, products, bias, memory, rows, *gradients, at)

    def step(self, products: Tensor, bias: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step of an LSTM; return the new states ``[n, K]``."""
        hidden, after = torch.empty_like(memory), torch.empty_like(memory)
        self._launch(step, *memory.shape, products, bias, memory, hidden, after)
        return hidden, after

    def step_backward(
        self, products: Tensor, bias: Tensor, memory: Tensor,
        *, hidden_gradient: Tensor, memory_gradient: Tensor, gradient: Tensor,
        bias_gradient: Tensor,
    ) -> None:  # fmt: skip
        """Compute the gradient of the products; add that of the bias."""
        gradients = (hidden_gradient, memory_gradient, gradient, bias_gradient)
        self._launch(step_backward, *memory.shape, products, bias, memory, *gradients)
