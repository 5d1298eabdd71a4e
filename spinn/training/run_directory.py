"""The folder of a training run.

It is the folder of a trained model (:mod:`spinn.pretrained`) with what training adds::

    config.json          the resolved configuration
    vocabulary.json      words, labels, number of sentences in an example, file format
    data.json            a fingerprint of each set, to resume with the same
    metrics.jsonl        figures every few steps and of each evaluation
    checkpoints.json     the names of the best and the last checkpoint
    checkpoints/step-N/  weights.safetensors, and training.pt to resume from

Every file is written beside its place and moved there when it is complete. ``checkpoints.json`` is
moved last and names only complete checkpoints, so earlier ones survive an interruption at any point
or a full disk.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from spinn import pretrained
from spinn.config import Configuration
from spinn.data.dataset import Fingerprinted
from spinn.model.leaves import WordEmbedding
from spinn.pretrained import Interface
from spinn.support.errors import DataError, SpinnError
from spinn.support.files import as_json, remove_abandoned, unused, write_whole, written_folder
from spinn.support.hints import command
from spinn.support.json_files import read_object
from spinn.support.tensor_files import read_torch
from spinn.training.claims import not_writable
from spinn.weights import WEIGHTS, check_weights, load_weights, read_weights, write_weights

TRAINING_STATE = "training.pt"
METRICS, CURVE = "metrics.jsonl", "learning_curve.png"
DATA = "data.json"
_FIRST_FILES = pretrained.CONFIGURATION, pretrained.VOCABULARY, DATA, METRICS
_NO_CHECK = "Delete it to resume without a check of the data"


class RunDirectory:
    """The folder of a run.

    Parameters
    ----------
    path
        The folder.
    trained_by
        The command that trains it, for messages.

    """

    def __init__(self, path: Path, trained_by: Sequence[str] = ("train",)) -> None:
        self.path, self._trained_by = path, trained_by

    @property
    def metrics(self) -> Path:
        """The metrics file."""
        return self.path / METRICS

    @property
    def resume_command(self) -> str:
        """The command that resumes the run."""
        return command(*self._trained_by, "--resume", self.path)

    @classmethod
    def create(cls, path: Path, configuration: Configuration, interface: Interface) -> RunDirectory:
        """Create the folder of a new run.

        The files of a run that ended before its first checkpoint are removed.

        Raises
        ------
        SpinnError
            If there is a run already, or the folder cannot be created.

        """
        run = cls(path)
        run.begin(configuration.as_dict(), interface.as_dict())
        return run

    def begin(self, configuration: Mapping[str, Any], vocabulary: Mapping[str, Any]) -> None:
        """Make the folder of a new run, of a model of any kind. See :meth:`create`.

        The configuration is the first file that is written and the last that is removed: by it, a
        later run recognises the files of one that was killed meanwhile.
        """
        check_unused(self.path, self._trained_by)
        if (self.path / pretrained.CONFIGURATION).exists():
            _clear(self.path)
        _remove_scratch(self.path)
        try:
            (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)
            pretrained.write_description(self.path, configuration, vocabulary)
        except OSError as error:
            raise not_writable(self.path, error) from error

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Return the folder of an existing run.

        Raises
        ------
        SpinnError
            If it is none.

        """
        pretrained.require_model(path)
        return cls(path)

    def remove_scratch(self) -> None:
        """Remove what killed processes left: only under the lock of the run."""
        _remove_scratch(self.path)
        names = pretrained.checkpoint_names(self.path)
        if names:  # else the file may have been lost
            _remove_checkpoints(self.path / "checkpoints", keep=names.values())

    def configuration(self) -> Configuration:
        """Read the configuration."""
        return pretrained.read_configuration(self.path)

    def interface(self) -> Interface:
        """Read the words, the labels, the kind of example and the format."""
        return pretrained.read_interface(self.path)

    def save(self, step: int, model: nn.Module, state: dict[str, Any], *, best: bool) -> None:
        """Write a checkpoint, name it the last (and the best), and delete those without a name.

        Raises
        ------
        SpinnError
            If it cannot be written; earlier checkpoints are kept, and named in the message.

        """
        folder = self.path / "checkpoints"
        if folder.is_symlink():
            raise DataError(folder, "it is a link", remedy="Copy the folder it points to here")
        place = unused(folder / f"step-{step:08d}")  # an earlier one is kept until the end
        name = place.name
        try:
            with written_folder(place) as scratch:
                write_weights(scratch, model)
                torch.save(state, scratch / TRAINING_STATE)
            names = pretrained.checkpoint_names(self.path) | {"last": name}
            names |= {"best": name} if best else {}
            write_whole(self.path / pretrained.CHECKPOINTS, as_json(names, indent=2))
        except (OSError, SafetensorError, RuntimeError) as error:
            # Torch does not give the cause.
            cause = f"{error}; probably no space is left" if type(error) is RuntimeError else error
            raise SpinnError(
                f"{place}: the checkpoint cannot be written ({cause}). {self.after_full_disk()}"
            ) from error
        _remove_checkpoints(folder, keep=names.values())

    def kept(self, which: str) -> str | None:
        """Return a clause on the checkpoint that an error leaves: ``which``, or else the last.

        ``None`` if there is no checkpoint.
        """
        names = pretrained.checkpoint_names(self.path)
        found = which if which in names else "last"
        if found not in names:
            return None
        return f"The {found} checkpoint, {self.path / 'checkpoints' / names[found]}, is kept"

    def after_full_disk(self) -> str:
        """Return a sentence on what is left when something cannot be written, and what to do."""
        kept = self.kept("last")
        if kept is None:
            return "There is no checkpoint yet; free some space and repeat the command."
        return f"{kept}; free some space and continue with: {self.resume_command}"

    def write_fingerprints(self, sets: Mapping[str, Fingerprinted]) -> None:
        """Write the fingerprint of each set, for :meth:`check_data`."""
        found = {split: dataset.fingerprint for split, dataset in sets.items()}
        write_whole(self.path / DATA, as_json(found, indent=2))

    def check_data(
        self,
        sets: Mapping[str, Fingerprinted],
        flags: str = "--data or --train, --dev and --test",
    ) -> None:
        """Raise :class:`SpinnError` if sets are not those that the run began with.

        Runs of earlier versions have no fingerprints and are not checked. The error names the flags
        of the place of the data.
        """
        place = self.path / DATA
        if not place.is_file():
            return
        for split, fingerprint in read_object(place, _NO_CHECK).values.items():
            if split not in sets or sets[split].fingerprint != fingerprint:
                raise SpinnError(
                    f"{self.path}: the {split} set is not the one that the run began with. Restore "
                    f"its files, name their new place with {flags}, or train a new model."
                )

    def checkpoint(self, which: str) -> Path:
        """Return the folder of the ``"best"`` or the ``"last"`` checkpoint.

        Raises
        ------
        SpinnError
            If there is none yet.

        """
        return pretrained.checkpoint_folder(self.path, which)

    def weights(self, which: str) -> dict[str, Tensor]:
        """Read the weights of a checkpoint, in the names they were saved under.

        Raises
        ------
        DataError
            If the file is damaged.

        """
        return read_weights(self._weights_file(which))

    def check_weights(self, configuration: Configuration, which: str) -> WordEmbedding:
        """Check the weights of a checkpoint before a model is built for them.

        Returns
        -------
        An embedding of the shape of the one that was saved.

        Raises
        ------
        DataError
            If they are damaged, or belong to another configuration.

        """
        interface = self.interface()
        return check_weights(
            configuration,
            self.weights(which),
            self._weights_file(which),
            words=len(interface.vocabulary),
            labels=len(interface.labels),
            sides=interface.kind.count,
        )

    def load_weights(self, model: nn.Module, weights: dict[str, Tensor], which: str) -> None:
        """Put weights, read from a checkpoint of the run, into a model of the same shape.

        Raises
        ------
        DataError
            If they belong to another configuration.

        """
        load_weights(model, weights, self._weights_file(which))

    def _weights_file(self, which: str) -> Path:
        return self.checkpoint(which) / WEIGHTS

    def training_state(self) -> dict[str, Any]:
        """Read the state of training in the last checkpoint."""
        path = self.checkpoint("last") / TRAINING_STATE
        state = read_torch(path, "Train again")
        if not isinstance(state, dict):
            raise DataError(path, "it cannot be read (it is not a state)", remedy="Train again")
        return state


