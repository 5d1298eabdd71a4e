"""Leaves aligned with the other sentence of the pair: ``--leaf-context aligned``.

Each word is compared with a mixture of the other sentence's words, weighted by how well they match
(Parikh et al. 2016). The encoder then composes comparisons instead of words, so that a sentence
vector depends on both sentences, as in Zhao, Huang and Ma (2016) and Chen et al. (2017).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from spinn.model.leaves import LeafContext
from spinn.model.types import Sentences


class WordAlignment(LeafContext):
    """Compare each word with the words of the other sentence that match it.

    Parameters
    ----------
    size
        E, the width of a word.
    width
        W, the width of a comparison. Words are matched and compared at half of it.

    """

    needs_pairs = True

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        half = max(width // 2, 1)
        self.output_size = width
        self.projection = nn.Linear(size, half)
        self.matching = nn.Linear(half, half)
        self.comparison = nn.Linear(4 * half, width)

    def forward(self, states: Tensor, sentences: Sentences) -> Tensor:
        """Compare the words of S sentences.

        Parameters
        ----------
        states
            ``[N, E]``, all words, as a packed sequence.
        sentences
            The sentences, with the places of their partners.

        Returns
        -------
        ``[N, W]``: ReLU of a projection of [a, b, a - b, a * b] (Chen et al. 2017, equations 14
        and 15), where b is the mixture of the partner's words by attention (Parikh et al. 2016,
        equations 1 and 2, scaled as by Vaswani et al. 2017, equation 1).

        """
        sizes, partners = sentences.batch_sizes, sentences.partners
        words = self.projection(states)
        present = torch.arange(len(sizes)) < sentences.lengths[:, None]  # [S, L]
        present = present.to(states.device)
        keys = _padded(torch.relu(self.matching(words)), sizes)
        scores = keys @ keys[partners].transpose(1, 2) / keys.shape[2] ** 0.5
        weights = scores.masked_fill(~present[partners][:, None], -torch.inf).softmax(dim=2)
        met = (weights @ _padded(words, sizes)[partners]).transpose(0, 1)[present.T]
        features = torch.cat([words, met, words - met, words * met], dim=1)
        return torch.relu(self.comparison(features))


def _padded(states: Tensor, sizes: Tensor) -> Tensor:
    """Return packed words ``[N, W]`` as ``[S, L, W]``."""
    return pad_packed_sequence(PackedSequence(states, sizes), batch_first=True)[0]
