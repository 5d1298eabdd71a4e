"""The vocabulary and its vectors: which words are known, and an error for every bad vector file."""

from __future__ import annotations

import gzip
import os
import ssl
import struct
import tempfile
from collections import Counter
from pathlib import Path

import pytest
import substitute
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinn.data.vocabulary import (
    PADDING,
    SPECIAL_WORDS,
    UNKNOWN,
    VectorTable,
    Vocabulary,
    choose_words,
)
from spinn.support.errors import DataError

GLOVE = "the 0.5 -1 2\ndog 1 2 3\ncat 4 5 6e-1\n"


def write(path: Path, text: str | bytes) -> Path:
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def read_table(path: Path, cache: Path) -> VectorTable:
    """Read vectors, or skip the test where torchtext, which reads them, is missing."""
    pytest.importorskip("torchtext")
    return VectorTable(path, cache)


def table_of(tmp_path: Path, text: str | bytes, name: str = "vectors.txt") -> VectorTable:
    return read_table(write(tmp_path / name, text), tmp_path / "cache")


def error_of(tmp_path: Path, text: str | bytes, name: str = "vectors.txt") -> DataError:
    with pytest.raises(DataError) as caught:
        table_of(tmp_path, text, name)
    assert caught.value.path == tmp_path / name
    assert caught.value.remedy
    return caught.value


# The vocabulary.


def test_words_are_looked_up_and_unknown_ones_share_a_number():
    vocabulary = Vocabulary(["<unk>", "<pad>", "the", "dog"])
    assert len(vocabulary) == 4
    assert vocabulary.numbers(["dog", "The", "wug", "DOG"]).tolist() == [3, 2, UNKNOWN, 3]
    assert vocabulary.numbers([]).tolist() == []


def test_case_counts_if_asked():
    vocabulary = Vocabulary(["<unk>", "<pad>", "the", "Dog"], lower=False)
    assert vocabulary.numbers(["Dog", "dog", "The", "the"]).tolist() == [3, UNKNOWN, UNKNOWN, 2]


def test_words_must_be_frequent_enough():
    pytest.importorskip("torchtext")
    training = Counter({"the": 9, "dog": 2, "rare": 1, "a": 9})
    words = choose_words(training, ["unseen", "dog"], None, minimum=2)
    assert words == ["<unk>", "<pad>", "a", "the", "dog"]
    assert [words[UNKNOWN], words[PADDING]] == SPECIAL_WORDS
    assert "rare" in choose_words(training, [], None, minimum=1)


def test_words_with_a_vector_are_known_however_rare(tmp_path):
    table = table_of(tmp_path, GLOVE)
    words = choose_words(Counter({"dog": 1, "wug": 1, "blick": 5}), ["cat", "gorp"], table, 2)
    assert set(words[2:]) == {"dog", "blick", "cat"}
    assert words[2] == "blick"


def test_words_of_other_sets_stand_behind_those_of_training(tmp_path):
    table, training = table_of(tmp_path, GLOVE), Counter({"the": 1, "dog": 3, "wug": 2})
    alone = choose_words(training, [], table, 2)
    assert alone == [*SPECIAL_WORDS, "dog", "wug", "the"]
    assert choose_words(training, ["cat", "dog", "gorp"], table, 2) == [*alone, "cat"]


def test_the_choice_does_not_depend_on_the_order_of_the_text():
    pytest.importorskip("torchtext")
    pairs = [("b", 3), ("a", 3), ("c", 4)]
    chosen = choose_words(Counter(dict(pairs)), [], None, 1)
    assert chosen == choose_words(Counter(dict(pairs[::-1])), [], None, 1)


@given(st.dictionaries(st.text("aàbBz-", min_size=1, max_size=3), st.integers(1, 4)))
def test_what_stands_in_for_torchtext_in_other_tests_chooses_alike(counts):
    pytest.importorskip("torchtext")
    for minimum in (1, 2):
        expected = choose_words(Counter(counts), ["z"], None, minimum)
        assert substitute.choose_words(Counter(counts), ["z"], None, minimum) == expected


# Vectors that can be read.


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
    assert read_table(path, tmp_path / "cache").of(["the"]).vectors.tolist() == [[0.5, -1, 2]]


def test_vectors_are_read_where_the_disk_of_the_copy_is_full(tmp_path, monkeypatch):
    path, save = write(tmp_path / "vectors.txt", GLOVE), torch.save

    def fail_there(content: object, place: str) -> None:
        if place.startswith(str(tmp_path)):
            raise RuntimeError("basic_ios::clear: iostream error")
        save(content, place)

    monkeypatch.setattr(torch, "save", fail_there)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path.parent))
    assert read_table(path, tmp_path / "cache").of(["the"]).vectors.tolist() == [[0.5, -1, 2]]


