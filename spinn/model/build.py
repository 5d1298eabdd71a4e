"""Building a model from its options."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spinn.model.baselines import BagOfWords, SequenceLSTM
from spinn.model.cells import COMPOSITIONS
from spinn.model.classifier import PairClassifier
from spinn.model.encoder import SPINN
from spinn.model.gumbel import GumbelTreeLSTM
from spinn.model.leaves import LeafLayer, WordEmbedding
from spinn.model.pair import PairModel
from spinn.model.parser import Parser
from spinn.options import option

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
        choices=("none", "lstm", "bilstm", "aligned"),
    )
    leaf_norm: str = option("layer", "normalisation of the leaves", choices=NORMS)
    embedding_dropout: float = option(0.1, "dropout of word vectors", minimum=0, maximum=0.99)
    leaf_dropout: float = option(0.1, "dropout of the leaves", minimum=0, maximum=0.99)
    composition: str = option(
        "tree-lstm",
        "what composes two nodes of SPINN: a tree-LSTM, or the gated recursive cell of Ordered "
        "Memory (the phrases of --parser own are always a tree-LSTM's)",
        choices=tuple(COMPOSITIONS),
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
        How many labels there are.
    predicts
        Whether the tracker, or the parser if it is to be one of its own, scores transitions.
    engine
        How trees are composed, as :class:`SPINN` has it.
    sides
        How many sentences are classified together: 2, or 1.

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
    parser = build_parser(options, copy.deepcopy(embedding), engine=engine) if apart else None
    return PairModel(leaves, encoder, classifier, parser)


def build_parser(
    options: ModelOptions, embedding: WordEmbedding, *, engine: str = "auto"
) -> Parser:
    """Build a parser of its own, over word vectors that are its own."""
    encoder = SPINN(options.parser_size, options.tracker_size, predicts=True, engine=engine)
    return Parser(LeafLayer(embedding, encoder.leaf_size, norm=options.leaf_norm), encoder)


def build_encoder(
    options: ModelOptions, *, predicts: bool, engine: str = "auto"
) -> SPINN | GumbelTreeLSTM | SequenceLSTM | BagOfWords:
    """Build the encoder alone."""
    if options.encoder == "bow":
        return BagOfWords(options.hidden_size)
    if options.encoder in ("lstm", "bilstm"):
        return SequenceLSTM(
            options.hidden_size,
            bidirectional=options.encoder == "bilstm",
            pooling=options.pooling,
        )
    if options.encoder == "gumbel":
        return GumbelTreeLSTM(
            options.hidden_size, pooling=options.pooling, dropout=options.composition_dropout
        )
    tracker_size = options.tracker_size if options.tracker else 0
    return SPINN(
        options.hidden_size,
        tracker_size,
        predicts=predicts,
        pooling=options.pooling,
        composition=options.composition,
        dropout=options.composition_dropout,
        engine=engine,
    )


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
