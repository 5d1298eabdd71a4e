"""Finding the files of a corpus."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from corpora import DEV, TRAIN, load, write

from spinn.config import resolve
from spinn.data.find import find_files, named
from spinn.data.options import CorpusOptions
from spinn.data.prepare import load_corpus
from spinn.support.errors import ConfigurationError, SpinnError


def found_in(folder: Path, *names: str) -> dict[str, list[str]]:
    """Create empty files and return the names of those of each set."""
    for name in names:
        (folder / name).touch()
    found = find_files(CorpusOptions(data=str(folder)), folder)
    return {split: [path.name for path in paths] for split, paths in found.items()}


def test_files_of_a_folder_are_told_apart_by_name(tmp_path):
    names = {
        "train": ["b_train.jsonl", "c.train.txt.gz", "train0", "train1.gz", "x_train.csv"],
        "dev": ["SICK_trial.txt"],
        "test": ["logic_test5.txt.xz", "logic_test6.txt.bz2"],
    }
    others = ["README.md", "train.py", "train.zip", "vectors.txt", "contest.txt", "devices.txt"]
    (tmp_path / "train").mkdir()
    assert found_in(tmp_path, *chain(*names.values(), others)) == names


def test_a_split_is_a_word_of_the_name(tmp_path):
    names = {split: [f"latest-Trained_{split}.jsonl"] for split in ("train", "dev", "test")}
    assert found_in(tmp_path, *chain(*names.values())) == names


def test_a_name_with_the_words_of_two_sets_is_refused(tmp_path):
    with pytest.raises(SpinnError, match=r"train_dev\.jsonl: .* train and dev\. Rename it"):
        found_in(tmp_path, "train_dev.jsonl", "test.jsonl")


def test_of_several_forms_of_a_set_one_is_read_and_named(tmp_path, caplog):
    names = ["train.txt", "train.jsonl.gz", "train.jsonl", "Dev.txt", "dev.tsv", "test.csv"]
    with caplog.at_level(logging.WARNING, "spinn"):
        found = found_in(tmp_path, *names)
    assert found == {"train": ["train.jsonl"], "dev": ["dev.tsv"], "test": ["test.csv"]}
    first, second = sorted(caplog.messages)
    assert "dev.tsv only, taking Dev.txt for" in first
    assert "train.jsonl only, taking train.jsonl.gz, train.txt for" in second


def test_hidden_files_are_no_sets(tmp_path):
    names = ["._train.jsonl", "train.jsonl", ".dev.jsonl", ".~lock.test.csv#"]
    assert found_in(tmp_path, *names) == {"train": ["train.jsonl"]}


def test_a_mismatched_set_is_a_set_by_itself(tmp_path):
    splits = ["train", "dev_matched", "dev_mismatched"]
    assert found_in(tmp_path, *(f"multinli_1.0_{split}.jsonl" for split in splits)) == {
        "train": ["multinli_1.0_train.jsonl"],
        "dev": ["multinli_1.0_dev_matched.jsonl"],
        "dev_mismatched": ["multinli_1.0_dev_mismatched.jsonl"],
    }


def test_a_longer_test_set_is_a_set_by_itself(tmp_path):
    names = {name: [f"{name}.jsonl"] for name in ("train", "dev", "test", "test-longer")}
    assert found_in(tmp_path, *chain(*names.values())) == names


def test_the_bundled_corpus_has_a_longer_test_set(tmp_path):
    found = find_files(CorpusOptions(data="sample"), tmp_path)
    assert {split: [path.name for path in paths] for split, paths in found.items()} == {
        split: [f"{split}.jsonl"] for split in ("train", "dev", "test", "test-longer")
    }


def test_held_out_sets_are_not_joined(tmp_path):
    with pytest.raises(SpinnError, match=r"test\.jsonl and test_hard\.jsonl may all be the test"):
        found_in(tmp_path, "train.jsonl", "test.jsonl", "test_hard.jsonl")


def test_a_file_is_no_folder(tmp_path):
    write(tmp_path / "train.jsonl", TRAIN)
    with pytest.raises(SpinnError, match=r"train\.jsonl: this is a file.*--train"):
        found_in(tmp_path / "train.jsonl")


def test_explicit_files_keep_their_order(tmp_path):
    options = CorpusOptions(train=["b", "a"], test=["c"])
    assert find_files(options, tmp_path) == {"train": [Path("b"), Path("a")], "test": [Path("c")]}


def test_further_test_sets_have_names_of_their_own(options, tmp_path):
    """They stand beside a folder's sets and named files alike; a name may have several files."""
    assert options.data is not None
    dev = Path(options.data) / "dev.jsonl"
    corpus = load_corpus(replace(options, also=[f"more={dev}", f"7={dev}", f"more={dev}"]))
    assert list(corpus.sets) == ["train", "dev", "more", "7"]
    assert [len(one) for one in corpus.sets.values()] == [3, 1, 2, 1]
    np.testing.assert_array_equal(corpus.sets["7"].words, corpus.sets["dev"].words)
    assert find_files(CorpusOptions(train=["a"], also=["7=b=c"]), tmp_path) == {
        "train": [Path("a")], "7": [Path("b=c")],
    }  # fmt: skip


