"""Pretrained word vectors: text files in the format of GloVe, word2vec or fastText.

A line is a word and its numbers, separated by blanks; a header with the number of words and the
dimension is optional. Lines that no word of a text can have are left out and counted: words that
are empty, contain blanks or are not UTF-8, second vectors of a word, and vectors that are not
finite.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinn.data.lines import numbered_lines
from spinn.support.errors import DataError
from spinn.support.files import written_folder
from spinn.support.tensor_files import read_torch

logger = logging.getLogger(__name__)

_SAMPLE = 100  # lines that the dimension is found by
_LARGEST = 1e10  # absolute value; sums of the squares of larger ones are not finite
_NOT_VECTORS = "Give a text file of word vectors, such as GloVe"
_DAMAGED = "Remove the line, or copy the file again"


@dataclass
class WordVectors:
    """Vectors of the words of a vocabulary.

    Attributes
    ----------
    vectors
        ``[V, E]``; rows of words without a pretrained vector are zero or induced.
    known
        ``[V]``, true for words with a pretrained vector.

    """

    vectors: Tensor
    known: Tensor

    def check(self, words: int) -> None:
        """Raise :class:`ValueError` unless these can be the vectors of a number of words."""
        vectors, known = self.vectors, self.known
        if vectors.dtype != torch.float32 or vectors.ndim != 2 or len(vectors) != words:
            raise ValueError(f"vectors are not a matrix of float32 with {words} rows")
        if known.dtype != torch.bool or known.shape != (words,):
            raise ValueError(f"known is not a vector of {words} truth values")
        if not torch.isfinite(vectors).all():
            raise ValueError("a vector has a number that is not finite")


class VectorTable:
    """A file of pretrained vectors; ``cache`` gets a binary copy.

    Attributes
    ----------
    dimension
        Number of elements of a vector (E).
    note
        Message about the lines that were left out; empty if there are none.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, or has vectors of different dimensions.

    """

    def __init__(self, path: Path, cache: Path) -> None:
        words, self._vectors, self.note = _load(path, cache)
        self.dimension = self._vectors.shape[1]
        self._rows = {word: row for row, word in enumerate(words)}

    def __contains__(self, word: str) -> bool:
        return word in self._rows

    @property
    def words(self) -> Iterator[str]:
        """The words with a vector, in the order of the file (in GloVe, the most frequent first)."""
        return iter(self._rows)

    def of(self, words: list[str]) -> WordVectors:
        """Return the vectors of ``words``; zeros for those without one."""
        rows = torch.tensor([self._rows.get(word, -1) for word in words])
        known = rows >= 0
        vectors = torch.zeros(len(words), self.dimension)
        vectors[known] = self._vectors[rows[known]]
        return WordVectors(vectors, known)


_Table = tuple[list[str], Tensor, str]  # words, their vectors, and the note


def _load(path: Path, cache: Path) -> _Table:
    """Return the content of a file, from its binary copy if there is one.

    The folder name of a copy includes the size and modification time of the file, and a digest of
    the folder that it is in. If the cache is not writable, no copy is kept.
    """
    try:
        stamp = path.stat()
    except OSError:
        return _read(path)  # raises an error with the reason
    place = hashlib.sha256(os.fsencode(path.resolve().parent)).hexdigest()[:10]
    folder = cache / f"{path.name}-{stamp.st_size}-{stamp.st_mtime_ns}-{place}"
    copy = folder / "words-and-vectors.pt"
    if copy.is_file():
        try:
            return _checked(read_torch(copy, "Delete it"))
        except (DataError, ValueError):
            logger.warning(f"{copy} cannot be read; reading the vectors again.")
    table = _read(path)
    try:
        with written_folder(folder) as scratch:
            torch.save(table, scratch / copy.name)
    except (OSError, RuntimeError):  # torch raises the latter if the disk is full
        pass
    return table


def _checked(table: Any) -> _Table:
    """Return what was read from a binary copy; raise :class:`ValueError` if it is no table."""
    words, vectors, note = table if isinstance(table, tuple) else ()
    if not isinstance(words, list) or not isinstance(vectors, Tensor) or len(words) != len(vectors):
        raise ValueError("it is not a table of vectors")
    return words, vectors, str(note)


@dataclass
class _Reading:
    """What has been read so far."""

    path: Path
    dimension: int
    numbers: dict[str, int] = field(default_factory=dict)
    vectors: bytearray = field(default_factory=bytearray)
    left_out: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    """Line of the first vector that was left out for each reason."""

    def add(self, line: int, cells: list[bytes]) -> None:
        """Add the word and the vector of a line, or leave it out."""
        vector = self._vector(line, cells)
        try:
            word = b" ".join(cells[: -self.dimension]).decode()
        except UnicodeDecodeError:
            return self._leave_out(line, "whose word is not UTF-8")
        if not word:
            return self._leave_out(line, "without a word")
        if len(cells) > 1 + self.dimension:
            return self._leave_out(line, "whose word has blanks")
        if not np.abs(vector).max() <= _LARGEST:
            return self._leave_out(line, "with numbers that are not finite")
        if word in self.numbers:
            return self._leave_out(line, "of a word that has a vector already")
        self.numbers[word] = len(self.numbers)
        self.vectors += vector.tobytes()
        return None

    def _vector(self, line: int, cells: list[bytes]) -> NDArray[np.float32]:
        count = len(cells) - 1
        extra = cells[1 : -self.dimension]
        if count < self.dimension or (extra and all(map(_is_number, extra))):
            cause = f"a vector has {count} numbers where the others have {self.dimension}"
            raise DataError(self.path, cause, line=line, remedy=_DAMAGED)
        try:
            with np.errstate(over="ignore"):
                return np.array([float(cell) for cell in cells[-self.dimension :]], np.float32)
        except ValueError:
            wrong = next(cell for cell in cells[-self.dimension :] if not _is_number(cell))
            raise _no_number(self.path, line, wrong) from None

    def _leave_out(self, line: int, reason: str) -> None:
        self.left_out[reason] += 1
        self.first.setdefault(reason, line)

    def note(self, expected: int) -> str:
        """Return the message about lines that were left out, and those that the header has more."""
        reasons = ", ".join(
            f"{count:,} {reason} (first in line {self.first[reason]})"
            for reason, count in self.left_out.items()
        )
        total = self.left_out.total()
        found = len(self.numbers) + total
        notes = [f"vectors left out: {reasons}"] if total else []
        if found < expected:
            notes.append(f"{found:,} vectors where the first line announces {expected:,}")
        return f"{self.path}: {'; '.join(notes)}" if notes else ""


def _read(path: Path) -> _Table:
    lines = ((number, _cells(content)) for number, content in numbered_lines(path))
    sample = list(islice(lines, _SAMPLE))
    expected = int(sample.pop(0)[1][0]) if sample and _is_header(sample) else 0
    if not sample:
        raise DataError(path, "it contains no word vectors", remedy=_NOT_VECTORS)
    reading = _Reading(path, _dimension(path, [cells for _, cells in sample], sample[0][0]))
    for number, cells in chain(sample, lines):
        reading.add(number, cells)
    if not reading.numbers:
        reasons = ", ".join(reading.left_out)
        raise DataError(
            path, f"it contains no word vectors but some {reasons}", remedy=_NOT_VECTORS
        )
    vectors = np.frombuffer(reading.vectors, np.float32).reshape(-1, reading.dimension)
    return list(reading.numbers), torch.from_numpy(vectors), reading.note(expected)


def _cells(content: bytes) -> list[bytes]:
    """Split a line at blanks and tabs only: a word may contain other whitespace.

    The first cell is empty if there is no word.
    """
    word, *rest = content.rstrip().replace(b"\t", b" ").split(b" ")
    return [word, *(cell for cell in rest if cell)]


def _is_header(sample: Sequence[tuple[int, list[bytes]]]) -> bool:
    """Return whether the first line has the number of words and the dimension, not a vector."""
    cells = sample[0][1]
    if len(cells) != 2 or not all(cell.isdigit() for cell in cells):
        return False
    return len(sample) == 1 or int(cells[1]) > 1 or len(sample[1][1]) != 2


def _dimension(path: Path, sample: list[list[bytes]], line: int) -> int:
    """Return the most frequent number of numbers that a line ends with."""
    counts = Counter(_trailing_numbers(cells) for cells in sample)
    dimension, _ = max(counts.items(), key=lambda item: (item[1], item[0]))
    if dimension == 0:
        wrong = next((cell for cell in sample[0][1:] if not _is_number(cell)), sample[0][0])
        raise _no_number(path, line, wrong)
    return dimension


def _trailing_numbers(cells: list[bytes]) -> int:
    """Return the number of cells at the end that are numbers; the first is part of a word."""
    count = 0
    for cell in reversed(cells[1:]):
        if not _is_number(cell):
            break
        count += 1
    return count


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _no_number(path: Path, line: int, cell: bytes) -> DataError:
    text = cell[:40].decode(errors="replace")
    return DataError(path, f"{text!r} is not a number", line=line, remedy=_NOT_VECTORS)
