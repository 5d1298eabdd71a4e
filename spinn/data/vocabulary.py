"""The vocabulary of a model: its words, and the vectors they start from.

Built through torchtext, the only module that imports it, and only when a corpus is prepared: a
model that is loaded, or trained from a prepared corpus, brings its vocabulary along as plain lists.
"""

from __future__ import annotations

import gzip
import io
import logging
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

from spinn.errors import DataError
from spinn.files import written_folder

UNKNOWN, PADDING = 0, 1  # torchtext's own numbers of its first two words
SPECIAL_WORDS = ["<unk>", "<pad>"]


@dataclass
class Vocabulary:
    """Words and their numbers.

    Attributes
    ----------
    words
        By number; the first two are the unknown word and padding.
    lower
        Whether words are lower-cased before they are looked up.

    """

    words: list[str]
    lower: bool = True
    _numbers: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._numbers = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def numbers(self, words: Iterable[str]) -> NDArray[np.int32]:
        """Look up words; those not listed get the number of the unknown word."""
        if self.lower:
            words = (word.lower() for word in words)
        return np.array([self._numbers.get(word, UNKNOWN) for word in words], dtype=np.int32)


@dataclass
class WordVectors:
    """Pretrained vectors of some of a vocabulary's words.

    Attributes
    ----------
    vectors
        ``[V, E]``; rows of words without a vector are zero, or have been induced.
    known
        ``[V]``, true for the words that have a pretrained one.

    """

    vectors: Tensor
    known: Tensor


class VectorTable:
    """A file of pretrained vectors in the GloVe text format (plain or ``.gz``).

    Raises
    ------
    DataError
        If the file is missing, empty or has a line of another dimension than the first.

    """

    def __init__(self, path: Path, cache: Path) -> None:
        if not path.is_file():
            raise DataError(path, "there is no such vector file", remedy="Check the path given")
        try:
            table = _load(path, cache)
        except (RuntimeError, ValueError, TypeError, EOFError, OSError) as error:
            raise _explain(path, error) from error
        if table.dim is None or len(table.stoi) == 0:
            raise DataError(path, "no word vectors are in it", remedy="Give a GloVe text file")
        self.dimension: int = table.dim
        self._rows: Mapping[str, int] = table.stoi
        self._vectors: Tensor = table.vectors

    def __contains__(self, word: str) -> bool:
        return word in self._rows

    @property
    def words(self) -> Iterator[str]:
        """The words that have a vector, in the order of the file: GloVe has frequent ones first."""
        return iter(self._rows)

    def of(self, words: list[str]) -> WordVectors:
        """Gather the vectors of ``words``."""
        rows = torch.tensor([self._rows.get(word, -1) for word in words])
        known = rows >= 0
        vectors = torch.zeros(len(words), self.dimension)
        vectors[known] = self._vectors[rows[known]]
        return WordVectors(vectors, known)


def choose_words(
    training: Counter[str], others: Iterable[str], table: VectorTable | None, minimum: int
) -> list[str]:
    """Choose the words of a vocabulary, the most frequent first.

    Words of other sets than training come last, so that these change no number of those before. A
    word is in if it has a pretrained vector, or occurs at least ``minimum`` times in the training
    set. The rest share the unknown word, which is thereby trained on the rare words of the training
    set and not met for the first time in a test.
    """
    from torchtext.vocab import Vocab

    chosen = Counter({word: count for word, count in training.items() if count >= minimum})
    if table is not None:
        chosen |= Counter({word: count for word, count in training.items() if word in table})
    words = list(Vocab(chosen, specials=SPECIAL_WORDS).itos)
    further = {word for word in others if table is not None and word in table}
    return [*words, *sorted(further.difference(words))]


def _load(path: Path, cache: Path) -> Any:
    """Load vectors through torchtext, or the binary copy it made of the same file before.

    torchtext knows its copies by the file's name alone and writes them in place; here a copy's
    folder also carries the size and time of the file, and the copy moves in when it is whole. Where
    it cannot be kept, it is made for the moment.
    """
    logging.getLogger("torchtext.vocab").setLevel(logging.ERROR)
    stamp = path.stat()
    folder = cache / f"{path.name}-{stamp.st_size}-{stamp.st_mtime_ns}"
    # torchtext turns the checking of certificates off for the whole process; turn it on again.
    https_context = ssl._create_default_https_context
    try:
        if folder.is_dir():
            return _read(path, folder)
        try:
            with written_folder(folder) as scratch:
                return _read(path, scratch)
        except (OSError, RuntimeError):  # torch has the latter for a full disk
            with tempfile.TemporaryDirectory() as scratch:
                return _read(path, Path(scratch))
    finally:
        ssl._create_default_https_context = https_context


def _read(path: Path, copy: Path) -> Any:
    from torchtext.vocab import Vectors

    with _bar_on_terminals():
        return Vectors(name=str(path.resolve()), cache=str(copy))


def _bar_on_terminals() -> AbstractContextManager[Any]:
    """Keep torchtext's progress bar out of logs."""
    return nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO())


def _explain(path: Path, error: Exception) -> DataError:
    """Find the line of a vector file that could not be read; this reads the file once more."""
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
                        return DataError(path, f"{cell!r} is no number", line=line, remedy=remedy)
    except (EOFError, OSError, UnicodeDecodeError) as second:
        return DataError(path, f"it cannot be read ({second})", remedy=remedy)
    if dimension is None:
        return DataError(path, "no word vectors are in it", remedy="Give a GloVe text file")
    return DataError(path, f"it cannot be read ({error})", remedy=remedy)
