"""The product with a weight that is laid out once."""

from __future__ import annotations

import pytest
import torch
from machine import DEVICE

from spinn.ops import products

TYPES = (torch.float64, torch.float32, torch.bfloat16)


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("rows", [16, products.MANY])
@pytest.mark.parametrize("count", [0, 1, 16])
def test_a_product_is_that_of_torch(type, rows, count):
    generator = torch.Generator().manual_seed(1)
    weight, inputs = torch.randn(20, 8, generator=generator), torch.randn(count, 8)
    weight, inputs = weight.to(DEVICE, type), inputs.to(DEVICE, type)
    found = products.product_with(weight, rows)(inputs)
    assert found.dtype == type
    torch.testing.assert_close(found, inputs @ weight.T)
    torch.testing.assert_close(products.product_with(weight.T, rows)(found), found @ weight)


@pytest.mark.parametrize("type", TYPES)
def test_loaded_weights_take_the_place_of_the_first(type):
    first, second = torch.randn(2, 20, 8, dtype=type, device=DEVICE)
    made = products.Products(first, first, first[:, 0], products.MANY, type)
    made.inputs[:16] = inputs = torch.randn(16, 8, dtype=type, device=DEVICE)
    made.multiply(0, 16)
    made.load(second, second[:, 0])
    torch.testing.assert_close(made.multiply(0, 16), inputs @ second.T)
    made.gradients()[0][:16] = gradient = torch.randn(16, 20, dtype=type, device=DEVICE)
    torch.testing.assert_close(made.below(0, 16), gradient @ second)


def test_types_without_the_operations_are_multiplied_by_torch():
    assert not products._lays_out(torch.float64)
    assert not products._lays_out(torch.int64)
