"""From word numbers to leaves: embedding, optional context, projection, norm, dropout.

Everything here runs over the words of a batch without padding, so that padding can neither cost
time nor enter the statistics of batch normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spinn.model.alignment import WordAlignment
from spinn.model.encoder import Leaves
from spinn.model.norm import GlobalBatchNorm


class WordEmbedding(nn.Module):
    """Word vectors, of which some are given and fixed and the others are trained.

    Parameters
    ----------
    vectors
        ``[V, E]``, the initial vectors.
    fixed
        ``[V]``, true for the words whose vectors stay as they are.

    """

    fixed_vectors: Tensor
    trained_rows: Tensor

    def __init__(self, vectors: Tensor, fixed: Tensor) -> None:
        super().__init__()
        self.size = vectors.shape[1]
        self.trained = nn.Parameter(vectors[~fixed].clone())
        # A word's row among the trained vectors; -1 where its vector is fixed.
        rows = torch.where(fixed, -1, (~fixed).cumsum(0) - 1)
        self.register_buffer("trained_rows", rows)
        self.register_buffer("fixed_vectors", vectors if fixed.any() else vectors[:0])

    @classmethod
    def shaped_like(cls, weights: Mapping[str, Tensor], prefix: str) -> WordEmbedding:
        """Make an embedding that stored ``weights`` fit into."""
        rows, trained = weights[prefix + "trained_rows"], weights[prefix + "trained"]
        return cls(torch.zeros(len(rows), trained.shape[1]), rows < 0)

    def forward(self, words: Tensor) -> Tensor:
        """Look up words ``[N]`` as ``[N, E]``."""
        rows = self.trained_rows[words]
        if len(self.fixed_vectors) == 0:
            return nn.functional.embedding(rows, self.trained)
        own = rows >= 0
        looked_up = nn.functional.embedding(words, self.fixed_vectors)
        looked_up[own] = self.trained[rows[own]]
        return looked_up


class LeafLayer(nn.Module):
    """Make the leaves of a batch of sentences out of their words.

    Parameters
    ----------
    embedding
        The word vectors.
    width
        The width of a leaf, as the encoder wants it.
    context
        ``"none"``; ``"lstm"`` or ``"bilstm"``, an LSTM over the words below the projection, so
        that each leaf knows its left (and right) neighbours; or ``"aligned"``, a
        :class:`WordAlignment`, so that it knows what it meets in the other sentence of its pair.
    context_width
        The width of that layer, of each direction where there are two.
    norm
        ``"none"``, ``"batch"`` or ``"layer"``, after the projection.
    embedding_dropout, dropout
        Dropout probabilities of the word vectors and of the leaves; each token of the batch is
        dropped independently.

    """

    def __init__(
        self,
        embedding: WordEmbedding,
        width: int,
        *,
        context: str = "none",
        context_width: int = 0,
        norm: str = "none",
        embedding_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.context: nn.LSTM | WordAlignment | None = None
        size = embedding.size
        if context == "aligned":
            self.context, size = WordAlignment(size, context_width), context_width
        elif context != "none":
            directions = 2 if context == "bilstm" else 1
            self.context = nn.LSTM(size, context_width, bidirectional=directions == 2)
            size = context_width * directions
        self.projection = nn.Linear(size, width)
        self.norm = make_norm(norm, width)
        self.dropout = nn.Dropout(dropout)

    @property
    def aligned(self) -> bool:
        """Whether leaves know the other sentence of their pair."""
        return isinstance(self.context, WordAlignment)

    def alike(self, *, training: bool) -> bool:
        """Return whether equal words have equal leaves, whatever their context."""
        if self.context is not None:
            return False
        if not training:
            return True
        drops = self.embedding_dropout.p > 0 or self.dropout.p > 0
        # A batch norm counts how often each word occurs.
        return not drops and not isinstance(self.norm, nn.BatchNorm1d)

    def of_words(self, words: Tensor) -> Tensor:
        """Make the leaves ``[N, width]`` of words ``[N]`` that no context changes."""
        return self._finish(self.embedding_dropout(self.embedding(words)))

    def forward(self, words: Tensor, lengths: Tensor, partners: Tensor | None = None) -> Leaves:
        """Make leaves of words ``[L, B]`` with ``lengths`` ``[B]`` on the CPU, longest first.

        Aligned words want ``partners`` ``[B]``, the place of the other sentence of each pair.
        """
        present = lengths > torch.arange(len(words))[:, None]
        tokens = words[present.to(words.device)]
        states = self.embedding_dropout(self.embedding(tokens))
        if isinstance(self.context, WordAlignment):
            if partners is None:
                raise ValueError("words are to be aligned, and the sentences have no partners")
            states = self.context(states, lengths, partners)
        elif self.context is not None:
            sizes = Leaves(states, lengths).batch_sizes
            states = self.context(PackedSequence(states, sizes))[0].data
        return Leaves(self._finish(states), lengths, self.alike(training=self.training))

    def _finish(self, states: Tensor) -> Tensor:
        leaves = self.dropout(self.norm(self.projection(states)))
        # Under autocast the projection is bf16; memory cells are kept in the weights' precision.
        return leaves.to(self.projection.weight.dtype)


def make_norm(kind: str, width: int) -> nn.Module:
    """Make the normalisation ``"none"``, ``"batch"`` or ``"layer"`` for rows of this width."""
    if kind == "batch":
        return GlobalBatchNorm(width)
    return nn.LayerNorm(width) if kind == "layer" else nn.Identity()
