"""A recurrent language model: embedding, stacked LSTM or GRU layers, decoder.

With its regularisation it is the AWD-LSTM of Merity, Keskar and Socher (2018, arXiv 1708.02182):
weight drop, locked dropout, dropout of whole words, and a decoder tied to the embedding. All of it
is off in evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from spinn.support.options import Condition, Group, option

State: TypeAlias = list[tuple[Tensor, ...]]
"""For each layer ``(h, c)`` of an LSTM or ``(h,)`` of a GRU, each ``[1, B, width]``."""


@dataclass(frozen=True)
class LanguageModelOptions:
    """The shape of the language model."""

    cell: str = option("lstm", "recurrent layers", choices=("lstm", "gru"))
    embedding_size: int = option(400, "width of an embedding", minimum=1)
    hidden_size: int = option(
        1150,
        "width of a layer",
        minimum=1,
        when=Condition(
            lambda values: values["layers"] > 1 or not values["tied"],
            "the only layer is as wide as an embedding; give --embedding-size, or --no-tied",
        ),
    )
    layers: int = option(3, "number of layers", minimum=1, maximum=100)
    tied: bool = option(
        True, "use the embeddings as the decoder; the last layer is then as wide as an embedding"
    )
    embeddings_of: str | None = option(
        None, "folder of a language model, whose tokens and embeddings are used and not trained"
    )
    vectors: str | None = option(
        None,
        "word vectors that the embeddings begin with, as wide as --embedding-size: GloVe by name "
        "(glove.840B.300d, glove.6B.100d, ...) or a file, plain or compressed",
        when=Condition(
            lambda values: values["unit"] == "word" and values["embeddings_of"] is None,
            "it belongs to --unit word without --embeddings-of",
        ),
    )


@dataclass(frozen=True)
class DropoutOptions:
    """Dropout of the language model, in training only."""

    word_dropout: float = option(0.0, "of whole words in the embedding", minimum=0, maximum=0.95)
    input_dropout: float = option(0.0, "of the embedded words", minimum=0, maximum=0.95)
    layer_dropout: float = option(
        0.0,
        "between layers",
        minimum=0,
        maximum=0.95,
        when=Condition(lambda values: values["layers"] > 1, "there is one layer"),
    )
    output_dropout: float = option(0.0, "after the last layer", minimum=0, maximum=0.95)
    weight_dropout: float = option(
        0.0, "of the hidden-to-hidden weights of all layers", minimum=0, maximum=0.95
    )


LANGUAGE_GROUP = Group("language", LanguageModelOptions)
DROPOUT_GROUP = Group("dropout", DropoutOptions)


class LanguageOutput(NamedTuple):
    """What the layers compute.

    Attributes
    ----------
    raw
        Outputs of the last layer ``[T, B, width]``.
    dropped
        The same after dropout, from which :meth:`LanguageModel.decode` predicts.
    state
        The state of all layers after the last token of each stream or sentence.

    """

    raw: Tensor
    dropped: Tensor
    state: State


class LanguageModel(nn.Module):
    """Predict each token from those before it.

    Parameters
    ----------
    tokens
        Number of tokens (V).
    options
        The shape.
    dropout
        Probabilities of dropout.

    """

    def __init__(
        self, tokens: int, options: LanguageModelOptions, dropout: DropoutOptions | None = None
    ) -> None:
        super().__init__()
        self.dropout = DropoutOptions() if dropout is None else dropout
        size, width = options.embedding_size, options.hidden_size
        widths = [size, *[width] * (options.layers - 1), size if options.tied else width]
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[options.cell]
        self.embedding = nn.Embedding(tokens, size)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        # Single layers: the dropout between those of one module is not locked.
        self.layers = nn.ModuleList(map(kind, widths[:-1], widths[1:]))
        self.bias = nn.Parameter(torch.zeros(tokens))
        self.decoder = None if options.tied else nn.Parameter(torch.empty(tokens, width))
        if self.decoder is not None:
            nn.init.uniform_(self.decoder, -0.1, 0.1)

    def forward(
        self, inputs: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> LanguageOutput:
        """Run the layers over tokens.

        Parameters
        ----------
        inputs
            Numbers of tokens ``[T, B]``.
        state
            The state before the first token; zeros by default.
        lengths
            Lengths ``[B]`` of padded sentences, on the CPU. Outputs of padding are zero, and no
            layer computes it.

        """
        hidden = self._embed(inputs)
        after: State = []
        for number, layer in enumerate(self.layers):
            rate = self.dropout.layer_dropout if number else self.dropout.input_dropout
            hidden = locked_dropout(hidden, rate, self.training)
            before = None if state is None else state[number]
            hidden, last = self._run(layer, hidden, before, lengths)
            after.append(last)
        dropped = locked_dropout(hidden, self.dropout.output_dropout, self.training)
        return LanguageOutput(hidden, dropped, after)

    def decode(self, hidden: Tensor) -> Tensor:
        """Return the scores ``[..., V]`` of the next token from outputs ``[..., width]``."""
        weight = self.embedding.weight if self.decoder is None else self.decoder
        return functional.linear(hidden, weight, self.bias)

    def zero_state(self, streams: int) -> State:
        """Return the state before the first token of streams (B)."""
        parts = 2 if isinstance(self.layers[0], nn.LSTM) else 1
        return [
            tuple(self.bias.new_zeros(1, streams, layer.hidden_size) for _ in range(parts))
            for layer in self.layers
            if isinstance(layer, nn.RNNBase)
        ]

    def _embed(self, inputs: Tensor) -> Tensor:
        """Embed tokens; in training, drop all occurrences of some (Gal and Ghahramani 2016)."""
        embedded: Tensor = self.embedding(inputs)
        rate = self.dropout.word_dropout
        if not self.training or rate == 0:
            return embedded
        kept = functional.dropout(embedded.new_ones(self.embedding.num_embeddings, 1), rate)
        return embedded * functional.embedding(inputs, kept)

    def _run(
        self,
        layer: nn.Module,
        hidden: Tensor,
        before: tuple[Tensor, ...] | None,
        lengths: Tensor | None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run a layer, with one mask on its hidden-to-hidden weights for all time steps."""
        rate = self.dropout.weight_dropout
        weights: dict[str, Tensor] = {}
        if self.training and rate > 0:
            weights["weight_hh_l0"] = functional.dropout(layer.get_parameter("weight_hh_l0"), rate)
        # A GRU's state is a tensor, not a tuple.
        state = before[0] if before is not None and len(before) == 1 else before
        if lengths is None:
            outputs, last = functional_call(layer, weights, (hidden, state))
        else:
            packed = pack_padded_sequence(hidden, lengths, enforce_sorted=False)
            outputs, last = functional_call(layer, weights, (packed, state))
            outputs, _ = pad_packed_sequence(outputs, total_length=len(hidden))
        return outputs, last if isinstance(last, tuple) else (last,)


def locked_dropout(hidden: Tensor, rate: float, training: bool) -> Tensor:
    """Drop the same numbers at all time steps of a sequence ``[T, B, width]``."""
    if not training or rate == 0:
        return hidden
    return hidden * functional.dropout(hidden.new_ones(1, *hidden.shape[1:]), rate)


def detached(state: State) -> State:
    """Return a state through which no gradient flows."""
    return [tuple(part.detach() for part in parts) for parts in state]
