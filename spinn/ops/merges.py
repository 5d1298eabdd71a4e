"""Building trees bottom-up: of all neighbours, the two that score best become one node.

This is the composition of Choi, Yoo and Lee (2018). A layer of n nodes has n - 1
candidates, one for each pair of neighbours; a query vector scores them, one is chosen, and the next
layer has it in the place of its children. In training the choice is drawn by straight-through
Gumbel-softmax: forwards the layer moves up by the chosen one-hot vector y, backwards as if by the
soft one, so that

    node'_k = y_k candidate_k + (1 - sum_{j<=k} y_j) node_k + (sum_{j<k} y_j) node_{k+1}

passes a gradient to every y_k.

As published, each layer composes all its pairs anew: n (n - 1) / 2 compositions for a sentence of n
words. Here a pair is composed once, as long as it stays a pair, at most 3n in all. The values are
the same, since forwards nothing but the chosen node is new. The gradients are, too, but they must
not simply be summed up over the layers a candidate lives through: in between, they pay for the
choices made there. What saves the work is that a candidate which is not chosen gets a gradient
through its score alone. The score's gradient with respect to the two children is one vector for
each candidate, worked out once; a layer adds a multiple of it. Only chosen candidates are gone back
through in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from spinn.ops.nodes import TreeLSTMComposition, Work, compose_rows, gate_gradients
from spinn.ops.precision import rounded_rows


def merge(
    leaves: Tensor,
    rows: Tensor,
    lengths: Tensor,
    cell: TreeLSTMComposition,
    query: Tensor,
    noise: Tensor | None = None,
    temperature: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Build the trees of B sentences of up to L words, longest first.

    Parameters
    ----------
    leaves
        ``[N, 2H]``, hidden states and memory cells of all words.
    rows
        ``[L, B]``, where each word's leaf is; anything beyond the end of a sentence.
    lengths
        ``[B]`` on the CPU, in descending order.
    cell
        The tree-LSTM.
    query
        ``[H]``; a candidate's score is its product with the hidden state.
    noise
        ``[L - 1, B, L - 1]``, added to the scores of the candidates of each layer. Without it the
        best candidates are chosen, and no gradient passes through the choice.
    temperature
        Of the softmax that gradients of the choices go through.

    Returns
    -------
    phrases, places
        The hidden state of the node made in each layer, ``[L - 1, B, H]``, zeros where the tree is
        finished; and which candidate it was, ``[L - 1, B]``, counted from the left, there -1.

    """
    # A leaf pair or two new pairs around a merge; around the last merge there is none.
    most = int((lengths - 1).sum() + 2 * (lengths - 2).clamp(min=0).sum())
    work = Work(leaves, cell, most)
    forest = _Forest(work, lengths, query.detach(), noise, temperature)
    with torch.autocast(leaves.device.type, enabled=False):
        phrases, places = _Merge.apply(leaves, cell.weight, cell.bias, query, rows, forest)
    return phrases, places


@dataclass(frozen=True)
class _Layer:
    """What the backward pass has to know of a layer; candidates are numbered over the whole batch.

    Attributes
    ----------
    chosen
        ``[active]``, the candidate that each sentence with more than one node chose.
    present
        ``[active, width]``, true where there is a candidate.
    soft
        ``[active, width]``, the probabilities behind the choice; 0 where there is no candidate.
    candidates
        ``[n]``, those present, sentence by sentence.
    upper
        ``[n]``, the rows of the nodes that stand in their places one layer up.

    """

    chosen: Tensor
    present: Tensor
    soft: Tensor | None
    candidates: Tensor
    upper: Tensor


