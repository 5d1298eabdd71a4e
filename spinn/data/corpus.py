"""A corpus: numericalised sets with one vocabulary, and its files on disk.

A prepared corpus is a folder of two files. It can replace the texts, on a machine without the text
tools.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from spinn.data.dataset import PairDataset
from spinn.data.examples import ExampleKind, kind_with
from spinn.data.readers import no_parse
from spinn.data.vectors import WordVectors
from spinn.data.vocabulary import Vocabulary
from spinn.support.errors import DataError
from spinn.support.files import written_folder

VERSION = 2  # of the files
_ARRAYS = ("words", "offsets", "transitions", "labels")


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

    def require_parses(self, split: str) -> None:
        """Raise :class:`DataError` at the first example of a set without a tree."""
        place = self.unparsed[split]
        if place is not None and not self.sets[split].parsed.all():
            raise no_parse(place[0], place[1])

    def save(self, directory: Path) -> None:
        """Write the corpus to a folder, completely or not at all."""
        tensors = {
            f"{split}.{name}": torch.from_numpy(getattr(data, name))
            for split, data in self.sets.items()
            for name in _ARRAYS
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
        with written_folder(directory) as scratch:
            whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
            save_file(whole, scratch / "corpus.safetensors")
            (scratch / "corpus.json").write_text(json.dumps(description), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Corpus:
        """Read a prepared corpus.

        Raises
        ------
        DataError
            If the folder does not contain one, or one of another version.

        """
        remedy = "Delete the folder and prepare the corpus again"
        try:
            description = json.loads((directory / "corpus.json").read_text(encoding="utf-8"))
            tensors = load_file(directory / "corpus.safetensors")
            if description["version"] != VERSION:
                raise DataError(directory, "it was prepared by another version", remedy=remedy)
            kind = kind_with(description.get("sides", 2))  # absent in older files, all of pairs
            sets = {
                split: PairDataset(
                    **{name: tensors[f"{split}.{name}"].numpy() for name in _ARRAYS}, kind=kind
                )
                for split in description["sets"]
            }
            vectors = (
                WordVectors(tensors["vectors"], tensors["known"]) if "known" in tensors else None
            )
            return cls(
                Vocabulary(**description["vocabulary"]),
                vectors,
                tuple(description["labels"]),
                sets,
                description["unparsed"],
                description["notes"],
                description.get("format", "auto"),  # absent in older files
            )
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise DataError(
                directory, f"it is not a prepared corpus ({error})", remedy=remedy
            ) from error
