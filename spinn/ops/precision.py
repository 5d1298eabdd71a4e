"""The type and row count of matrix products in operations with a hand-written backward pass."""

from __future__ import annotations

import torch
from torch import Tensor

# On a CPU, oneDNN compiles a bf16 kernel for each new number of rows, which takes milliseconds, so
# row counts are rounded up to a multiple of this. More would be computed for nothing.
ROWS = 16


def product_type(like: Tensor) -> torch.dtype:
    """Return autocast's type for the device of a tensor, or the tensor's type without autocast."""
    device = like.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else like.dtype


def rounded_rows(count: int, type: torch.dtype) -> int:
    """Round up the row count of a product of this type; fp32 and fp64 need no rounding."""
    return count if type in (torch.float32, torch.float64) else -(-count // ROWS) * ROWS
