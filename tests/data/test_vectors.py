"""Vectors: which lines of a file are read, left out or refused."""

from __future__ import annotations

import gzip
import os
import struct
import tempfile
from pathlib import Path

import pytest
import torch

from spinn.data.vectors import VectorTable
from spinn.data.vocabulary import SPECIAL_WORDS
from spinn.support.errors import DataError

GLOVE = "the 0.5 -1 2\ndog 1 2 3\ncat 4 5 6e-1\n"


def write(path: Path, text: str | bytes) -> Path:
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def table_of(tmp_path: Path, text: str | bytes, name: str = "vectors.txt") -> VectorTable:
    return VectorTable(write(tmp_path / name, text), tmp_path / "cache")


def error_of(tmp_path: Path, text: str | bytes, name: str = "vectors.txt") -> DataError:
    with pytest.raises(DataError) as caught:
        table_of(tmp_path, text, name)
    assert caught.value.path == tmp_path / name
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz"])
def test_vectors_of_words(tmp_path, name):
    table = table_of(tmp_path, GLOVE, name)
    assert table.dimension == 3
    assert "dog" in table
    assert "wug" not in table
    found = table.of([*SPECIAL_WORDS, "cat", "wug", "the"])
    assert found.known.tolist() == [False, False, True, False, True]
    expected = [[0.0] * 3, [0.0] * 3, [4, 5, 0.6], [0.0] * 3, [0.5, -1, 2]]
    torch.testing.assert_close(found.vectors, torch.tensor(expected))


def test_vectors_are_read_where_no_copy_can_be_kept(tmp_path):
    (tmp_path / "cache").touch()
    path = write(tmp_path / "vectors.txt", GLOVE)
    assert VectorTable(path, tmp_path / "cache").of(["the"]).vectors.tolist() == [[0.5, -1, 2]]


def test_vectors_are_read_where_the_disk_of_the_copy_is_full(tmp_path, monkeypatch):
    path, save = write(tmp_path / "vectors.txt", GLOVE), torch.save

    def fail_there(content: object, place: Path) -> None:
        if place.is_relative_to(tmp_path):
            raise RuntimeError("basic_ios::clear: iostream error")
        save(content, place)

    monkeypatch.setattr(torch, "save", fail_there)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path.parent))
    assert VectorTable(path, tmp_path / "cache").of(["the"]).vectors.tolist() == [[0.5, -1, 2]]


@pytest.mark.parametrize(
    "text",
    ["3 3\n" + GLOVE, GLOVE.replace("\n", "\r\n"), GLOVE.rstrip("\n"), GLOVE.replace("\n", " \n")],
    ids=["word2vec header", "windows", "no last newline", "blank at the end"],
)
def test_common_variants_of_the_format_are_taken(tmp_path, text):
    found = table_of(tmp_path, text).of(["the", "cat"])
    torch.testing.assert_close(found.vectors, torch.tensor([[0.5, -1, 2], [4, 5, 0.6]]))


def test_a_word_that_is_not_utf8_is_left_out(tmp_path):
    table = table_of(tmp_path, b"the 1 2 3\n\xff\xfe 4 5 6\ndog 7 8 9\n")
    assert table.of(["dog"]).vectors.tolist() == [[7, 8, 9]]


def test_words_beyond_ascii(tmp_path):
    table = table_of(tmp_path, "naïve 1 2 3\n中 4 5 6\n")
    assert table.of(["中", "naïve"]).vectors.tolist() == [[4, 5, 6], [1, 2, 3]]


