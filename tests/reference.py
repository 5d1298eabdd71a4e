"""A plain SPINN and a plain Gumbel Tree-LSTM, the oracles of the encoders' tests.

One sentence at a time, Python lists for buffer, stack and layers, plain autograd, and every
equation written out. They read the weights of a real encoder and call nothing else of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spinn.model.cells import GatedRecursiveCell, Tracker, TreeLSTM
from spinn.model.encoder import SPINN
from spinn.model.gumbel import GumbelTreeLSTM
from spinn.transitions import Transition, from_spans

Node = tuple[Tensor, Tensor]
"""Hidden state ``[H]`` and memory cell, ``[H]`` or of no width where the composition has none."""


@dataclass
class PlainEncoding:
    """What became of one sentence of N words.

    Attributes
    ----------
    sentence
        ``[H]``.
    phrases
        ``[H]`` of each composed node.
    transitions
        The 2N - 1 transitions taken.
    log_probabilities
        Of each transition taken, scalars; empty where no tracker predicts.
    states
        The tracker's hidden state ``[K]`` before each transition; empty without a tracker.

    """

    sentence: Tensor
    phrases: list[Tensor] = field(default_factory=list)
    transitions: list[int] = field(default_factory=list)
    log_probabilities: list[Tensor] = field(default_factory=list)
    states: list[Tensor] = field(default_factory=list)


def encode(encoder: SPINN, leaves: Sequence[Tensor], given: Sequence[int] | None) -> PlainEncoding:
    """Encode one sentence of leaves ``[S]``; with the tracker's best transitions if none given."""
    size = encoder.output_size
    buffer: list[Node] = [(leaf[:size], leaf[size:]) for leaf in leaves]
    stack: list[Node] = []
    nothing = leaves[0].new_zeros(size)
    result = PlainEncoding(nothing)
    tracker = encoder.tracker
    watched: Node | None = None
    if tracker is not None:
        zero = leaves[0].new_zeros(tracker.size)
        watched = zero, zero
    for time in range(2 * len(leaves) - 1):
        scores = None
        if tracker is not None and watched is not None:
            view = [
                buffer[0][0] if buffer else nothing,
                stack[-1][0] if stack else nothing,
                stack[-2][0] if len(stack) > 1 else nothing,
            ]
            watched = lstm_step(tracker, torch.cat(view), watched)
            result.states.append(watched[0])
            if tracker.score is not None:
                scores = tracker.score.weight @ watched[0] + tracker.score.bias
        if given is not None:
            transition = given[time]
        else:
            assert scores is not None
            transition = best(scores, can_reduce=len(stack) > 1, can_shift=bool(buffer))
        if scores is not None:
            free = len(stack) > 1 and bool(buffer)
            result.log_probabilities.append(log_probability(scores, transition, free=free))
        result.transitions.append(transition)
        if transition == Transition.SHIFT:
            stack.append(buffer.pop(0))
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(compose(encoder.composition, left, right, watched))
            result.phrases.append(stack[-1][0])
    assert not buffer
    ((result.sentence, _),) = stack
    result.sentence = pooled(encoder.pooling, result, leaves)
    return result


def pooled(pooling: str, result: PlainEncoding, leaves: Sequence[Tensor]) -> Tensor:
    """Take the root, or the largest numbers of all phrases, or of all words and phrases."""
    if pooling == "root" or not result.phrases:
        return result.sentence
    words = [leaf[: len(result.sentence)] for leaf in leaves] if pooling == "max-all" else []
    return torch.stack([*result.phrases, *words]).amax(dim=0)


