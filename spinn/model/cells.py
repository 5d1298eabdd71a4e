"""The recurrent cells of SPINN: composition of two nodes, of which there are two, and the tracker.

A node's state is one row. In a tree-LSTM it is ``(h, c)`` of width 2H: the hidden state, then the
memory cell. The gated recursive cell has hidden states alone, of width H.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class TreeLSTMGates:
    """The composition of two children by given weights (Bowman et al. 2016, equations 5 to 7).

    Attributes
    ----------
    weight, bias
        ``[5H, 2H + K]`` and ``[5H]``, of the write gate, a forget gate for each child, the output
        gate and the candidate.

    """

    weight: Tensor
    bias: Tensor

    @property
    def hidden_size(self) -> int:
        """H, the width of a hidden state."""
        return len(self.bias) // 5

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """All that gradients reach."""
        return self.weight, self.bias

    def __call__(self, left: Tensor, right: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose children ``[n, 2H]`` (and tracker states ``[n, K]``) into ``[n, 2H]``."""
        left_h, left_c = left.chunk(2, dim=1)
        right_h, right_c = right.chunk(2, dim=1)
        inputs = [left_h, right_h] if tracker is None else [left_h, right_h, tracker]
        sums = functional.linear(torch.cat(inputs, dim=1), self.weight, self.bias)
        gates, candidate = sums.tensor_split([4 * self.hidden_size], dim=1)
        write, keep_left, keep_right, show = gates.sigmoid().chunk(4, dim=1)
        c = write * candidate.tanh() + keep_left * left_c + keep_right * right_c
        return torch.cat([show * c.tanh(), c], dim=1)


class TreeLSTM(nn.Module):
    """Compose two children into their parent.

    A binary tree-LSTM with a forget gate for each child (Tai et al. 2015); the tracker's state, if
    there is a tracker, enters the gates as a third input.

    Parameters
    ----------
    hidden_size, tracker_size
        H and K; no tracker where K is 0.
    dropout
        The share of the weights left out in a pass through a batch in training, the same ones in
        all its compositions (DropConnect: Wan et al. 2013; of recurrent weights, Merity et al.
        2018). Unlike dropout of states it leaves equal subtrees equal.

    """

    def __init__(self, hidden_size: int, tracker_size: int = 0, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.state_size = 2 * hidden_size
        self.dropout = dropout
        self.gates = nn.Linear(2 * hidden_size + tracker_size, 5 * hidden_size)

    def draw(self) -> TreeLSTMGates:
        """Return the composition for one pass through a batch."""
        weight = functional.dropout(self.gates.weight, self.dropout, self.training)
        return TreeLSTMGates(weight, self.gates.bias)

    def forward(self, left: Tensor, right: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose one group of children, as :class:`TreeLSTMGates` does."""
        return self.draw()(left, right, tracker)


@dataclass(frozen=True)
class GatedRecursion:
    """The gated recursive cell by given weights (Shen et al. 2019, arXiv 1910.13466).

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
    def hidden_size(self) -> int:
        """H, the width of a hidden state, which is all that a node has."""
        return len(self.scale)

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """All that gradients reach, in the order of the fields."""
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


class GatedRecursiveCell(nn.Module):
    """Compose two children into their parent, a gated and normalised sum of both and something new.

    The cell of Ordered Memory (Shen et al. 2019). A gate for each child lets one of them through
    as it is, so that a word without a meaning of its own, such as a bracket, can be passed over,
    and the norm keeps states alike at all heights: it is made for trees deeper than those seen in
    training.

    Parameters
    ----------
    hidden_size, tracker_size, dropout
        As :class:`TreeLSTM` has them.

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

    def forward(self, left: Tensor, right: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose one group of children, as :class:`GatedRecursion` does."""
        return self.draw()(left, right, tracker)


COMPOSITIONS: dict[str, type[TreeLSTM] | type[GatedRecursiveCell]] = {
    "tree-lstm": TreeLSTM,
    "gated-recursive": GatedRecursiveCell,
}


class Tracker(nn.Module):
    """Watch buffer and stack with an LSTM and score the next transition from its state.

    The state at time t has seen the configuration before transition t (Bowman et al. 2016, section
    3.2); the scores are those of REDUCE and SHIFT, in this order.
    """

    def __init__(self, hidden_size: int, tracker_size: int, *, predicts: bool) -> None:
        super().__init__()
        self.size = tracker_size
        self.cell = nn.LSTMCell(3 * hidden_size, tracker_size)
        self.score = nn.Linear(tracker_size, 2) if predicts else None

    def initial_state(self, like: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Return the zero state ``[count, K]``, twice, of the type and device of ``like``."""
        zero = like.new_zeros(count, self.size)
        return zero, zero

    def forward(self, view: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Take one step on ``view`` ``[n, 3H]``: buffer top, stack top, stack second."""
        return self.cell(view, state)
