"""The composition of two nodes: the tree-LSTM, and the registry of cells.

A node's state is one row of width S whose first H numbers are its hidden state. In a tree-LSTM it
is ``(h, c)`` of width 2H: the hidden state, then the memory cell. Other cells register themselves
by name in :data:`COMPOSITIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinn.ops.nodes import Composition, NodeTable
from spinn.ops.tree_lstm import Nodes
from spinn.support.options import Condition, Group, option
from spinn.support.registry import Choices, Registry
from spinn.trees import WITH_SPINN


class CompositionCell(nn.Module):
    """A cell that composes two nodes.

    Attributes
    ----------
    hidden_size, state_size
        H and S, the widths of a hidden state and of a node's state.

    """

    hidden_size: int
    state_size: int

    def draw(self) -> Composition:
        """Return the composition for one pass through a batch, with its dropout drawn."""
        raise NotImplementedError

    def forward(self, left: Tensor, right: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Compose children ``[n, S]`` and tracker states ``[n, K]`` into ``[n, S]``."""
        return self.draw()(left, right, tracker)


@dataclass(frozen=True)
class TreeLSTMGates:
    """The tree-LSTM with given weights (Bowman et al. 2016, equations 5 to 7).

    Attributes
    ----------
    weight, bias
        ``[5H, 2H + K]`` and ``[5H]``: write gate, forget gate of each child, output gate,
        candidate.

    """

    weight: Tensor
    bias: Tensor

    @property
    def table(self) -> type[NodeTable]:
        """The node table with a hand-written backward."""
        return Nodes

    @property
    def hidden_size(self) -> int:
        """H, the width of a hidden state."""
        return len(self.bias) // 5

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """The tensors that receive gradients."""
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


class TreeLSTM(CompositionCell):
    """A binary tree-LSTM with a forget gate for each child (Tai et al. 2015).

    The tracker's state is a third input of the gates.

    Parameters
    ----------
    hidden_size, tracker_size
        H and K; K is 0 without a tracker.
    dropout
        Share of the weights dropped in a training pass, the same ones in all compositions of a
        batch (DropConnect: Wan et al. 2013; of recurrent weights: Merity et al. 2018). Unlike
        dropout of states, it keeps equal subtrees equal.

    """

    def __init__(self, hidden_size: int, tracker_size: int = 0, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.state_size = 2 * hidden_size
        self.dropout = dropout
        self.gates = nn.Linear(2 * hidden_size + tracker_size, 5 * hidden_size)

    def draw(self) -> TreeLSTMGates:
        """Return the composition for one pass through a batch, with its dropout drawn."""
        weight = functional.dropout(self.gates.weight, self.dropout, self.training)
        return TreeLSTMGates(weight, self.gates.bias)


MakeComposition = Callable[..., CompositionCell]
"""Called as ``make(hidden_size, tracker_size, dropout=...)``."""

COMPOSITIONS: Registry[MakeComposition] = Registry("composition")
"""The cells that ``--composition`` takes, by name."""
COMPOSITIONS.register("tree-lstm", TreeLSTM)


@dataclass(frozen=True)
class CompositionOptions:
    """What composes two nodes of a tree."""

    composition: str = option(
        "tree-lstm",
        "cell that composes two nodes of SPINN (--parser own always has a tree-LSTM)",
        choices=Choices(COMPOSITIONS),
        when=WITH_SPINN,
    )
    composition_dropout: float = option(
        0.0,
        "dropout of the composition's weights, the same ones for a whole batch",
        minimum=0,
        maximum=0.99,
    )


COMPOSITION_GROUP = Group(
    "composition",
    CompositionOptions,
    Condition(
        lambda values: values["encoder"] in ("spinn", "gumbel"),
        "it belongs to --encoder spinn and gumbel",
    ),
)
