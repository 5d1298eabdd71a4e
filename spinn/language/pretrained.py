"""Trained language models on disk.

The folder is laid out as that of every trained model (:mod:`spinn.pretrained`); ``config.json`` has
a :class:`LanguageConfiguration`, and ``vocabulary.json`` the tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from spinn import pretrained
from spinn.data.language import END
from spinn.data.units import UNITS, Unit
from spinn.data.vocabulary import Vocabulary, read_vocabulary
from spinn.language.config import LanguageConfiguration
from spinn.model.language import LanguageModel
from spinn.support.json_files import read_object
from spinn.weights import WEIGHTS, build_with_weights

_REMEDY = "Copy the whole folder of the run"


@dataclass(frozen=True)
class TrainedLanguageModel:
    """A language model with everything that is needed to use it.

    Attributes
    ----------
    model
        The model, in evaluation mode.
    configuration
        The configuration that it was trained with.
    vocabulary
        Its tokens.

    """

    model: LanguageModel
    configuration: LanguageConfiguration
    vocabulary: Vocabulary

    @property
    def unit(self) -> Unit:
        """The unit of its tokens."""
        return UNITS.find(self.configuration.data.unit)

    @property
    def device(self) -> torch.device:
        """The device that it is on."""
        return self.model.bias.device

    @property
    def precision(self) -> str:
        """The precision of its matrix products."""
        return self.configuration.training.precision


def load_language_model(path: Path, checkpoint: str = "best") -> TrainedLanguageModel:
    """Load a trained language model, in evaluation mode, on the CPU.

    Parameters
    ----------
    path
        The folder of a run.
    checkpoint
        ``"best"`` or ``"last"``.

    Raises
    ------
    SpinnError
        If the folder is that of another model, or is damaged.

    """
    configuration, vocabulary = read_language_configuration(path), read_tokens_of(path)
    place = pretrained.checkpoint_folder(path, checkpoint) / WEIGHTS
    cause = "the weights belong to another configuration than that in config.json"
    model = build_with_weights(lambda: configuration.build_model(len(vocabulary)), place, cause)
    return TrainedLanguageModel(model.eval(), configuration, vocabulary)


def read_language_configuration(path: Path) -> LanguageConfiguration:
    """Read the configuration in a folder."""
    pretrained.require_model(path)
    return LanguageConfiguration.load(path / pretrained.CONFIGURATION)


def read_tokens_of(path: Path) -> Vocabulary:
    """Read the tokens in a folder.

    Raises
    ------
    DataError
        If the file is missing or damaged.

    """
    described = read_object(path / pretrained.VOCABULARY, _REMEDY)
    vocabulary = read_vocabulary(described)
    if len(vocabulary) <= END:
        raise described.error("it has no tokens")
    return vocabulary