def encode_bottom_up(
    encoder: GumbelTreeLSTM,
    leaves: Sequence[Tensor],
    noise: Tensor | None = None,
    temperature: float = 1.0,
) -> PlainEncoding:
    """Encode one sentence of leaves ``[2H]``, with noise ``[D, D]``, composing every pair anew."""
    size = encoder.output_size
    nodes: list[Node] = [(leaf[:size], leaf[size:]) for leaf in leaves]
    spans = [(word, word + 1) for word in range(len(leaves))]
    found = []
    result = PlainEncoding(nodes[0][0])
    for layer in range(len(leaves) - 1):
        pairs = list(itertools.pairwise(nodes))
        candidates = [compose(encoder.composition, left, right, None) for left, right in pairs]
        scores = torch.stack([encoder.query @ hidden for hidden, _ in candidates])
        if noise is not None:
            scores = scores + noise[layer, : len(scores)]
        place = int(scores.argmax())
        choice = torch.zeros_like(scores)
        choice[place] = 1
        if noise is not None:  # forwards the choice, backwards the softmax
            soft = (scores / temperature).softmax(dim=0)
            choice = choice + soft - soft.detach()
        nodes = [mix(choice, number, candidates, nodes) for number in range(len(candidates))]
        result.phrases.append(nodes[place][0])
        spans[place : place + 2] = [(spans[place][0], spans[place + 1][1])]
        found.append(spans[place])
    ((result.sentence, _),) = nodes
    result.sentence = pooled(encoder.pooling, result, leaves)
    result.transitions = from_spans(len(leaves), found).tolist()
    return result


def mix(choice: Tensor, number: int, candidates: Sequence[Node], nodes: Sequence[Node]) -> Node:
    """Make a node of the next layer (Choi et al. 2018)."""
    left_of_it, up_to_it = choice[:number].sum(), choice[: number + 1].sum()
    hidden, memory = (
        choice[number] * new + (1 - up_to_it) * left + left_of_it * right
        for new, left, right in zip(
            candidates[number], nodes[number], nodes[number + 1], strict=True
        )
    )
    return hidden, memory


def best(scores: Tensor, *, can_reduce: bool, can_shift: bool) -> int:
    """Choose the legal transition with the higher of the scores ``[2]`` of REDUCE and SHIFT."""
    if can_reduce and (not can_shift or scores[0] >= scores[1]):
        return Transition.REDUCE
    return Transition.SHIFT


def log_probability(scores: Tensor, transition: int, *, free: bool) -> Tensor:
    """Give the log-probability of a transition: that of a softmax, or of certainty."""
    if not free:
        return scores.new_zeros(())
    chosen = scores[0] if transition == Transition.REDUCE else scores[1]
    return chosen - (scores[0].exp() + scores[1].exp()).log()


def compose(
    cell: TreeLSTM | GatedRecursiveCell, left: Node, right: Node, tracker: Node | None
) -> Node:
    """Compose two nodes with whichever cell it is."""
    inputs = torch.cat([left[0], right[0]] + ([] if tracker is None else [tracker[0]]))
    if isinstance(cell, TreeLSTM):
        return tree_lstm(cell, inputs, left, right)
    return gated_recursion(cell, inputs, left[0], right[0]), left[1]


def tree_lstm(cell: TreeLSTM, inputs: Tensor, left: Node, right: Node) -> Node:
    """Apply the tree-LSTM: one input gate, two forget gates, one output gate, one candidate."""
    weights, biases = cell.gates.weight.chunk(5), cell.gates.bias.chunk(5)
    i, f_left, f_right, o, g = (w @ inputs + b for w, b in zip(weights, biases, strict=True))
    c = torch.sigmoid(i) * torch.tanh(g)
    c = c + torch.sigmoid(f_left) * left[1] + torch.sigmoid(f_right) * right[1]
    return torch.sigmoid(o) * torch.tanh(c), c


def gated_recursion(
    cell: GatedRecursiveCell, inputs: Tensor, left: Tensor, right: Tensor
) -> Tensor:
    """Apply the gated recursive cell: a gated sum of both children and a candidate, normalised."""
    inner = cell.inner.weight @ inputs + cell.inner.bias
    inner = inner * (1 + torch.erf(inner / 2**0.5)) / 2
    g_left, g_right, g_new, new = (cell.outer.weight @ inner + cell.outer.bias).chunk(4)
    mixed = torch.sigmoid(g_left) * left + torch.sigmoid(g_right) * right
    mixed = mixed + torch.sigmoid(g_new) * new
    deviation = mixed - mixed.mean()
    spread = ((deviation**2).mean() + cell.norm.eps) ** 0.5
    return cell.norm.weight * deviation / spread + cell.norm.bias


def lstm_step(tracker: Tracker, view: Tensor, state: Node) -> Node:
    """Apply an LSTM cell, with the weights in torch's order: input, forget, candidate, output."""
    cell = tracker.cell
    gates = cell.weight_ih @ view + cell.bias_ih + cell.weight_hh @ state[0] + cell.bias_hh
    i, f, g, o = gates.chunk(4)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c
