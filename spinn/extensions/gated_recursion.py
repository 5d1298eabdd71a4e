"""The gated recursive cell of Ordered Memory: ``--composition gated-recursive``."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinn.model.cells import CompositionCell
from spinn.ops.nodes import NodeTable
from spinn.ops.recorded import RecordedNodes


@dataclass(frozen=True)
class GatedRecursion:
    """The gated recursive cell with given weights (Shen et al. 2019, arXiv 1910.13466).

    With ``(g_left, g_right, g_new, u) = W2 gelu(W1 (left, right) + b1) + b2`` the parent is
    ``LayerNorm(σ(g_left) left + σ(g_right) right + σ(g_new) u)``. The GELU, where Shen et al. have
    a ReLU, is that of Ray Chowdhury and Caragea (2021, arXiv 2106.06038).

    Attributes
    ----------
    inner_weight, inner_bias
        ``[4H, 2H + K]`` and ``[4H]``, W1 and b1.
    outer_weight, outer_bias
        ``[4H, 4H]`` and ``[4H]``, W2 and b2.
    scale, shift
        ``[H]``, of the layer norm.

    """

    inner_weight: Tensor
    inner_bias: Tensor
    outer_weight: Tensor
    outer_bias: Tensor
    scale: Tensor
    shift: Tensor

    @property
    def table(self) -> type[NodeTable]:
        """The node table whose backward autograd records."""
        return RecordedNodes

    @property
    def hidden_size(self) -> int:
        """H, the width of a hidden state, which is the whole state of a node."""
        return len(self.scale)

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """The tensors that receive gradients, in the order of the fields."""
        return tuple(getattr(self, part.name) for part in fields(self))

    def __call__(self, left: Tensor, right: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose children ``[n, H]`` (and tracker states ``[n, K]``) into ``[n, H]``."""
        inputs = [left, right] if tracker is None else [left, right, tracker]
        inner = functional.linear(torch.cat(inputs, dim=1), self.inner_weight, self.inner_bias)
        outer = functional.linear(functional.gelu(inner), self.outer_weight, self.outer_bias)
        gates, new = outer.tensor_split([3 * self.hidden_size], dim=1)
        keep_left, keep_right, write = gates.sigmoid().chunk(3, dim=1)
        mixed = keep_left * left + keep_right * right + write * new
        return functional.layer_norm(mixed, (self.hidden_size,), self.scale, self.shift)


class GatedRecursiveCell(CompositionCell):
    """The cell of Ordered Memory (Shen et al. 2019): a gated, normalised sum of both children.

    Its gates can copy one child, so that a bracket or another word without content is skipped, and
    the norm keeps states at one scale at all heights, also in trees deeper than those of training.

    Parameters
    ----------
    hidden_size, tracker_size, dropout
        As in :class:`spinn.model.cells.TreeLSTM`.

    """

    def __init__(self, hidden_size: int, tracker_size: int = 0, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden_size = self.state_size = hidden_size
        self.dropout = dropout
        self.inner = nn.Linear(2 * hidden_size + tracker_size, 4 * hidden_size)
        self.outer = nn.Linear(4 * hidden_size, 4 * hidden_size)
        self.norm = nn.LayerNorm(hidden_size)

    def draw(self) -> GatedRecursion:
        """Return the composition for one pass through a batch."""
        inner, outer = (
            functional.dropout(layer.weight, self.dropout, self.training)
            for layer in (self.inner, self.outer)
        )
        scale, shift = self.norm.weight, self.norm.bias
        return GatedRecursion(inner, self.inner.bias, outer, self.outer.bias, scale, shift)