class _Forest:
    """The trees of a batch while they grow.

    ``work`` holds the nodes: rows are leaves, then candidates in the order in which they are
    composed. What sentences are made of, layer by layer, are row numbers.
    """

    def __init__(
        self, work: Work, lengths: Tensor, query: Tensor, noise: Tensor | None, temperature: float
    ) -> None:
        self.work, self.query = work, query
        self.noise, self.temperature = noise, temperature
        self.layers: list[_Layer] = []
        self.children = torch.empty(0, 2, dtype=torch.long, device=query.device)
        self.scores = query.new_empty(0)
        self._lengths = lengths.to(query.device)
        steps = torch.arange(int(lengths[0]) - 1)
        # How many sentences still have two nodes or more, in each layer.
        self.active = (lengths - 1 > steps[:, None]).sum(dim=1).tolist()

    def grow(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Build all layers above the leaves in ``rows`` ``[L, B]``; see :func:`merge`."""
        work, depth = self.work, len(self.active)
        nodes = rows.T
        candidates = torch.zeros_like(nodes[:, 1:])
        present = self._present(0, len(nodes))
        pairs = torch.stack([nodes[:, :-1][present], nodes[:, 1:][present]], dim=1)
        candidates[present] = self._compose(pairs)
        phrases = work.hidden.new_zeros(depth, len(nodes), work.size)
        places = torch.full((depth, len(nodes)), -1, device=rows.device)
        for number, active in enumerate(self.active):
            nodes, candidates = nodes[:active], candidates[:active]
            place, soft = self._choose(number, candidates)
            chosen = candidates.gather(1, place).squeeze(1)
            phrases[number, :active] = work.hidden[work.leaves + chosen]
            places[number, :active] = place.squeeze(1)
            present = self._present(number, active)
            own = candidates[present]
            nodes, candidates = self._move_up(number, nodes, candidates, place)
            self.layers.append(_Layer(chosen, present, soft, own, nodes[present]))
        return phrases, places

    def _present(self, number: int, active: int) -> Tensor:
        """Tell where a layer has candidates: ``[active, width]``."""
        width = len(self.active) - number
        left = self._lengths[:active, None] - 1 - number
        return torch.arange(width, device=left.device) < left

    def _compose(self, pairs: Tensor) -> Tensor:
        """Compose and score pairs of rows ``[n, 2]``; return the new candidates ``[n]``."""
        start, end = compose_rows(self.work, pairs.flatten())
        first = self.work.leaves
        scores = self.work.hidden[first + start : first + end] @ self.query
        self.children = torch.cat([self.children, pairs])
        self.scores = torch.cat([self.scores, scores])
        return torch.arange(start, end, device=pairs.device)

    def _choose(self, number: int, candidates: Tensor) -> tuple[Tensor, Tensor | None]:
        """Choose from ``[active, width]``: places ``[active, 1]``, and their probabilities."""
        active, width = candidates.shape
        absent = ~self._present(number, active)
        scores = self.scores[candidates].masked_fill(absent, -torch.inf)
        if self.noise is None:
            return scores.argmax(dim=1, keepdim=True), None
        scores = scores + self.noise[number, :active, :width]
        return scores.argmax(dim=1, keepdim=True), (scores / self.temperature).softmax(dim=1)

    def _move_up(
        self, number: int, nodes: Tensor, candidates: Tensor, place: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Put the chosen candidates in the place of their children, and compose the new pairs."""
        width = candidates.shape[1]
        chosen = self.work.leaves + candidates.gather(1, place)
        source = torch.arange(width, device=place.device)
        source = source + (source > place)
        nodes = nodes.gather(1, source).scatter(1, place, chosen)
        candidates = candidates.gather(1, source[:, :-1])
        place = place.squeeze(1)
        last = self._lengths[: len(place)] - 2 - number  # of the places in the layer above
        left, right = (place > 0).nonzero().squeeze(1), (place < last).nonzero().squeeze(1)
        if len(left) + len(right) == 0:
            return nodes, candidates
        sentence, pair = torch.cat([left, right]), torch.cat([place[left] - 1, place[right]])
        pairs = torch.stack([nodes[sentence, pair], nodes[sentence, pair + 1]], dim=1)
        candidates[sentence, pair] = self._compose(pairs)
        return nodes, candidates

    def go_back(self, phrases: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Turn the gradient of the phrases into those of leaves, weight, bias and query."""
        work = self.work
        done, size, first = work.done, work.size, work.leaves
        gradients = phrases.new_zeros(first + done, 2 * size)  # of all nodes
        memories = work.memory[self.children]
        unit, slopes = self._score_slopes(memories)
        moves = self._moves()
        total = self.scores.new_zeros(done)  # the gradient of each score, over all layers
        chosen_gates: list[Tensor] = []
        for number in reversed(range(len(self.layers))):
            layer = self.layers[number]
            chosen, own = layer.chosen, layer.candidates
            gradients[first + chosen, :size] += phrases[number, : len(chosen)]
            gates, below = self._through_chosen(chosen, gradients[first + chosen], memories)
            chosen_gates.append(gates)
            if layer.soft is not None:
                score = self._through_choice(layer, layer.soft, moves, gradients)
                total.index_add_(0, own, score)
                added = slopes.index_select(0, own).mul_(score[:, None, None])
                children = self.children.index_select(0, own)
                gradients.index_add_(0, children.flatten(), added.flatten(0, 1))
            gradients.index_add_(0, self.children[chosen].flatten(), below.flatten(0, 1))
        gates = unit.mul_(total[:, None])
        all_chosen = torch.cat([layer.chosen for layer in reversed(self.layers)])
        gates.index_add_(0, all_chosen, torch.cat(chosen_gates))
        weight = gates.to(work.type).T @ work.inputs[:done]
        query = total @ work.hidden[first : first + done]
        return gradients[:first], weight, gates.sum(0), query

    def _moves(self) -> Tensor:
        """How states change where a candidate, or a right child, moves up: ``[C, 2, 2H]``.

        A candidate takes the place of its right child; a right child takes that of the left one.
        """
        work = self.work
        first, end = work.leaves, work.leaves + work.done
        states = torch.cat([work.hidden[:end], work.memory[:end]], dim=1)
        left, right = (states.index_select(0, child) for child in self.children.unbind(1))
        moves = states.new_empty(work.done, 2, states.shape[1])
        torch.sub(states[first:], right, out=moves[:, 0])
        torch.sub(right, left, out=moves[:, 1])
        return moves

    def _score_slopes(self, memories: Tensor) -> tuple[Tensor, Tensor]:
        """Differentiate the scores, of gates ``[C, 5H]`` and of both children ``[C, 2, 2H]``."""
        work, done = self.work, self.work.done
        squashed = work.squashed[:done]
        gates = torch.empty_like(work.gates[:done])
        above = self.query.expand_as(squashed)
        cell = torch.zeros_like(squashed)
        kept = gate_gradients(work.gates[:done], squashed, memories, above, cell, out=gates)
        return gates, torch.cat([self._through_weight(gates), kept], dim=2)

    def _through_chosen(
        self, chosen: Tensor, above: Tensor, memories: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Go back from states ``[n, 2H]`` to gates ``[n, 5H]`` and children ``[n, 2, 2H]``."""
        work = self.work
        hidden, cell = above.chunk(2, dim=1)
        gates, squashed = work.gates[chosen], work.squashed[chosen]
        own = torch.empty_like(gates)
        kept = gate_gradients(gates, squashed, memories[chosen], hidden, cell, out=own)
        return own, torch.cat([self._through_weight(own), kept], dim=2)

    def _through_weight(self, gates: Tensor) -> Tensor:
        """Go back from gates ``[n, 5H]`` to the children's hidden states ``[n, 2, H]``."""
        work, count = self.work, len(gates)
        outer = gates.to(work.type)
        more = rounded_rows(count, work.type) - count
        if more:
            outer = functional.pad(outer, (0, 0, 0, more))
        below = (outer @ work.child_weight)[:count].to(gates.dtype)
        return below.unflatten(1, (2, work.size))

    def _through_choice(
        self, layer: _Layer, soft: Tensor, moves: Tensor, gradients: Tensor
    ) -> Tensor:
        """Go back from the nodes of the layer above to the scores ``[n]`` of this one's candidates.

        More of y_k moves up candidate k, and the right children from there on.
        """
        upper = gradients.index_select(0, layer.upper)
        moved = moves.index_select(0, layer.candidates).mul_(upper[:, None]).sum(dim=2)
        at, after = soft.new_zeros(2, *soft.shape)
        at[layer.present], after[layer.present] = moved.unbind(1)
        own = at + after.flip(1).cumsum(dim=1).flip(1)
        own = soft * (own - (soft * own).sum(dim=1, keepdim=True)) / self.temperature
        return own[layer.present]


class _Merge(torch.autograd.Function):
    """Grow a forest, and go back through it."""

    @staticmethod
    def forward(
        ctx: Any,
        leaves: Tensor,
        weight: Tensor,
        bias: Tensor,
        query: Tensor,
        rows: Tensor,
        forest: _Forest,
    ) -> tuple[Tensor, Tensor]:
        work = forest.work
        work.hidden[: work.leaves] = leaves[:, : work.size]
        work.memory[: work.leaves] = leaves[:, work.size :]
        phrases, places = forest.grow(rows)
        ctx.forest, ctx.type = forest, weight.dtype
        ctx.mark_non_differentiable(places)
        return phrases, places

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, phrases: Tensor, places: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        leaves, weight, bias, query = ctx.forest.go_back(phrases)
        return leaves, weight.to(ctx.type), bias, query, None, None
