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
from spinn.learning.objectives.next_word import NEXT_WORD_GROUP
from spinn.learning.objectives.ppo import PPO_GROUP
from spinn.learning.objectives.reinforce import REINFORCE_GROUP
from spinn.learning.objectives.teacher import TEACHER_GROUP
from spinn.learning.optimizers import OPTIMIZER_GROUP
from spinn.learning.options import TRAINING_GROUP
from spinn.learning.schedules import SCHEDULE_GROUP
from spinn.learning.transfer import TRANSFER_GROUP
from spinn.model.build import (
    EMBEDDING_GROUP,
    MODEL_GROUP,
    PRETRAINED_GROUP,
    SPINN_GROUP,
)
from spinn.model.cells import COMPOSITION_GROUP
from spinn.model.parser import PARSER_GROUP
from spinn.model.tracker import TRACKER_GROUP
from spinn.support.options import GUEST_GROUPS, Field, Groups
from spinn.trees import TREES_GROUP

GROUPS = Groups(
    (
        DATA_GROUP,
        VECTORS_GROUP,
        MODEL_GROUP,
        EMBEDDING_GROUP,
        PRETRAINED_GROUP,
        TRANSFER_GROUP,
        SPINN_GROUP,
        TRACKER_GROUP,
        PARSER_GROUP,
        COMPOSITION_GROUP,
        GUMBEL_GROUP,
        TREES_GROUP,
        TEACHER_GROUP,
        REINFORCE_GROUP,
        PPO_GROUP,
        NEXT_WORD_GROUP,
        CURRICULUM_GROUP,
        OPTIMIZER_GROUP,
        SCHEDULE_GROUP,
        TRAINING_GROUP,
    )
)
FORMER_GROUPS = frozenset({"policy"})  # of earlier versions; the others are names of groups today


def all_groups() -> Groups:
    """Return all groups by name, those of extensions last."""
    extensions.load()
    return Groups((*GROUPS.values(), *GUEST_GROUPS.values()))


def all_options() -> dict[str, Field]:
    """Return the declarations of all options, of all groups, by name."""
    return all_groups().options()


def defaults() -> dict[str, Any]:
    """Return the defaults of all options."""
    return all_groups().defaults()


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options flat that may be under the names of their groups.

    Raises
    ------
    ConfigurationError
        If there is no group of a name.

    """
    return all_groups().flatten(values, FORMER_GROUPS)


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return flat options with their declared types; see :meth:`Groups.checked`."""
    return all_groups().checked(given)
