"""The corpus on disk."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from corpora import assert_same, load, was_read, write
from mutations import mutate_file
from safetensors.torch import load_file, save_file
from torch import Tensor

from spinn.data.corpus import Corpus
from spinn.support.errors import DataError, SpinnError

ROOT = Path(__file__).parents[2]


def test_single_sentences_are_prepared_and_cached(listops, tmp_path):
    corpus, _ = load(listops)
    corpus.save(tmp_path / "prepared")
    assert_same(Corpus.load(tmp_path / "prepared"), corpus)
    again, lines = load(listops)
    assert not was_read(lines)
    assert_same(again, corpus)


def test_a_corpus_prepared_before_there_were_single_sentences_holds_pairs(options, tmp_path):
    corpus, _ = load(options)
    corpus.save(tmp_path / "prepared")
    description = json.loads((tmp_path / "prepared/corpus.json").read_text())
    assert description.pop("sides") == 2
    del description["checksum"]
    description["version"] = 2
    write(tmp_path / "prepared/corpus.json", json.dumps(description))
    assert_same(Corpus.load(tmp_path / "prepared"), corpus)


@pytest.mark.parametrize("vectors", [False, True])
def test_a_saved_corpus_can_be_loaded(options, tmp_path, vectors):
    corpus, _ = load(options, tmp_path / "vectors.txt" if vectors else None)
    prepared = tmp_path / "prepared/here"
    corpus.save(prepared)
    assert sorted(path.name for path in prepared.iterdir()) == [
        "corpus.json",
        "corpus.safetensors",
    ]
    assert_same(Corpus.load(prepared), corpus)
    corpus.save(prepared)  # over the one before
    assert_same(Corpus.load(prepared), corpus)
    assert [path.name for path in prepared.parent.iterdir()] == ["here"]


def test_a_folder_with_other_files_is_kept(options, tmp_path):
    corpus, _ = load(options)
    place = tmp_path / "prepared"
    place.mkdir()
    corpus.save(place)  # an empty folder is like a new one
    (place / "thesis.tex").write_text("")
    with pytest.raises(SpinnError, match=r"and thesis\.tex would be lost\. Name a new folder"):
        corpus.save(place)
    assert (place / "thesis.tex").is_file()
    with pytest.raises(SpinnError, match="this is a file"):
        corpus.save(place / "thesis.tex")


def test_a_prepared_corpus_stands_in_for_the_texts(options, tmp_path):
    corpus, _ = load(options)
    corpus.save(tmp_path / "prepared")
    for path in (tmp_path / "corpus").iterdir():
        path.unlink()
    again, lines = load(replace(options, data=str(tmp_path / "prepared")))
    assert_same(again, corpus)
    assert any("Prepared corpus" in line for line in lines)
    assert not was_read(lines)


def test_a_prepared_corpus_needs_no_text_tools(options, tmp_path):
    load(options)[0].save(tmp_path / "prepared")
    code = (
        "import sys; sys.modules.update(torchtext=None, spacy=None)\n"
        "from spinn.data.options import CorpusOptions\n"
        "from spinn.data.prepare import load_corpus\n"
        "print(len(load_corpus(CorpusOptions(data=sys.argv[1])).sets['train']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "prepared")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "3\n", result.stderr


def test_a_folder_that_is_no_prepared_corpus_is_named(tmp_path):
    with pytest.raises(DataError, match="not a prepared corpus"):
        Corpus.load(tmp_path)


# Damage.


@pytest.fixture
def prepared(options, tmp_path) -> Path:
    load(options, tmp_path / "vectors.txt")[0].save(tmp_path / "prepared")
    return tmp_path / "prepared"


def without_checksum(prepared: Path, **changes: Any) -> None:
    """Make a folder one of the version before checksums, with other values."""
    description = json.loads((prepared / "corpus.json").read_text())
    del description["checksum"]
    (prepared / "corpus.json").write_text(json.dumps(description | {"version": 2} | changes))


def with_array(prepared: Path, name: str, change: Callable[[Tensor], Tensor]) -> None:
    tensors = load_file(prepared / "corpus.safetensors")
    tensors[name] = change(tensors[name].clone()).contiguous()
    save_file(tensors, prepared / "corpus.safetensors")


def replaced(place: int, value: int) -> Callable[[Tensor], Tensor]:
    def change(array: Tensor) -> Tensor:
        array[place] = value
        return array

    return change


def test_a_changed_file_has_another_checksum(prepared):
    with_array(prepared, "train.labels", replaced(0, 2))
    with pytest.raises(DataError, match=r"checksum is wrong.*prepare the corpus again"):
        Corpus.load(prepared)


def test_a_folder_without_checksum_is_read(prepared):
    corpus = Corpus.load(prepared)
    without_checksum(prepared)
    assert_same(Corpus.load(prepared), corpus)
    description = json.loads((prepared / "corpus.json").read_text()) | {"version": 3}
    (prepared / "corpus.json").write_text(json.dumps(description))
    with pytest.raises(DataError, match="no checksum"):
        Corpus.load(prepared)


ARRAY_DAMAGE: dict[str, tuple[str, Callable[[Tensor], Tensor], str]] = {
    "words of another type": ("train.words", lambda words: words.float(), "vector of int32"),
    "words in a matrix": ("train.words", lambda words: words[None], "vector of int32"),
    "no such word": ("train.words", replaced(0, 6), "words are out of range"),
    "a negative word": ("dev.words", replaced(-1, -1), "words are out of range"),
    "no such label": ("train.labels", replaced(0, 3), "labels are out of range"),
    "a label below none": ("train.labels", replaced(1, -2), "labels are out of range"),
    "a late start": ("train.offsets", replaced(0, 1), "offsets"),
    "an empty sentence": ("train.offsets", replaced(1, 0), "offsets"),
    "far offsets": ("train.offsets", replaced(1, 2**62), "offsets"),
    "no offsets": ("train.offsets", lambda offsets: offsets[:0], "sentences"),
    "a label too many": ("train.labels", lambda labels: labels.repeat(2), "sentences"),
    "transitions too few": ("train.transitions", lambda steps: steps[:-1], "2N - 1"),
    "an unknown transition": ("train.transitions", replaced(1, 7), "not a binary tree"),
    "a tree half missing": ("train.transitions", replaced(-1, 1), "not a binary tree"),
    "REDUCE first": ("train.transitions", lambda steps: steps.flip(0), "not a binary tree"),
    "vectors too few": ("vectors", lambda vectors: vectors[1:], "matrix of float32"),
    "vectors not finite": ("vectors", replaced(0, float("nan")), "not finite"),
    "known as numbers": ("known", lambda known: known.int(), "truth values"),
}


@pytest.mark.parametrize("damage", ARRAY_DAMAGE.values(), ids=ARRAY_DAMAGE)
def test_wrong_arrays_are_refused(prepared, damage):
    name, change, message = damage
    without_checksum(prepared)
    with_array(prepared, name, change)
    with pytest.raises(DataError, match=rf"corpus\.safetensors: .*{message}.*prepare the corpus"):
        Corpus.load(prepared)


DESCRIPTION_DAMAGE: dict[str, tuple[dict[str, Any], str]] = {
    "a word twice": ({"vocabulary": {"words": ["<unk>", "<pad>", "a", "a"]}}, "an item twice"),
    "other first words": ({"vocabulary": {"words": ["a", "b"]}}, "do not begin with <unk>"),
    "no text": ({"vocabulary": {"words": ["<unk>", "<pad>", 1]}}, "'words'.*not text"),
    "half a character": ({"vocabulary": {"words": ["<unk>", "\ud800"]}}, "not valid Unicode"),
    "no vocabulary": ({"vocabulary": []}, "'vocabulary' is not an object"),
    "one label": ({"labels": "entailment"}, "'labels' is not a list"),
    "no label": ({"labels": []}, "no labels"),
    "three sentences": ({"sides": 3}, "no kind of example has 3"),
    "true sentences": ({"sides": True}, "'sides' is not a whole number"),
    "no set": ({"sets": []}, "no sets"),
    "another set": ({"sets": ["train"]}, "arrays are not those of train"),
    "a missing parse": ({"unparsed": {"train": ["f", 1], "dev": None}}, "does not fit"),
    "no format": ({"format": "none"}, "unknown format"),
    "no notes": ({"notes": [1]}, "'notes' has an item that is not text"),
}


@pytest.mark.parametrize("damage", DESCRIPTION_DAMAGE.values(), ids=DESCRIPTION_DAMAGE)
def test_a_wrong_description_is_refused(prepared, damage):
    changes, message = damage
    without_checksum(prepared, **changes)
    with pytest.raises(DataError, match=message):
        Corpus.load(prepared)


@pytest.mark.parametrize("checksum", [True, False])
def test_no_mutation_is_believed_or_a_traceback(prepared, checksum):
    corpus, dice = Corpus.load(prepared), random.Random(5)
    if not checksum:
        without_checksum(prepared)
    originals = {path: path.read_bytes() for path in prepared.iterdir()}
    refused = 0
    for _ in range(300):
        mutate_file(dice.choice(sorted(originals)), dice)
        try:
            again = Corpus.load(prepared)
        except DataError:
            refused += 1
        else:
            if checksum:
                assert_same(again, corpus)  # JSON with other blanks
            for data in again.sets.values():
                data.check(len(again.vocabulary), len(again.labels))
        for path, content in originals.items():
            path.write_bytes(content)
    assert refused > (280 if checksum else 100)
