"""A language model over fragments of labelled trees: an LSTM that reads trees in pre-order.

The next fragment has a parent and a type, known from the fragments before it. The model is given
both, and predicts among the fragments of the type only. The model and its second loss follow
"Montage: A Neural Network Language Model-Guided JavaScript Engine Fuzzer" (Lee, Han, Cha and Son,
2020, arXiv 2001.04107), which normalises over all fragments and learns types by that loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from spinn.support.options import Group, option

State = tuple[Tensor, Tensor]
"""Hidden and cell state of the LSTM, ``[layers, B, H]`` each."""


@dataclass(frozen=True)
class FragmentModelOptions:
    """The shape of the language model over fragments, and its dropout."""

    embedding_size: int = option(300, "width of the embedding of a fragment", minimum=1)
    type_size: int = option(32, "width of the embedding of a type of fragments", minimum=1)
    hidden_size: int = option(300, "width of a layer", minimum=1)
    layers: int = option(1, "number of layers", minimum=1, maximum=100)
    dropout: float = option(
        0.5, "of inputs, between layers, and of outputs", minimum=0, maximum=0.95
    )


FRAGMENT_MODEL_GROUP = Group("fragments", FragmentModelOptions)


class FragmentScores(NamedTuple):
    """Scores of the fragments of B trees.

    Attributes
    ----------
    log_prob
        ``[T, B]``, the log-probability of each fragment among those of its type; 0 past the end of
        a tree.
    excess
        ``[T, B]``, the top-k term of each fragment, see :func:`top_k_excess`; ``None`` unless
        asked for.

    """

    log_prob: Tensor
    excess: Tensor | None


class FragmentLanguageModel(nn.Module):
    """An LSTM over fragments, with logits from its state, the next parent and the next type.

    Parameters
    ----------
    sizes
        The number of fragments of each of K types, V together; fragments are numbered by type.
    options
        Widths and dropout.

    """

    def __init__(self, sizes: Sequence[int], options: FragmentModelOptions | None = None) -> None:
        options = FragmentModelOptions() if options is None else options
        width, type_size, layers = options.embedding_size, options.type_size, options.layers
        super().__init__()
        self.sizes = list(sizes)
        count = sum(self.sizes)
        self.start = count  # the input before the first fragment, and the parent of the root
        self.embedding = nn.Embedding(count + 1, width)
        self.type_embedding = nn.Embedding(len(self.sizes), type_size)
        between = options.dropout if layers > 1 else 0.0  # torch warns of it without a use
        self.lstm = nn.LSTM(width, options.hidden_size, layers, dropout=between)
        self.dropout = nn.Dropout(options.dropout)
        self.decoder = nn.Linear(options.hidden_size + width + type_size, count)
        for weight in (self.embedding.weight, self.type_embedding.weight):
            nn.init.uniform_(weight, -0.1, 0.1)

    def forward(
        self,
        fragments: Tensor,
        parents: Tensor,
        types: Tensor,
        lengths: Tensor,
        *,
        with_excess: bool = False,
    ) -> FragmentScores:
        """Score B trees of up to T fragments; see :class:`spinn.data.fragments.dataset`.

        Parameters
        ----------
        fragments, parents, types
            ``[T, B]``; entries past the end of a tree are not read.
        lengths
            ``[B]``, at least 1.
        with_excess
            Whether to compute the top-k term, with logits for all fragments.

        """
        first = fragments.new_full((1, fragments.shape[1]), self.start)
        inputs, targets, above, wanted = (
            pack_padded_sequence(part, lengths.cpu(), enforce_sorted=False)
            for part in (torch.cat([first, fragments[:-1]]), fragments, parents, types)
        )
        embedded = self.dropout(self.embedding(inputs.data))
        states, _ = self.lstm(inputs._replace(data=embedded))
        features = self._features(states.data, above.data, wanted.data)
        weight, bias = self.decoder.weight, self.decoder.bias
        log_prob = segment_log_prob(features, targets.data, wanted.data, weight, bias, self.sizes)
        excess = None
        if with_excess:
            excess = top_k_excess(features, wanted.data, weight, bias, self.sizes)
        return FragmentScores(
            _padded(log_prob, inputs), None if excess is None else _padded(excess, inputs)
        )

    def _features(self, states: Tensor, parents: Tensor, types: Tensor) -> Tensor:
        """Return the input of the decoder, ``[N, H + embedding + type]``."""
        given = torch.cat([states, self.embedding(parents), self.type_embedding(types)], dim=1)
        return self.dropout(given)

    def step(self, fragments: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Read the next fragment ``[B]`` of each tree; return the state on top ``[B, H]`` and all.

        The fragment before the first is ``self.start``, with the state ``None``.
        """
        states, state = self.lstm(self.dropout(self.embedding(fragments))[None], state)
        return states[0], state

    def logits(self, states: Tensor, parents: Tensor, type: int) -> Tensor:
        """Return the logits ``[B, sizes[type]]`` of the fragments of a type.

        Parameters
        ----------
        states
            ``[B, H]``, from :meth:`step`.
        parents
            ``[B]``, numbers of fragments; ``self.start`` for a root.
        type
            The type of the next fragment of all trees.

        """
        features = self._features(states, parents, torch.full_like(parents, type))
        start = sum(self.sizes[:type])
        place = slice(start, start + self.sizes[type])
        return functional.linear(features, self.decoder.weight[place], self.decoder.bias[place])


