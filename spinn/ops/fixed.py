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

from spinn.ops.loops import gate_gradients
from spinn.ops.precision import product_type
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
        self.words, self.lengths, self.weights, self.states = words, lengths, weights, states
        self.type, self.count, self.steps = type, len(lengths), 2 * words - 1
        self.size, self.width = len(weights.compose_bias) // 5, weights.score.shape[1]
        self.empty = (words + self.steps) * self.count

        def room(*shape: int, dtype: torch.dtype = states.dtype) -> Tensor:
            return states.new_empty(*shape, dtype=dtype)

        steps, count, size, width = self.steps, self.count, self.size, self.width
        self.hidden, self.memory = (room(self.empty + 1, size) for _ in range(2))
        self.inputs = room(steps, count, 2 * size + width, dtype=type)
        self.gates, self.squashed = room(steps, count, 5 * size), room(steps, count, size)
        self.watched = room(steps, count, 3 * size + width, dtype=type)
        self.track_gates, self.track_squashed = (
            room(steps, count, 4 * width),
            room(steps, count, width),
        )
        # What the tracker saw and remembers; one longer, beginning with zeros.
        self.seen, self.cells = (room(steps + 1, count, width) for _ in range(2))
        self.views = room(steps, count, 3, dtype=torch.long)
        self.legal = room(steps, count, 2, dtype=torch.bool)
        self.taken, self.tops = (room(steps, count, dtype=torch.long) for _ in range(2))

    def forward(self, choose: Choose) -> None:
        """Take all steps."""
        weights, size, words = self.weights, self.size, self.words * self.count
        compose, track = weights.compose.to(self.type).T, weights.track.to(self.type).T
        self.hidden[:words], self.memory[:words] = self.states.split(size, dim=1)
        self.hidden[-1] = self.memory[-1] = 0
        self.seen[0] = self.cells[0] = 0
        machine = Machine.begin(self.words, self.lengths, self.empty)
        own = torch.arange(self.count, device=self.lengths.device)
        for time in range(self.steps):
            view, legal = machine.view(self.lengths, self.empty), machine.legal(self.lengths)
            self.views[time], self.legal[time] = view, legal
            self._watch(time, view, track)
            score = self.seen[time + 1] @ weights.score.T + weights.score_bias
            taken = choose(time, score, legal)
            self._compose(time, view, compose)
            machine.take(taken, view[:, 0], (self.words + time) * self.count + own)
            self.taken[time] = taken
            self.tops[time] = machine.stack.gather(1, machine.depth[:, None] - 1).squeeze(1)

    def _watch(self, time: int, view: Tensor, weight: Tensor) -> None:
        """Take a step of the tracker."""
        size, width = self.size, self.width
        inputs, gates = self.watched[time], self.track_gates[time]
        inputs[:, : 3 * size] = self.hidden.index_select(0, view.flatten()).view(-1, 3 * size)
        inputs[:, 3 * size :] = self.seen[time]
        torch.add(inputs @ weight, self.weights.track_bias, out=gates)
        write, keep, candidate, show = gates.split(width, dim=1)
        gates[:, : 2 * width].sigmoid_()
        candidate.tanh_()
        show.sigmoid_()
        cell = torch.mul(write, candidate, out=self.cells[time + 1])
        cell.addcmul_(keep, self.cells[time])
        torch.tanh(cell, out=self.track_squashed[time])
        torch.mul(show, self.track_squashed[time], out=self.seen[time + 1])

    def _compose(self, time: int, view: Tensor, weight: Tensor) -> None:
        """Compose the two topmost items of all sentences."""
        size = self.size
        inputs, gates, watched = self.inputs[time], self.gates[time], self.watched[time]
        # The second is the left child, the top the right one.
        inputs[:, :size] = watched[:, 2 * size : 3 * size]
        inputs[:, size : 2 * size] = watched[:, size : 2 * size]
        inputs[:, 2 * size :] = self.seen[time + 1]
        torch.add(inputs @ weight, self.weights.compose_bias, out=gates)
        gates[:, : 4 * size].sigmoid_()
        gates[:, 4 * size :].tanh_()
        write, keep_left, keep_right, show, candidate = gates.split(size, dim=1)
        right, left = self._memories(view).unbind(1)
        at = (self.words + time) * self.count
        cell = torch.mul(write, candidate, out=self.memory[at : at + self.count])
        cell.addcmul_(keep_left, left).addcmul_(keep_right, right)
        torch.tanh(cell, out=self.squashed[time])
        torch.mul(show, self.squashed[time], out=self.hidden[at : at + self.count])

    def _memories(self, view: Tensor) -> Tensor:
        """Return the memory cells ``[B, 2, H]`` of the top and the second."""
        return self.memory.index_select(0, view[:, 1:].flatten()).view(-1, 2, self.size)

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
        size, count = self.size, self.count
        compose, track = self.weights.compose.to(self.type), self.weights.track.to(self.type)
        hidden, memory = hidden.clone(), torch.zeros_like(self.memory)
        gates, track_gates = torch.empty_like(self.gates), torch.empty_like(self.track_gates)
        later = torch.zeros_like(seen[0])  # of the tracker's state, from the steps after
        cell = torch.zeros_like(later)
        for time in reversed(range(self.steps)):
            view, at = self.views[time], (self.words + time) * count
            kept = gate_gradients(
                self.gates[time],
                self.squashed[time],
                self._memories(view).flip(1),
                hidden[at : at + count],
                memory[at : at + count],
                out=gates[time],
            )
            memory.index_add_(0, view[:, 1:].flatten(), kept.flip(1).view(-1, size))
            children = (gates[time].to(self.type) @ compose).to(hidden.dtype)
            after = seen[time] + later + children[:, 2 * size :]
            cell = self._watch_backward(time, after, cell, track_gates[time])
            below = (track_gates[time].to(self.type) @ track).to(hidden.dtype)
            below[:, size : 2 * size] += children[:, size : 2 * size]
            below[:, 2 * size : 3 * size] += children[:, :size]
            later = below[:, 3 * size :]
            rows = below[:, : 3 * size].reshape(-1, size)
            hidden.index_add_(0, view.flatten(), rows)
        words = self.words * count
        states = torch.cat([hidden[:words], memory[:words]], dim=1)
        return (
            states,
            *_of_weights(gates, self.inputs, self.type),
            *_of_weights(track_gates, self.watched, self.type),
        )

    def _watch_backward(self, time: int, after: Tensor, cell: Tensor, out: Tensor) -> Tensor:
        """Return the gradient of the memory cells before a step; write that of the gates."""
        write, keep, candidate, show = self.track_gates[time].split(self.width, dim=1)
        squashed = self.track_squashed[time]
        cell = cell + after * show * (1 - squashed * squashed)
        to_write, to_keep, to_candidate, to_show = out.split(self.width, dim=1)
        torch.mul(cell, candidate * write * (1 - write), out=to_write)
        torch.mul(cell, self.cells[time] * keep * (1 - keep), out=to_keep)
        torch.mul(cell, write * (1 - candidate * candidate), out=to_candidate)
        torch.mul(after, squashed * show * (1 - show), out=to_show)
        return cell * keep


def _of_weights(gates: Tensor, inputs: Tensor, type: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the gradients of a weight and its bias, from all steps."""
    flat = gates.flatten(0, 1)
    return (flat.to(type).T @ inputs.flatten(0, 1)).to(flat.dtype), flat.sum(0)


class _Run(torch.autograd.Function):
    """Run a pass; return all hidden states, and what the tracker saw."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, compose: Tensor, compose_bias: Tensor, track: Tensor,
        track_bias: Tensor, made: Pass, choose: Choose,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        made.forward(choose)
        ctx.made = made
        return made.hidden.clone(), made.seen[1:].clone()

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
