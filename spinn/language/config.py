"""The configuration of a language model, assembled from its own groups of options.

It is to ``spinn lm`` what :mod:`spinn.config` is to ``spinn train``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinn.config_files import read_values
from spinn.data.language import (
    TEXT_GROUP,
    TextOptions,
    check_sources,
    moved_text,
)
from spinn.data.streams import BATCHES_GROUP, BatchOptions
from spinn.learning.averaging import LANGUAGE_OPTIMIZER_GROUP
from spinn.learning.objectives.language import PENALTY_GROUP, PenaltyOptions
from spinn.learning.optimizers import OptimizerOptions
from spinn.learning.options import LoopOptions
from spinn.learning.schedules import SCHEDULE_GROUP, Schedule
from spinn.model.language import (
    DROPOUT_GROUP,
    LANGUAGE_GROUP,
    DropoutOptions,
    LanguageModel,
    LanguageModelOptions,
)
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.support.options import Group, Groups, check_ranges

PLACE = ("device", "threads")  # options that determine where a run is computed, not what it is
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
class LanguageConfiguration:
    """All options of a language model; :func:`resolve_language` makes one.

    Raises
    ------
    ConfigurationError
        If a value is out of range, or options are incompatible.

    """

    data: TextOptions
    batches: BatchOptions
    language: LanguageModelOptions
    dropout: DropoutOptions
    penalties: PenaltyOptions
    optimizer: OptimizerOptions
    schedule: Schedule
    training: LoopOptions

    def __post_init__(self) -> None:
        for name in LANGUAGE_GROUPS:
            check_ranges(getattr(self, name))
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

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the groups as dictionaries, by name."""
        return {name: dataclasses.asdict(getattr(self, name)) for name in LANGUAGE_GROUPS}

    def values(self) -> dict[str, Any]:
        """Return all options by name."""
        return LANGUAGE_GROUPS.defaults() | LANGUAGE_GROUPS.flatten(self.as_dict())

    def moved(self, place: Mapping[str, Any]) -> LanguageConfiguration:
        """Return the same run, computed or read elsewhere: other ``PLACE`` and ``TEXT_FILES``."""
        computed = {name: value for name, value in place.items() if name in PLACE}
        return dataclasses.replace(
            self,
            data=moved_text(self.data, place),
            training=dataclasses.replace(self.training, **computed),
        )

    def build_model(self, tokens: int) -> LanguageModel:
        """Build the model of a number of tokens (V)."""
        return LanguageModel(tokens, self.language, self.dropout)


def resolve_language(*layers: Mapping[str, Any]) -> LanguageConfiguration:
    """Return the configuration of flat options, later layers taking precedence.

    Raises
    ------
    ConfigurationError
        If an option is unknown, has a value of the wrong type or out of range, or would have no
        effect.

    """
    values = LANGUAGE_GROUPS.layered(*layers)
    configuration = _assemble(values)
    LANGUAGE_GROUPS.refuse_idle(values)
    return configuration


def _assemble(values: Mapping[str, Any]) -> LanguageConfiguration:
    return LanguageConfiguration(
        **{name: group.make(values) for name, group in LANGUAGE_GROUPS.items()}
    )


def load_language_configuration(path: Path) -> LanguageConfiguration:
    """Read the configuration of a language model from its ``config.json``.

    Raises
    ------
    SpinnError
        If the file cannot be read, or is that of another kind of model.

    """
    values = read_values(path)
    if LANGUAGE_GROUP.name not in values:
        raise SpinnError(
            f"{path.parent}: this is no language model. Give a folder that `spinn lm train` wrote."
        )
    try:
        given = LANGUAGE_GROUPS.checked(LANGUAGE_GROUPS.flatten(values))
        return _assemble(LANGUAGE_GROUPS.defaults() | given)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
