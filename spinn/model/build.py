"""Building a model from its options."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spinn.model.cells import COMPOSITIONS, TreeLSTM
from spinn.model.classifier import PairClassifier
from spinn.model.gumbel import GumbelTreeLSTM
from spinn.model.leaves import LEAF_CONTEXTS, LeafLayer, WordEmbedding
from spinn.model.pair import PairModel
from spinn.model.parser import ParsedEncoder, Parser
from spinn.model.sequence import BagOfWords, SequenceLSTM
from spinn.model.spinn import SPINN, SPINNByHeight
from spinn.model.tracker import Tracker
from spinn.model.types import Encoder
from spinn.options import option
from spinn.registry import Choices

NORMS = ("none", "batch", "layer")


@dataclass(frozen=True)
class ModelOptions:
    """The shape of the model."""

    encoder: str = option(
        "spinn", "what encodes a sentence", choices=("spinn", "gumbel", "lstm", "bilstm", "bow")
    )
    hidden_size: int = option(100, "width of a sentence vector", minimum=1)
    tracker: bool = option(False, "watch buffer and stack with a tracker LSTM", needs="spinn")
    tracker_size: int = option(64, "width of the tracker", minimum=1, needs="tracker")
    parser: str = option(
        "shared",
        "what chooses transitions: the tracker of the sentence encoder, which shares its words and "
        "phrases; or a parser with its own, which the loss of labels does not reach",
        choices=("shared", "own"),
        needs="chosen trees",
    )
    parser_size: int = option(64, "width of the parser's phrases", minimum=1, needs="parser")
    pooling: str = option(
        "root",
        "what a sentence vector is: the root of the tree (of an LSTM: its last state), the max "
        "over all its phrases (states), or over all its words and phrases",
        choices=("root", "max", "max-all"),
        needs="states",
    )
    embedding_size: int = option(
        100,
        "width of word vectors where no pretrained ones are given",
        minimum=1,
        needs="no vectors",
    )
    embeddings: str = option(
        "tuned",
        "whether pretrained vectors are trained further",
        choices=("tuned", "fixed"),
        needs="vectors",
    )
    unknown: str = option(
        "trained",
        "vectors of words that have no pretrained one: trained, or kept as drawn (or induced)",
        choices=("trained", "random"),
        needs="fixed vectors",
    )
    leaf_context: str = option(
        "none",
        "what a leaf knows beside its word: an LSTM over the words, or the words of the other "
        "sentence that it is aligned with",
        choices=Choices(LEAF_CONTEXTS, "none"),
    )
    leaf_norm: str = option("layer", "normalisation of the leaves", choices=NORMS)
    embedding_dropout: float = option(0.1, "dropout of word vectors", minimum=0, maximum=0.99)
    leaf_dropout: float = option(0.1, "dropout of the leaves", minimum=0, maximum=0.99)
    composition: str = option(
        "tree-lstm",
        "what composes two nodes of SPINN: a tree-LSTM, or the gated recursive cell of Ordered "
        "Memory (the phrases of --parser own are always a tree-LSTM's)",
        choices=Choices(COMPOSITIONS),
        needs="spinn",
    )
    composition_dropout: float = option(
        0.0,
        "dropout of the composition's weights, the same ones all over a batch",
        minimum=0,
        maximum=0.99,
        needs="composition",
    )
    classifier_layers: int = option(2, "hidden layers of the classifier", minimum=0)
    classifier_width: int = option(
        512, "width of its hidden layers", minimum=1, needs="classifier layers"
    )
    classifier_norm: str = option("layer", "normalisation in the classifier", choices=NORMS)
    classifier_dropout: float = option(0.1, "dropout in the classifier", minimum=0, maximum=0.99)


def build_model(
    options: ModelOptions,
    embedding: WordEmbedding,
    labels: int,
    *,
    predicts: bool,
    engine: str = "auto",
    sides: int = 2,
) -> PairModel:
    """Build a model with fresh weights, drawn from torch's global generator.

    Parameters
    ----------
    options
        Its shape.
    embedding
        Its word vectors, from :func:`build_embedding`.
    labels
        Number of labels.
    predicts
        Whether the tracker, or the parser if it is apart, scores transitions.
    engine
        ``"auto"``, or ``"reference"`` for gradients by autograd alone, step by step.
    sides
        Sentences that are classified together: 2, or 1.

    """
    apart = predicts and options.parser == "own"
    encoder = build_encoder(options, predicts=predicts and not apart, engine=engine)
    leaves = LeafLayer(
        embedding,
        encoder.leaf_size,
        context=options.leaf_context,
        context_width=options.hidden_size,
        norm=options.leaf_norm,
        embedding_dropout=options.embedding_dropout,
        dropout=options.leaf_dropout,
    )
    classifier = PairClassifier(
        encoder.output_size,
        labels,
        layers=options.classifier_layers,
        width=options.classifier_width,
        norm=options.classifier_norm,
        dropout=options.classifier_dropout,
        sides=sides,
    )
    if apart:
        parser = build_parser(options, copy.deepcopy(embedding), engine=engine)
        encoder = ParsedEncoder(parser, encoder)
    return PairModel(leaves, encoder, classifier)


def build_parser(options: ModelOptions, embedding: WordEmbedding, *, engine: str) -> Parser:
    """Build a parser with its own words, phrases and tracker."""
    size = options.parser_size
    composition = TreeLSTM(size, options.tracker_size)
    tracker = Tracker(size, options.tracker_size, predicts=True)
    encoder = SPINN(composition, tracker, plain=engine == "reference")
    leaves = LeafLayer(embedding, encoder.leaf_size, norm=options.leaf_norm)
    return Parser(leaves, encoder)


def build_encoder(options: ModelOptions, *, predicts: bool, engine: str = "auto") -> Encoder:
    """Build the encoder alone."""
    return ENCODERS[options.encoder](options, predicts, engine)


def _spinn(options: ModelOptions, predicts: bool, engine: str) -> Encoder:
    size = options.tracker_size if options.tracker else 0
    make = COMPOSITIONS.find(options.composition)
    composition = make(options.hidden_size, size, dropout=options.composition_dropout)
    plain = engine == "reference"
    if not size and not plain:
        return SPINNByHeight(composition, pooling=options.pooling)
    tracker = Tracker(options.hidden_size, size, predicts=predicts) if size else None
    return SPINN(composition, tracker, pooling=options.pooling, plain=plain)


def _gumbel(options: ModelOptions, predicts: bool, engine: str) -> Encoder:
    return GumbelTreeLSTM(
        options.hidden_size, pooling=options.pooling, dropout=options.composition_dropout
    )


def _lstm(options: ModelOptions, predicts: bool, engine: str) -> Encoder:
    return SequenceLSTM(
        options.hidden_size,
        bidirectional=options.encoder == "bilstm",
        pooling=options.pooling,
    )


def _bow(options: ModelOptions, predicts: bool, engine: str) -> Encoder:
    return BagOfWords(options.hidden_size)


ENCODERS: dict[str, Callable[[ModelOptions, bool, str], Encoder]] = {
    "spinn": _spinn,
    "gumbel": _gumbel,
    "lstm": _lstm,
    "bilstm": _lstm,
    "bow": _bow,
}


def build_embedding(
    options: ModelOptions,
    size: int,
    vectors: Tensor | None = None,
    known: Tensor | None = None,
    met: int | None = None,
) -> WordEmbedding:
    """Lay out word vectors: pretrained and induced ones as given, others drawn at the same scale.

    Parameters
    ----------
    options
        The width where there are no pretrained vectors, and which vectors are trained.
    size
        V, how many words there are.
    vectors, known
        Vectors ``[V, E]``, and ``[V]``, true for the words that have a pretrained one. Rows of
        other words are zero where their vectors are to be drawn.
    met
        How many words, the first ones, the scale is taken of: those that training meets, so that
        files which are only tested on change nothing. ``None`` for all.

    """
    if vectors is None or known is None:
        initial = torch.empty(size, options.embedding_size)
        known = torch.zeros(size, dtype=torch.bool)
    else:
        initial = vectors.clone()
    scale = float(initial[:met][known[:met]].std()) if known[:met].any() else 0.1
    missing = ~known if vectors is None else (vectors == 0).all(dim=1) & ~known
    initial[missing] = nn.init.normal_(torch.empty(int(missing.sum()), initial.shape[1]), std=scale)
    if vectors is None or options.embeddings == "tuned":
        return WordEmbedding(initial, torch.zeros_like(known))
    return WordEmbedding(initial, torch.ones_like(known) if options.unknown == "random" else known)


def count_parameters(module: nn.Module) -> int:
    """Return the number of trained parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
