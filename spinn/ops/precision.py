"""The type of matrix products inside operations that have a backward of their own."""

from __future__ import annotations

import torch
from torch import Tensor

# Where products are bf16 on a processor, a kernel is compiled for each new number of rows, which
# takes milliseconds; rows are rounded up to a multiple of this.
ROWS = 64


def product_type(like: Tensor) -> torch.dtype:
    """Return the type that autocast wants on the device of a tensor, or else the tensor's own."""
    device = like.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else like.dtype


def rounded_rows(count: int, type: torch.dtype) -> int:
    """Round a number of rows up, where the type of the products wants that."""
    return count if type in (torch.float32, torch.float64) else -(-count // ROWS) * ROWS
