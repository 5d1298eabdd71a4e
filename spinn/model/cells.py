"""The two recurrent cells of SPINN: composition of two nodes, and the tracker.

A node's state is one row ``(h, c)`` of width 2H: the hidden state, then the memory cell.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TreeLSTM(nn.Module):
    """Compose two children into their parent (Bowman et al. 2016, equations 5 to 7).

    A binary tree-LSTM with a forget gate for each child (Tai et al. 2015); the tracker's state, if
    there is a tracker, enters the gates as a third input.
    """

    def __init__(self, hidden_size: int, tracker_size: int = 0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.gates = nn.Linear(2 * hidden_size + tracker_size, 5 * hidden_size)

    def forward(self, left: Tensor, right: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose children ``[n, 2H]`` (and tracker states ``[n, K]``) into ``[n, 2H]``."""
        left_h, left_c = left.chunk(2, dim=1)
        right_h, right_c = right.chunk(2, dim=1)
        inputs = [left_h, right_h] if tracker is None else [left_h, right_h, tracker]
        gates, candidate = self.gates(torch.cat(inputs, dim=1)).tensor_split(
            [4 * self.hidden_size], dim=1
        )
        write, keep_left, keep_right, show = gates.sigmoid().chunk(4, dim=1)
        c = write * candidate.tanh() + keep_left * left_c + keep_right * right_c
        return torch.cat([show * c.tanh(), c], dim=1)


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
