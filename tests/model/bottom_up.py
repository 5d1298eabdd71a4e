"""A plain Gumbel Tree-LSTM, the oracle of the encoder's tests.

One sentence at a time, with Python lists for the layers and plain autograd, and every pair of
neighbours composed anew in each layer. It reads the weights of a real encoder and calls only its
composition.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from spinn.model.gumbel import GumbelTreeLSTM
from spinn.model.reference import SentenceEncoding, pool
from spinn.transitions import from_spans


def encode_bottom_up(
    encoder: GumbelTreeLSTM,
    leaves: Sequence[Tensor],
    noise: Tensor | None = None,
    temperature: float = 1.0,
) -> SentenceEncoding:
    """Encode one sentence of leaves ``[2H]``, with noise ``[D, D]``."""
    size, compose = encoder.output_size, encoder.composition.draw()
    nodes = list(leaves)
    spans = [(word, word + 1) for word in range(len(leaves))]
    found, result = [], SentenceEncoding(leaves[0][:size])
    for layer in range(len(leaves) - 1):
        pairs = itertools.pairwise(nodes)
        candidates = [compose(left[None], right[None])[0] for left, right in pairs]
        scores = torch.stack([encoder.query @ node[:size] for node in candidates])
        if noise is not None:
            scores = scores + noise[layer, : len(scores)]
        place = int(scores.argmax())
        choice = torch.zeros_like(scores)
        choice[place] = 1
        if noise is not None:  # forwards the choice, backwards the softmax
            soft = (scores / temperature).softmax(dim=0)
            choice = choice + soft - soft.detach()
        nodes = [mix(choice, number, candidates, nodes) for number in range(len(candidates))]
        result.phrases.append(nodes[place][:size])
        spans[place : place + 2] = [(spans[place][0], spans[place + 1][1])]
        found.append(spans[place])
    words = [leaf[:size] for leaf in leaves]
    result.sentence = pool(encoder.pooling, nodes[0][:size], result.phrases, words)
    result.transitions = from_spans(len(leaves), found).tolist()
    return result


def mix(
    choice: Tensor, number: int, candidates: Sequence[Tensor], nodes: Sequence[Tensor]
) -> Tensor:
    """Return a node ``[2H]`` of the next layer (Choi et al. 2018)."""
    left_of_it, up_to_it = choice[:number].sum(), choice[: number + 1].sum()
    left, right = nodes[number], nodes[number + 1]
    return choice[number] * candidates[number] + (1 - up_to_it) * left + left_of_it * right
