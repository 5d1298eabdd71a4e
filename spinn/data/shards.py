"""Shards: equal contiguous parts of a file, for several processes (``--shard 3/8``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from spinn.data.formats.format import NumberedRow
from spinn.data.lines import is_pipe
from spinn.support.errors import ConfigurationError, DataError

_SHARD = re.compile(r"([0-9]{1,5})/([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """Shard ``number`` of ``count``, from 1. The shards in order are the file."""

    number: int
    count: int

    @property
    def suffix(self) -> str:
        """The end of the stem of a shard's file; names of shards sort by number."""
        return f"-{self.number:05}-of-{self.count:05}"

    def rows(self, path: Path, read: Callable[[], Iterable[NumberedRow]]) -> Iterator[NumberedRow]:
        """Return an iterator over the rows of the shard.

        Parameters
        ----------
        path
            The file.
        read
            Returns the rows of the file; it is called twice, first to count them.

        Raises
        ------
        DataError
            If the file is a pipe, or has fewer rows than there are shards.

        """
        if is_pipe(path):
            cause, remedy = "a pipe has no shards", "Give --shard a file"
            raise DataError(path, cause, remedy=remedy)
        total = sum(1 for _ in read())
        if total < self.count:
            cause = f"the file has {total:,} rows where there are {self.count:,} shards"
            raise DataError(path, cause, remedy="Give --shard a lower number of shards")
        start, stop = (total * end // self.count for end in (self.number - 1, self.number))
        return islice(read(), start, stop)


def read_shard(text: str) -> Shard:
    """Return the shard of a text such as ``"3/8"``.

    Raises
    ------
    ConfigurationError
        If the text names none.

    """
    found = _SHARD.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigurationError(f"--shard {text!r} is no shard; write 1/8 to 8/8 for 8 of them.")
    return Shard(int(found[1]), int(found[2]))
