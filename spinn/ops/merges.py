"""Bottom-up composition: each layer merges the pair of neighbours with the highest score.

This is the Gumbel Tree-LSTM of Choi, Yoo and Lee (2018). A layer of n nodes has n - 1 candidates,
one for each pair of neighbours. A query vector scores them, one is chosen, and in the next layer it
replaces its children. During training the choice is a straight-through Gumbel-softmax sample: the
forward pass uses the one-hot vector y, the backward pass the softmax probabilities, so

    node'_k = y_k candidate_k + (1 - sum_{j<=k} y_j) node_k + (sum_{j<k} y_j) node_{k+1}

has a gradient with respect to every y_k.

The published algorithm composes all pairs of each layer: n (n - 1) / 2 compositions for a sentence
of n words. Here each pair is composed once and kept as long as its nodes remain neighbours, at most
3n compositions in all. Values are the same, because in the forward pass a layer changes only around
the chosen node. Gradients are the same too. They are computed layer by layer, since the gradients
of the choices in a layer depend on those accumulated from the layers above. This is cheap because a
candidate that is not chosen gets its gradient through its score only: the derivative of the score
with respect to the two children is one vector per candidate, computed once, and each layer adds a
multiple of it. Only chosen candidates need the full backward pass of the tree-LSTM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from spinn.ops.loops import gate_gradients, tree_gates
from spinn.ops.nodes import TreeLSTMComposition
from spinn.ops.precision import rounded_rows
from spinn.ops.tree_lstm import Rows


def merge(
    leaves: Tensor,
    rows: Tensor,
    lengths: Tensor,
    cell: TreeLSTMComposition,
    query: Tensor,
    noise: Tensor | None = None,
    temperature: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Build the trees of B sentences of up to L words, sorted by length in descending order.

    Parameters
    ----------
    leaves
        ``[N, 2H]``, hidden states and memory cells of all words.
    rows
        ``[L, B]``, the row of each word in ``leaves``. Entries past the end of a sentence are
        ignored.
    lengths
        ``[B]`` on the CPU, in descending order.
    cell
        The tree-LSTM.
    query
        ``[H]``; the score of a candidate is the dot product of its hidden state and the query.
    noise
        ``[L - 1, B, L - 1]``, added to the scores of the candidates of each layer. If ``None``,
        each layer chooses the best candidate, and choices have no gradient.
    temperature
        Temperature of the softmax in the backward pass of the choices.

    Returns
    -------
    phrases, places
        The hidden state of the node composed in each layer, ``[L - 1, B, H]``, zeros for sentences
        whose tree is complete; and the index of the chosen candidate from the left,
        ``[L - 1, B]``, -1 for those sentences.

    """
    # All pairs of leaves, then at most two new pairs around each merge except the last.
    capacity = int((lengths - 1).sum() + 2 * (lengths - 2).clamp(min=0).sum())
    work = Rows(leaves, cell.weight, cell.bias, capacity)
    forest = _Forest(work, lengths, query.detach(), noise, temperature)
    with torch.autocast(leaves.device.type, enabled=False):
        phrases, places = _Merge.apply(leaves, cell.weight, cell.bias, query, rows, forest)
    return phrases, places


@dataclass(frozen=True)
class _Layer:
    """A layer as saved for the backward pass; candidates are numbered over the whole batch.

    Attributes
    ----------
    chosen
        ``[active]``, the candidate chosen for each sentence with more than one node.
    present
        ``[active, width]``, true for candidates, false for padding.
    soft
        ``[active, width]``, the probabilities of the choice, 0 for padding; ``None`` without noise.
    candidates
        ``[n]``, the candidates that are present, sentence by sentence.
    upper
        ``[n]``, the rows of the nodes at the same positions in the next layer.

    """

    chosen: Tensor
    present: Tensor
    soft: Tensor | None
    candidates: Tensor
    upper: Tensor