def check_unused(path: Path, trained_by: Sequence[str] = ("train",)) -> None:
    """Check that a new run can be written to a folder, which exists.

    Raises
    ------
    SpinnError
        If it holds a run with a checkpoint, or files of others under the names of a run's, or
        nothing can be written.

    """
    if (path / pretrained.CHECKPOINTS).exists():
        raise SpinnError(
            f"{path}: there is a run here already. Choose another --output, or continue it: "
            f"{RunDirectory(path, trained_by).resume_command}"
        )
    others = [path / name for name in (WEIGHTS, pretrained.RESULTS) if (path / name).exists()]
    unnamed = pretrained.unnamed_checkpoints(path)
    others += unnamed if len(unnamed) > 1 else []  # one is of a run killed while it saved that
    if others:
        raise SpinnError(
            f"{others[0]}: this is of another model. Choose another --output, or move it."
        )
    there = [name for name in (*_FIRST_FILES, CURVE) if (path / name).exists()]
    if there and not _began_in(path):
        raise SpinnError(
            f"{path / there[0]}: a run would overwrite this file, which is of no run. Choose "
            "another --output, or move the file."
        )
    try:
        if path.is_dir():
            with TemporaryFile(dir=path) as stream:
                stream.write(bytes(2**16))
    except OSError as error:
        raise not_writable(path, error) from error


def _began_in(path: Path) -> bool:
    """Return whether a folder holds the first files of a run, or some of them."""
    try:
        configuration = read_object(path / pretrained.CONFIGURATION, "").values
    except SpinnError:
        return False
    # A copy may lack the empty folder of checkpoints; a run that was killed early, the words.
    beside = (path / "checkpoints").is_dir() or (path / pretrained.VOCABULARY).is_file()
    return beside and "training" in configuration


def _clear(path: Path) -> None:
    """Remove the files of a run that ended before its first checkpoint, its configuration last."""
    _remove_checkpoints(path / "checkpoints")
    logs = path / "tensorboard"
    if not logs.is_symlink():
        for file in logs.glob("events.out.tfevents.*"):
            file.unlink(missing_ok=True)
    for name in reversed(_FIRST_FILES):
        (path / name).unlink(missing_ok=True)


def _remove_scratch(path: Path) -> None:
    """Remove what killed processes left half written in the folder of a run, and nothing else."""
    for folder in (path, path / "checkpoints"):
        if not folder.is_symlink():
            remove_abandoned(folder)


def _remove_checkpoints(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove checkpoints, and nothing else: no other name, no link, no file of another kind."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for place in folder.iterdir():
        name = pretrained.CHECKPOINT_NAME.fullmatch(place.name)
        if name is None or place.name in keep or not place.is_dir():
            continue
        _remove_checkpoint(place)


def _remove_checkpoint(place: Path) -> None:
    """Remove the files of a checkpoint; the folder stays if it is a link or has other files."""
    if place.is_symlink():
        return
    with suppress(OSError):
        for file in (WEIGHTS, TRAINING_STATE):
            (place / file).unlink(missing_ok=True)
        place.rmdir()
