"""The two recurrent cells of SPINN: composition of two nodes, and the tracker.

A node's state is one row ``(h, c)`` of width 2H: the hidden state, then the memory cell.
"""

from __future__ import annotations

from dataclasses import dataclass

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
        self.dropout = dropout
        self.gates = nn.Linear(2 * hidden_size + tracker_size, 5 * hidden_size)

    def draw(self) -> TreeLSTMGates:
        """Return the composition for one pass through a batch."""
        weight = functional.dropout(self.gates.weight, self.dropout, self.training)
        return TreeLSTMGates(weight, self.gates.bias)

    def forward(self, left: Tensor, right: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose one group of children, as :class:`TreeLSTMGates` does."""
        return self.draw()(left, right, tracker)


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
