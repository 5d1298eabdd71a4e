"""The tracker: an LSTM that watches buffer and stack, and scores the next transition.

Its state at time t has seen the configuration before transition t (Bowman et al. 2016, section
3.2). A model without a tracker has a :class:`Blind` one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from spinn.model.machine import Machine
from spinn.model.policy import TransitionPolicy
from spinn.model.types import Leaves
from spinn.ops.lstm import LSTMSteps, PlainSteps, State
from spinn.ops.nodes import NodeTable
from spinn.support.options import Condition, Group, Values, option
from spinn.trees import WITH_CHOSEN_TREES, WITH_SPINN

Seen = tuple[Tensor, TransitionPolicy | None]


class Watch(Protocol):
    """Watch a batch through its steps."""

    def __call__(self, nodes: NodeTable, machine: Machine, active: int) -> Seen:
        """Return what is seen, ``[active, K]``, and the policy of the step, if one is scored."""


class Blind(nn.Module):
    """No tracker: it sees nothing."""

    size = 0

    def watch(self, leaves: Leaves, steps: int, *, plain: bool) -> Watch:
        """Return a watch that sees states of width 0 and scores nothing."""
        nothing = leaves.states.new_empty(len(leaves.lengths), 0)
        return lambda nodes, machine, active: (nothing[:active], None)


class Tracker(nn.Module):
    """An LSTM cell over [buffer top, stack top, second on the stack], and perhaps scores.

    Parameters
    ----------
    hidden_size, size
        H and K, the widths of a node's hidden state and of the tracker's.
    predicts
        Whether it scores REDUCE and SHIFT, in this order.

    """

    def __init__(self, hidden_size: int, size: int, *, predicts: bool) -> None:
        super().__init__()
        self.size = size
        self.cell = nn.LSTMCell(3 * hidden_size, size)
        self.score = nn.Linear(size, 2) if predicts else None

    def watch(self, leaves: Leaves, steps: int, *, plain: bool) -> Watch:
        """Begin with a batch that takes this many steps, counted over all sentences."""
        return _Watching(self, leaves, steps, plain)


class _Watching:
    def __init__(self, tracker: Tracker, leaves: Leaves, steps: int, plain: bool) -> None:
        kind = PlainSteps if plain else LSTMSteps
        self._step = kind(tracker.cell, leaves.states, steps)
        self._score = tracker.score
        zero = leaves.states.new_zeros(len(leaves.lengths), tracker.size)
        self._state: State = (zero, zero)

    def __call__(self, nodes: NodeTable, machine: Machine, active: int) -> Seen:
        self._state = self._step(nodes, machine.view(active), self._state)
        seen = self._state[0]
        if self._score is None:
            return seen, None
        return seen, TransitionPolicy(self._score(seen), machine.legal(active))


@dataclass(frozen=True)
class TrackerOptions:
    """The tracker of the sentence encoder, or of the parser (``--parser own``)."""

    tracker_size: int = option(64, "width of the tracker", minimum=1)


def _has_tracker(values: Values) -> bool:
    own_parser = WITH_CHOSEN_TREES.holds(values) and values["parser"] == "own"
    return own_parser or (WITH_SPINN.holds(values) and values["tracker"])


TRACKER_GROUP = Group("tracker", TrackerOptions, Condition(_has_tracker, "add --tracker"))