def _padded(values: Tensor, packed: PackedSequence) -> Tensor:
    """Return values ``[N]`` of the entries of a packed sequence as ``[T, B]``."""
    return pad_packed_sequence(packed._replace(data=values))[0]


def segment_log_prob(
    features: Tensor,
    targets: Tensor,
    types: Tensor,
    weight: Tensor,
    bias: Tensor,
    sizes: Sequence[int],
) -> Tensor:
    """Return the log-probability of each target among the fragments of its type.

    The rows of each type are multiplied with the weights of that type only.

    Parameters
    ----------
    features
        ``[N, D]``.
    targets, types
        ``[N]``, numbers of fragments and their types.
    weight, bias
        ``[V, D]`` and ``[V]``.
    sizes
        The number of fragments of each type, V together.

    Returns
    -------
    ``[N]``, in at least single precision.

    """
    order = types.argsort(stable=True)
    counts = types.bincount(minlength=len(sizes)).tolist()
    parts = []
    start = 0
    for rows, numbers, matrix, offset, size in zip(
        features[order].split(counts),
        targets[order].split(counts),
        weight.split(list(sizes)),
        bias.split(list(sizes)),
        sizes,
        strict=True,
    ):
        if len(rows):
            logits = functional.linear(rows, matrix, offset)
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            parts.append(functional.cross_entropy(logits, numbers - start, reduction="none"))
        start += size
    return -torch.cat(parts)[order.argsort()]


def top_k_excess(
    features: Tensor, types: Tensor, weight: Tensor, bias: Tensor, sizes: Sequence[int]
) -> Tensor:
    """Return how far the most probable fragments are not those of the right type.

    With probabilities over all fragments, this is the sum of the k largest minus the sum of those
    of the type, of which there are k: 0 if the most probable fragments are those of the type.
    Parameters are those of :func:`segment_log_prob`.

    Returns
    -------
    ``[N]``, between 0 and 1.

    """
    order = types.argsort(stable=True)
    counts = types.bincount(minlength=len(sizes)).tolist()
    parts = []
    start = 0
    for rows, size in zip(features[order].split(counts), sizes, strict=True):
        if len(rows):
            logits = functional.linear(rows, weight, bias)
            probs = logits.softmax(dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))
            fitting = probs[:, start : start + size].sum(dim=1)
            parts.append(probs.topk(size, dim=1).values.sum(dim=1) - fitting)
        start += size
    return torch.cat(parts)[order.argsort()]
