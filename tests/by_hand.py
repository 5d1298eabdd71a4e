"""Cells computed number by number in plain Python, and their weights and inputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from machine import DEVICE
from torch import Tensor, nn

from spinn.model.cells import CompositionCell

Row = list[float]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def affine(weight: Tensor, bias: Tensor, inputs: Row) -> Row:
    pairs = zip(weight.tolist(), bias.tolist(), strict=True)
    return [sum(w * x for w, x in zip(row, inputs, strict=True)) + b for row, b in pairs]


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double().to(DEVICE)


def with_drawn_weights(module: nn.Module, seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)
    for weight in module.double().parameters():
        nn.init.normal_(weight, generator=generator)
    return module.to(DEVICE)


def check_equations(
    cell: CompositionCell, compose: Callable[..., Row], tracker_size: int, count: int, seed: int
) -> None:
    """Compare a cell with its equations, ``compose(cell, left, right, tracker)`` of one node."""
    left, right = drawn(seed + 1, count, cell.state_size), drawn(seed + 2, count, cell.state_size)
    tracker = drawn(seed + 3, count, tracker_size) if tracker_size else None
    seen = tracker.tolist() if tracker is not None else [[]] * count
    expected = [
        compose(cell, *rows) for rows in zip(left.tolist(), right.tolist(), seen, strict=True)
    ]
    composed = cell(left, right, tracker)
    torch.testing.assert_close(composed.cpu(), torch.tensor(expected, dtype=torch.float64))
