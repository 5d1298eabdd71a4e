"""Lines of corpus files: opening plain and gzip files, decoding, and splitting at tabs."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from spinn.support.errors import DataError

NEEDS_EXAMPLES = "Choose a file with labelled sentences or sentence pairs"


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and contents of the non-blank lines of a plain or gzip file.

    Raises
    ------
    DataError
        If the file cannot be opened, read or decompressed.

    """
    number = 0
    try:
        with open(path, "rb") as file, _decompress(path, file) as stream:
            for number, line in enumerate(stream, start=1):
                content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if content and not content.isspace():
                    yield number, content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            path,
            f"the gzip data are cut short or damaged from here on ({error})",
            line=number + 1,
            remedy="Copy or download the file again",
        ) from error
    except FileNotFoundError as error:
        raise DataError(
            path, "there is no such file", remedy="Check the path, or download the corpus first"
        ) from error
    except IsADirectoryError as error:
        raise DataError(path, "this is a folder", remedy="Name a file in it") from error
    except OSError as error:
        reason = error.strerror or error
        raise DataError(
            path, f"the file cannot be read ({reason})", remedy="Check it and its permissions"
        ) from error


def first_line(path: Path, lines: Iterator[tuple[int, bytes]]) -> tuple[int, bytes]:
    """Take the first of ``numbered_lines(path)``; raise :class:`DataError` if there is none."""
    for numbered_line in lines:
        return numbered_line
    raise DataError(path, "the file is empty", remedy=NEEDS_EXAMPLES)


def _decompress(path: Path, file: io.BufferedReader) -> BinaryIO:
    magic = file.peek(4)
    if magic.startswith(b"\x1f\x8b"):
        # GzipFile yields lines in Python; a buffered reader around it does so in C.
        compressed = cast(io.RawIOBase, gzip.GzipFile(fileobj=file))
        return cast(BinaryIO, io.BufferedReader(compressed, 2**18))
    if magic.startswith(b"PK\x03\x04"):
        raise DataError(path, "this is a zip archive", remedy="Unpack it and name a file in it")
    return cast(BinaryIO, file)


def decode(path: Path, line: int, content: bytes) -> str:
    """Decode a line; raise :class:`DataError` if it is not UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            path,
            f"byte {error.start + 1} of the line, {content[error.start]:#04x}, is not UTF-8",
            line=line,
            remedy="Convert the file, for example with `iconv -f latin1 -t utf-8`",
        ) from error


def split_cells(
    path: Path,
    line: int,
    content: bytes,
    columns: tuple[str, ...],
    *,
    more: bool = False,
    remedy: str | None = None,
) -> list[str]:
    """Split a line at its tabs into the named ``columns``, or ``more`` if that is allowed.

    A further ``remedy`` is added to the error.

    Raises
    ------
    DataError
        If the number of cells is wrong.

    """
    cells = [cell.strip() for cell in decode(path, line, content).split("\t")]
    count = len(columns)
    if len(cells) < count or (len(cells) > count and not more):
        required = f"Write {'at least ' if more else ''}{count}: {', '.join(columns)}"
        raise DataError(
            path,
            f"the line has {len(cells)} tab-separated column{'s'[: len(cells) != 1]}",
            line=line,
            remedy=required if remedy is None else f"{required}. {remedy}",
        )
    return cells
