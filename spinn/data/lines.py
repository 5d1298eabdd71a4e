"""Lines of text files: opening plain and compressed files, decoding, and splitting at tabs."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from spinn.support.errors import DataError

LONGEST_LINE = 2**24  # bytes
_START = 64  # bytes that the kind of a file is recognised by
_TAR = (b"ustar", 257)  # the mark of a tar archive, and where it is
_PEEKED = 512  # bytes that are looked at
_OFTEN = 2**14  # lines between two checks of the expansion
_EXPANSION = 250  # unpacked bytes per packed byte; rows of text have about 10
_LARGE = 2**26  # unpacked bytes that are accepted at any expansion
READ_AGAIN = "the text of a model is read again to go on, and to evaluate it"
NEEDS_EXAMPLES = "Choose a file with labelled sentences or sentence pairs"


def numbered_lines(
    path: Path, *, blank: bool = False, longest: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and contents of the non-blank lines of a text file, plain or compressed.

    gzip, bzip2 and xz are recognised by content. A byte-order mark at the start of a line, as files
    that were joined have it, is removed. With ``blank``, blank lines are yielded, too.

    Raises
    ------
    DataError
        If the file cannot be opened, read or decompressed, is not text in UTF-8, has a line of more
        than ``longest`` bytes (default: ``LONGEST_LINE``), or expands without end.

    """
    number, longest = 0, LONGEST_LINE if longest is None else longest
    try:
        with open(path, "rb") as file, _decompress(path, file) as stream:
            for number, line in enumerate(iter(lambda: stream.readline(longest), b""), start=1):
                if number == 1 and b"\r" in line[:-1] and not line.endswith(b"\n"):
                    raise _old_line_ends(path)
                if len(line) == longest:
                    cause = f"the line has more than {longest:,} bytes"
                    raise DataError(path, cause, line=number, remedy="Write each row on one line")
                if number % _OFTEN == 0 and stream is not file:
                    _check_expansion(path, number, file, stream)
                content = line.removeprefix(codecs.BOM_UTF8)
                if blank or (content and not content.isspace()):
                    yield number, content
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise _damaged(path, number + 1, error) from error
    except OSError as error:
        if error.errno is None:  # invalid bzip2 data
            raise _damaged(path, number + 1, error) from error
        raise unreadable(path, error) from error


def is_pipe(path: Path) -> bool:
    """Return whether a file can be read only once."""
    return path.is_fifo() or path.is_char_device()


def refuse_pipes(paths: Iterable[Path], why: str) -> None:
    """Raise :class:`DataError` if a file can be read only once, and ``why`` it is read again."""
    for path in paths:
        if is_pipe(path):
            cause = f"a pipe can be read once only, and {why}"
            raise DataError(path, cause, remedy="Save it to a file first")


