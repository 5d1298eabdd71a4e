"""What the words of a sentence meet in the other one: a layer below the leaves.

Each word is compared with a mixture of the other sentence's words, weighted by how well they match
(Parikh et al. 2016). The encoder above then composes comparisons where it would compose words, so
that a sentence vector depends on both sentences, as in the models of Zhao, Huang and Ma (2016) and
Chen et al. (2017) that align words or phrases of trees.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from spinn.model.encoder import Leaves


class WordAlignment(nn.Module):
    """Compare each word with what it meets in the other sentence.

    Parameters
    ----------
    size
        E, the width of a word.
    width
        W, the width of a comparison. Words are matched and compared at half of it.

    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        half = max(width // 2, 1)
        self.projection = nn.Linear(size, half)
        self.matching = nn.Linear(half, half)
        self.comparison = nn.Linear(4 * half, width)

    def forward(self, states: Tensor, lengths: Tensor, partners: Tensor) -> Tensor:
        """Compare the words of S sentences, longest first.

        Parameters
        ----------
        states
            ``[N, E]``, all words, packed as :class:`Leaves` are.
        lengths
            ``[S]`` on the CPU.
        partners
            ``[S]``, the place of each sentence's partner.

        Returns
        -------
        ``[N, W]``: ReLU of a projection of [a, b, a - b, a * b] (Chen et al. 2017, equations 14
        and 15), where b is the mixture of the partner's words by attention (Parikh et al. 2016,
        equations 1 and 2, scaled as by Vaswani et al. 2017, equation 1).

        """
        sizes = Leaves(states, lengths).batch_sizes
        words = self.projection(states)
        there = torch.arange(len(sizes)) < lengths[:, None]  # [S, L]
        there = there.to(states.device)
        keys = _padded(torch.relu(self.matching(words)), sizes)
        scores = keys @ keys[partners].transpose(1, 2) / keys.shape[2] ** 0.5
        weights = scores.masked_fill(~there[partners][:, None], -torch.inf).softmax(dim=2)
        met = (weights @ _padded(words, sizes)[partners]).transpose(0, 1)[there.T]
        features = torch.cat([words, met, words - met, words * met], dim=1)
        return torch.relu(self.comparison(features))


def _padded(states: Tensor, sizes: Tensor) -> Tensor:
    """Lay packed words ``[N, W]`` out as ``[S, L, W]``."""
    return pad_packed_sequence(PackedSequence(states, sizes), batch_first=True)[0]
