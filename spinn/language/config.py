"""The configuration of a language model, assembled from its own groups of options.

It is to ``spinn lm`` what :mod:`spinn.config` is to ``spinn train``.
"""

from __future__ import annotations

from dataclasses import dataclass

from spinn.data.language import TEXT_GROUP, TextOptions, check_sources
from spinn.data.streams import BATCHES_GROUP, BatchOptions
from spinn.language.base import TokenConfiguration
from spinn.learning.averaging import LANGUAGE_OPTIMIZER_GROUP
from spinn.learning.objectives.language import PENALTY_GROUP, PenaltyOptions
from spinn.learning.options import LoopOptions
from spinn.learning.schedules import SCHEDULE_GROUP
from spinn.model.language import (
    DROPOUT_GROUP,
    LANGUAGE_GROUP,
    DropoutOptions,
    LanguageModel,
    LanguageModelOptions,
)
from spinn.support.errors import ConfigurationError
from spinn.support.options import Group, Groups

PRESETS = "language"  # the folder of their presets

LANGUAGE_GROUPS = Groups(
    (
        TEXT_GROUP,
        BATCHES_GROUP,
        LANGUAGE_GROUP,
        DROPOUT_GROUP,
        PENALTY_GROUP,
        LANGUAGE_OPTIMIZER_GROUP,
        SCHEDULE_GROUP,
        Group("training", LoopOptions),
    )
)


@dataclass(frozen=True)
class LanguageConfiguration(TokenConfiguration):
    """All options of a language model of characters or words."""

    data: TextOptions
    batches: BatchOptions
    language: LanguageModelOptions
    dropout: DropoutOptions
    penalties: PenaltyOptions

    groups = LANGUAGE_GROUPS
    mark = LANGUAGE_GROUP.name

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sources(self.data)
        if self.batches.layout == "sentences" and self.data.normalize == "letters":
            raise ConfigurationError(
                "--normalize letters drops the ends of lines, which --layout sentences needs; "
                "give --normalize lower, or --layout streams."
            )

    @property
    def form(self) -> str:
        """The name of the model."""
        return f"{self.language.cell.upper()} language model"

    def build_model(self, tokens: int) -> LanguageModel:
        """Build the model of a number of tokens (V)."""
        return LanguageModel(tokens, self.language, self.dropout)
