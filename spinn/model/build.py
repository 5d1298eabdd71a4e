"""Building a model from its options."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spinn.data.options import prepared_corpus
from spinn.data.spacy_parser import pipeline_of
from spinn.model.cells import COMPOSITIONS, CompositionCell, CompositionOptions, TreeLSTM
from spinn.model.classifier import PairClassifier
from spinn.model.fixed import FixedSPINN
from spinn.model.gumbel import GumbelTreeLSTM
from spinn.model.leaves import LEAF_CONTEXTS, LeafLayer, WordEmbedding
from spinn.model.pair import PairModel
from spinn.model.parser import ParsedEncoder, Parser, ParserOptions
from spinn.model.sequence import BagOfWords, SequenceLSTM
from spinn.model.spinn import SPINN, SPINNByHeight
from spinn.model.tracker import Tracker, TrackerOptions
from spinn.model.types import Encoder
from spinn.support.errors import ConfigurationError
from spinn.support.options import Condition, Group, Values, option
from spinn.support.registry import Choices
from spinn.trees import WITH_CHOSEN_TREES, WITH_SPINN, follows_parses

NORMS = ("none", "batch", "layer")


@dataclass(frozen=True)
class ModelOptions:
    """The shape of the model."""

    encoder: str = option(
        "spinn", "what encodes a sentence", choices=("spinn", "gumbel", "lstm", "bilstm", "bow")
    )
    hidden_size: int = option(100, "width of a sentence vector", minimum=1)
    pooling: str = option(
        "root",
        "what a sentence vector is: the root of the tree (of an LSTM: its last state), the max "
        "over all its phrases (states), or over all its words and phrases",
        choices=("root", "max", "max-all"),
        when=Condition(lambda values: values["encoder"] != "bow", "--encoder bow adds words up"),
    )
    leaf_context: str = option(
        "none",
        "layer between word vectors and leaves",
        choices=Choices(LEAF_CONTEXTS, "none"),
    )
    leaf_norm: str = option("layer", "normalisation of the leaves", choices=NORMS)
    embedding_dropout: float = option(0.1, "dropout of word vectors", minimum=0, maximum=0.99)
    leaf_dropout: float = option(0.1, "dropout of the leaves", minimum=0, maximum=0.99)
    classifier_layers: int = option(2, "hidden layers of the classifier", minimum=0)
    classifier_width: int = option(
        512,
        "width of its hidden layers",
        minimum=1,
        when=Condition(
            lambda values: values["classifier_layers"] > 0, "the classifier has no hidden layers"
        ),
    )
    classifier_norm: str = option("layer", "normalisation in the classifier", choices=NORMS)
    classifier_dropout: float = option(0.1, "dropout in the classifier", minimum=0, maximum=0.99)


class ParserNames(Collection[str]):
    """The values of ``--parser``."""

    _names = ("shared", "own", "spacy")

    def __contains__(self, name: object) -> bool:
        return name in self._names or str(name).startswith("spacy:")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _has_parser(values: Values) -> bool:
    if pipeline_of(values["parser"]) is None:
        return WITH_CHOSEN_TREES.holds(values)
    return follows_parses(values)


@dataclass(frozen=True)
class SPINNOptions:
    """The shift-reduce encoder, SPINN."""

    tracker: bool = option(False, "watch buffer and stack with a tracker LSTM")
    parser: str = option(
        "shared",
        "what parses: shared, the tracker of the sentence encoder; own, a parser with its own "
        "words and phrases, which the loss of labels does not reach; or spacy, for sentences of "
        "the data without a tree (spacy:NAME for another pipeline than en_core_web_sm)",
        choices=ParserNames(),
        when=Condition(_has_parser, "it belongs to --predict, --rl, and trees from the data"),
    )
    engine: str = option(
        "auto",
        "how trees are composed: auto for the fastest way, reference for the plain one, fixed for "
        "steps of fixed shape, which a GPU replays as a graph",
        choices=("auto", "reference", "fixed"),
    )


@dataclass(frozen=True)
class EmbeddingOptions:
    """Word vectors that are not pretrained."""

    embedding_size: int = option(
        100, "width of word vectors where no pretrained ones are given", minimum=1
    )


@dataclass(frozen=True)
class PretrainedOptions:
    """The use of pretrained word vectors (``--vectors``) in the model."""

    embeddings: str = option(
        "tuned", "whether pretrained vectors are trained further", choices=("tuned", "fixed")
    )
    unknown: str = option(
        "trained",
        "vectors of words that have no pretrained one: trained, or kept as drawn (or induced)",
        choices=("trained", "random"),
        when=Condition(
            lambda values: values["embeddings"] == "fixed",
            "it belongs to --vectors with --embeddings fixed",
        ),
    )


def _may_have_vectors(values: Values) -> bool:
    """Return whether there may be vectors: a prepared corpus shows only later if it has any."""
    return values["vectors"] is not None or prepared_corpus(values["data"]) is not None


MODEL_GROUP = Group("model", ModelOptions)
SPINN_GROUP = Group("spinn", SPINNOptions, WITH_SPINN)
EMBEDDING_GROUP = Group(
    "embedding",
    EmbeddingOptions,
    Condition(
        lambda values: values["vectors"] is None and values["pretrained"] is None,
        "--pretrained or --vectors sets the width",
    ),
)
PRETRAINED_GROUP = Group(
    "pretrained", PretrainedOptions, Condition(_may_have_vectors, "it belongs to --vectors")
)


def build_model(
    options: ModelOptions,
    embedding: WordEmbedding,
    labels: int,
    *,
    predicts: bool,
    spinn: SPINNOptions | None = None,
    composition: CompositionOptions | None = None,
    tracker: TrackerOptions | None = None,
    parser: ParserOptions | None = None,
    sides: int = 2,
) -> PairModel:
    """Build a model with fresh weights, drawn from torch's global generator.

    Parameters
    ----------
    options
        Its encoder, leaves and classifier.
    embedding
        Its word vectors, from :func:`build_embedding`.
    labels
        Number of labels.
    predicts
        Whether the tracker, or the parser if it is apart, scores transitions.
    spinn, composition, tracker, parser
        Options of these parts; the defaults if they are ``None``.
    sides
        Sentences that are classified together: 2, or 1.

    """
    spinn, tracker = spinn or SPINNOptions(), tracker or TrackerOptions()
    apart = predicts and spinn.parser == "own"
    encoder = build_encoder(
        options,
        predicts=predicts and not apart,
        spinn=spinn,
        composition=composition,
        tracker=tracker,
    )
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
        size = (parser or ParserOptions()).parser_size
        own = build_parser(
            copy.deepcopy(embedding),
            size,
            tracker.tracker_size,
            norm=options.leaf_norm,
            engine=spinn.engine,
        )
        encoder = ParsedEncoder(own, encoder)
    return PairModel(leaves, encoder, classifier)


def build_parser(
    embedding: WordEmbedding, size: int, tracker_size: int, *, norm: str, engine: str = "auto"
) -> Parser:
    """Build a parser with its own words, phrases and tracker.

    Parameters
    ----------
    embedding
        Its word vectors.
    size, tracker_size
        Widths of its phrases and of its tracker.
    norm
        Normalisation of its leaves.
    engine
        How it composes; see :class:`SPINNOptions`.

    """
    composition = TreeLSTM(size, tracker_size)
    tracker = Tracker(size, tracker_size, predicts=True)
    encoder = _with_tracker(composition, tracker, engine)
    leaves = LeafLayer(embedding, encoder.leaf_size, norm=norm)
    return Parser(leaves, encoder)


def build_encoder(
    options: ModelOptions,
    *,
    predicts: bool,
    spinn: SPINNOptions | None = None,
    composition: CompositionOptions | None = None,
    tracker: TrackerOptions | None = None,
) -> Encoder:
    """Build the encoder alone; see :func:`build_model`."""
    size, pooling = options.hidden_size, options.pooling
    composition = composition or CompositionOptions()
    if options.encoder == "gumbel":
        return GumbelTreeLSTM(size, pooling=pooling, dropout=composition.composition_dropout)
    if options.encoder == "bow":
        return BagOfWords(size)
    if options.encoder in ("lstm", "bilstm"):
        return SequenceLSTM(size, bidirectional=options.encoder == "bilstm", pooling=pooling)
    return _spinn(
        options, spinn or SPINNOptions(), composition, tracker or TrackerOptions(), predicts
    )


def _spinn(
    options: ModelOptions,
    spinn: SPINNOptions,
    composition: CompositionOptions,
    tracker: TrackerOptions,
    predicts: bool,
) -> Encoder:
    size = tracker.tracker_size if spinn.tracker else 0
    make = COMPOSITIONS.find(composition.composition)
    cell = make(options.hidden_size, size, dropout=composition.composition_dropout)
    if size:
        watch = Tracker(options.hidden_size, size, predicts=predicts)
        return _with_tracker(cell, watch, spinn.engine, options.pooling)
    if spinn.engine == "reference":
        return SPINN(cell, pooling=options.pooling, plain=True)
    return SPINNByHeight(cell, pooling=options.pooling)


def _with_tracker(
    cell: CompositionCell, tracker: Tracker, engine: str, pooling: str = "root"
) -> SPINN:
    if engine == "fixed":
        if not isinstance(cell, TreeLSTM):
            raise ConfigurationError("--engine fixed composes by tree-LSTMs; drop --composition.")
        return FixedSPINN(cell, tracker, pooling=pooling)
    return SPINN(cell, tracker, pooling=pooling, plain=engine == "reference")


def build_embedding(
    size: int,
    drawn: EmbeddingOptions | None = None,
    pretrained: PretrainedOptions | None = None,
    *,
    vectors: Tensor | None = None,
    known: Tensor | None = None,
    met: int | None = None,
) -> WordEmbedding:
    """Build word vectors: pretrained and induced ones as given, others drawn at the same scale.

    Parameters
    ----------
    size
        V, the number of words.
    drawn
        Options of vectors where there are no pretrained ones; the defaults if ``None``.
    pretrained
        Options of pretrained vectors; the defaults if ``None``.
    vectors, known
        Vectors ``[V, E]``, and ``[V]``, true for the words that have a pretrained one. Rows of
        other words are zero if their vectors are to be drawn.
    met
        Number of words, the first ones, that determine the scale: those of the training set, so
        that files of test sets change nothing. ``None`` for all.

    """
    drawn, pretrained = drawn or EmbeddingOptions(), pretrained or PretrainedOptions()
    if vectors is None or known is None:
        initial = torch.empty(size, drawn.embedding_size)
        known = torch.zeros(size, dtype=torch.bool)
    else:
        initial = vectors.clone()
    scale = float(initial[:met][known[:met]].std()) if known[:met].any() else 0.1
    missing = ~known if vectors is None else (vectors == 0).all(dim=1) & ~known
    initial[missing] = nn.init.normal_(torch.empty(int(missing.sum()), initial.shape[1]), std=scale)
    if vectors is None or pretrained.embeddings == "tuned":
        return WordEmbedding(initial, torch.zeros_like(known))
    return WordEmbedding(
        initial, torch.ones_like(known) if pretrained.unknown == "random" else known
    )


def count_parameters(module: nn.Module) -> int:
    """Return the number of trained parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
