"""Shift-reduce steps with shapes that do not depend on the data, for GPUs.

All B sentences take all T steps, and every sentence composes at every step, whether it reduces or
not: on a GPU that is cheaper than asking which do. Nothing here waits for the device, so that a
pass can be captured in a CUDA graph (:mod:`spinn.ops.graphs`). Each step writes to separate rows,
and a composition that is not read has zero gradient.

Rows of the table of nodes: word l of sentence b is row ``l * B + b``; what sentence b composes at
step t is row ``(L + t) * B + b``; the last row is zeros. A pass is
:class:`spinn.model.spinn.SPINN` with a tracker; the tests hold the two equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinn.ops.lstm import State
from spinn.ops.precision import product_type
from spinn.ops.products import Products
from spinn.ops.tree_lstm import Rows
from spinn.transitions import Transition

Choose = Callable[[int, Tensor, Tensor], Tensor]
"""From a time step, scores ``[B, 2]`` and what is legal ``[B, 2]`` to transitions ``[B]``."""


@dataclass(frozen=True)
class Weights:
    """The weights of composition, tracker and scores.

    Attributes
    ----------
    compose, compose_bias
        ``[5H, 2H + K]`` and ``[5H]``.
    track, track_bias
        ``[4K, 3H + K]`` and ``[4K]``: the weights of input and state side by side.
    score, score_bias
        ``[2, K]`` and ``[2]``.

    """

    compose: Tensor
    compose_bias: Tensor
    track: Tensor
    track_bias: Tensor
    score: Tensor
    score_bias: Tensor


# By transition: the moves of the pointers of a machine, and which one leads to the new top.
MOVES: dict[int, tuple[int, ...]] = {
    Transition.PAD: (0, 0, 0, 0, 1, 1),
    Transition.REDUCE: (0, -1, -1, -1, 1, 4),
    Transition.SHIFT: (1, 1, 1, 1, 1, 0),
}


class Machine:
    """Buffers and stacks of B sentences, and what they were at each step.

    A sentence has a row of cells, which hold numbers of rows: its stack, on two empty ones; what
    each step composes; its words, and behind them empty ones. Five pointers lead to the top of the
    buffer, the top of the stack, the second on it, the top again (so that children are side by
    side), and what this step composes. So a transition is a row of a table, not a case.

    Attributes
    ----------
    views, children
        ``[T, B, 3]``, rows of buffer top, stack top, and second on the stack; ``[T, B, 2]``, of
        the second and the top.
    legal, taken, tops
        ``[T, B, 2]``, whether REDUCE and SHIFT are legal; ``[T, B]``, the transitions, and the
        rows on top of the stacks after them.

    """

    def __init__(self, words: int, lengths: Tensor) -> None:
        self.words, self.lengths, self.steps = words, lengths, 2 * words - 1
        count, steps = len(lengths), self.steps
        self._first_word = words + 2 + steps
        self._first = lengths.new_tensor([self._first_word, 1, 0, 1, words + 2])
        self._moves = lengths.new_tensor([MOVES.get(number, (0,) * 6) for number in range(4)])
        self.views = lengths.new_empty(steps, count, 3)
        self.children = lengths.new_empty(steps, count, 2)
        self.legal = lengths.new_empty(steps, count, 2, dtype=torch.bool)
        self.taken, self.tops = (lengths.new_empty(steps, count) for _ in range(2))

    def begin(self) -> None:
        """Empty the stacks, and fill the buffers with all words."""
        count, lengths = len(self.lengths), self.lengths[:, None]
        own = torch.arange(count, device=lengths.device)[:, None]
        row = torch.arange(self.words + self.steps, device=lengths.device) * count + own
        empty = torch.full_like(row[:, : self.words + 2], (self.words + self.steps) * count)
        place = torch.arange(self.words, device=lengths.device)
        words = torch.where(place < lengths, row[:, : self.words], empty[:, 2:])
        self._cells = torch.cat([empty, row[:, self.words :], words, empty[:, :1]], dim=1)
        self._pointers = self._first.repeat(count, 1)
        self._ends = self._first_word + self.lengths

    def look(self, time: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return view ``[B, 3]``, children ``[B, 2]`` and what is legal ``[B, 2]`` at a step."""
        view, children, legal = self.views[time], self.children[time], self.legal[time]
        torch.gather(self._cells, 1, self._pointers[:, :3], out=view)
        torch.gather(self._cells, 1, self._pointers[:, 2:4], out=children)
        torch.ge(self._pointers[:, 1], 3, out=legal[:, 0])
        torch.lt(self._pointers[:, 0], self._ends, out=legal[:, 1])
        return view, children, legal

    def take(self, time: int, taken: Tensor) -> None:
        """Take transitions ``[B]``; a sentence that is over takes PAD, which changes nothing."""
        moves = self._moves.index_select(0, taken)
        top = self.tops[time][:, None]
        torch.gather(self._cells, 1, self._pointers.gather(1, moves[:, 5:]), out=top)
        self._pointers += moves[:, :5]
        self._cells.scatter_(1, self._pointers[:, 1:2], top)
        self.taken[time] = taken

    def record(self) -> dict[str, Tensor]:
        """Return ``taken``, ``legal`` and ``tops`` by name."""
        return {"taken": self.taken, "legal": self.legal, "tops": self.tops}