@pytest.mark.parametrize("item", ["7", "7=", "=file", "test=file", "a/b=file"])
def test_what_is_no_further_test_set_is_refused(item):
    with pytest.raises(ConfigurationError, match="write --also NAME=FILE"):
        resolve({"also": [item]})


def test_a_further_test_set_does_not_replace_one_of_the_folder(tmp_path):
    for name in ("train.jsonl", "test-longer.jsonl"):
        (tmp_path / name).touch()
    options = CorpusOptions(data=str(tmp_path), also=["test-longer=other.jsonl"])
    with pytest.raises(ConfigurationError, match=r"of this name, .*test-longer\.jsonl; choose"):
        find_files(options, tmp_path)


def test_explicit_files_and_a_folder_exclude_each_other(tmp_path):
    with pytest.raises(ConfigurationError, match="exclude each other"):
        find_files(CorpusOptions(data="snli", train=["a"]), tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(SpinnError, match=r"nowhere: there is no such folder.*--train"):
        find_files(CorpusOptions(data="nowhere"), tmp_path)


def test_a_folder_without_sets_is_named(tmp_path):
    write(tmp_path / "notes.txt", "nothing")
    with pytest.raises(SpinnError, match="no file here has the word train"):
        find_files(CorpusOptions(data=str(tmp_path)), tmp_path)


def test_snli_that_is_not_on_disk_says_how_to_get_it(tmp_path):
    with pytest.raises(SpinnError, match="download"):
        find_files(CorpusOptions(data="snli"), tmp_path)


def test_without_a_word_the_bundled_corpus_is_used_and_said(tmp_path):
    write(tmp_path / "data/sample/train.jsonl", TRAIN)
    write(tmp_path / "data/sample/dev.jsonl", DEV)
    for name in (None, "sample"):
        corpus, lines = load(CorpusOptions(data=name, data_directory=str(tmp_path / "data")))
        assert len(corpus.sets["train"]) == 3
        said = [line for line in lines if "bundled corpus" in line]
        assert len(said) == (name is None)
        assert all("--data snli" in line for line in said)


def test_without_a_word_snli_is_used_if_it_is_there(tmp_path):
    for split in ("train", "dev", "test"):
        write(tmp_path / f"data/snli/snli_1.0_{split}.jsonl", TRAIN)
    write(tmp_path / "data/sample/train.jsonl", DEV)
    corpus, lines = load(CorpusOptions(data_directory=str(tmp_path / "data")))
    assert list(corpus.sets) == ["train", "dev", "test"]
    assert not any("bundled" in line for line in lines)


def test_a_damaged_archive_of_snli_is_named_and_the_bundled_corpus_not_used(tmp_path):
    write(tmp_path / "snli/snli_1.0.zip", "half an archive")
    with pytest.raises(SpinnError, match=r"snli_1\.0\.zip is not the published"):
        named(CorpusOptions(data_directory=str(tmp_path)))


def test_logic_as_a_folder(real_data):
    found = find_files(CorpusOptions(data=str(real_data / "logic")), real_data)
    assert {split: len(paths) for split, paths in found.items()} == {"train": 7, "test": 7}


def test_what_is_read_by_default_is_named_once_and_for_all(tmp_path, monkeypatch, caplog):
    options = CorpusOptions(data_directory=str(tmp_path))
    with caplog.at_level(logging.INFO, "spinn"):
        assert named(options).data == "sample"
        assert not caplog.messages
        chosen = named(options, logging.INFO)
    assert chosen.data == "sample"
    assert "SNLI is not on disk" in caplog.messages[0]
    monkeypatch.setattr("spinn.data.find._has_snli", lambda directory: True)
    assert named(options).data == "snli"
    assert named(chosen) == chosen


@pytest.mark.parametrize("options", [{"data": "multinli"}, {"dev": ["dev.tsv"]}])
def test_what_is_named_already_stays(options):
    assert named(CorpusOptions(**options)) == CorpusOptions(**options)


def test_a_name_is_no_folder_though_there_is_one(tmp_path, monkeypatch):
    """``spinn prepare sample`` makes one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample/corpus.json").touch()
    assert CorpusOptions(data="sample").prepared is None
    assert CorpusOptions(data="./sample").prepared == tmp_path.relative_to(tmp_path) / "sample"
