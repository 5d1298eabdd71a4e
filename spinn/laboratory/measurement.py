"""What a finished run answered, pair by pair, in a small file beside its checkpoints.

The tables and plots of a study are made from these files alone, so they can be made again without
the models and the data. Trees are kept as bits, a SHIFT being 1: a run on SNLI takes about 500 kB.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinn.data.corpus import Corpus
from spinn.data.dataset import NO_LABEL, PairDataset
from spinn.errors import DataError, SpinnError
from spinn.evaluation.evaluate import Evaluation
from spinn.files import written_whole
from spinn.runtime import choose_device, set_threads
from spinn.training.checkpoint import TrainedModel, load_trained
from spinn.training.run import load_training_corpus
from spinn.transitions import Transition, TransitionArray

FILE_NAME = "predictions.npz"
SPLITS = ("dev", "test")  # further test sets stand beside these
_VERSION = 2
# What reading a damaged file may raise; NotImplementedError is of a compression unheard of.
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
    """What a model made of the P pairs, or single sentences, of one set.

    Attributes
    ----------
    gold, predicted
        Labels ``[P]``; gold is ``NO_LABEL`` where unknown.
    premises
        ``[P]``, equal for pairs of one premise.
    lengths
        ``[2P]``, the number of words of premises and hypotheses in turn; ``[P]`` of single
        sentences.
    trees
        The trees taken, one for each length; ``None`` for encoders without trees.
    gold_trees
        The trees of the parser, each ``None`` where a sentence has no parse.

    """

    gold: NDArray[np.int16]
    predicted: NDArray[np.int16]
    premises: NDArray[np.int32]
    lengths: NDArray[np.int32]
    trees: list[TransitionArray] | None
    gold_trees: list[TransitionArray | None]

    @property
    def sides(self) -> int:
        """How many sentences are classified together: 2, or 1."""
        return len(self.lengths) // max(1, len(self.gold))

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """``[P]``, whether the label is known, so that an answer can be right."""
        return np.asarray(self.gold != NO_LABEL)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each labelled pair was answered rightly, ``[labelled pairs]``."""
        return np.asarray(self.gold == self.predicted)[self.labelled]

    def same_pairs(self, other: SplitMeasurement) -> bool:
        """Tell whether another measurement is of the same pairs, by their labels and lengths."""
        return np.array_equal(self.gold, other.gold) and np.array_equal(self.lengths, other.lengths)


@dataclass(frozen=True)
class Measurement:
    """A finished run: its answers on each set, its size and the seconds it was trained for."""

    sets: dict[str, SplitMeasurement]
    weights: int
    seconds: float

    def same_pairs(self, other: Measurement) -> bool:
        """Tell whether another run was measured on the same pairs of the same sets."""
        return self.sets.keys() == other.sets.keys() and all(
            content.same_pairs(other.sets[split]) for split, content in self.sets.items()
        )


def measure(
    path: Path, say: Callable[[str], None], place: Mapping[str, Any] | None = None
) -> Measurement:
    """Run the best model of a finished run over dev and all test sets, and keep what it answered.

    Parameters
    ----------
    path
        The folder of the run.
    say
        Called with lines for the person.
    place
        Options of :data:`PLACE`, in the stead of the run's own.

    Raises
    ------
    SpinnError
        If the run is damaged, or its data are not those that it was trained on.

    """
    trained = load_trained(path)
    configuration = trained.configuration.moved(place or {})
    set_threads(configuration.training.threads)
    corpus = load_training_corpus(configuration, say)
    kind = (trained.vocabulary.words, trained.labels, trained.kind)
    if kind != (corpus.vocabulary.words, corpus.labels, corpus.kind):
        raise SpinnError(
            f"{path}: the run's vocabulary is not that of the training files as they are now. "
            "Restore the files, or move the folder away to train anew."
        )
    trained.model.to(choose_device(configuration.training.device))
    sets = {
        split: _measure_set(trained, corpus, split) for split in corpus.sets if split != "train"
    }
    results = _results(path)
    measurement = Measurement(sets, int(results["weights"]), float(results["seconds"]))
    save(measurement, path / FILE_NAME)
    return measurement


def _results(path: Path) -> dict[str, Any]:
    place = path / "results.json"
    try:
        results = json.loads(place.read_text(encoding="utf-8"))
        return {name: results[name] for name in ("weights", "seconds")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "Delete it and give the same command again; the run is finished again from there"
        raise DataError(place, f"it cannot be read ({error})", remedy=remedy) from error


def _measure_set(trained: TrainedModel, corpus: Corpus, split: str) -> SplitMeasurement:
    """Evaluate one set just as training does at its end."""
    dataset = corpus.sets[split]
    return measured(trained.evaluate(dataset, trained.configuration.source), dataset)


def measured(evaluation: Evaluation, dataset: PairDataset) -> SplitMeasurement:
    """Keep of an evaluation what the tables need."""
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
    """Give equal numbers, ``[P]``, to premises that are the same words to the model."""
    sentences = np.split(dataset.words, dataset.offsets[1:-1])
    premises = sentences[:: len(sentences) // len(dataset)]
    numbers: dict[bytes, int] = {}
    return np.array(
        [numbers.setdefault(words.tobytes(), len(numbers)) for words in premises], dtype=np.int32
    )


def save(measurement: Measurement, path: Path) -> None:
    """Write a measurement, whole or not at all.

    Raises
    ------
    SpinnError
        If it cannot be written.

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
    """Name the arrays of a set; trees are packed into bits."""
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
    """Tell whether an earlier version wrote the file, so that the run must be measured again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return int(arrays["version"]) < _VERSION
    except _DAMAGE:
        return False  # missing or damaged, as loading it will tell


def load(path: Path) -> Measurement:
    """Read a measurement.

    Raises
    ------
    DataError
        If the file is missing or damaged.

    """
    remedy = "Delete it and give the command without --table-only; the run is measured again"
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
    """Write trees, one after the other, as bits: SHIFT is 1."""
    return np.packbits(np.concatenate(trees) == Transition.SHIFT)


def unpack_trees(packed: NDArray[np.uint8], lengths: NDArray[np.int32]) -> list[TransitionArray]:
    """Read the trees of sentences of these lengths; the inverse of :func:`pack_trees`."""
    steps = 2 * lengths.astype(np.int64) - 1
    bits = np.unpackbits(packed, count=int(steps.sum()))
    transitions = np.where(bits == 1, Transition.SHIFT, Transition.REDUCE).astype(np.int8)
    return np.split(transitions, np.cumsum(steps)[:-1])