def unreadable(path: Path, error: OSError) -> DataError:
    """Return the error for a file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        cause, remedy = "there is no such file", "Check the path, or download the corpus first"
    elif isinstance(error, IsADirectoryError):
        cause, remedy = "this is a folder", "Name a file in it"
    elif isinstance(error, PermissionError):
        cause, remedy = "you are not allowed to read the file", "Change its permissions (chmod)"
    else:
        cause = f"the file cannot be read ({error.strerror or error})"
        remedy = "Check it and its permissions"
    return DataError(path, cause, remedy=remedy)


def _old_line_ends(path: Path) -> DataError:
    return DataError(
        path,
        "its lines end with a carriage return alone, as on old Macs",
        remedy=r"Convert it, for example with `tr '\r' '\n'`",
    )


def _damaged(path: Path, line: int, error: Exception) -> DataError:
    return DataError(
        path,
        f"the compressed data are cut short or damaged from here on ({error})",
        line=line,
        remedy="Copy or download the file again",
    )


def first_line(path: Path, lines: Iterator[tuple[int, bytes]]) -> tuple[int, bytes]:
    """Take the first of ``numbered_lines(path)``; raise :class:`DataError` if there is none."""
    for numbered_line in lines:
        return numbered_line
    raise DataError(path, "the file is empty", remedy=NEEDS_EXAMPLES)


_OPENERS: dict[bytes, Callable[[BinaryIO], object]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_REFUSED = {
    b"PK\x03\x04": ("this is a zip archive", "Unpack it and name a file in it"),
    b"7z\xbc\xaf": ("this is a 7z archive", "Unpack it and name a file in it"),
    b"PAR1": (
        "this is a Parquet file",
        "Name it *.parquet, or give --format parquet",
    ),
    b"\x28\xb5\x2f\xfd": ("this is compressed by zstd", "Decompress it (`zstd -d`)"),
}
_MARKS = {  # the longer ones first: that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WIDE = {  # the zeros in each four bytes of a text that is mostly ASCII; the fewest first
    (1, 3): "utf-16le",
    (0, 2): "utf-16be",
    (1, 2, 3): "utf-32le",
    (0, 1, 2): "utf-32be",
}


def _decompress(path: Path, file: io.BufferedReader) -> BinaryIO:
    opener = _opener(file)
    if opener is None:
        check_text(path, file.peek(_PEEKED))
        return cast(BinaryIO, file)
    # These files yield lines in Python; a buffered reader around them does so in C.
    compressed = cast(io.RawIOBase, opener(file))
    stream = cast(io.BufferedReader, io.BufferedReader(compressed, 2**18))
    if _opener(stream) is not None:
        raise DataError(path, "it is compressed twice", remedy="Decompress it once")
    try:
        check_text(path, stream.peek(_PEEKED))
    except DataError as error:
        cause = f"{error.cause} in a compressed file"
        raise DataError(path, cause, remedy=f"Decompress it. {error.remedy}") from None
    return cast(BinaryIO, stream)


def _opener(file: io.BufferedReader) -> Callable[[BinaryIO], object] | None:
    """Return what decompresses a file; ``None`` if it is not compressed."""
    start = file.peek(_START)
    return next((one for magic, one in _OPENERS.items() if start.startswith(magic)), None)


def check_text(path: Path, start: bytes) -> None:
    """Raise :class:`DataError` if a file with these first bytes is not text in UTF-8."""
    for magic, (cause, remedy) in _REFUSED.items():
        if start.startswith(magic):
            raise DataError(path, cause, remedy=remedy)
    mark, place = _TAR
    if start.startswith(mark, place):
        cause, remedy = "this is a tar archive", "Unpack it (`tar -xf`) and name a file in it"
        raise DataError(path, cause, remedy=remedy)
    encoding = _wide_encoding(start[:_START])
    if encoding is not None:
        raise DataError(
            path,
            f"this is text in {encoding[:6].upper()}",
            remedy=f"Convert it, for example with `iconv -f {encoding} -t utf-8`",
        )
    if b"\0" in start[:_START]:
        raise DataError(path, "this is not text", remedy="Name a text file")


def _wide_encoding(start: bytes) -> str | None:
    """Return the encoding of a text with several bytes a character; ``None`` if it is none."""
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding
    places = {place % 4 for place, byte in enumerate(start) if not byte}
    if not places or 3 * start.count(0) < len(start):
        return None
    return next((one for zeros, one in _WIDE.items() if places.issubset(zeros)), None)


def _check_expansion(path: Path, line: int, file: BinaryIO, stream: BinaryIO) -> None:
    """Raise :class:`DataError` if the compressed data expand more than text does."""
    try:
        packed, unpacked = file.tell(), stream.tell()
    except OSError:  # a pipe
        return
    if unpacked > max(_LARGE, _EXPANSION * packed):
        raise DataError(
            path,
            f"{packed:,} compressed bytes expand to {unpacked:,} and more",
            line=line,
            remedy="Check where the file is from; decompress it by hand if it is right",
        )


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