def test_a_second_reading_takes_the_copy_and_a_changed_file_does_not(tmp_path):
    table_of(tmp_path, GLOVE)
    copies = list((tmp_path / "cache").rglob("*.pt"))
    assert len(copies) == 1
    stamp = copies[0].stat().st_mtime_ns
    again = VectorTable(tmp_path / "vectors.txt", tmp_path / "cache")
    assert again.of(["dog"]).vectors.tolist() == [[1, 2, 3]]
    assert [path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.pt")] == [stamp]

    path = write(tmp_path / "vectors.txt", GLOVE.replace("dog 1 2 3", "dog 7 8 9"))
    os.utime(path, ns=(1, 1))
    changed = VectorTable(path, tmp_path / "cache")
    assert changed.of(["dog"]).vectors.tolist() == [[7, 8, 9]]


@pytest.mark.parametrize("part", [None, b"PK", b"dog", struct.pack("<2f", 4, 5), b"PK\x01\x02"])
def test_a_damaged_copy_is_made_again(tmp_path, part, caplog):
    """torch.load alone reads a copy with a flipped bit."""
    table = table_of(tmp_path, GLOVE)
    (copy,) = (tmp_path / "cache").rglob("*.pt")
    content = bytearray(copy.read_bytes())
    if part is None:
        del content[-100:]
    else:
        content[content.index(part)] ^= 16
    copy.write_bytes(content)
    for _ in range(2):
        again = VectorTable(tmp_path / "vectors.txt", tmp_path / "cache")
        assert torch.equal(again.of(["dog"]).vectors, table.of(["dog"]).vectors)
    assert sum("cannot be read; reading" in line for line in caplog.messages) == 1


def test_files_of_one_name_in_two_folders_do_not_share_a_copy(tmp_path):
    for folder, number in (("a", "1"), ("b", "2.5")):
        (tmp_path / folder).mkdir()
        path = write(tmp_path / folder / "vectors.txt", f"dog {number} 0 0\n")
        table = VectorTable(path, tmp_path / "cache")
        assert table.of(["dog"]).vectors[0, 0] == float(number)


def test_a_failed_reading_leaves_no_copy(tmp_path):
    error_of(tmp_path, "the 1 2 3\ndog 1 2\n")
    assert not (tmp_path / "cache").exists()


def test_nothing_is_printed(tmp_path, capsys):
    table_of(tmp_path, GLOVE)
    VectorTable(tmp_path / "vectors.txt", tmp_path / "cache")
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_real_vectors(real_data, tmp_path):
    table = VectorTable(real_data / "glove/glove.6B.50d.9k.txt.gz", tmp_path)
    found = table.of(["the", "dog", "sidewalk"])
    assert found.vectors.shape == (3, 50)
    assert found.known.tolist() == [True, True, False]
    with gzip.open(real_data / "glove/glove.6B.50d.9k.txt.gz", "rt", encoding="utf-8") as file:
        word, *numbers = file.readline().split()
    expected = torch.tensor([float(number) for number in numbers])
    torch.testing.assert_close(table.of([word]).vectors[0], expected)


# Vectors that cannot be read.


def test_another_dimension_is_named_with_its_line(tmp_path):
    error = error_of(tmp_path, "3 3\nthe 1 2 3\ndog 1 2 3\ncat 1 2 3 4\n")
    assert error.line == 4
    assert "4 numbers where the others have 3" in error.cause


def test_what_is_no_number_is_named_with_its_line(tmp_path):
    error = error_of(tmp_path, "the 1 2 3\ndog 1 two 3\n")
    assert error.line == 2
    assert "'two'" in error.cause


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz"])
@pytest.mark.parametrize("text", ["", "\n", "3 3\n"])
def test_no_vectors(tmp_path, text, name):
    assert "no word vectors" in error_of(tmp_path, text, name).cause


def test_only_words_that_are_not_utf8(tmp_path):
    assert "no word vectors" in error_of(tmp_path, b"\xff 1 2 3\n").cause


def test_no_file(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(DataError, match=r"no such file|is a folder"):
            VectorTable(path, tmp_path / "cache")


def test_numbers_that_are_not_utf8(tmp_path):
    assert "is not a number" in error_of(tmp_path, b"the 1 2 3\ndog 1 2 \xff\n").cause


def test_gzip_that_is_cut_short(tmp_path):
    path = tmp_path / "vectors.txt.gz"
    path.write_bytes(gzip.compress((GLOVE * 1000).encode())[:-20])
    with pytest.raises(DataError, match="cut short or damaged"):
        VectorTable(path, tmp_path / "cache")


def test_prose_instead_of_vectors(tmp_path):
    error = error_of(tmp_path, "It was a bright cold day\nin April\n")
    assert (error.line, error.cause) == (1, "'was' is not a number")


# Lines that are left out.


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path):
    assert "the" in table_of(tmp_path, b"\xef\xbb\xbf" + GLOVE.encode())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (". . . 1 2 3", "1 whose word has blanks"),
        ("at name@domain.com 1 2 3", "1 whose word has blanks"),
        (" 1 2 3", "1 without a word"),
        ("dog 7 8 9", "1 of a word that has a vector already"),
        ("wug nan 1 2", "1 with numbers that are not finite"),
        ("wug 1 -inf 2", "1 with numbers that are not finite"),
        ("wug 1 2 1e39", "1 with numbers that are not finite"),
        ("wug 1 2 1e30", "1 with numbers that are not finite"),
        (b"\xff 4 5 6", "1 whose word is not UTF-8"),
    ],
)
@pytest.mark.parametrize("place", [0, 2])
def test_lines_are_left_out_and_counted(tmp_path, line, reason, place):
    lines = GLOVE.encode().splitlines()
    lines.insert(place, line if isinstance(line, bytes) else line.encode())
    table = table_of(tmp_path, b"\n".join(lines))
    if reason.startswith("1 of a word"):
        assert table.of(["dog"]).vectors.tolist() == [[7, 8, 9] if place == 0 else [1, 2, 3]]
    else:
        assert list(table.words) == ["the", "dog", "cat"]
    assert f"vectors left out: {reason} (first in line " in table.note
    again = VectorTable(tmp_path / "vectors.txt", tmp_path / "cache")
    assert again.note == table.note
    assert torch.equal(again.of(["the", "cat"]).vectors, table.of(["the", "cat"]).vectors)


def test_fewer_vectors_than_announced_are_noted(tmp_path):
    assert table_of(tmp_path, "3 3\n" + GLOVE).note == ""
    assert "3 vectors where the first line announces 9" in table_of(tmp_path, "9 3\n" + GLOVE).note


def test_vectors_of_one_number_are_not_a_header(tmp_path):
    assert table_of(tmp_path, "7 1\ndog 2\n").of(["7", "dog"]).vectors.tolist() == [[1], [2]]


def test_tabs_may_separate_and_gzip_is_recognised_by_content(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_bytes(gzip.compress(GLOVE.replace(" ", "\t").encode()))
    assert VectorTable(path, tmp_path / "cache").of(["the"]).vectors.tolist() == [[0.5, -1, 2]]


def test_files_of_one_name_in_two_folders_have_copies_of_their_own(tmp_path):
    for folder, text in (("a", "the 1 2\n"), ("b", "the 3 4\n")):
        (tmp_path / folder).mkdir()
        os.utime(write(tmp_path / folder / "g.txt", text), ns=(1, 1))
    found = [VectorTable(tmp_path / one / "g.txt", tmp_path / "cache") for one in "ab"]
    assert [table.of(["the"]).vectors.tolist() for table in found] == [[[1, 2]], [[3, 4]]]
