"""The options of a run below those that are given: of a preset, of the bundled corpus, of ``--rl``.

A model that learns trees from labels needs many options to work together; ``--rl`` brings them. The
bundled corpus is small, so it brings the preset of its name. Options that are given take precedence
over all of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spinn.config_files import read_preset
from spinn.data.find import named
from spinn.data.options import CorpusOptions
from spinn.learning.objectives.reinforce import LEARNED_TREES
from spinn.learning.options import TrainingOptions

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
    elif _on_bundled_corpus(given):
        base = read_preset("sample")
        del base["data"]  # it is named, or the default
    else:
        base = {}
    values = {**base, **given}
    learned = values.get("trees") == "sampled" and values.get("encoder", "spinn") == "spinn"
    if learned and base.get("trees") != "sampled" and values.get("parser", "own") == "own":
        base |= _learned_trees(values.get("epochs", TrainingOptions.epochs))
    return base


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
