"""Lines: gzip, byte order marks, pipes, and files that cannot be opened."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import json
import lzma
import os
import tarfile
import threading

import pytest
from machine import NEEDS_PIPES
from rows import ROW, read, write

from spinn.data import lines
from spinn.data.formats import detect_format
from spinn.support.errors import DataError


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_told_by_content_not_by_name(tmp_path, compress):
    path = tmp_path / "packed.jsonl.gz"
    path.write_bytes(compress(json.dumps(ROW).encode()))
    assert read(path)[0].premise.words == ["A", "dog", "runs", "."]


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:20] + b"x" * 50])
def test_damaged_compression_is_named(tmp_path, compress, damage):
    (tmp_path / "f").write_bytes(damage(compress(json.dumps(ROW).encode() * 9)))
    with pytest.raises(DataError, match=r"line 1: the compressed data are cut short or damaged"):
        read(tmp_path / "f")


def test_byte_order_marks_are_ignored(tmp_path):
    """Also within a file that was joined from several."""
    line = b"\xef\xbb\xbf" + json.dumps(ROW).encode()
    path = write(tmp_path / "f", line, line)
    assert detect_format(path).name == "snli"
    assert len(read(path)) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("yes\tA.\tB.".encode("utf-16"), "iconv -f utf-16 -t utf-8"),
        ("yes\tA.\tB.".encode("utf-16-le"), "iconv -f utf-16le -t utf-8"),
        ("yes\tA.\tB.".encode("utf-16-be"), "iconv -f utf-16be -t utf-8"),
        ("yes\tCaf\xe9.\tB.".encode("latin1"), "iconv -f latin1 -t utf-8"),
        ("yes\tA.\tB.".encode("utf-32"), "UTF-32.*iconv -f utf-32 -t utf-8"),
        ("yes\tA.\tB.".encode("utf-32-le"), "iconv -f utf-32le -t utf-8"),
        ("yes\tA.\tB.".encode("utf-32-be"), "iconv -f utf-32be -t utf-8"),
        (b"yes\tA.\tB.\rno\tA.\tC.\r", "its lines end with a carriage return alone"),
        (b"\x28\xb5\x2f\xfd  ", "zstd -d"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X", "this is not text"),
        (b"\x7fELF\2\1\1\0\0\0", "this is not text"),
    ],
)
def test_the_remedy_fits_the_content(tmp_path, content, message):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "f")


def archive(compression: str) -> bytes:
    """Return a tar archive of one file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{compression}") as tar:
        content = json.dumps(ROW).encode()
        member = tarfile.TarInfo("a-name-of-a-file" * 5)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive(""), r"this is a tar archive\. Unpack it \(`tar -xf`\)"),
        (archive("gz"), r"this is a tar archive in a compressed file\."),
        (archive("xz"), r"this is a tar archive in a compressed file\."),
        (gzip.compress("yes\tA.\tB.".encode("utf-16")), r"UTF-16 in .* Decompress it\. Convert it"),
        (bz2.compress(b"\x7fELF\2\1\1\0\0\0"), "this is not text in a compressed file"),
        (gzip.compress(gzip.compress(b"yes\tA.\tB.")), "it is compressed twice"),
    ],
    ids=["tar", "tar.gz", "tar.xz", "utf-16.gz", "elf.bz2", "gz.gz"],  # the bytes have times
)
def test_the_kind_of_compressed_content_is_told_too(tmp_path, content, message):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(lines.numbered_lines(tmp_path / "f"))


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_LINE", 2**12)
    path = write(tmp_path / "f", ROW, "x" * 2**13, compress=True)
    with pytest.raises(DataError, match=r"f, line 2: the line has more than 4,096 bytes"):
        read(path)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_file_that_expands_without_end_is_refused(tmp_path, monkeypatch, compress):
    monkeypatch.setattr(lines, "_LARGE", 2**12)
    (tmp_path / "f").write_bytes(compress(b"\n" * 2**18))
    with pytest.raises(DataError, match=r"f, line [0-9]+: .* compressed bytes expand to"):
        read(tmp_path / "f")


def test_a_file_without_permission_is_named_so(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(DataError, match=r"f: you are not allowed to read the file\."):
        read(tmp_path / "f")


@NEEDS_PIPES
def test_file_is_opened_once_so_that_a_pipe_will_do(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=write, args=(pipe, ROW, ROW))
    writer.start()
    assert len(read(pipe)) == 2
    writer.join()


def test_missing_file_and_folder(tmp_path):
    for open_it in (read, detect_format):
        with pytest.raises(DataError, match=r"nowhere: there is no such file\. Check the path"):
            open_it(tmp_path / "nowhere")
        with pytest.raises(DataError, match="this is a folder"):
            open_it(tmp_path)


def test_blank_lines_are_read_if_they_are_part_of_the_text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"one\n\n \ntwo")
    assert list(lines.numbered_lines(path)) == [(1, b"one\n"), (4, b"two")]
    whole = list(lines.numbered_lines(path, blank=True))
    assert whole == [(1, b"one\n"), (2, b"\n"), (3, b" \n"), (4, b"two")]
