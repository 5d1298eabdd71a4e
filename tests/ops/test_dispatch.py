"""Which loops a pass takes, and what keeps wrong ones away."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from spinn.ops import dispatch
from spinn.ops.dispatch import check, fused_loops, loops_for, missing_loops
from spinn.ops.loops import TorchLoops

CPU, FP32 = torch.device("cpu"), torch.float32


class Wrong(TorchLoops):
    """Loops one of whose results is wrong."""

    def step(self, products: Tensor, bias: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        hidden, after = super().step(products, bias, memory)
        return hidden, after + 0.01


def on_gpu(dtype: torch.dtype = FP32) -> Tensor:
    """Return what is asked of states on a GPU, as there may be none."""
    states: Tensor = SimpleNamespace(device=torch.device("cuda"), dtype=dtype)  # type: ignore
    return states


@pytest.fixture
def fused(monkeypatch):
    """Return loops that a GPU has."""
    loops = TorchLoops()
    monkeypatch.setattr(dispatch, "fused_loops", lambda device, products: loops)
    return loops


def test_loops_that_differ_from_the_plain_ones_are_found():
    check(TorchLoops(), CPU, FP32)
    with pytest.raises(AssertionError, match="not close"):
        check(Wrong(), CPU, FP32)


def test_a_gpu_takes_its_loops_for_single_precision(fused):
    assert loops_for(on_gpu(), torch.bfloat16) is fused
    assert loops_for(on_gpu(torch.float64), torch.float64) is not fused


def test_plain_loops_are_taken_where_sums_have_to_repeat(fused):
    torch.use_deterministic_algorithms(True)
    try:
        assert loops_for(on_gpu(), FP32) is not fused
        assert "not deterministic" in str(missing_loops(on_gpu()))
    finally:
        torch.use_deterministic_algorithms(False)


def test_loops_that_do_not_run_or_are_wrong_are_not_taken(monkeypatch):
    here = fused_loops.__wrapped__  # without its cache
    monkeypatch.setitem(sys.modules, "spinn.ops.triton_loops", None)
    assert "ImportError" in here(CPU, FP32) or "ModuleNotFoundError" in here(CPU, FP32)
    for loops, reason in ((Wrong, "not close"), (lambda: 1 // 0, "ZeroDivisionError")):
        module = SimpleNamespace(TritonLoops=loops)
        monkeypatch.setitem(sys.modules, "spinn.ops.triton_loops", module)
        assert reason in here(CPU, FP32)
        assert "\n" not in here(CPU, FP32)


def test_training_can_say_which_loops_are_missing(monkeypatch):
    monkeypatch.setattr(dispatch, "fused_loops", lambda device, products: "no compiler")
    sentence = "There are no loops in Triton (no compiler); those of torch are slower."
    assert missing_loops(on_gpu()) == sentence
    monkeypatch.setattr(dispatch, "serves", lambda states, products: False)
    assert "no compiled loops" in str(missing_loops(torch.empty(0)))
    monkeypatch.setattr(dispatch, "loops_for", lambda states, products: Wrong())
    assert missing_loops(torch.empty(0)) is None


def test_triton_is_imported_only_where_it_is_used():
    code = "import sys, spinn.training.run; sys.exit('spinn.ops.triton_loops' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