class Pass:
    """The arrays of a pass, and its two directions.

    Parameters
    ----------
    words, lengths
        L, and the number of words of each sentence ``[B]``.
    weights
        The weights; without gradient.
    states
        ``[L * B, 2H]``, hidden states and memory cells of all words, by place and sentence. Those
        past the end of a sentence are not read.
    type
        The type of the matrix products.

    """

    def __init__(
        self, words: int, lengths: Tensor, weights: Weights, states: Tensor, type: torch.dtype
    ) -> None:
        self.machine, self.weights = Machine(words, lengths), weights
        self.count, self.steps = len(lengths), self.machine.steps
        self.width, total = weights.score.shape[1], self.steps * self.count
        self.rows = Rows(states, weights.compose, weights.compose_bias, total, type)
        self.tracker = Products(states, weights.track, weights.track_bias, total, type)
        self.seen: list[State] = []

    def load(self, states: Tensor, lengths: Tensor, weights: Weights) -> None:
        """Copy another batch and weights of the same shapes to the places of the first ones."""
        self.rows.load(states)
        self.rows.products.load(weights.compose, weights.compose_bias)
        self.tracker.load(weights.track, weights.track_bias)
        self.machine.lengths.copy_(lengths)
        self.weights.score.copy_(weights.score)
        self.weights.score_bias.copy_(weights.score_bias)

    def forward(self, choose: Choose) -> tuple[Tensor, Tensor]:
        """Take all steps; return the states of all rows, and the tracker's ``[T, B, K]``."""
        rows, machine, weights = self.rows, self.machine, self.weights
        rows.products.done = self.tracker.done = 0
        zeros = rows.hidden.new_zeros(self.count, self.width)
        self.seen = [(zeros, zeros)]
        machine.begin()
        for time in range(self.steps):
            view, children, legal = machine.look(time)
            seen = self._watch(view)
            score = torch.addmm(weights.score_bias, seen, weights.score.T)
            machine.take(time, choose(time, score, legal))
            rows.compose(children, seen)
        return rows.hidden, torch.stack([hidden for hidden, _ in self.seen[1:]])

    def _watch(self, view: Tensor) -> Tensor:
        """Take a step of the tracker; return its hidden states."""
        tracker, (hidden, memory) = self.tracker, self.seen[-1]
        start, end = tracker.take(self.count)
        inputs = tracker.inputs[tracker.place(start, end)]
        tracker.loops.gather(self.rows.hidden, view, inputs)
        inputs[:, -self.width :] = hidden
        outputs = tracker.multiply(start, end)
        self.seen.append(tracker.loops.step(outputs, tracker.bias, memory))
        return self.seen[-1][0]

    def backward(self, hidden: Tensor, seen: Tensor) -> tuple[Tensor, ...]:
        """Go back through all steps.

        Parameters
        ----------
        hidden, seen
            The gradients of all rows and of the tracker's states ``[T, B, K]``.

        Returns
        -------
        The gradients of the words' states, of the weights of composition and tracker, and of their
        biases.

        """
        rows, tracker = self.rows, self.tracker
        nodes = rows.gradients()[0].copy_(hidden)
        outputs, bias = tracker.gradients()
        seen = seen.contiguous()  # as the loops read it
        # Of the tracker's states, from the steps after.
        later, memory = (torch.zeros_like(seen[0]) for _ in range(2))
        for time in reversed(range(self.steps)):
            start, end = time * self.count, (time + 1) * self.count
            composed = rows.compose_backward(self.machine.children[time], start, end)
            tracker.loops.step_backward(
                tracker.outputs[start],
                tracker.bias,
                self.seen[time][1],
                hidden_gradient=seen[time] + later + composed,
                memory_gradient=memory,
                gradient=outputs[start:end],
                bias_gradient=bias,
            )
            below = tracker.below(start, end)
            tracker.loops.scatter(nodes, self.machine.views[time], below)
            later = below[:, -self.width :]
        return rows.finish(), *rows.products.finish(), *tracker.finish()


class _Run(torch.autograd.Function):
    """Run a pass; return all hidden states, and what the tracker saw."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, compose: Tensor, compose_bias: Tensor, track: Tensor,
        track_bias: Tensor, made: Pass, choose: Choose,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        hidden, seen = made.forward(choose)
        ctx.made = made
        return hidden.clone(), seen

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, hidden: Tensor, seen: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        states, compose, compose_bias, track, track_bias = ctx.made.backward(hidden, seen)
        return states, compose, compose_bias, track, track_bias, None, None


def run(
    states: Tensor, words: int, lengths: Tensor, weights: Weights, choose: Choose
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Take all steps of B sentences of up to L words.

    Parameters
    ----------
    states, words, lengths, weights
        See :class:`Pass`; gradients flow to states, and to the weights of composition and tracker.
    choose
        Chooses the transitions.

    Returns
    -------
    The hidden states of all rows, those of the tracker before each step ``[T, B, K]``, and by name
    the transitions ``taken``, what was ``legal``, and the rows on the ``tops`` after each step.

    """
    type = product_type(states)
    own = Weights(**{name: value.detach() for name, value in vars(weights).items()})
    with torch.autocast(states.device.type, enabled=False):
        made = Pass(words, lengths, own, states.detach(), type)
        hidden, seen = _Run.apply(
            states,
            weights.compose,
            weights.compose_bias,
            weights.track,
            weights.track_bias,
            made,
            choose,
        )
    return hidden, seen, made.machine.record()
