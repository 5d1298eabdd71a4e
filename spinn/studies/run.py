"""A run of a study: one row trained with one seed, in its own folder.

A run is trained, or resumed, and then measured: the predictions of its best model on all held-out
sets are stored (:mod:`spinn.studies.measurement`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from spinn.config import WRITTEN, Configuration
from spinn.config_files import load_configuration
from spinn.learning.options import PLACE
from spinn.studies.measurement import FILE_NAME, is_outdated, measure
from spinn.support.errors import SpinnError
from spinn.training import run as training


class RunState(Enum):
    """How far a run has got."""

    NEW = "not begun"
    BEGUN = "interrupted"
    TRAINED = "trained, not measured"
    DONE = "done"


@dataclass(frozen=True)
class Run:
    """A row with a seed: its configuration and its folder."""

    row: str
    seed: int
    configuration: Configuration
    path: Path

    @property
    def name(self) -> str:
        """The name in messages."""
        return self.path.name

    @property
    def state(self) -> RunState:
        """How far the run has got."""
        return run_state(self.path)


def run_state(path: Path) -> RunState:
    """Return how far the run in a folder has got."""
    if not (path / "checkpoints.json").is_file():
        return RunState.NEW  # also if training ended before its first checkpoint
    if not (path / "results.json").is_file():
        return RunState.BEGUN
    predictions = path / FILE_NAME
    done = predictions.is_file() and not is_outdated(predictions)
    return RunState.DONE if done else RunState.TRAINED


def perform(configuration: Configuration, path: Path) -> None:
    """Complete a run from its current state.

    Raises
    ------
    Interruption
        If the process was asked to stop; the run is saved.
    SpinnError
        If the run cannot continue.

    """
    state = run_state(path)
    place = configuration.place
    if state is RunState.NEW:
        training.train(configuration, path)
    elif state is RunState.BEGUN:
        training.resume(path, place)
    if state is not RunState.DONE:
        measure(path, place)


def check_folders(runs: list[Run]) -> None:
    """Check that existing folders hold runs of the configurations in the study.

    Raises
    ------
    SpinnError
        Naming the first other folder and the options that differ.

    """
    for run in runs:
        if run.state is RunState.NEW:
            continue
        saved = load_configuration(run.path / "config.json")
        # Older runs may not name their corpus.
        found = differences(saved.with_corpus_named(), run.configuration)
        if found:
            raise SpinnError(
                f"{run.path}: the existing run has {'; '.join(found)}. "
                "Choose another --output, or move that folder away."
            )


def differences(saved: Configuration, expected: Configuration) -> list[str]:
    """Describe the options in which a saved configuration differs, of those that change a run."""
    before, after = saved.values(), expected.values()
    return [
        f"{name} {before[name]!r} where the study has {after[name]!r}"
        for name in before
        if before[name] != after[name] and name not in (*PLACE, *WRITTEN)
    ]