class _Forest:
    """The trees of a batch under construction.

    ``work`` holds the nodes: the leaves, then the candidates in order of composition. The layers of
    a sentence are represented by row numbers.
    """

    def __init__(
        self, work: Rows, lengths: Tensor, query: Tensor, noise: Tensor | None, temperature: float
    ) -> None:
        self.work, self.query = work, query
        self.noise, self.temperature = noise, temperature
        self.layers: list[_Layer] = []
        self.children = torch.empty(0, 2, dtype=torch.long, device=query.device)
        self.scores = query.new_empty(0)
        self._lengths = lengths.to(query.device)
        steps = torch.arange(int(lengths[0]) - 1)
        # Number of sentences with two nodes or more in each layer.
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
            current = candidates[present]
            nodes, candidates = self._move_up(number, nodes, candidates, place)
            self.layers.append(_Layer(chosen, present, soft, current, nodes[present]))
        return phrases, places

    def _present(self, number: int, active: int) -> Tensor:
        """Return the mask of the candidates of a layer, ``[active, width]``."""
        width = len(self.active) - number
        counts = self._lengths[:active, None] - 1 - number
        return torch.arange(width, device=counts.device) < counts

    def _compose(self, pairs: Tensor) -> Tensor:
        """Compose and score pairs of rows ``[n, 2]``; return the new candidates ``[n]``."""
        start, end = self.work.compose(pairs)
        first = self.work.leaves
        scores = self.work.hidden[first + start : first + end] @ self.query
        self.children = torch.cat([self.children, pairs])
        self.scores = torch.cat([self.scores, scores])
        return torch.arange(start, end, device=pairs.device)

    def _choose(self, number: int, candidates: Tensor) -> tuple[Tensor, Tensor | None]:
        """Choose from candidates ``[active, width]``.

        Returns
        -------
        The chosen places ``[active, 1]``, and the probabilities ``[active, width]``, ``None``
        without noise.

        """
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
        """Replace the children of the chosen candidates by these, and compose the new pairs."""
        width = candidates.shape[1]
        chosen = self.work.leaves + candidates.gather(1, place)
        source = torch.arange(width, device=place.device)
        source = source + (source > place)
        nodes = nodes.gather(1, source).scatter(1, place, chosen)
        candidates = candidates.gather(1, source[:, :-1])
        place = place.squeeze(1)
        last = self._lengths[: len(place)] - 2 - number  # the last place in the next layer
        left, right = (place > 0).nonzero().squeeze(1), (place < last).nonzero().squeeze(1)
        if len(left) + len(right) == 0:
            return nodes, candidates
        sentence, pair = torch.cat([left, right]), torch.cat([place[left] - 1, place[right]])
        pairs = torch.stack([nodes[sentence, pair], nodes[sentence, pair + 1]], dim=1)
        candidates[sentence, pair] = self._compose(pairs)
        return nodes, candidates

    def backward(self, phrases: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute the gradients of leaves, weight, bias and query from that of the phrases."""
        work, products = self.work, self.work.products
        done, size, first = products.done, work.size, work.leaves
        gates = tree_gates(torch.cat([*products.outputs.values()]), products.bias)
        squashed = work.memory[first : first + done].tanh()
        gradients = phrases.new_zeros(first + done, 2 * size)  # of all nodes
        memories = work.memory[self.children]
        gate_slopes, child_slopes = self._score_slopes(gates, squashed, memories)
        moves = self._moves()
        total = self.scores.new_zeros(done)  # gradient of each score, summed over layers
        chosen_gates: list[Tensor] = []
        for number in reversed(range(len(self.layers))):
            layer = self.layers[number]
            chosen, candidates = layer.chosen, layer.candidates
            gradients[first + chosen, :size] += phrases[number, : len(chosen)]
            own, below = self._through_composition(
                gates[chosen], squashed[chosen], memories[chosen], gradients[first + chosen]
            )
            chosen_gates.append(own)
            if layer.soft is not None:
                score = self._through_choice(layer, layer.soft, moves, gradients)
                total.index_add_(0, candidates, score)
                added = child_slopes.index_select(0, candidates).mul_(score[:, None, None])
                children = self.children.index_select(0, candidates)
                gradients.index_add_(0, children.flatten(), added.flatten(0, 1))
            gradients.index_add_(0, self.children[chosen].flatten(), below.flatten(0, 1))
        slopes = gate_slopes.mul_(total[:, None])
        all_chosen = torch.cat([layer.chosen for layer in reversed(self.layers)])
        slopes.index_add_(0, all_chosen, torch.cat(chosen_gates))
        weight = slopes.to(products.type).T @ products.inputs[:done]
        query = total @ work.hidden[first : first + done]
        return gradients[:first], weight, slopes.sum(0), query

    def _moves(self) -> Tensor:
        """Return the state differences that gradients of choices consist of, ``[C, 2, 2H]``.

        They are candidate_k - node_{k+1} and node_{k+1} - node_k. The derivative of node'_k with
        respect to y_k is the sum of both; with respect to y_j, j < k, it is the second.
        """
        work, done = self.work, self.work.products.done
        first, end = work.leaves, work.leaves + done
        states = torch.cat([work.hidden[:end], work.memory[:end]], dim=1)
        left, right = (states.index_select(0, child) for child in self.children.unbind(1))
        moves = states.new_empty(done, 2, states.shape[1])
        torch.sub(states[first:], right, out=moves[:, 0])
        torch.sub(right, left, out=moves[:, 1])
        return moves

    def _score_slopes(
        self, gates: Tensor, squashed: Tensor, memories: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Differentiate scores with respect to gates ``[C, 5H]`` and children ``[C, 2, 2H]``."""
        above = torch.cat([self.query.expand_as(squashed), torch.zeros_like(squashed)], dim=1)
        return self._through_composition(gates, squashed, memories, above)

    def _through_composition(
        self, gates: Tensor, squashed: Tensor, memories: Tensor, above: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Backpropagate from states ``[n, 2H]`` to gates ``[n, 5H]``, children ``[n, 2, 2H]``."""
        hidden, cell = above.chunk(2, dim=1)
        result = torch.empty_like(gates)
        kept = gate_gradients(gates, squashed, memories, hidden, cell, out=result)
        return result, torch.cat([self._through_weight(result), kept], dim=2)

    def _through_weight(self, gates: Tensor) -> Tensor:
        """Backpropagate from gates ``[n, 5H]`` to the children's hidden states ``[n, 2, H]``."""
        products, count = self.work.products, len(gates)
        outer = gates.to(products.type)
        padding = rounded_rows(count, products.type) - count
        if padding:
            outer = functional.pad(outer, (0, 0, 0, padding))
        below = (outer @ products.weight)[:count].to(gates.dtype)
        return below.unflatten(1, (2, self.work.size))

    def _through_choice(
        self, layer: _Layer, soft: Tensor, moves: Tensor, gradients: Tensor
    ) -> Tensor:
        """Backpropagate from the nodes of the next layer to the scores ``[n]`` of this layer.

        Increasing y_k moves node'_k towards candidate k and the later nodes towards their right
        neighbours.
        """
        upper = gradients.index_select(0, layer.upper)
        moved = moves.index_select(0, layer.candidates).mul_(upper[:, None]).sum(dim=2)
        at, after = soft.new_zeros(2, *soft.shape)
        at[layer.present], after[layer.present] = moved.unbind(1)
        choice = at + after.flip(1).cumsum(dim=1).flip(1)
        score = soft * (choice - (soft * choice).sum(dim=1, keepdim=True)) / self.temperature
        return score[layer.present]


class _Merge(torch.autograd.Function):
    """Build a forest; the backward pass is :meth:`_Forest.backward`."""

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
        phrases, places = forest.grow(rows)
        ctx.forest, ctx.type = forest, weight.dtype
        ctx.mark_non_differentiable(places)
        return phrases, places

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, phrases: Tensor, places: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        leaves, weight, bias, query = ctx.forest.backward(phrases)
        return leaves, weight.to(ctx.type), bias, query, None, None
