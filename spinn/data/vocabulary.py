"""The vocabulary of a model, and pretrained word vectors.

torchtext is imported by this module only, and only when a corpus is prepared: trained models and
prepared corpora store their vocabulary as plain lists.
"""

from __future__ import annotations

import gzip
import io
import logging
import shutil
import ssl
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinn.support import json_files as kinds
from spinn.support.errors import DataError
from spinn.support.files import written_folder
from spinn.support.json_files import JSONObject
from spinn.support.tensor_files import verify_archive

logger = logging.getLogger(__name__)

UNKNOWN, PADDING = 0, 1  # as in torchtext
SPECIAL_WORDS = ["<unk>", "<pad>"]


@dataclass
class Vocabulary:
    """Words and their indices.

    Attributes
    ----------
    words
        Words by index; the first two are the unknown word and padding.
    lower
        Whether words are lower-cased before lookup.

    """

    words: list[str]
    lower: bool = True
    _numbers: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._numbers = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def numbers(self, words: Iterable[str]) -> NDArray[np.int32]:
        """Return the indices of words; ``UNKNOWN`` for those not in the vocabulary."""
        if self.lower:
            words = (word.lower() for word in words)
        return np.array([self._numbers.get(word, UNKNOWN) for word in words], dtype=np.int32)

    def as_dict(self) -> dict[str, Any]:
        """Return a description for JSON; ``Vocabulary(**description)`` restores it."""
        return {"words": self.words, "lower": self.lower}


def read_vocabulary(described: JSONObject) -> Vocabulary:
    """Read a vocabulary, written by :meth:`Vocabulary.as_dict`, and check it.

    Raises
    ------
    DataError
        If words are not text, occur twice, or begin otherwise than with the special ones.

    """
    words = described.take("words", kinds.distinct(kinds.list_of(kinds.text)))
    if words[:2] != SPECIAL_WORDS:
        raise described.error(f"its words do not begin with {' and '.join(SPECIAL_WORDS)}")
    return Vocabulary(words, described.take("lower", kinds.truth))


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
    """A file of pretrained vectors in the GloVe text format; ``cache`` gets a binary copy.

    Raises
    ------
    DataError
        If the file is missing, empty, or has vectors of different dimensions.

    """

    def __init__(self, path: Path, cache: Path) -> None:
        if not path.is_file():
            raise DataError(path, "there is no such vector file", remedy="Check the path given")
        try:
            table = _load(path, cache)
        except (RuntimeError, ValueError, TypeError, EOFError, OSError) as error:
            raise _explain(path, error) from error
        if table.dim is None or len(table.stoi) == 0:
            raise DataError(path, "it contains no word vectors", remedy="Give a GloVe text file")
        self.dimension: int = table.dim
        self._rows: Mapping[str, int] = table.stoi
        self._vectors: Tensor = table.vectors

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


def choose_words(
    training: Counter[str], others: Iterable[str], table: VectorTable | None, minimum: int
) -> list[str]:
    """Return the words of a vocabulary, the most frequent first.

    A word is included if it has a pretrained vector or occurs at least ``minimum`` times in the
    training set. All others share the unknown word, so the rare words of the training set train it.
    Words that occur only in other sets come last and do not change the indices of the rest.
    """
    from torchtext.vocab import Vocab

    chosen = Counter({word: count for word, count in training.items() if count >= minimum})
    if table is not None:
        chosen |= Counter({word: count for word, count in training.items() if word in table})
    words = list(Vocab(chosen, specials=SPECIAL_WORDS).itos)
    further = {word for word in others if table is not None and word in table}
    return [*words, *sorted(further.difference(words))]


def _load(path: Path, cache: Path) -> Any:
    """Load vectors with torchtext, from the cached binary copy if there is one.

    torchtext identifies copies by file name only and writes them in place. Here the folder name of
    a copy includes the size and modification time of the file, and the copy is renamed into place.
    If the cache is not writable, a temporary copy is used. A damaged copy is made again.
    """
    logging.getLogger("torchtext.vocab").setLevel(logging.ERROR)
    stamp = path.stat()
    folder = cache / f"{path.name}-{stamp.st_size}-{stamp.st_mtime_ns}"
    # torchtext disables certificate verification for the whole process; restore it.
    https_context = ssl._create_default_https_context
    try:
        if folder.is_dir():
            try:
                return _read_copy(path, folder)
            except Exception:  # a damaged pickle can raise anything
                logger.warning(f"The cache at {folder} cannot be read; reading {path} again.")
                shutil.rmtree(folder, ignore_errors=True)
        try:
            with written_folder(folder) as scratch:
                return _read(path, scratch)
        except (OSError, RuntimeError):  # torch raises the latter if the disk is full
            with tempfile.TemporaryDirectory() as scratch:
                return _read(path, Path(scratch))
    finally:
        ssl._create_default_https_context = https_context


def _read_copy(path: Path, copy: Path) -> Any:
    """Read the binary copy; raise an error if it is damaged."""
    for file in copy.iterdir():
        verify_archive(file)
    table = _read(path, copy)
    numbers = dict(zip(table.itos, range(len(table.itos)), strict=True))
    if table.vectors.shape != (len(table.itos), table.dim) or table.stoi != numbers:
        raise ValueError("it is not a table of vectors")
    return table


def _read(path: Path, copy: Path) -> Any:
    from torchtext.vocab import Vectors

    with _bar_on_terminals():
        return Vectors(name=str(path.resolve()), cache=str(copy))


def _bar_on_terminals() -> AbstractContextManager[Any]:
    """Suppress torchtext's progress bar unless stderr is a terminal."""
    return nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO())


def _explain(path: Path, error: Exception) -> DataError:
    """Return the error for the first invalid line of a vector file, by reading it once more."""
    remedy = "Download the file again, or give another"
    opener = gzip.open if path.suffix == ".gz" else open
    dimension: int | None = None
    try:
        with opener(path, "rb") as stream:
            for line, text in enumerate(stream, start=1):
                cells = text.decode("utf-8").rstrip().split(" ")[1:]
                if dimension is None and len(cells) > 1:
                    dimension = len(cells)
                elif dimension is not None and len(cells) not in (1, dimension):
                    cause = f"a vector has {len(cells)} numbers where the first has {dimension}"
                    return DataError(path, cause, line=line, remedy=remedy)
                for cell in cells:
                    try:
                        float(cell)
                    except ValueError:
                        cause = f"{cell!r} is not a number"
                        return DataError(path, cause, line=line, remedy=remedy)
    except (EOFError, OSError, UnicodeDecodeError) as second:
        return DataError(path, f"it cannot be read ({second})", remedy=remedy)
    if dimension is None:
        return DataError(path, "it contains no word vectors", remedy="Give a GloVe text file")
    return DataError(path, f"it cannot be read ({error})", remedy=remedy)
