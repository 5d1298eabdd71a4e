"""A corpus: numericalised sets with one vocabulary, and its files on disk.

A prepared corpus is a folder of two files. It can replace the texts, on a machine without the text
tools. Nothing in the files is trusted: a checksum and the range of every number are verified.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor

from spinn.data.dataset import ARRAY_TYPES, PairDataset
from spinn.data.examples import ExampleKind, kind_with
from spinn.data.formats import FORMAT_NAMES
from spinn.data.readers import no_parse
from spinn.data.vectors import WordVectors
from spinn.data.vocabulary import Vocabulary, read_vocabulary
from spinn.support import json_files as kinds
from spinn.support.errors import DataError, SpinnError
from spinn.support.files import written_folder
from spinn.support.json_files import JSONObject, read_object
from spinn.support.tensor_files import read_tensors, save_tensors

VERSION = 3  # of the files
_WITHOUT_CHECKSUM = 2  # the last version without one
DESCRIPTION, ARRAYS = "corpus.json", "corpus.safetensors"
T = TypeVar("T")
_REMEDY = "The folder is damaged; prepare the corpus again"


@dataclass(frozen=True)
class Corpus:
    """Numericalised sets, and the meaning of their numbers.

    Attributes
    ----------
    vocabulary
        The words.
    vectors
        Pretrained and induced vectors of the words, if requested.
    labels
        The labels by index.
    sets
        ``train``, ``dev`` and, if present, ``test`` and further test sets.
    unparsed
        For each set, ``[file, line]`` of the first example without a tree, or ``None``.
    notes
        Messages for the user, such as counts and coverage.
    format
        Name of the format as it was requested.

    """

    vocabulary: Vocabulary
    vectors: WordVectors | None
    labels: tuple[str, ...]
    sets: dict[str, PairDataset]
    unparsed: dict[str, list[Any] | None]
    notes: list[str] = field(default_factory=list)
    format: str = "auto"

    @property
    def kind(self) -> ExampleKind:
        """Kind of the examples, the same in all sets."""
        return next(iter(self.sets.values())).kind

    @property
    def training_words(self) -> int:
        """Number of words, the first of the vocabulary, beyond which none is in the training set.

        Words that occur in other sets only come after them.
        """
        return int(self.sets["train"].words.max()) + 1

    def require_parses(self, split: str) -> None:
        """Raise :class:`DataError` at the first example of a set without a tree."""
        place = self.unparsed[split]
        if place is not None and not self.sets[split].parsed.all():
            raise no_parse(place[0], place[1])

    def save(self, directory: Path) -> None:
        """Write the corpus to a folder, completely or not at all.

        Raises
        ------
        SpinnError
            If it cannot be written, or the folder has other files than a corpus.

        """
        check_place(directory)
        tensors = {
            f"{split}.{name}": torch.from_numpy(getattr(data, name))
            for split, data in self.sets.items()
            for name in ARRAY_TYPES
        }
        if self.vectors is not None:
            tensors |= {"vectors": self.vectors.vectors, "known": self.vectors.known}
        description = {
            "version": VERSION,
            "vocabulary": self.vocabulary.as_dict(),
            "labels": list(self.labels),
            "sides": self.kind.count,
            "sets": list(self.sets),
            "unparsed": self.unparsed,
            "notes": self.notes,
            "format": self.format,
        }
        try:
            with written_folder(directory) as scratch:
                save_tensors(tensors, scratch / ARRAYS)
                description["checksum"] = _checksum(scratch / ARRAYS, description)
                (scratch / DESCRIPTION).write_text(json.dumps(description), encoding="utf-8")
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SpinnError(
                f"{directory}: the corpus cannot be written ({reason}). Check the folder, its "
                "permissions and the free space."
            ) from error

    @classmethod
    def load(cls, directory: Path) -> Corpus:
        """Read a prepared corpus.

        Raises
        ------
        DataError
            If the folder does not contain one, or one of another version, or it is damaged.

        """
        if not (directory / DESCRIPTION).exists():
            remedy = "Check the path, or write one with `spinn prepare`"
            raise DataError(directory, "it is not a prepared corpus", remedy=remedy)
        described = read_object(directory / DESCRIPTION, _REMEDY)
        version = described.take("version", kinds.whole)
        if version not in (VERSION, _WITHOUT_CHECKSUM):
            raise described.error("it was prepared by another version")
        checksum = described.take("checksum", kinds.optional(kinds.text), None)
        if checksum is None and version != _WITHOUT_CHECKSUM:
            raise described.error("it has no checksum")
        place = directory / ARRAYS
        tensors = read_tensors(place, _REMEDY)
        if checksum is not None and checksum != _checksum(place, described.values):
            raise DataError(directory, "its checksum is wrong", remedy=_REMEDY)
        try:
            return _assemble(described, tensors)
        except (ValueError, TypeError) as error:
            raise DataError(place, f"{error}", remedy=_REMEDY) from error


def check_place(directory: Path) -> None:
    """Check that a corpus can be written to a folder: a new one, or that of a prepared corpus.

    Raises
    ------
    SpinnError
        If the folder has other files, or the path is none of a folder.

    """
    if not directory.exists():
        return
    if not directory.is_dir():
        raise SpinnError(f"{directory}: this is a file; name a new folder.")
    others = sorted({place.name for place in directory.iterdir()} - {DESCRIPTION, ARRAYS})
    if others:
        raise SpinnError(
            f"{directory}: this is not only a prepared corpus, and {others[0]} would be lost. Name "
            "a new folder."
        )


def _checksum(arrays: Path, description: Mapping[str, Any]) -> str:
    """Return the digest of both files; the description's own checksum is left out."""
    rest = {name: value for name, value in description.items() if name != "checksum"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    with open(arrays, "rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _assemble(described: JSONObject, tensors: dict[str, Tensor]) -> Corpus:
    """Return the corpus of both files; raise an error for anything wrong with it."""
    vocabulary = read_vocabulary(described.object("vocabulary"))
    labels = read_labels(described)
    kind = read_kind(described)
    splits = described.take("sets", kinds.distinct(kinds.list_of(kinds.text)))
    if not splits:
        raise described.error("it has no sets")
    names = {f"{split}.{name}" for split in splits for name in ARRAY_TYPES}
    if set(tensors) not in (names, names | {"vectors", "known"}):
        raise ValueError(f"its arrays are not those of {', '.join(splits)}")
    sets = {}
    for split in splits:
        arrays = {name: tensors[f"{split}.{name}"].numpy() for name in ARRAY_TYPES}
        sets[split] = PairDataset(**arrays, kind=kind)
        sets[split].check(len(vocabulary), len(labels))
    vectors = None
    if "known" in tensors:
        vectors = WordVectors(tensors["vectors"], tensors["known"])
        vectors.check(len(vocabulary))
    unparsed = described.take("unparsed", kinds.table_of(kinds.optional(_place)))
    if {split: place is None for split, place in unparsed.items()} != {
        split: bool(data.parsed.all()) for split, data in sets.items()
    }:
        raise described.error("its 'unparsed' does not fit the transitions")
    notes = described.take("notes", kinds.list_of(kinds.text))
    format = read_format(described, "auto")
    return Corpus(vocabulary, vectors, labels, sets, unparsed, notes, format)


def _place(value: Any) -> list[Any]:
    """Accept a file with a line in it."""
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
        raise ValueError("is not a file and a line")
    return [value[0], kinds.whole(value[1])]


def read_labels(described: JSONObject) -> tuple[str, ...]:
    """Read the labels of a corpus or of a model."""
    labels = described.take("labels", kinds.distinct(kinds.list_of(kinds.text)))
    if not labels:
        raise described.error("it has no labels")
    return tuple(labels)


def read_kind(described: JSONObject) -> ExampleKind:
    """Read the kind of the examples; it is absent in older files, all of pairs."""
    try:
        return kind_with(described.take("sides", kinds.whole, 2))
    except ValueError as error:
        raise described.error(f"{error}") from error


def read_format(described: JSONObject, default: T) -> str | T:
    """Read the name of the format of the files; it is absent in older files."""
    if "format" not in described.values:
        return default
    name = described.take("format", kinds.text)
    if name not in FORMAT_NAMES:
        raise described.error(f"it has an unknown format, {name!r}")
    return name
