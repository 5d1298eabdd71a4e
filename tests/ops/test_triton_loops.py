"""The loops in Triton: equal to the plain ones, and compiled for a GPU without one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from machine import DEVICE

triton = pytest.importorskip("triton", reason="Triton is not installed")
ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("triton_against_plain.py")


def test_results_and_gradients_are_those_of_the_plain_loops():
    """In Triton's interpreter on the CPU; see the program."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if DEVICE.type == "cpu":
        environment["TRITON_INTERPRET"] = "1"
    command = [sys.executable, "-W", "ignore", str(PROGRAM), str(DEVICE)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    "name", ["gather", "scatter", "compose", "compose_backward", "step", "step_backward"]
)
@pytest.mark.parametrize("products", ["bf16", "fp32"])
def test_every_kernel_compiles_for_a_gpu(name, products, tmp_path, monkeypatch):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from spinn.ops import triton_loops

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "0")  # else 3.9 warns that the default changes
    kernel = getattr(triton_loops, name)
    constants = {"size": 300, **triton_loops.TILE}
    if "parts" in kernel.arg_names:
        constants["parts"] = 3
    types = dict.fromkeys(("products", "gradient", "out"), f"*{products}") | {"rows": "*i64"}
    types |= dict.fromkeys(("first", "count", "stride"), "i32")
    types |= dict.fromkeys(constants, "constexpr")
    signature = {one: types.get(one, "*fp32") for one in kernel.arg_names}
    source = ASTSource(kernel, signature, constexprs=constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32))
    assert f".entry {name}" in compiled.asm["ptx"]
