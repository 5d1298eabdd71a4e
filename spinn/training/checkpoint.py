"""What a run leaves on disk, and how it is read back.

A run is a folder::

    config.json          the resolved configuration
    vocabulary.json      words, their case, the labels, and the number of sentences in an example
    metrics.jsonl        a line every few steps and for each evaluation
    checkpoints.json     which checkpoint is the best one, and which the last
    checkpoints/step-N/  weights.safetensors, and training.pt to resume from

Everything is written beside its place and moved in when it is whole. ``checkpoints.json`` is moved
last and names only complete checkpoints, so an interruption at any point, or a full disk, leaves
the earlier ones as they were.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from spinn.config import Configuration
from spinn.config_files import load_configuration
from spinn.data.dataset import PairDataset
from spinn.data.examples import ExampleKind, kind_with
from spinn.data.formats import FORMATS, Format
from spinn.data.vocabulary import Vocabulary
from spinn.errors import DataError, SpinnError
from spinn.evaluation.evaluate import Evaluation, evaluate
from spinn.files import write_whole, written_folder
from spinn.model.leaves import WordEmbedding
from spinn.model.pair import PairModel
from spinn.trees import TreeSource


class RunDirectory:
    """The folder of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def metrics(self) -> Path:
        """The metrics file."""
        return self.path / "metrics.jsonl"

    @classmethod
    def create(
        cls,
        path: Path,
        configuration: Configuration,
        vocabulary: Vocabulary,
        labels: list[str],
        sides: int = 2,
        format: str = "auto",
    ) -> RunDirectory:
        """Make the folder of a new run.

        What is there of a run that ended before its first checkpoint makes room.

        Raises
        ------
        SpinnError
            If there is a run already, or the folder cannot be made.

        """
        if any((path / name).exists() for name in ("checkpoints.json", "results.json")):
            raise SpinnError(
                f"{path}: there is a run here already. Choose another --output, or go on with it: "
                f"--resume {path}."
            )
        if (path / "config.json").exists():
            _clear(path)
        try:
            (path / "checkpoints").mkdir(parents=True, exist_ok=True)
            words = vocabulary.as_dict()
            words |= {"labels": labels, "sides": sides, "format": format}
            write_whole(path / "vocabulary.json", json.dumps(words, ensure_ascii=False))
            write_whole(path / "config.json", json.dumps(configuration.as_dict(), indent=2))
        except OSError as error:
            raise SpinnError(
                f"{path}: the run cannot be written there ({error.strerror})."
            ) from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Find the folder of a run.

        Raises
        ------
        SpinnError
            If it is none.

        """
        if not (path / "config.json").is_file():
            raise SpinnError(f"{path}: this is no run; give the folder that training wrote.")
        return cls(path)

    def configuration(self) -> Configuration:
        """Read the run's configuration."""
        return load_configuration(self.path / "config.json")

    def vocabulary(self) -> tuple[Vocabulary, tuple[str, ...], int, str | None]:
        """Read the run's vocabulary, its labels, how many sentences an example has, the format.

        That is the format of its files as it was named; ``None`` for older runs, whose
        configuration alone has it.
        """
        path = self.path / "vocabulary.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            vocabulary = Vocabulary(content["words"], content["lower"])
            # Older runs do not say it: all are of pairs.
            sides = int(content.get("sides", 2))
            return vocabulary, tuple(content["labels"]), sides, content.get("format")
        except (OSError, ValueError, KeyError, TypeError) as error:
            remedy = "Copy the whole folder of the run"
            raise DataError(path, f"it cannot be read ({error})", remedy=remedy) from error

    def save(self, step: int, model: nn.Module, state: dict[str, Any], *, best: bool) -> None:
        """Write a checkpoint, name it the last (and the best, if so), drop those not named.

        Raises
        ------
        SpinnError
            If it cannot be written; earlier checkpoints are kept.

        """
        place = _unused(self.path / "checkpoints" / f"step-{step:08d}")
        name = place.name
        weights = {key: value.cpu().contiguous() for key, value in model.state_dict().items()}
        try:
            with written_folder(place) as scratch:
                save_file(weights, scratch / "weights.safetensors")
                torch.save(state, scratch / "training.pt")
            named = self._named() | {"last": name} | ({"best": name} if best else {})
            write_whole(self.path / "checkpoints.json", json.dumps(named, indent=2))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise SpinnError(
                f"{place}: the checkpoint cannot be written ({error}). Earlier checkpoints "
                f"are kept; make room and go on with --resume {self.path}."
            ) from error
        for other in (self.path / "checkpoints").iterdir():
            if other.name not in named.values():
                shutil.rmtree(other, ignore_errors=True)

    def _named(self) -> dict[str, str]:
        path = self.path / "checkpoints.json"
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            remedy = "Train again, or restore the file"
            raise DataError(path, f"it cannot be read ({error})", remedy=remedy) from error

    def checkpoint(self, which: str) -> Path:
        """Find the ``"best"`` or the ``"last"`` checkpoint.

        Raises
        ------
        SpinnError
            If there is none yet.

        """
        named = self._named()
        if which not in named:
            raise SpinnError(
                f"{self.path}: the run has no {which} checkpoint yet. Train longer; if it has "
                "ended, give the command that made it again, and it begins anew."
            )
        return self.path / "checkpoints" / named[which]

    def weights(self, which: str) -> dict[str, Tensor]:
        """Read the weights of a checkpoint.

        Raises
        ------
        DataError
            If the file is damaged.

        """
        path = self._weights_file(which)
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise DataError(path, f"it cannot be read ({error})", remedy="Train again") from error

    def fit(self, model: nn.Module, weights: dict[str, Tensor], which: str) -> None:
        """Put weights, read from a checkpoint of the run, into a model of the same shape.

        Raises
        ------
        DataError
            If they belong to another configuration.

        """
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise DataError(
                self._weights_file(which),
                "the weights belong to another configuration than config.json says",
                remedy="Restore the config.json that the run was trained with",
            ) from error

    def _weights_file(self, which: str) -> Path:
        return self.checkpoint(which) / "weights.safetensors"

    def training_state(self) -> dict[str, Any]:
        """Read what the last checkpoint keeps for resuming."""
        path = self.checkpoint("last") / "training.pt"
        try:
            return dict(torch.load(path, map_location="cpu", weights_only=True))
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
            raise DataError(path, f"it cannot be read ({error})", remedy="Train again") from error


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Keep the folder of a run to this process for as long as it trains there.

    Raises
    ------
    SpinnError
        If another process has it, or it cannot be written to.

    """
    lock = FileLock(path / ".lock")
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise SpinnError(
            f"{path}: another process is training this run. Wait until it has ended, or stop it."
        ) from error
    except OSError as error:
        raise SpinnError(f"{path}: the run cannot be written there ({error.strerror}).") from error
    try:
        yield
    finally:
        lock.release()


def _clear(path: Path) -> None:
    """Remove what a run leaves that ended before its first checkpoint."""
    for name in ("config.json", "vocabulary.json", "metrics.jsonl"):
        (path / name).unlink(missing_ok=True)
    for name in ("checkpoints", "tensorboard"):
        shutil.rmtree(path / name, ignore_errors=True)


def _unused(place: Path) -> Path:
    """Return the path, or one numbered behind it, that no earlier checkpoint of the step has."""
    free, number = place, 2
    while free.exists():
        free, number = place.with_name(f"{place.name}-{number}"), number + 1
    return free


@dataclass(frozen=True)
class TrainedModel:
    """A model with all that is needed to use it."""

    model: PairModel
    configuration: Configuration
    vocabulary: Vocabulary
    labels: tuple[str, ...]
    format: str = "auto"

    @property
    def file_format(self) -> Format | None:
        """The format of its files; ``None`` if it is detected for each file."""
        return FORMATS.get(self.format)

    @property
    def kind(self) -> ExampleKind:
        """Kind of the examples that the model classifies."""
        return kind_with(self.model.sides)

    def evaluate(
        self,
        dataset: PairDataset,
        source: TreeSource | None,
        *,
        batch_size: int = 256,
        seed: int | None = None,
    ) -> Evaluation:
        """Evaluate the model where it is just as training does at its end.

        Only the trees may be others, and what is drawn, by a ``seed`` that is not the run's own.
        """
        options = self.configuration.training
        return evaluate(
            self.model,
            dataset,
            self.labels,
            source,
            batch_size=batch_size,
            precision=options.precision,
            seed=options.seed if seed is None else seed,
        )


def load_trained(path: Path, which: str = "best") -> TrainedModel:
    """Load the best or last model of a run, in evaluation mode, on the CPU.

    Raises
    ------
    SpinnError
        If the folder is no run, or is damaged.

    """
    run = RunDirectory.open(path)
    configuration = run.configuration()
    vocabulary, labels, sides, format = run.vocabulary()
    format = configuration.data.format if format is None else format
    weights = run.weights(which)
    place = run.checkpoint(which) / "weights.safetensors"
    try:
        embedding = WordEmbedding.shaped_like(weights, "leaves.embedding.")
    except KeyError as error:
        raise DataError(place, f"it has no {error}", remedy="Train again") from error
    if len(embedding.trained_rows) != len(vocabulary):
        raise DataError(
            place,
            f"it knows {len(embedding.trained_rows)} words and vocabulary.json {len(vocabulary)}",
            remedy="Copy the whole folder of the run",
        )
    model = configuration.build_model(embedding, len(labels), sides)
    run.fit(model, weights, which)
    return TrainedModel(model.eval(), configuration, vocabulary, labels, format)
