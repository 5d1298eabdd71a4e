"""Language models over fragments: their configuration, their folder, their perplexity.

The folder is laid out as that of every trained model (:mod:`spinn.pretrained`); ``config.json`` has
a :class:`FragmentConfiguration`, and ``vocabulary.json`` the fragments.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spinn import pretrained
from spinn.config_files import read_values
from spinn.data.fragments.corpus import FRAGMENT_DATA_GROUP, FragmentDataOptions
from spinn.data.fragments.dataset import FragmentDataset
from spinn.data.fragments.python import ROOT
from spinn.data.fragments.vocabulary import FragmentVocabulary
from spinn.language.base import TokenConfiguration
from spinn.language.perplexity import TextScores
from spinn.learning.averaging import LANGUAGE_OPTIMIZER_GROUP
from spinn.learning.objectives.fragments import FRAGMENT_LOSS_GROUP, FragmentLossOptions
from spinn.learning.options import LoopOptions
from spinn.learning.schedules import SCHEDULE_GROUP
from spinn.model.fragment_language import (
    FRAGMENT_MODEL_GROUP,
    FragmentLanguageModel,
    FragmentModelOptions,
)
from spinn.support.options import Group, Groups, option
from spinn.support.runtime import arithmetic, evaluation_mode, within_memory
from spinn.weights import WEIGHTS, build_with_weights


@dataclass(frozen=True)
class FragmentBatchOptions:
    """Batches of trees."""

    batch_size: int = option(64, "trees in a batch", minimum=1)


FRAGMENT_GROUPS = Groups(
    (
        FRAGMENT_DATA_GROUP,
        Group("batches", FragmentBatchOptions),
        FRAGMENT_MODEL_GROUP,
        FRAGMENT_LOSS_GROUP,
        LANGUAGE_OPTIMIZER_GROUP,
        SCHEDULE_GROUP,
        Group("training", LoopOptions),
    )
)


FORM = "Language model over fragments"


@dataclass(frozen=True)
class FragmentConfiguration(TokenConfiguration):
    """All options of a language model over fragments."""

    data: FragmentDataOptions
    batches: FragmentBatchOptions
    fragments: FragmentModelOptions
    objective: FragmentLossOptions

    groups = FRAGMENT_GROUPS
    mark = FRAGMENT_MODEL_GROUP.name

    def build_model(self, vocabulary: FragmentVocabulary) -> FragmentLanguageModel:
        """Build the model of a vocabulary."""
        return FragmentLanguageModel(vocabulary.sizes, self.fragments)


# Models on disk.


@dataclass(frozen=True)
class TrainedFragmentModel:
    """A language model over fragments with everything that is needed to use it.

    Attributes
    ----------
    model
        The model, in evaluation mode.
    configuration
        The configuration that it was trained with.
    vocabulary
        Its fragments.

    """

    model: FragmentLanguageModel
    configuration: FragmentConfiguration
    vocabulary: FragmentVocabulary

    @property
    def writes_programs(self) -> bool:
        """Whether its trees are Python programs."""
        return list(self.vocabulary.roots) == [ROOT]


def is_fragment_model(path: Path) -> bool:
    """Return whether the model in a folder is a language model over fragments."""
    pretrained.require_model(path)
    return FRAGMENT_MODEL_GROUP.name in read_values(path / pretrained.CONFIGURATION)


def read_fragment_configuration(path: Path) -> FragmentConfiguration:
    """Read the configuration in a folder."""
    return FragmentConfiguration.load(path / pretrained.CONFIGURATION)


def load_fragment_model(path: Path, checkpoint: str = "best") -> TrainedFragmentModel:
    """Load a trained language model over fragments, in evaluation mode, on the CPU.

    Parameters
    ----------
    path
        The folder of a run.
    checkpoint
        ``"best"`` or ``"last"``.

    Raises
    ------
    SpinnError
        If the folder is damaged.

    """
    configuration = read_fragment_configuration(path)
    vocabulary = FragmentVocabulary.load(path / pretrained.VOCABULARY)
    place = pretrained.checkpoint_folder(path, checkpoint) / WEIGHTS
    cause = "the weights belong to another configuration or vocabulary than those of the folder"
    model = build_with_weights(lambda: configuration.build_model(vocabulary), place, cause)
    return TrainedFragmentModel(model.eval(), configuration, vocabulary)


def fragment_scores(
    model: FragmentLanguageModel,
    dataset: FragmentDataset,
    *,
    batch_size: int = 64,
    precision: str = "fp32",
) -> TextScores:
    """Return how well a model predicts trees; every fragment is counted once."""
    device = model.decoder.weight.device

    def run(size: int) -> TextScores:
        nats = 0.0
        with evaluation_mode(model), arithmetic(device, precision):
            for batch in dataset.batches(size):
                part = batch.to(device)
                scores = model(part.fragments, part.parents, part.types, part.lengths)
                nats -= scores.log_prob.double().sum().item()
        return TextScores(nats, len(dataset.fragments))

    return within_memory(run, batch_size, device, "trees")
