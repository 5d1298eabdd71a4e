"""Which loops a pass takes: compiled ones on a CPU, those in Triton on a GPU, else the plain ones.

The loops in Triton are compiled at first use. Before that they have to agree with the plain ones on
a small example, and where they do not, or do not run, the plain ones are taken.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.testing import assert_close

from spinn.ops.loops import TorchLoops
from spinn.ops.native import CompiledLoops, compiled_loops, serves
from spinn.ops.precision import product_type

Loops = CompiledLoops | TorchLoops


def loops_for(states: Tensor, products: torch.dtype) -> Loops:
    """Return the loops for states like these, and matrix products of a type."""
    if serves(states, products):
        found = compiled_loops()
        assert found is not None
        return found
    repeats = torch.are_deterministic_algorithms_enabled()  # Triton's sums are in any order
    if states.device.type == "cuda" and states.dtype == torch.float32 and not repeats:
        fused = fused_loops(states.device, products)
        return TorchLoops() if isinstance(fused, str) else fused
    return TorchLoops()


@cache
def fused_loops(device: torch.device, products: torch.dtype) -> TorchLoops | str:
    """Return the loops in Triton for a GPU, or the reason why it has none."""
    try:
        from spinn.ops.triton_loops import TritonLoops

        check(TritonLoops(), device, products)
    except Exception as error:  # of any kind: import, compiler, driver, or the comparison
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return TritonLoops()


def missing_loops(states: Tensor) -> str | None:
    """Return a sentence if passes with states like these take the plain loops, else ``None``."""
    products = product_type(states)
    if type(loops_for(states, products)) is not TorchLoops:
        return None
    if states.device.type == "cpu":
        return "There are no compiled loops; with a C compiler, install again for speed."
    if torch.are_deterministic_algorithms_enabled():
        return "Loops in Triton are not deterministic; those of torch are slower."
    reason = fused_loops(states.device, products)
    return f"There are no loops in Triton ({reason}); those of torch are slower."


def check(
    loops: TorchLoops,
    device: torch.device,
    products: torch.dtype,
    *,
    count: int = 37,
    size: int = 70,
    tolerance: float = 1e-4,
) -> None:
    """Compare loops with the plain ones, forwards and backwards, on random numbers in fp32.

    Parameters
    ----------
    loops, device, products
        The loops, where they run, and the type of the matrix products.
    count, size
        The numbers of rows and columns.
    tolerance
        The greatest difference, absolute and relative, besides rounding to the type of products.

    Raises
    ------
    AssertionError
        If they differ.

    """
    found, expected = (
        _example(one, device, products, count, size) for one in (loops, TorchLoops())
    )
    near = tolerance + 2 * torch.finfo(products).eps
    assert_close(found, expected, rtol=near, atol=near)


def _example(
    loops: TorchLoops, device: torch.device, products: torch.dtype, count: int, size: int
) -> list[Tensor]:
    """Take all loops, forwards and backwards; return all that they compute."""
    generator = torch.Generator().manual_seed(1)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    rows = torch.randint(count, (count, 2), generator=generator).to(device)
    table, memory, table_gradient, memory_gradient = (drawn(2 * count, size) for _ in range(4))
    tree, bias = drawn(count, 5 * size).to(products), drawn(5 * size)
    gradient, bias_gradient = torch.empty_like(tree), drawn(5 * size)
    loops.compose(tree, bias, table, memory, rows, count)
    loops.compose_backward(
        tree,
        bias,
        memory,
        rows,
        count,
        table_gradient=table_gradient,
        memory_gradient=memory_gradient,
        gradient=gradient,
        bias_gradient=bias_gradient,
    )
    inputs = drawn(count, 2 * size + 1).to(products)
    loops.gather(table, rows, inputs)
    loops.scatter(table_gradient, rows, inputs)
    found = [
        table,
        memory,
        table_gradient,
        memory_gradient[:count],
        gradient,
        bias_gradient,
        inputs,
    ]
    step, bias, before = drawn(count, 4 * size).to(products), drawn(4 * size), drawn(count, size)
    hidden_gradient, memory_gradient = drawn(count, size), drawn(count, size)
    gradient, bias_gradient = torch.empty_like(step), drawn(4 * size)
    found += loops.step(step, bias, before)
    loops.step_backward(
        step,
        bias,
        before,
        hidden_gradient=hidden_gradient,
        memory_gradient=memory_gradient,
        gradient=gradient,
        bias_gradient=bias_gradient,
    )
    return [*found, memory_gradient, gradient, bias_gradient]
