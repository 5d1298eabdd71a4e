"""SPINN with fixed shapes (``--engine fixed``): every sentence takes every step, for GPUs.

The same algorithm as :class:`spinn.model.spinn.SPINN` with a tracker and a tree-LSTM, without
waiting for the device between steps; see :mod:`spinn.ops.fixed`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spinn.model.cells import TreeLSTM
from spinn.model.choosers import Chooser, Given, Mixed
from spinn.model.policy import TransitionPolicy
from spinn.model.spinn import SPINN, pool
from spinn.model.tracker import Tracker
from spinn.model.types import Encoding, Leaves, Plan
from spinn.ops.fixed import Choose, Weights, run
from spinn.ops.graphs import Passes
from spinn.ops.graphs import run as replay
from spinn.transitions import Transition

BUCKET = 4  # lengths are rounded up to a multiple of it


class FixedSPINN(SPINN):
    """Encode sentences step by step, with shapes that depend on batch size and length alone.

    Parameters
    ----------
    composition, tracker, pooling
        As :class:`SPINN` has them; with a tracker.
    replayed
        Whether passes are captured and replayed (:mod:`spinn.ops.graphs`).

    """

    composition: TreeLSTM
    tracker: Tracker

    def __init__(
        self,
        composition: TreeLSTM,
        tracker: Tracker,
        *,
        pooling: str = "root",
        replayed: bool = True,
    ) -> None:
        super().__init__(composition, tracker, pooling=pooling)
        self._passes = Passes() if replayed else None

    def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Encode B sentences by the transitions that the plan's chooser takes."""
        lengths, device = leaves.lengths, leaves.states.device
        longest = int(lengths[0])
        words, steps = -(-longest // BUCKET) * BUCKET, 2 * longest - 1
        states = leaves.states.index_select(0, grid(leaves, words).flatten().to(device))
        lengths = lengths.to(device)
        hidden, seen, found = self._run(plan, states, words, lengths, steps)
        taken, legal, tops = (found[name][:steps] for name in ("taken", "legal", "tops"))
        running = legal.any(dim=2)
        seen = seen[:steps] * running[..., None]
        policy = None
        if self.tracker.score is not None:
            logits = self.tracker.score(seen).masked_fill(~running[..., None], 0.0)
            policy = TransitionPolicy(logits, legal)
        nodes = _Table(hidden)
        phrases = tops.where(taken == Transition.REDUCE, nodes.empty)
        sentences = pool(self.pooling, nodes, tops[-1], phrases, _words(lengths, longest))
        return Encoding(sentences, taken, policy, seen)

    def _run(
        self, plan: Plan, states: Tensor, words: int, lengths: Tensor, steps: int
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Take all steps, and those up to the end of the bucket, in which nothing happens."""
        chooser, weights = plan.choose, self._weights()
        total, count = 2 * words - 1, len(lengths)
        transitions = torch.full((total, count), int(Transition.PAD), device=lengths.device)
        if chooser.transitions is not None:
            transitions[:steps] = chooser.transitions
        if self._passes is None or isinstance(chooser, Mixed):
            # A share of own steps would be a constant of what is captured.
            choose = self._follow(chooser, transitions, steps)
            return run(states, words, lengths, weights, choose)
        kind = type(chooser)
        return replay(
            states,
            words,
            lengths,
            weights,
            transitions,
            lambda given: self._follow(kind(given) if kind is Given else kind(), given, total),
            self._passes,
            kind,
        )

    def _follow(self, chooser: Chooser, transitions: Tensor, steps: int) -> Choose:
        """Return what chooses; given transitions, padded, past the last step."""
        predicts = self.tracker.score is not None

        def choose(time: int, score: Tensor, legal: Tensor) -> Tensor:
            if time >= steps:
                return transitions[time]
            policy = TransitionPolicy(score, legal) if predicts else None
            return chooser(time, len(score), policy)

        return choose

    def _weights(self) -> Weights:
        """Return the weights of a pass, with the dropout of the composition drawn."""
        composition, cell, score = self.composition.draw(), self.tracker.cell, self.tracker.score
        none = cell.weight_hh.new_zeros(2, self.tracker.size)
        return Weights(
            composition.weight,
            composition.bias,
            torch.cat([cell.weight_ih, cell.weight_hh], dim=1),
            cell.bias_ih + cell.bias_hh,
            none if score is None else score.weight,
            none[:, 0] if score is None else score.bias,
        )


def _words(lengths: Tensor, longest: int) -> Tensor:
    """Return the rows ``[L, B]`` of all words; that of the first past the end."""
    place = torch.arange(longest, device=lengths.device)[:, None]
    place = torch.where(place < lengths, place, 0)
    return place * len(lengths) + torch.arange(len(lengths), device=lengths.device)


def grid(leaves: Leaves, words: int) -> Tensor:
    """Return the row ``[words, B]`` of each word, on the CPU; 0 past the end of a sentence."""
    rows, lengths = leaves.rows, leaves.lengths
    rows = functional.pad(rows, (0, 0, 0, words - len(rows)))
    return rows.masked_fill(torch.arange(words)[:, None] >= lengths, 0)


class _Table:
    """The rows of a pass, as :func:`spinn.model.spinn.pool` reads them."""

    def __init__(self, hidden: Tensor) -> None:
        self._hidden, self.empty = hidden, len(hidden) - 1

    def compose(self, children: Tensor, tracker: Tensor | None = None) -> Tensor:
        """Raise an error: the pass has composed everything."""
        raise NotImplementedError

    def read(self, rows: Tensor) -> Tensor:
        """Return hidden states ``[n, H]`` of rows ``[n]``."""
        return self._hidden.index_select(0, rows)