def test_two_processes_may_read_new_vectors_at_once(tmp_path, monkeypatch):
    """The slower one, here interrupted by the quicker while it reads, finds its copy made."""
    vectors = pytest.importorskip("torchtext.vocab").Vectors
    path = write(tmp_path / "vectors.txt", GLOVE)
    read = vectors.cache
    waiting = [tmp_path / "cache"]

    def read_after_the_other(*arguments, **named):
        if waiting:
            read_table(path, waiting.pop())
        return read(*arguments, **named)

    monkeypatch.setattr(vectors, "cache", read_after_the_other)
    table = read_table(path, tmp_path / "cache")
    assert not waiting
    assert table.of(["the"]).vectors.tolist() == [[0.5, -1, 2]]
    assert len(os.listdir(tmp_path / "cache")) == 1


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
    again = read_table(tmp_path / "vectors.txt", tmp_path / "cache")
    assert again.of(["dog"]).vectors.tolist() == [[1, 2, 3]]
    assert [path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.pt")] == [stamp]

    path = write(tmp_path / "vectors.txt", GLOVE.replace("dog 1 2 3", "dog 7 8 9"))
    os.utime(path, ns=(1, 1))
    changed = read_table(path, tmp_path / "cache")
    assert changed.of(["dog"]).vectors.tolist() == [[7, 8, 9]]


@pytest.mark.parametrize("part", [b"PK", b"dog", struct.pack("<2f", 4, 5), b"PK\x01\x02"])
def test_a_damaged_copy_is_made_again(tmp_path, part, caplog):
    table = table_of(tmp_path, GLOVE)
    (copy,) = (tmp_path / "cache").glob("*/*.pt")
    content = bytearray(copy.read_bytes())
    content[content.index(part)] ^= 16
    copy.write_bytes(content)
    for _ in range(2):
        again = table_of_the_same(tmp_path)
        assert torch.equal(again.of(["dog"]).vectors, table.of(["dog"]).vectors)
    assert sum("cannot be read; reading" in line for line in caplog.messages) == 1


def table_of_the_same(tmp_path: Path) -> VectorTable:
    return read_table(tmp_path / "vectors.txt", tmp_path / "cache")


def test_an_empty_copy_is_made_again(tmp_path):
    table_of(tmp_path, GLOVE)
    (copy,) = (tmp_path / "cache").glob("*/*.pt")
    for damage in (lambda: copy.write_bytes(b""), copy.unlink):
        damage()
        assert table_of_the_same(tmp_path).of(["dog"]).known.all()


def test_files_of_one_name_in_two_folders_do_not_share_a_copy(tmp_path):
    for folder, number in (("a", "1"), ("b", "2.5")):
        (tmp_path / folder).mkdir()
        path = write(tmp_path / folder / "vectors.txt", f"dog {number} 0 0\n")
        table = read_table(path, tmp_path / "cache")
        assert table.of(["dog"]).vectors[0, 0] == float(number)


def test_a_failed_reading_leaves_no_copy(tmp_path):
    error_of(tmp_path, "the 1 2 3\ndog 1 2\n")
    assert not list((tmp_path / "cache").iterdir())


def test_certificates_are_still_checked_afterwards(tmp_path):
    before = ssl._create_default_https_context
    table_of(tmp_path, GLOVE)
    error_of(tmp_path, "the 1 2 3\ndog 1 2\n", "bad.txt")
    assert ssl._create_default_https_context is before
    assert ssl._create_default_https_context().verify_mode == ssl.CERT_REQUIRED


def test_nothing_is_printed(tmp_path, capsys):
    table_of(tmp_path, GLOVE)
    read_table(tmp_path / "vectors.txt", tmp_path / "cache")
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_real_vectors(real_data, tmp_path):
    table = read_table(real_data / "glove/glove.6B.50d.9k.txt.gz", tmp_path)
    found = table.of(["the", "dog", "sidewalk"])
    assert found.vectors.shape == (3, 50)
    assert found.known.tolist() == [True, True, False]
    with gzip.open(real_data / "glove/glove.6B.50d.9k.txt.gz", "rt", encoding="utf-8") as file:
        word, *numbers = file.readline().split()
    expected = torch.tensor([float(number) for number in numbers])
    torch.testing.assert_close(table.of([word]).vectors[0], expected)


# Vectors that cannot.


def test_another_dimension_is_named_with_its_line(tmp_path):
    error = error_of(tmp_path, "3 3\nthe 1 2 3\ndog 1 2 3\ncat 1 2 3 4\n")
    assert error.line == 4
    assert "4 numbers where the first has 3" in error.cause


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
        with pytest.raises(DataError, match="no such vector file"):
            VectorTable(path, tmp_path / "cache")


def test_numbers_that_are_not_utf8(tmp_path):
    assert "cannot be read" in error_of(tmp_path, b"the 1 2 3\ndog 1 2 \xff\n").cause


def test_gzip_that_is_cut_short(tmp_path):
    path = tmp_path / "vectors.txt.gz"
    path.write_bytes(gzip.compress((GLOVE * 1000).encode())[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read_table(path, tmp_path / "cache")


def test_gz_by_name_only(tmp_path):
    path = tmp_path / "vectors.txt.gz"
    path.write_text(GLOVE)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(path, tmp_path / "cache")


def test_prose_instead_of_vectors(tmp_path):
    error = error_of(tmp_path, "It was a bright cold day\nin April\n")
    assert (error.line, error.cause) == (1, "'was' is not a number")
