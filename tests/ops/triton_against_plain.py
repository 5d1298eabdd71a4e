"""Compare the loops in Triton with the plain ones: ``python triton_against_plain.py DEVICE``.

On the CPU they run in Triton's interpreter, which has to be chosen (``TRITON_INTERPRET=1``) before
Triton is imported; so this is a program, which ``test_triton_loops.py`` runs. The interpreter
rounds to bf16 wrongly, so bf16 is for GPUs.
"""

from __future__ import annotations

import math
import sys

import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spinn.ops.dispatch import check
from spinn.ops.loops import TorchLoops
from spinn.ops.triton_loops import TILE, TritonLoops

DEVICE = torch.device(sys.argv[1])
ON_GPU = DEVICE.type == "cuda"
TYPES = [torch.float32, torch.float16] + [torch.bfloat16] * ON_GPU


@given(st.integers(1, 20), st.integers(1, 140), st.sampled_from(TYPES))
@example(TILE["height"], TILE["width"], torch.float32)
@example(TILE["height"] + 1, TILE["width"] + 1, torch.float32)
@example(TILE["height"] - 1, 2 * TILE["width"] - 1, torch.float16)
@settings(max_examples=12, deadline=None, derandomize=True, database=None)
def results_are_those_of_the_plain_loops(count: int, size: int, products: torch.dtype) -> None:
    check(TritonLoops(), DEVICE, products, count=count, size=size, tolerance=1e-5)


def extreme_numbers_are_treated_alike() -> None:
    values = [0.0, 1e-5, -1e-5, 30.0, -30.0, 100.0, -100.0, 1e30, -1e30, math.inf, math.nan]
    products = torch.tensor(values, device=DEVICE)[:, None].expand(-1, 5).contiguous()
    bias, count = torch.zeros(5, device=DEVICE), len(values)
    rows = torch.zeros(count, 2, dtype=torch.long, device=DEVICE)
    found = []
    for loops in (TritonLoops(), TorchLoops()):
        table, memory = (torch.ones(count + 1, 1, device=DEVICE) for _ in range(2))
        loops.compose(products, bias, table, memory, rows, 1)
        found.append(
            [table, memory, *loops.step(products[:, :4].contiguous(), bias[:4], memory[1:])]
        )
    torch.testing.assert_close(*found, rtol=1e-6, atol=3e-7, equal_nan=True)


def no_rows_are_nothing() -> None:
    nothing = torch.empty(0, 4, device=DEVICE)
    hidden, _ = TritonLoops().step(nothing, torch.ones(4, device=DEVICE), nothing[:, :1])
    assert hidden.shape == (0, 1)


if __name__ == "__main__":
    results_are_those_of_the_plain_loops()
    extreme_numbers_are_treated_alike()
    no_rows_are_nothing()
