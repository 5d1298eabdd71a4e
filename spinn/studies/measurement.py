"""Measurements of finished runs: the predictions for each example, stored beside the checkpoints.

Tables and figures of a study are made from these files alone, without models and data. Trees are
stored as one bit per transition (SHIFT is 1); a run on SNLI takes about 500 kB.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinn.data.dataset import NO_LABEL, PairDataset
from spinn.evaluation.evaluate import Evaluation, evaluate_trained
from spinn.pretrained import load_trained
from spinn.support.errors import DataError, SpinnError
from spinn.support.files import written_whole
from spinn.support.json_files import number, read_object, whole
from spinn.support.runtime import choose_device, set_threads
from spinn.training.run import load_training_corpus
from spinn.transitions import Transition, TransitionArray

FILE_NAME = "predictions.npz"
REMEDY = "Delete it and repeat the command, which will write it again"
SPLITS = ("dev", "test")  # sets other than further test sets
_VERSION = 2
# What reading a damaged file may raise; NotImplementedError: an unknown compression method.
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class SplitMeasurement:
    """Predictions of a model for the P pairs, or single sentences, of one set.

    Attributes
    ----------
    gold, predicted
        Labels ``[P]``; gold is ``NO_LABEL`` if unknown.
    premises
        Premise numbers ``[P]``, equal for pairs with the same premise.
    lengths
        Number of words of each sentence: ``[2P]``, premises and hypotheses alternating, or ``[P]``
        for single sentences.
    trees
        The model's tree of each sentence; ``None`` for encoders without trees.
    gold_trees
        The parser's tree of each sentence; ``None`` for a sentence without a parse.

    """

    gold: NDArray[np.int16]
    predicted: NDArray[np.int16]
    premises: NDArray[np.int32]
    lengths: NDArray[np.int32]
    trees: list[TransitionArray] | None
    gold_trees: list[TransitionArray | None]

    @property
    def sides(self) -> int:
        """Number of sentences per example: 2 or 1."""
        return len(self.lengths) // max(1, len(self.gold))

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Whether the gold label is known, ``[P]``."""
        return np.asarray(self.gold != NO_LABEL)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the prediction is correct, ``[labelled pairs]``."""
        return np.asarray(self.gold == self.predicted)[self.labelled]

    def same_pairs(self, other: SplitMeasurement) -> bool:
        """Return whether another measurement has the same pairs, judged by labels and lengths."""
        return np.array_equal(self.gold, other.gold) and np.array_equal(self.lengths, other.lengths)


@dataclass(frozen=True)
class Measurement:
    """A finished run: predictions by set, number of parameters, and training time in seconds."""

    sets: dict[str, SplitMeasurement]
    weights: int
    seconds: float

    def same_pairs(self, other: Measurement) -> bool:
        """Return whether another run was measured on the same pairs of the same sets."""
        return self.sets.keys() == other.sets.keys() and all(
            content.same_pairs(other.sets[split]) for split, content in self.sets.items()
        )


def measure(path: Path, place: Mapping[str, Any] | None = None) -> Measurement:
    """Evaluate the best model of a trained run on dev and all test sets, and store the predictions.

    Parameters
    ----------
    path
        The folder of the run.
    place
        Options of :data:`PLACE` to use instead of the run's own.

    Raises
    ------
    SpinnError
        If the run is damaged, or the training data have changed.

    """
    trained = load_trained(path)
    configuration = trained.configuration.moved(place or {})
    set_threads(configuration.training.threads)
    corpus = load_training_corpus(configuration)
    kind = (trained.vocabulary.words, trained.labels, trained.kind)
    if kind != (corpus.vocabulary.words, corpus.labels, corpus.kind):
        raise SpinnError(
            f"{path}: the run's vocabulary is not that of the training files in their current "
            "state. Restore the files, or move the folder away to train again."
        )
    trained.to(choose_device(configuration.training.device))
    source = trained.tree_source()
    sets = {
        split: _predictions(evaluate_trained(trained, data, source), data)
        for split, data in corpus.sets.items()
        if split != "train"
    }
    measurement = Measurement(sets, *_results(path))
    save(measurement, path / FILE_NAME)
    return measurement


def _results(path: Path) -> tuple[int, float]:
    results = read_object(path / "results.json", REMEDY)
    return results.take("weights", whole), results.take("seconds", number)


def _predictions(evaluation: Evaluation, dataset: PairDataset) -> SplitMeasurement:
    offsets = dataset.transition_offsets
    given = np.split(dataset.transitions, offsets[1:-1])
    return SplitMeasurement(
        gold=dataset.labels.astype(np.int16),
        predicted=evaluation.probabilities.argmax(axis=1).astype(np.int16),
        premises=number_premises(dataset),
        lengths=dataset.lengths.astype(np.int32),
        trees=evaluation.trees,
        gold_trees=[tree if has else None for tree, has in zip(given, dataset.parsed, strict=True)],
    )


def number_premises(dataset: PairDataset) -> NDArray[np.int32]:
    """Return premise numbers ``[P]``, equal for premises that are equal after numericalisation."""
    sentences = np.split(dataset.words, dataset.offsets[1:-1])
    premises = sentences[:: len(sentences) // len(dataset)]
    numbers: dict[bytes, int] = {}
    return np.array(
        [numbers.setdefault(words.tobytes(), len(numbers)) for words in premises], dtype=np.int32
    )


def save(measurement: Measurement, path: Path) -> None:
    """Write a measurement atomically.

    Raises
    ------
    SpinnError
        If the file cannot be written.

    """
    arrays: dict[str, Any] = {
        "version": np.array(_VERSION),
        "sets": np.array(list(measurement.sets), dtype=np.str_),
        "weights": np.array(measurement.weights),
        "seconds": np.array(measurement.seconds),
    }
    for split, content in measurement.sets.items():
        arrays |= {f"{split}/{name}": array for name, array in _arrays(content).items()}
    try:
        with written_whole(path) as scratch, scratch.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
    except OSError as error:
        raise SpinnError(f"{path}: it cannot be written ({error.strerror}).") from error


def _arrays(content: SplitMeasurement) -> dict[str, NDArray[Any]]:
    """Return the arrays of a set by name, with trees packed into bits."""
    parsed = [tree is not None for tree in content.gold_trees]
    filled = [
        np.zeros(2 * length - 1, dtype=np.int8) if tree is None else tree
        for tree, length in zip(content.gold_trees, content.lengths.tolist(), strict=True)
    ]
    arrays: dict[str, NDArray[Any]] = {
        "gold": content.gold,
        "predicted": content.predicted,
        "premises": content.premises,
        "lengths": content.lengths,
        "parsed": np.packbits(np.array(parsed, dtype=bool)),
        "gold_trees": pack_trees(filled),
    }
    if content.trees is not None:
        arrays["trees"] = pack_trees(content.trees)
    return arrays


def is_outdated(path: Path) -> bool:
    """Return whether an earlier version wrote the file, so that the run must be measured again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return int(arrays["version"]) < _VERSION
    except _DAMAGE:
        return False  # missing or damaged: loading it raises the error


