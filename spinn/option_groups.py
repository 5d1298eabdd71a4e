"""All groups of options: those of the package's parts, and those of extensions.

Each group is declared beside the code it configures; :mod:`spinn.config` makes configurations of
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spinn import extensions
from spinn.data.batching import CURRICULUM_GROUP
from spinn.data.options import DATA_GROUP, VECTORS_GROUP
from spinn.learning.objectives.label import GUMBEL_GROUP
from spinn.learning.objectives.ppo import PPO_GROUP
from spinn.learning.objectives.reinforce import REINFORCE_GROUP
from spinn.learning.objectives.teacher import TEACHER_GROUP
from spinn.learning.optimizers import OPTIMIZER_GROUP
from spinn.learning.options import TRAINING_GROUP
from spinn.learning.schedules import SCHEDULE_GROUP
from spinn.model.build import (
    EMBEDDING_GROUP,
    MODEL_GROUP,
    PRETRAINED_GROUP,
    SPINN_GROUP,
)
from spinn.model.cells import COMPOSITION_GROUP
from spinn.model.parser import PARSER_GROUP
from spinn.model.tracker import TRACKER_GROUP
from spinn.support.errors import ConfigurationError
from spinn.support.options import (
    GUEST_GROUPS,
    Field,
    Group,
    converted,
    default_of,
)
from spinn.support.text import did_you_mean
from spinn.trees import TREES_GROUP

GROUPS: dict[str, Group] = {
    group.name: group
    for group in (
        DATA_GROUP,
        VECTORS_GROUP,
        MODEL_GROUP,
        EMBEDDING_GROUP,
        PRETRAINED_GROUP,
        SPINN_GROUP,
        TRACKER_GROUP,
        PARSER_GROUP,
        COMPOSITION_GROUP,
        GUMBEL_GROUP,
        TREES_GROUP,
        TEACHER_GROUP,
        REINFORCE_GROUP,
        PPO_GROUP,
        CURRICULUM_GROUP,
        OPTIMIZER_GROUP,
        SCHEDULE_GROUP,
        TRAINING_GROUP,
    )
}
FORMER_GROUPS = frozenset({"policy"})  # of earlier versions; the others are names of groups today


def all_groups() -> dict[str, Group]:
    """Return all groups by name, those of extensions last."""
    extensions.load()
    return GROUPS | dict(GUEST_GROUPS)


def all_options() -> dict[str, Field]:
    """Return the declarations of all options, of all groups, by name."""
    return {name: part for group in all_groups().values() for name, part in group.fields().items()}


def option_groups() -> dict[str, str]:
    """Return the name of each option's group."""
    return {name: group.name for group in all_groups().values() for name in group.fields()}


def defaults() -> dict[str, Any]:
    """Return the defaults of all options."""
    return {name: default_of(part) for name, part in all_options().items()}


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options flat that may be under the names of their groups.

    Raises
    ------
    ConfigurationError
        If there is no group of a name.

    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            if name not in all_groups() and name not in FORMER_GROUPS:
                meant = did_you_mean(name, all_groups())
                raise ConfigurationError(f"There is no group of options called {name!r}{meant}.")
            flat.update(value)
        else:
            flat[name] = value
    return flat


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return flat options with their declared types.

    Raises
    ------
    ConfigurationError
        If an option is unknown, or its value is of another type.

    """
    extensions.load()
    declared = all_options()
    for name in given:
        if name not in declared:
            meant = did_you_mean(name, declared)
            raise ConfigurationError(f"There is no option called {name!r}{meant}.")
    return {name: converted(declared[name], value) for name, value in given.items()}
