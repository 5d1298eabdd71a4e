"""The compiled loops: how they are built, and what they do in threads and with odd numbers."""

from __future__ import annotations

import math
import shutil

import pytest
import torch
from machine import DEVICE
from torch import Tensor

from spinn.ops import native
from spinn.ops.native import CompiledLoops, sources

needs_loops = pytest.mark.skipif(
    DEVICE.type != "cpu" or native.compiled_loops() is None,
    reason="there are no compiled loops here",
)
H = 300


def compiled() -> CompiledLoops:
    """Return the loops, which the tests that call this require."""
    found = native.compiled_loops()
    assert found is not None
    return found


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler here")
def test_the_sources_compile_to_a_library_that_is_named_after_them(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "FLAGS", ("-O0", "-fPIC", "-shared"))  # quick
    library = sources.compile_library(tmp_path)
    assert library == tmp_path / sources.library_name()
    assert [path.name for path in tmp_path.iterdir()] == [sources.library_name()]
    for name in sources.SOURCES:
        shutil.copy(sources.FOLDER / name, tmp_path)
    (tmp_path / "kernels.h").write_text("/* another one */")
    monkeypatch.setattr(sources, "FOLDER", tmp_path)
    assert sources.library_name() != library.name


def test_without_a_compiler_there_is_no_library(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert sources.compile_library(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [" ", "gcc '", "/nowhere/cc -m64"])
def test_a_compiler_that_is_none_is_passed_over(tmp_path, monkeypatch, command):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", command)
    assert sources.compile_library(tmp_path) is None


def test_without_a_library_the_plain_versions_are_used(monkeypatch):
    monkeypatch.setattr(native, "library_name", lambda: "missing.so")
    native.compiled_loops.cache_clear()
    try:
        assert native.compiled_loops() is None
        assert not native.serves(torch.zeros(1), torch.float32)
    finally:
        native.compiled_loops.cache_clear()


@pytest.mark.parametrize("states", [torch.float16, torch.bfloat16, torch.int64])
def test_other_types_are_not_served(states):
    assert not native.serves(torch.zeros(1, dtype=states), states)


def composed(threads: int, products: Tensor, bias: Tensor, memory: Tensor) -> list[Tensor]:
    """Compose pairs of the first rows, and go back."""
    count = len(products)
    before, rows = torch.get_num_threads(), torch.arange(2 * count).view(-1, 2) % 50
    table, memory = torch.zeros_like(memory), memory.clone()
    table_gradient, memory_gradient = torch.ones_like(memory), torch.ones_like(memory)
    gradient, bias_gradient = torch.empty_like(products), torch.zeros_like(bias)
    torch.set_num_threads(threads)
    try:
        compiled().compose(products, bias, table, memory, rows, 50)
        compiled().compose_backward(
            products,
            bias,
            memory,
            rows,
            50,
            table_gradient=table_gradient,
            memory_gradient=memory_gradient,
            gradient=gradient,
            bias_gradient=bias_gradient,
        )
        compiled().scatter(table_gradient, rows, gradient)
    finally:
        torch.set_num_threads(before)
    return [table, memory, table_gradient, memory_gradient, gradient, bias_gradient]


@needs_loops
@pytest.mark.parametrize("types", [torch.float32, torch.bfloat16])
def test_results_do_not_depend_on_the_number_of_threads(types):
    generator = torch.Generator().manual_seed(1)
    products = torch.randn(200, 5 * H, generator=generator).to(types)
    bias = torch.randn(5 * H, generator=generator)
    memory = torch.randn(250, H, generator=generator)
    one, *others = (composed(threads, products, bias, memory) for threads in (1, 2, 3, 7))
    for other in others:
        assert all(map(torch.equal, one, other))


@needs_loops
def test_numbers_that_are_not_finite_remain_visible():
    products = torch.zeros(4, 5)
    products[0], products[1, 4] = math.nan, math.inf
    products[2], products[3] = 1e30, -1e30
    table, memory = torch.zeros(6, 1), torch.zeros(6, 1)
    memory[0], memory[1] = 1.0, 2.0
    rows = torch.tensor([[0, 1]] * 4)
    compiled().compose(products, torch.zeros(5), table, memory, rows, 2)
    assert table[2].isnan().all()
    assert memory[2].isnan().all()
    torch.testing.assert_close(memory[3:].flatten(), torch.tensor([2.0, 4.0, 0.0]))


@needs_loops
def test_rounding_to_bf16_is_that_of_torch():
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(500, 7, generator=generator) * 10.0 ** torch.randint(
        -38, 38, (500, 1), generator=generator
    )
    values[0] = torch.tensor([math.nan, -math.nan, math.inf, -math.inf, 0.0, -0.0, 3.4e38])
    values[1, 0] = torch.tensor(0x7FFFFFFF, dtype=torch.int32).view(torch.float32)
    out = torch.empty(500, 7, dtype=torch.bfloat16)
    compiled().gather(values, torch.arange(500)[:, None], out)
    torch.testing.assert_close(out, values.bfloat16(), rtol=0, atol=0, equal_nan=True)


@needs_loops
def test_gates_are_those_of_torch_within_single_precision():
    """One column whose gates go through all numbers, with memory cells of zero."""
    numbers = torch.linspace(-100, 100, 4001)
    products = torch.zeros(len(numbers), 5)
    products[:, 0] = products[:, 3] = products[:, 4] = numbers
    table, memory = torch.zeros(len(numbers) + 1, 1), torch.zeros(len(numbers) + 1, 1)
    rows = torch.zeros(len(numbers), 2, dtype=torch.long)
    compiled().compose(products, torch.zeros(5), table, memory, rows, 1)
    exact = numbers.double()
    cells = exact.sigmoid() * exact.tanh()
    assert (memory[1:, 0] - cells).abs().max() < 3e-7
    assert (table[1:, 0] - exact.sigmoid() * cells.tanh()).abs().max() < 3e-7
