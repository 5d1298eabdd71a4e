"""The options of a run below those that are given: of a preset, of the bundled corpus, of ``--rl``.

A model that learns trees from labels needs many options to work together; ``--rl`` brings them. The
bundled corpus is small, so it brings the preset of its name. Options that are given take precedence
over all of these.

Nothing is added to a whole configuration, which ``--print-config`` or a run wrote: options that it
lacks have no value or no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spinn.config_files import read_preset
from spinn.data.find import named
from spinn.data.options import CorpusOptions
from spinn.learning.objectives.reinforce import LEARNED_TREES, REINFORCE_GROUP
from spinn.learning.options import TRAINING_GROUP, TrainingOptions
from spinn.support.options import Group, default_of

_CORPUS = ("data", "train", "dev", "test", "data_directory")


def base_options(preset: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a run below those that are given.

    With ``--parser shared``, or a preset that has sampled trees, ``--rl`` brings nothing.

    Parameters
    ----------
    preset
        Name of a preset. If ``None``, runs on the bundled corpus have the preset of its name.
    given
        Options of files and flags, flat.

    Raises
    ------
    ConfigurationError
        If there is no such preset.

    """
    if preset is not None:
        base = read_preset(preset)
    elif not _is_whole(given, TRAINING_GROUP) and _on_bundled_corpus(given):
        base = read_preset("sample")
        del base["data"]  # it is named, or the default
    else:
        base = {}
    values = {**base, **given}
    learned = values.get("trees") == "sampled" and values.get("encoder", "spinn") == "spinn"
    separate = base.get("trees") != "sampled" and values.get("parser", "own") == "own"
    if learned and separate and not _is_whole(given, TRAINING_GROUP, REINFORCE_GROUP):
        base |= _learned_trees(values.get("epochs", TrainingOptions.epochs))
    return base


def _is_whole(given: Mapping[str, Any], *groups: Group) -> bool:
    """Return whether all options of groups are given, as in a configuration that was written.

    TOML lacks those without a value.
    """
    fields = {name: part for group in groups for name, part in group.fields().items()}
    return all(name in given for name, part in fields.items() if default_of(part) is not None)


def _on_bundled_corpus(given: Mapping[str, Any]) -> bool:
    options = {name: given[name] for name in _CORPUS if name in given}
    return named(CorpusOptions(**options)).data == "sample"


def _learned_trees(epochs: int) -> dict[str, Any]:
    """Return what ``--rl`` brings to a run of a number of epochs; no part takes more than half."""
    half = epochs // 2
    options = dict(LEARNED_TREES)
    for name in ("policy_epochs", "entropy_epochs", "curriculum_epochs"):
        options[name] = max(1, min(options[name], half))
    if half == 0:  # there is no time for parts
        options |= {"policy_epochs": 0, "curriculum": 1.0}
    return options