def load(path: Path) -> Measurement:
    """Read a measurement.

    Raises
    ------
    DataError
        If the file is missing or damaged.

    """
    remedy = "Delete it and repeat the command without --table-only to measure the run again"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if int(arrays["version"]) != _VERSION:
                raise DataError(path, "another version wrote it", remedy=remedy)
            sets = {split: _set_from(arrays, split) for split in arrays["sets"].tolist()}
            return Measurement(sets, int(arrays["weights"]), float(arrays["seconds"]))
    except _DAMAGE as error:
        raise DataError(path, f"it cannot be read ({error})", remedy=remedy) from error


def _set_from(arrays: Any, split: str) -> SplitMeasurement:
    lengths = arrays[f"{split}/lengths"]
    parsed = np.unpackbits(arrays[f"{split}/parsed"], count=len(lengths)).astype(bool)
    given = unpack_trees(arrays[f"{split}/gold_trees"], lengths)
    packed = arrays.get(f"{split}/trees")
    return SplitMeasurement(
        gold=arrays[f"{split}/gold"],
        predicted=arrays[f"{split}/predicted"],
        premises=arrays[f"{split}/premises"],
        lengths=lengths,
        trees=None if packed is None else unpack_trees(packed, lengths),
        gold_trees=[tree if has else None for tree, has in zip(given, parsed, strict=True)],
    )


def pack_trees(trees: list[TransitionArray]) -> NDArray[np.uint8]:
    """Return the concatenated transitions of trees as bits, with SHIFT as 1."""
    return np.packbits(np.concatenate(trees) == Transition.SHIFT)


def unpack_trees(packed: NDArray[np.uint8], lengths: NDArray[np.int32]) -> list[TransitionArray]:
    """Return the trees of sentences with these lengths; the inverse of :func:`pack_trees`."""
    steps = 2 * lengths.astype(np.int64) - 1
    bits = np.unpackbits(packed, count=int(steps.sum()))
    transitions = np.where(bits == 1, Transition.SHIFT, Transition.REDUCE).astype(np.int8)
    return np.split(transitions, np.cumsum(steps)[:-1])
