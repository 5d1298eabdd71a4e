"""Trained models on disk: weights, configuration, and the meaning of the model's numbers.

A trained model is a folder::

    config.json          the resolved configuration
    vocabulary.json      words, labels, number of sentences in an example, file format
    weights.safetensors  the weights, in any floating-point type; a model computes in float32
    results.json         figures of the model on dev and test, if they are known
    README.md            a model card, if the folder was saved to be shared

The folder of a training run (:mod:`spinn.training.run_directory`) is one, too. It has several sets
of weights, in ``checkpoints/step-N/``; ``checkpoints.json`` names the best and the last.

One trained model comes with the package, :data:`SHIPPED`.

Nothing here depends on how a model was trained.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from spinn.config import Configuration
from spinn.config_files import load_configuration
from spinn.data.corpus import read_format, read_kind, read_labels
from spinn.data.examples import PAIR, ExampleKind, kind_with
from spinn.data.formats import FORMATS, Format
from spinn.data.formats.logic import LOGIC_RELATIONS
from spinn.data.spacy_parser import SpacyParser
from spinn.data.vocabulary import Vocabulary, read_vocabulary
from spinn.model.pair import PairModel
from spinn.support import hub
from spinn.support.errors import ConfigurationError, DataError, SpinnError
from spinn.support.files import as_json, write_whole, written_folder
from spinn.support.json_files import read_object
from spinn.trees import GUMBEL_TREES, TreeSource, tree_source
from spinn.weights import WEIGHTS, check_weights, load_weights, read_weights, write_weights

CONFIGURATION = "config.json"
VOCABULARY = "vocabulary.json"
RESULTS = "results.json"
CARD = "README.md"
CHECKPOINTS = "checkpoints.json"
SHIPPED = "snli-79k"
"""Name of the model that comes with the package; see docs/model.md."""
# The names that checkpoints get. A folder from elsewhere could name any other path.
CHECKPOINT_NAME = re.compile(r"step-\d{8,}(-\d+)?")


@dataclass(frozen=True)
class Interface:
    """What a model reads and what it answers.

    Attributes
    ----------
    vocabulary
        The words.
    labels
        The labels by index.
    kind
        Kind of the examples that the model classifies.
    format
        Name of the format of its files, or ``"auto"``; ``None`` in folders of early versions, where
        only the configuration has it.

    """

    vocabulary: Vocabulary
    labels: tuple[str, ...]
    kind: ExampleKind
    format: str | None = "auto"

    def as_dict(self) -> dict[str, Any]:
        """Return a description for JSON; :func:`read_interface` reads it."""
        return self.vocabulary.as_dict() | {
            "labels": list(self.labels),
            "sides": self.kind.count,
            "format": self.format,
        }


@dataclass(frozen=True)
class TrainedModel:
    """A model with everything that is needed to use it.

    Attributes
    ----------
    model
        The model, in evaluation mode.
    configuration
        The configuration that it was trained with.
    vocabulary, labels
        Its words and labels by index.
    format
        Name of the format of its files, or ``"auto"``.
    results
        The file of its figures on dev and test, if there is one.

    """

    model: PairModel
    configuration: Configuration
    vocabulary: Vocabulary
    labels: tuple[str, ...]
    format: str = "auto"
    results: Path | None = None

    @property
    def kind(self) -> ExampleKind:
        """Kind of the examples that the model classifies."""
        return kind_with(self.model.sides)

    @property
    def reads_prose(self) -> bool:
        """Whether it reads natural language, not formulas or expressions."""
        return self.kind == PAIR and not set(self.labels) <= set(LOGIC_RELATIONS)

    @property
    def file_format(self) -> Format | None:
        """The format of its files; ``None`` if it is detected for each file."""
        return FORMATS.get(self.format)

    @property
    def precision(self) -> str:
        """The precision of its matrix products; see :func:`spinn.support.runtime.arithmetic`."""
        return self.configuration.training.precision

    @property
    def seed(self) -> int:
        """The seed that it was trained with."""
        return self.configuration.training.seed

    def to(self, device: torch.device) -> TrainedModel:
        """Move the model to a device; return the trained model itself."""
        self.model.to(device)
        return self

    def sentence_parser(self, source: TreeSource | None) -> SpacyParser | None:
        """Return the parser of text without a tree, where the model follows the parser's trees.

        It is that of the run's ``--parser``, if any, or else spaCy's default pipeline. Formulas and
        expressions have to be given as trees.
        """
        if source is None or not source.needs_parse:
            return None
        default = SpacyParser() if self.reads_prose else None
        return self.configuration.sentence_parser or default

    def tree_source(self, trees: str | None = None) -> TreeSource | None:
        """Return the source of the transitions that the model follows.

        Parameters
        ----------
        trees
            Name of a tree source; by default, that of the configuration.

        Returns
        -------
        The source; ``None`` for encoders without trees.

        Raises
        ------
        ConfigurationError
            If the model cannot follow these trees.

        """
        own = self.configuration.source
        if trees is None:
            return own
        if own is None or own is GUMBEL_TREES:
            reason = "is a model without trees" if own is None else "builds its own trees"
            raise ConfigurationError(
                f"--trees does nothing here: {self.configuration.form} {reason}."
            )
        chosen = tree_source(trees)
        if chosen.needs_tracker and not self.configuration.predicts:
            raise ConfigurationError(
                f"--trees {trees} needs a tracker that learned to choose transitions; "
                "this model has none. Give other trees, or train with --tracker --predict."
            )
        return chosen


def load_trained(
    path: Path, checkpoint: str = "best", *, revision: str | None = None
) -> TrainedModel:
    """Load a trained model, in evaluation mode, on the CPU.

    Parameters
    ----------
    path
        The folder of a trained model or of a run; or :data:`SHIPPED`, the model that comes with the
        package; or ``USER/NAME``, a trained model on the Hugging Face Hub.
    checkpoint
        ``"best"`` or ``"last"``, for the folder of a run.
    revision
        A branch, a tag or a commit of a model on the Hub.

    Raises
    ------
    SpinnError
        If the folder is neither, or is damaged; or the model cannot be downloaded.

    """
    shipped = not path.exists() and path == Path(SHIPPED)
    if not (path.exists() or shipped) and hub.is_repository(path):
        required = (CONFIGURATION, VOCABULARY, WEIGHTS)
        path = hub.download(path.as_posix(), required, (RESULTS,), revision)
    elif revision is not None:
        raise ConfigurationError(f"{path} has no revisions, as models on the Hub have; give none.")
    elif shipped:
        path = Path(__file__).parent / "shipped" / SHIPPED
    require_model(path)
    configuration, interface = read_configuration(path), read_interface(path)
    place, weights = _weights_of(path, checkpoint)
    embedding = check_weights(
        configuration,
        weights,
        place,
        words=len(interface.vocabulary),
        labels=len(interface.labels),
        sides=interface.kind.count,
    )
    model = configuration.build_model(embedding, len(interface.labels), interface.kind.count)
    load_weights(model, weights, place)
    results = path / RESULTS  # a run has those of its best weights
    known = results.is_file() and (checkpoint == "best" or place.parent == path)
    return TrainedModel(
        model.eval(),
        configuration,
        interface.vocabulary,
        interface.labels,
        configuration.data.format if interface.format is None else interface.format,
        results if known else None,
    )


def save_trained(
    trained: TrainedModel,
    path: Path,
    *,
    dtype: torch.dtype | None = None,
    card: str | None = None,
) -> None:
    """Write a trained model to a new folder, completely or not at all.

    Parameters
    ----------
    trained
        The model.
    path
        The folder.
    dtype
        Floating-point type of the weights in the file; by default, that of the model.
    card
        The model card, if the folder is to have one.

    Raises
    ------
    SpinnError
        If the folder exists or cannot be written, or the weights exceed the range of ``dtype``.

    """
    if path.exists():
        raise SpinnError(f"{path}: it exists already. Choose another folder.")
    interface = Interface(trained.vocabulary, trained.labels, trained.kind, trained.format)
    results = read_results(trained)
    try:
        with written_folder(path) as scratch:
            write_description(scratch, trained.configuration.as_dict(), interface.as_dict())
            write_weights(scratch, trained.model, dtype)
            if results is not None:
                write_whole(scratch / RESULTS, as_json(results, indent=2))
            if card is not None:
                write_whole(scratch / CARD, card)
    except (OSError, SafetensorError) as error:
        raise SpinnError(f"{path}: the model cannot be written ({error}).") from error


def require_model(path: Path) -> None:
    """Raise :class:`SpinnError` if a folder is neither a trained model nor a run."""
    if not (path / CONFIGURATION).is_file():
        raise SpinnError(f"{path}: this is no run; give the folder that training wrote.")


def read_configuration(path: Path) -> Configuration:
    """Read the configuration in a folder."""
    return load_configuration(path / CONFIGURATION)


def read_interface(path: Path) -> Interface:
    """Read the words, labels, kind of example and format in a folder.

    Raises
    ------
    DataError
        If the file is missing or damaged.

    """
    described = read_object(path / VOCABULARY, "Copy the whole folder of the run")
    return Interface(
        read_vocabulary(described),
        read_labels(described),
        read_kind(described),
        read_format(described, None),
    )


def write_description(
    path: Path, configuration: Mapping[str, Any], vocabulary: Mapping[str, Any]
) -> None:
    """Write the configuration of a model of any kind to a folder, and then its vocabulary."""
    write_whole(path / CONFIGURATION, as_json(configuration, indent=2))
    write_whole(path / VOCABULARY, as_json(vocabulary, ensure_ascii=False))


def read_results(trained: TrainedModel) -> dict[str, Any] | None:
    """Read the figures of a model on dev and test; ``None`` if they are not known.

    Raises
    ------
    DataError
        If the file is damaged.

    """
    if trained.results is None:
        return None
    return read_object(trained.results, "Delete it to go on without the figures").values


def checkpoint_names(path: Path) -> dict[str, str]:
    """Return the names of the ``"best"`` and ``"last"`` checkpoints of a run that exist.

    Raises
    ------
    DataError
        If the file is damaged, or names anything but a checkpoint.

    """
    place, remedy = path / CHECKPOINTS, "Train again, or restore the file"
    if not place.is_file():
        return {}
    names = read_object(place, remedy).values
    for name in names.values():
        if not isinstance(name, str) or not CHECKPOINT_NAME.fullmatch(name):
            raise DataError(place, f"{name!r} is not the name of a checkpoint", remedy=remedy)
    return names


def unnamed_checkpoints(path: Path) -> list[Path]:
    """Return the complete checkpoints of a run that lacks the file with their names.

    There is one if a process was killed after it wrote its first, and any number in a copy.
    """
    if (path / CHECKPOINTS).exists():
        return []
    files = path.glob(f"checkpoints/*/{WEIGHTS}")
    return sorted(file.parent for file in files if CHECKPOINT_NAME.fullmatch(file.parent.name))


def checkpoint_folder(path: Path, checkpoint: str) -> Path:
    """Return the folder of the ``"best"`` or the ``"last"`` checkpoint of a run.

    Raises
    ------
    SpinnError
        If there is none yet, or it is a link.

    """
    names = checkpoint_names(path)
    if checkpoint not in names:
        if unnamed_checkpoints(path):
            cause = "the file that names the checkpoints is missing"
            raise DataError(path / CHECKPOINTS, cause, remedy="Copy the whole folder of the run")
        raise SpinnError(
            f"{path}: the run has no {checkpoint} checkpoint yet. Train longer; if it has "
            "ended, repeat the command that started it, and it starts again."
        )
    folder = path / "checkpoints"
    for place in (folder, folder / names[checkpoint]):
        if place.is_symlink():
            raise DataError(place, "it is a link", remedy="Copy the folder it points to here")
    return folder / names[checkpoint]


def _weights_of(path: Path, checkpoint: str) -> tuple[Path, dict[str, Tensor]]:
    """Read the weights of a trained model, or of a checkpoint of a run; return their file, too.

    Training names a new checkpoint before it removes the one before. If that happens while this
    one is read, the new one is read instead.
    """
    alone = path / WEIGHTS
    if alone.is_file():
        return alone, read_weights(alone)
    while True:
        place = checkpoint_folder(path, checkpoint) / WEIGHTS
        try:
            return place, read_weights(place)
        except DataError:
            if checkpoint_folder(path, checkpoint) == place.parent:
                raise
