"""The loops of ``kernels.c``, compiled when the package is installed (``_hook.py``).

Where there was no compiler, :func:`compiled_loops` returns ``None``, and the plain versions
(:mod:`spinn.ops.loops`) are used. Results are the same up to rounding, for any number of threads.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from spinn.ops.native.sources import library_name

_TYPES = {
    (torch.float32, torch.bfloat16): 0,
    (torch.float32, torch.float32): 1,
    (torch.float64, torch.float64): 2,
}
"""The types of states and of products that the loops are compiled for, in the order of LOOPS."""
_NUMBERS = ("count", "parts", "width", "stride", "first", "threads")
_POINTERS = (
    "rows",
    "table",
    "out",
    "memory",
    "gradient",
    "memory_gradient",
    "bias_gradient",
    "bias",
)


class _Job(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_long) for name in _NUMBERS),
        *((name, ctypes.c_void_p) for name in _POINTERS),
    ]


class CompiledLoops:
    """The compiled loops; arguments are contiguous tensors on the CPU.

    In all of them ``table`` and ``memory`` are hidden states and memory cells ``[*, H]``, and
    ``products`` the outputs of a matrix product before bias and activation.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._run_loop = library.spinn_run

    def _run(self, loop: int, count: int, states: Tensor, out: Tensor, **job: Tensor | int) -> None:
        """Run a loop over rows with states like these and products ``out``."""
        fields = {
            name: value.data_ptr() if isinstance(value, Tensor) else value
            for name, value in {"out": out, **job}.items()
        }
        threads, width, stride = torch.get_num_threads(), states.shape[1], out.stride(0)
        made = _Job(count=count, width=width, stride=stride, threads=threads, **fields)
        self._run_loop(_TYPES[states.dtype, out.dtype], loop, ctypes.byref(made))

    def gather(self, table: Tensor, rows: Tensor, out: Tensor) -> None:
        """Copy rows ``[n, parts]`` of a table ``[*, H]`` side by side to the start of ``out``.

        ``out`` is ``[n, parts * H + ...]``; what is behind these columns remains.
        """
        count, parts = rows.shape
        self._run(0, count, table, out, table=table, rows=rows, parts=parts)

    def scatter(self, table: Tensor, rows: Tensor, out: Tensor) -> None:
        """Add to the rows of the table what :meth:`gather` would copy to ``out``."""
        count, parts = rows.shape
        self._run(1, count, table, out, table=table, rows=rows, parts=parts)

    def compose(
        self, products: Tensor, bias: Tensor, table: Tensor, memory: Tensor, rows: Tensor, at: int
    ) -> None:
        """Compose children ``[n, 2]`` with products ``[n, 5H]``, to the rows from ``at`` on."""
        self._run(
            2,
            len(rows),
            table,
            products,
            bias=bias,
            table=table,
            memory=memory,
            rows=rows,
            first=at,
        )

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
        """Compute the gradient ``[n, 5H]`` of the products; add those of memory cells and bias."""
        self._run(
            3,
            len(rows),
            memory,
            products,
            bias=bias,
            memory=memory,
            rows=rows,
            first=at,
            table=table_gradient,
            memory_gradient=memory_gradient,
            gradient=gradient,
            bias_gradient=bias_gradient,
        )

    def step(self, products: Tensor, bias: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step of an LSTM with products ``[n, 4K]``; return the new states ``[n, K]``."""
        hidden, after = torch.empty_like(memory), torch.empty_like(memory)
        self._run(
            4,
            len(memory),
            memory,
            products,
            bias=bias,
            memory=memory,
            table=hidden,
            gradient=after,
        )
        return hidden, after

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
        """Compute the gradient ``[n, 4K]`` of the products; add that of the bias.

        ``memory_gradient`` is first that of the new memory cells, then that of the former ones.
        """
        self._run(
            5,
            len(memory),
            memory,
            products,
            bias=bias,
            memory=memory,
            table=hidden_gradient,
            memory_gradient=memory_gradient,
            gradient=gradient,
            bias_gradient=bias_gradient,
        )


@cache
def compiled_loops() -> CompiledLoops | None:
    """Return the compiled loops; ``None`` where there are none for these sources."""
    path = Path(__file__).with_name(library_name())
    try:
        return CompiledLoops(ctypes.CDLL(str(path)))
    except OSError:  # not compiled, or for another system
        return None


def serves(states: Tensor, products: torch.dtype) -> bool:
    """Return whether the loops take states and products of these types."""
    known = states.device.type == "cpu" and (states.dtype, products) in _TYPES
    return known and compiled_loops() is not None
