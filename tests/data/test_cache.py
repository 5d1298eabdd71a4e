"""The cache: what is read once, and what makes it be read again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from corpora import DEV, GLOVE, TRAIN, assert_same, load, was_read, write
from safetensors import SafetensorError

from spinn import extensions
from spinn.data import readers
from spinn.data.cache import cache_key
from spinn.data.options import CorpusOptions

extensions.load()


def test_a_second_run_reads_nothing(options, tmp_path, monkeypatch):
    vectors = tmp_path / "vectors.txt"
    first, lines = load(options, vectors)
    assert was_read(lines)

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a file is read again")

    monkeypatch.setattr(readers, "read_examples", forbidden)
    second, lines = load(options, vectors)
    assert not was_read(lines)
    assert lines == first.notes
    assert_same(first, second)


CHANGES: dict[str, Callable[[CorpusOptions, Path], CorpusOptions]] = {
    "format": lambda options, folder: replace(options, format="snli"),
    "case": lambda options, folder: replace(options, lower=False),
    "minimum count": lambda options, folder: replace(options, minimum_count=1),
    "other files": lambda options, folder: replace(
        options, data=None, train=[str(folder / "corpus/train.jsonl")]
    ),
    "other splits": lambda options, folder: replace(
        options,
        data=None,
        train=[str(folder / "corpus/dev.jsonl")],
        dev=[str(folder / "corpus/train.jsonl")],
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_option_has_a_cache_of_its_own(options, tmp_path, change):
    first, _ = load(options)
    changed = change(options, tmp_path)
    corpus, lines = load(changed)
    assert was_read(lines)
    assert_same(corpus, load(replace(changed, cache=False))[0])
    again, lines = load(options)
    assert not was_read(lines)
    assert_same(again, first)


@pytest.mark.parametrize("induce", [False, True])
def test_vectors_have_a_cache_of_their_own(options, tmp_path, induce):
    first, _ = load(options)
    vectors = tmp_path / "vectors.txt"
    corpus, lines = load(options, vectors, induce=induce)
    assert was_read(lines)
    assert_same(corpus, load(replace(options, cache=False), vectors, induce=induce)[0])
    assert was_read(load(options, vectors, induce=not induce)[1])
    for again, expected in (
        (load(options), first),
        (load(options, vectors, induce=induce), corpus),
    ):
        assert not was_read(again[1])
        assert_same(again[0], expected)


def test_a_changed_added_or_touched_file_is_read_again(options, tmp_path):
    vectors = tmp_path / "vectors.txt"
    load(options, vectors)
    train = tmp_path / "corpus/train.jsonl"
    for change in (
        lambda: write(train, TRAIN + DEV),
        lambda: os.utime(train, ns=(1, 1)),  # same size, other content
        lambda: write(tmp_path / "corpus/train_more.jsonl", DEV),
        lambda: write(vectors, GLOVE + "runs 1 1 1\n"),
    ):
        change()
        corpus, lines = load(options, vectors)
        assert was_read(lines)
        assert not was_read(load(options, vectors)[1])
    assert len(corpus.sets["train"]) == 5
    assert corpus.vectors.known.sum() == 4


def flip_last_bit(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def rename_label(path: Path) -> None:
    path.write_text(path.read_text().replace("neutral", "neutrol"))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "arrays cut short": lambda folder: os.truncate(folder / "corpus.safetensors", 50),
    "arrays gone": lambda folder: (folder / "corpus.safetensors").unlink(),
    "arrays empty": lambda folder: (folder / "corpus.safetensors").write_bytes(b""),
    "description cut short": lambda folder: os.truncate(folder / "corpus.json", 20),
    "description empty": lambda folder: (folder / "corpus.json").write_text("{}"),
    "one bit": lambda folder: flip_last_bit(folder / "corpus.safetensors"),
    "one label": lambda folder: rename_label(folder / "corpus.json"),
    "another version": lambda folder: (folder / "corpus.json").write_text('{"version": 0}'),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_cache_is_made_again(options, tmp_path, damage):
    first, _ = load(options)
    (place,) = (path.parent for path in (tmp_path / "data/cache").glob("*/corpus.json"))
    damage(place)
    second, lines = load(options)
    assert any("cannot be read; preparing the corpus again" in line for line in lines)
    assert was_read(lines)
    assert_same(first, second)
    assert not was_read(load(options)[1])


def test_no_cache_if_not_wanted(options, tmp_path):
    for _ in range(2):
        assert was_read(load(replace(options, cache=False))[1])
    assert not (tmp_path / "data/cache").exists()


def test_a_cache_that_cannot_be_written_is_said_and_done_without(options, tmp_path):
    write(tmp_path / "data/cache", "a file where the folder should be")
    corpus, lines = load(options)
    assert len(corpus.sets["train"]) == 3
    (place,) = [number for number, line in enumerate(lines) if "is not cached" in line]
    assert not was_read(lines[:place])  # it is found before the work, not after it


@pytest.mark.parametrize("error", [OSError(28, "No space left"), SafetensorError("full disk")])
def test_a_disk_that_is_full_ends_nothing(options, monkeypatch, error):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("spinn.support.tensor_files.save_file", fail)
    corpus, lines = load(options)
    assert len(corpus.sets["train"]) == 3
    assert any("is not cached" in line for line in lines)


def test_nothing_half_written_is_left(options, tmp_path):
    load(options)
    assert [path.name[0] != "." for path in (tmp_path / "data/cache").iterdir()] == [True]


def test_a_cache_that_does_not_say_its_format_has_that_asked_for(tmp_path):
    path = write(tmp_path / "train", "=\ta\t( not ( not a ) )\n")
    options = CorpusOptions(
        train=[str(path)], format="logic-brackets", data_directory=str(tmp_path)
    )
    assert load(options)[0].format == "logic-brackets"
    (place,) = (tmp_path / "cache").glob("*/corpus.json")
    description = json.loads(place.read_text()) | {"version": 2}
    del description["format"], description["checksum"]
    place.write_text(json.dumps(description))
    assert load(options)[0].format == "logic-brackets"


def test_another_version_of_a_pipeline_has_a_key_of_its_own(options, tmp_path, monkeypatch):
    folder = tmp_path / "pipeline"
    write(folder / "parser/model", "weights")

    def keys() -> list[str]:
        return [
            cache_key(options, {}, None, induced=False, pipeline=name)
            for name in (str(folder), "numpy")  # any that is installed
        ]

    first = keys()
    assert keys() == first
    os.utime(folder / "parser/model", ns=(1, 1))
    changed = keys()
    assert changed[0] != first[0]
    assert changed[1] == first[1]
    monkeypatch.setattr("spinn.data.spacy_parser.version", lambda name: "0.1")
    assert keys()[1] != first[1]
