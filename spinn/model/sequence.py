"""Encoders without trees: bag of words, LSTM, bidirectional LSTM.

They read the same leaves and feed the same classifier as SPINN, so that a comparison changes the
encoder alone.
"""

from __future__ import annotations

import torch
from torch import nn

from spinn.model.types import Encoder, Encoding, Leaves, Plan, WordStates


class BagOfWords(Encoder):
    """The sum of the leaves."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.output_size = self.leaf_size = hidden_size

    def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Encode S sentences; the plan is ignored."""
        sizes = leaves.sentences.batch_sizes
        ends = sizes.cumsum(0)
        sentence = torch.arange(len(leaves.states)) - (ends - sizes).repeat_interleave(sizes)
        total = leaves.states.new_zeros(len(leaves.lengths), self.output_size)
        return Encoding(total.index_add(0, sentence.to(leaves.states.device), leaves.states))


class SequenceLSTM(Encoder):
    """An LSTM, or two LSTMs of half the width, forwards and backwards.

    Parameters
    ----------
    hidden_size
        H, the width of a sentence vector (one less if it is odd and there are two LSTMs).
    bidirectional
        Whether there are two.
    pooling
        What a sentence vector is: ``"root"``, the last state of each LSTM; or ``"max"``, the
        maximum over the states of all words (Conneau et al. 2017).

    """

    def __init__(
        self, hidden_size: int, *, bidirectional: bool = False, pooling: str = "root"
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.leaf_size = hidden_size
        width = hidden_size // 2 if bidirectional else hidden_size
        self.output_size = 2 * width if bidirectional else width
        self.lstm = nn.LSTM(hidden_size, width, bidirectional=bidirectional)

    def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Encode S sentences; the plan is ignored."""
        states, (last, _) = self.lstm(leaves.packed)
        forwards = not self.lstm.bidirectional
        read = WordStates(states.data, leaves.sentences) if forwards else None
        if self.pooling == "root":
            return Encoding(torch.cat(list(last), dim=1), word_states=read)
        vectors = Leaves(states.data, leaves.sentences).maximum(self.output_size)
        return Encoding(vectors, word_states=read)
