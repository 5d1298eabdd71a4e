"""Word vectors of a file as the first embeddings of a language model (``--vectors``)."""

from __future__ import annotations

import logging

import torch

from spinn.data.find import find_vectors
from spinn.data.language import TextCorpus
from spinn.data.options import CorpusOptions
from spinn.data.places import data_directory
from spinn.data.vectors import VectorTable, WordVectors
from spinn.language.config import LanguageConfiguration
from spinn.model.build import build_embedding
from spinn.model.language import LanguageModel
from spinn.support.errors import ConfigurationError

logger = logging.getLogger(__name__)


def read_vectors(configuration: LanguageConfiguration, corpus: TextCorpus) -> WordVectors | None:
    """Read the vectors that a configuration names, of the words of a text.

    Returns
    -------
    The vectors, with zeros for words that have none; ``None`` if the configuration names no file.

    Raises
    ------
    ConfigurationError
        If they have another width than the embeddings, or no word of the text has one.
    DataError
        If the file cannot be read.

    """
    name = configuration.language.vectors
    directory = data_directory(CorpusOptions(data_directory=configuration.data.data_directory))
    path = find_vectors(name, directory)
    if path is None:
        return None
    table = VectorTable(path, directory / "cache" / "vectors")
    width = configuration.language.embedding_size
    if table.dimension != width:
        raise ConfigurationError(
            f"The embeddings have width {width}, the vectors of {name} {table.dimension}: give "
            f"--embedding-size {table.dimension}."
        )
    if table.note:
        logger.info(table.note)
    vectors = table.of(corpus.vocabulary.words)
    known = vectors.known
    if not known.any():
        raise ConfigurationError(
            f"{name} has a vector of no word of the text; give vectors of the same language and "
            "case (--normalize lower)."
        )
    share = 100 * known.numpy()[corpus.sets["train"].tokens].mean()
    logger.info(
        f"Vectors of {name}: {int(known.sum()):,} of {len(known):,} words, {share:.1f}% of train"
    )
    return vectors


@torch.no_grad()
def take_vectors(model: LanguageModel, vectors: WordVectors) -> None:
    """Begin the embeddings with vectors; those of other words are drawn at the same scale."""
    table = build_embedding(len(vectors.known), vectors=vectors.vectors, known=vectors.known)
    model.embedding.weight.copy_(table.trained)
