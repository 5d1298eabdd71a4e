"""Reading a language model, and putting its weights into a new model (``--pretrained``)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from spinn.config import Configuration
from spinn.data.corpus import Corpus
from spinn.data.vectors import WordVectors
from spinn.data.vocabulary import PADDING, UNKNOWN
from spinn.language.fragments import is_fragment_model
from spinn.language.pretrained import TrainedLanguageModel, load_language_model
from spinn.learning.objectives.next_word import NextWordLoss
from spinn.learning.transfer import ENCODER, receiving_lstm
from spinn.model.pair import PairModel
from spinn.support.errors import ConfigurationError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """The language models that a run begins with.

    Attributes
    ----------
    forward
        The one that has the embeddings.
    backward
        The one for the second direction of a bilstm, with the same embeddings, if there is one.

    """

    forward: TrainedLanguageModel
    backward: TrainedLanguageModel | None


def read_source(configuration: Configuration) -> Source | None:
    """Read the language models that a configuration names; ``None`` if it names none.

    Raises
    ------
    SpinnError
        If one is missing, is not a model of words in the direction that is required, or has a layer
        of another shape; or the two do not have the same embeddings.

    """
    transfer = configuration.transfer
    if transfer is None or transfer.pretrained is None:
        return None
    forward = _read(transfer.pretrained, "forward", configuration)
    if transfer.pretrained_backward is None:
        return Source(forward, None)
    backward = _read(transfer.pretrained_backward, "backward", configuration)
    same = forward.vocabulary.words == backward.vocabulary.words
    if not same or not forward.model.embedding.weight.equal(backward.model.embedding.weight):
        raise ConfigurationError(
            f"{transfer.pretrained_backward} has other embeddings than {transfer.pretrained}; "
            f"train it with --embeddings-of {transfer.pretrained}."
        )
    return Source(forward, backward)


def _read(name: str, direction: str, configuration: Configuration) -> TrainedLanguageModel:
    """Read a language model of words; check its layer if that is to be taken."""
    path = Path(name)
    if is_fragment_model(path):
        raise _not_of_words(path, "fragments of trees")
    source = load_language_model(path)
    if source.unit.name != "word":
        raise _not_of_words(path, source.unit.plural)
    assert configuration.transfer is not None
    receiver = configuration.transfer.receiver(configuration.model)
    if receiver is None:
        return source
    if source.configuration.data.direction != direction:
        raise ConfigurationError(
            f"{path} reads {source.configuration.data.direction}; give one that was trained with "
            f"--direction {direction}."
        )
    _check_layer(source.model.layers[0], configuration.model.hidden_size, receiver, path)
    return source


def _not_of_words(path: Path, units: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} is a language model of {units}; give one of words (--unit word)."
    )


def _check_layer(layer: nn.Module, hidden_size: int, receiver: str, path: Path) -> None:
    """Raise :class:`ConfigurationError` unless the receiver can take the layer."""
    if not isinstance(layer, nn.LSTM):
        raise ConfigurationError(
            f"{path} has GRU layers, and the {receiver} can take an LSTM only; train "
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


def vectors_of(source: Source, corpus: Corpus) -> WordVectors:
    """Return the embeddings of the words of a corpus ``[V, E]``; zeros for unknown ones.

    The unknown word has an embedding if the text of the language model had unknown words.

    Raises
    ------
    ConfigurationError
        If the language model knows none of the words.

    """
    numbers = torch.from_numpy(source.forward.vocabulary.numbers(corpus.vocabulary.words)).long()
    known = numbers != UNKNOWN
    known[PADDING] = False
    if not known.any():
        raise ConfigurationError(
            "The language model of --pretrained knows no word of the training files; give one that "
            "was trained on text of the same language and case (--normalize lower, or --no-lower)."
        )
    known[UNKNOWN] = source.forward.configuration.data.minimum_count > 1
    share = 100 * known.numpy()[corpus.sets["train"].words].mean()
    logger.info(
        f"Embeddings of --pretrained: {int(known.sum()):,} of {len(known):,} words, "
        f"{share:.1f}% of train"
    )
    embeddings = source.forward.model.embedding.weight.detach()[numbers]
    return WordVectors(torch.where(known[:, None], embeddings, 0.0), known)


@torch.no_grad()
def take_layers(model: PairModel, configuration: Configuration, source: Source) -> None:
    """Copy the first layers of the language models, if they are to be taken.

    The LSTM encoder reads leaves, so their projection begins as the identity.
    """
    assert configuration.transfer is not None
    receiver = configuration.transfer.receiver(configuration.model)
    if receiver is None:
        return
    weights = dict(source.forward.model.layers[0].state_dict())
    if source.backward is not None:
        backward = source.backward.model.layers[0].state_dict()
        weights |= {f"{name}_reverse": weight for name, weight in backward.items()}
    receiving_lstm(model).load_state_dict(weights)
    if receiver == ENCODER:
        nn.init.eye_(model.leaves.projection.weight)
        nn.init.zeros_(model.leaves.projection.bias)
    logger.info(f"First layer of --pretrained: the {receiver}")


@torch.no_grad()
def take_bias(loss: NextWordLoss, corpus: Corpus, source: Source) -> None:
    """Begin an auxiliary loss with the bias of the decoder of ``source.forward``, by word.

    The bias of words whose embeddings are not taken remains 0. So does that of all words if the
    decoder is not tied: it belongs to another matrix than the embeddings.

    Parameters
    ----------
    loss
        The auxiliary loss.
    corpus
        With the vectors of :func:`vectors_of`.
    source
        The language models.

    """
    assert corpus.vectors is not None
    language_model = source.forward.model
    if language_model.decoder is not None:
        return
    words = corpus.vocabulary.words[: len(loss.bias)]
    numbers = torch.from_numpy(source.forward.vocabulary.numbers(words)).long()
    known = corpus.vectors.known[: len(words)]
    loss.bias.copy_(torch.where(known, language_model.bias[numbers], 0.0))
