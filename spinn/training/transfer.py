"""Reading a language model, and putting its weights into a new model (``--pretrained``)."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import nn

from spinn.config import Configuration
from spinn.data.corpus import Corpus
from spinn.data.vectors import WordVectors
from spinn.data.vocabulary import PADDING, UNKNOWN
from spinn.language.fragments import is_fragment_model
from spinn.language.pretrained import TrainedLanguageModel, load_language_model
from spinn.learning.transfer import ENCODER, receiving_lstm
from spinn.model.pair import PairModel
from spinn.support.errors import ConfigurationError

logger = logging.getLogger(__name__)


def read_source(configuration: Configuration) -> TrainedLanguageModel | None:
    """Read the language model that a configuration names; ``None`` if it names none.

    Raises
    ------
    SpinnError
        If there is none, it is not a model of words, or its layer does not have the shape that is
        required.

    """
    transfer = configuration.transfer
    if transfer is None or transfer.pretrained is None:
        return None
    path = Path(transfer.pretrained)
    if is_fragment_model(path):
        raise _not_of_words(path, "fragments of trees")
    source = load_language_model(path)
    if source.unit.name != "word":
        raise _not_of_words(path, source.unit.plural)
    receiver = transfer.receiver(configuration.model)
    if receiver is not None:
        _check_layer(source.model.layers[0], configuration.model.hidden_size, receiver, path)
    return source


def _not_of_words(path: Path, units: str) -> ConfigurationError:
    return ConfigurationError(
        f"--pretrained {path} is a language model of {units}; give one of words (--unit word)."
    )


def _check_layer(layer: nn.Module, hidden_size: int, receiver: str, path: Path) -> None:
    """Raise :class:`ConfigurationError` unless the receiver can take the layer."""
    if not isinstance(layer, nn.LSTM):
        raise ConfigurationError(
            f"--pretrained {path} has GRU layers, and the {receiver} can take an LSTM only; train "
            "it with --cell lstm, or give --pretrained-parts embeddings."
        )
    size, width = layer.input_size, layer.hidden_size
    if receiver == ENCODER and size != width:
        raise ConfigurationError(
            f"The LSTM encoder is as wide as its input, and the first layer of {path} maps width "
            f"{size} to {width}; train {path} with equal --embedding-size and --hidden-size, or "
            "give --leaf-context lstm or --pretrained-parts embeddings."
        )
    if width != hidden_size:
        raise ConfigurationError(
            f"The {receiver} has width {hidden_size}, that of {path} {width}: give "
            f"--hidden-size {width}."
        )


def vectors_of(source: TrainedLanguageModel, corpus: Corpus) -> WordVectors:
    """Return the embeddings of the words of a corpus ``[V, E]``; zeros for unknown ones.

    The unknown word has an embedding if the text of the language model had unknown words.

    Raises
    ------
    ConfigurationError
        If the language model knows none of the words.

    """
    numbers = torch.from_numpy(source.vocabulary.numbers(corpus.vocabulary.words)).long()
    known = numbers != UNKNOWN
    known[PADDING] = False
    if not known.any():
        raise ConfigurationError(
            "The language model of --pretrained knows no word of the training files; give one that "
            "was trained on text of the same language and case (--normalize lower, or --no-lower)."
        )
    known[UNKNOWN] = source.configuration.data.minimum_count > 1
    share = 100 * known.numpy()[corpus.sets["train"].words].mean()
    logger.info(
        f"Embeddings of --pretrained: {int(known.sum()):,} of {len(known):,} words, "
        f"{share:.1f}% of train"
    )
    embeddings = source.model.embedding.weight.detach()[numbers]
    return WordVectors(torch.where(known[:, None], embeddings, 0.0), known)


@torch.no_grad()
def take_layer(
    model: PairModel, configuration: Configuration, source: TrainedLanguageModel
) -> None:
    """Copy the first layer of a language model, if it is to be taken.

    The LSTM encoder reads leaves, so their projection begins as the identity.
    """
    transfer = configuration.transfer
    assert transfer is not None
    receiver = transfer.receiver(configuration.model)
    if receiver is None:
        return
    receiving_lstm(model).load_state_dict(source.model.layers[0].state_dict())
    if receiver == ENCODER:
        nn.init.eye_(model.leaves.projection.weight)
        nn.init.zeros_(model.leaves.projection.bias)
    logger.info(f"First layer of --pretrained: the {receiver}")
