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


@dataclass
class Machine:
    """Buffers and stacks of B sentences.

    Attributes
    ----------
    stack
        Rows ``[B, L + 2]``; two empty ones lie under each stack.
    depth, position
        ``[B]``, the height of each stack with these two, and the words that were shifted.

    """

    stack: Tensor
    depth: Tensor
    position: Tensor

    @classmethod
    def begin(cls, words: int, lengths: Tensor, empty: int) -> Machine:
        """Return empty stacks, and buffers with all words."""
        zeros = torch.zeros_like(lengths)
        stack = zeros.new_full((len(lengths), words + 2), empty)
        return cls(stack, zeros + 2, zeros)

    def view(self, lengths: Tensor, empty: int) -> Tensor:
        """Return rows ``[B, 3]``: buffer top, stack top, second on the stack."""
        count = len(lengths)
        word = self.position * count + torch.arange(count, device=lengths.device)
        word = torch.where(self.position < lengths, word, empty)
        two = torch.stack([self.depth - 1, self.depth - 2], dim=1)
        return torch.cat([word[:, None], self.stack.gather(1, two)], dim=1)

    def legal(self, lengths: Tensor) -> Tensor:
        """Return whether REDUCE and SHIFT are legal, ``[B, 2]``."""
        return torch.stack([self.depth >= 4, self.position < lengths], dim=1)

    def take(self, taken: Tensor, word: Tensor, composed: Tensor) -> None:
        """Take transitions ``[B]``; a sentence that is over takes PAD, which changes nothing."""
        shift, reduce = taken == Transition.SHIFT, taken == Transition.REDUCE
        moved = shift.long() - reduce.long()
        place = self.depth - 1 + moved
        top = self.stack.gather(1, place[:, None]).squeeze(1)
        top = torch.where(shift, word, torch.where(reduce, composed, top))
        self.stack.scatter_(1, place[:, None], top[:, None])
        self.depth, self.position = self.depth + moved, self.position + shift.long()


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
        self.words, self.lengths, self.weights = words, lengths, weights
        self.count, self.steps = len(lengths), 2 * words - 1
        self.width, total = weights.score.shape[1], self.steps * self.count
        self.rows = Rows(states, weights.compose, weights.compose_bias, total, type)
        self.tracker = Products(states, weights.track, weights.track_bias, total, type)
        self.seen: list[State] = []
        self.views = lengths.new_empty(self.steps, self.count, 3)
        self.legal = lengths.new_empty(self.steps, self.count, 2, dtype=torch.bool)
        self.taken, self.tops = (lengths.new_empty(self.steps, self.count) for _ in range(2))

    def load(self, states: Tensor, lengths: Tensor, weights: Weights) -> None:
        """Copy another batch and weights of the same shapes to the places of the first ones."""
        self.rows.load(states)
        self.rows.products.load(weights.compose, weights.compose_bias)
        self.tracker.load(weights.track, weights.track_bias)
        self.lengths.copy_(lengths)
        self.weights.score.copy_(weights.score)
        self.weights.score_bias.copy_(weights.score_bias)

    def forward(self, choose: Choose) -> tuple[Tensor, Tensor]:
        """Take all steps; return the states of all rows, and the tracker's ``[T, B, K]``."""
        rows, empty, weights = self.rows, len(self.rows.hidden) - 1, self.weights
        rows.products.done = self.tracker.done = 0
        zeros = rows.hidden.new_zeros(self.count, self.width)
        self.seen = [(zeros, zeros)]
        machine = Machine.begin(self.words, self.lengths, empty)
        own = torch.arange(self.count, device=self.lengths.device)
        for time in range(self.steps):
            view, legal = machine.view(self.lengths, empty), machine.legal(self.lengths)
            self.views[time], self.legal[time] = view, legal
            seen = self._watch(view)
            taken = choose(time, seen @ weights.score.T + weights.score_bias, legal)
            rows.compose(_children(view), seen)
            machine.take(taken, view[:, 0], (self.words + time) * self.count + own)
            self.taken[time] = taken
            self.tops[time] = machine.stack.gather(1, machine.depth[:, None] - 1).squeeze(1)
        return rows.hidden, torch.stack([hidden for hidden, _ in self.seen[1:]])

    def _watch(self, view: Tensor) -> Tensor:
        """Take a step of the tracker; return its hidden states."""
        tracker, (hidden, memory) = self.tracker, self.seen[-1]
        start, end = tracker.take(self.count)
        inputs = tracker.inputs[start:end]
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
            start, end, view = time * self.count, (time + 1) * self.count, self.views[time]
            composed = rows.compose_backward(_children(view), start, end)
            tracker.loops.step_backward(
                tracker.outputs[start:end],
                tracker.bias,
                self.seen[time][1],
                hidden_gradient=seen[time] + later + composed,
                memory_gradient=memory,
                gradient=outputs[start:end],
                bias_gradient=bias,
            )
            below = tracker.below(start, end)
            tracker.loops.scatter(nodes, view, below)
            later = below[:, -self.width :]
        return rows.finish(), *rows.products.finish(), *tracker.finish()


def _children(view: Tensor) -> Tensor:
    """Return the left and the right child ``[B, 2]``: the second on the stack, and the top."""
    return view[:, 1:].flip(1)


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
    return hidden, seen, {"taken": made.taken, "legal": made.legal, "tops": made.tops}
