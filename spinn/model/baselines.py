"""Encoders without trees: bag of words, LSTM, bidirectional LSTM.

They read the same leaves and feed the same classifier, so a comparison changes the encoder alone.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from spinn.model.encoder import Encoding, Leaves


class BagOfWords(nn.Module):
    """The sum of the leaves."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.output_size = self.leaf_size = hidden_size

    def forward(self, leaves: Leaves) -> Encoding:
        """Encode B sentences; there are no transitions to take."""
        sizes = leaves.batch_sizes
        ends = sizes.cumsum(0)
        sentence = torch.arange(len(leaves.states)) - (ends - sizes).repeat_interleave(sizes)
        total = leaves.states.new_zeros(len(leaves.lengths), self.output_size)
        return Encoding(total.index_add(0, sentence.to(leaves.states.device), leaves.states))


class SequenceLSTM(nn.Module):
    """An LSTM, or two LSTMs of half the width, forwards and backwards.

    Parameters
    ----------
    hidden_size
        H, the width of a sentence vector (where it is odd, two LSTMs make one less).
    bidirectional
        Whether there are two.
    pooling
        What a sentence vector is: ``"root"``, the last state (of each LSTM), which has read all
        the words; or in each dimension the ``"max"`` over the states of all words (Conneau et al.
        2017).

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

    def forward(self, leaves: Leaves) -> Encoding:
        """Encode B sentences; there are no transitions to take."""
        states, (last, _) = self.lstm(PackedSequence(leaves.states, leaves.batch_sizes))
        if self.pooling == "root":
            return Encoding(torch.cat(list(last), dim=1))
        return Encoding(Leaves(states.data, leaves.lengths).largest(self.output_size))
