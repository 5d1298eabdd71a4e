"""From words to leaves: embedding, optional context, projection, norm, dropout.

Everything runs over the words of a batch without padding, so that padding neither costs time nor
enters the statistics of batch normalisation. Contexts are registered by name in
:data:`LEAF_CONTEXTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spinn.model.norm import GlobalBatchNorm
from spinn.model.types import Leaves, Sentences, WordStates
from spinn.support.registry import Registry


class LeafContext(nn.Module):
    """A layer between word vectors and leaves, which sees the words around a word.

    Attributes
    ----------
    output_size
        Width of what it returns.
    needs_pairs
        Whether it reads the other sentence of each pair.

    """

    output_size: int
    needs_pairs: bool = False

    def forward(self, states: Tensor, sentences: Sentences) -> Tensor:
        """Map packed words ``[N, E]`` to ``[N, output_size]``."""
        raise NotImplementedError


class LSTMContext(nn.LSTM):
    """An LSTM over the words of a sentence, in one direction or both.

    Parameters
    ----------
    size, width
        Width of a word, and of each direction's state.
    bidirectional
        Whether there is a second direction.

    """

    needs_pairs = False

    def __init__(self, size: int, width: int, *, bidirectional: bool = False) -> None:
        super().__init__(size, width, bidirectional=bidirectional)
        self.output_size = width * (2 if bidirectional else 1)

    def forward(self, states: Tensor, sentences: Sentences) -> Tensor:  # type: ignore[override]
        """Map packed words ``[N, E]`` to states ``[N, output_size]``."""
        read: Tensor = super().forward(PackedSequence(states, sentences.batch_sizes))[0].data
        return read


def _both_directions(size: int, width: int) -> LSTMContext:
    return LSTMContext(size, width, bidirectional=True)


MakeContext = Callable[[int, int], "LeafContext | LSTMContext"]
"""Called with the width of a word vector and the width of the model."""

LEAF_CONTEXTS: Registry[MakeContext] = Registry("leaf context")
"""The contexts that ``--leaf-context`` takes, by name."""
LEAF_CONTEXTS.register("lstm", LSTMContext)
LEAF_CONTEXTS.register("bilstm", _both_directions)


class WordEmbedding(nn.Module):
    """Word vectors, some of them fixed, the others trained.

    Parameters
    ----------
    vectors
        ``[V, E]``, the initial vectors.
    fixed
        ``[V]``, true for the words whose vectors are not trained.

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
        self.register_buffer("fixed_vectors", vectors if fixed.any() else vectors[:0].clone())

    @classmethod
    def shaped_like(cls, weights: Mapping[str, Tensor], prefix: str) -> WordEmbedding:
        """Make an embedding of the shape of stored ``weights``.

        Raises
        ------
        KeyError
            If one is missing.
        ValueError
            If they are not those of an embedding.

        """
        rows, trained, fixed = (
            weights[prefix + name] for name in ("trained_rows", "trained", "fixed_vectors")
        )
        if rows.ndim != 1 or rows.dtype != torch.int64 or trained.ndim != 2:
            raise ValueError("the word vectors are not a matrix")
        size = trained.shape[1]
        are_fixed = rows < 0
        shape = (len(rows) if are_fixed.any() else 0, size)
        if fixed.shape != shape or len(trained) != int((~are_fixed).sum()):
            raise ValueError("the word vectors do not belong together")
        embedding = cls(torch.zeros(len(rows), size), are_fixed)
        if not rows.equal(embedding.trained_rows):
            raise ValueError("the rows of the word vectors are not in order")
        return embedding

    def table(self) -> Tensor:
        """Return the vectors ``[V, E]`` of all words; those that are trained have a gradient."""
        if len(self.fixed_vectors) == 0:
            return self.trained
        vectors = self.fixed_vectors.clone()
        vectors[self.trained_rows >= 0] = self.trained
        return vectors

    def forward(self, words: Tensor) -> Tensor:
        """Return the vectors ``[N, E]`` of words ``[N]``."""
        rows = self.trained_rows[words]
        if len(self.fixed_vectors) == 0:
            return nn.functional.embedding(rows, self.trained)
        own = rows >= 0
        looked_up = nn.functional.embedding(words, self.fixed_vectors)
        looked_up[own] = self.trained[rows[own]]
        return looked_up


class LeafLayer(nn.Module):
    """Make the leaves of a batch of sentences from their words.

    Parameters
    ----------
    embedding
        The word vectors.
    width
        W, the width of a leaf.
    context
        ``"none"``, or the name of a registered context.
    context_width
        Width of that layer.
    norm
        ``"none"``, ``"batch"`` or ``"layer"``, after the projection.
    embedding_dropout, dropout
        Dropout of the word vectors and of the leaves.

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
        size = embedding.size
        self.context: LeafContext | LSTMContext | None = None
        if context != "none":
            self.context = LEAF_CONTEXTS.find(context)(size, context_width)
            size = self.context.output_size
        self.projection = nn.Linear(size, width)
        self.norm = make_norm(norm, width)
        self.dropout = nn.Dropout(dropout)

    @property
    def needs_pairs(self) -> bool:
        """Whether leaves depend on the other sentence of their pair."""
        return self.context is not None and self.context.needs_pairs

    def alike(self, *, training: bool) -> bool:
        """Return whether equal words have equal leaves, in any sentence."""
        if self.context is not None:
            return False
        # Statistics of a batch norm depend on how often each word occurs.
        norm = self.norm
        if isinstance(norm, GlobalBatchNorm) and (training or norm.gathered is not None):
            return False
        return not training or not (self.embedding_dropout.p > 0 or self.dropout.p > 0)

    def of_words(self, words: Tensor) -> Tensor:
        """Return the leaves ``[N, W]`` of words ``[N]``, without context."""
        return self._finish(self.embedding_dropout(self.embedding(words)))

    def forward(self, sentences: Sentences, distinct: Tensor | None = None) -> Leaves:
        """Make the leaves of sentences.

        Parameters
        ----------
        sentences
            S sentences with words ``[L, S]``.
        distinct
            ``[N]``, the distinct words of the batch, where equal subtrees are shared; the leaves
            are then of these words alone.

        """
        alike = self.alike(training=self.training)
        if distinct is not None:
            return Leaves(self.of_words(distinct), sentences, alike=alike)
        words = sentences.words
        assert words is not None
        present = sentences.lengths > torch.arange(len(words))[:, None]
        states = self.embedding_dropout(self.embedding(words[present.to(words.device)]))
        read = None
        if self.context is not None:
            states = self.context(states, sentences)
            if isinstance(self.context, LSTMContext) and not self.context.bidirectional:
                read = WordStates(states, sentences)
        return Leaves(self._finish(states), sentences, alike=alike, word_states=read)

    def _finish(self, states: Tensor) -> Tensor:
        leaves: Tensor = self.dropout(self.norm(self.projection(states)))
        # Under autocast the projection is bf16; memory cells are kept in the weights' precision.
        return leaves.to(self.projection.weight.dtype)


def make_norm(kind: str, width: int) -> nn.Module:
    """Make the normalisation ``"none"``, ``"batch"`` or ``"layer"`` for rows of this width."""
    if kind == "batch":
        return GlobalBatchNorm(width)
    return nn.LayerNorm(width) if kind == "layer" else nn.Identity()
