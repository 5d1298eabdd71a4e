"""The corpus: finding files, caching what was read, and saying what is missing."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from spinn.data import readers
from spinn.data.corpus import (
    Corpus,
    CorpusOptions,
    data_directory,
    find_files,
    load_corpus,
    named,
)
from spinn.data.readers import INFERENCE_LABELS
from spinn.errors import ConfigurationError, DataError, SpinnError
from spinn.training.config import resolve
from spinn.transitions import left_branching, right_branching

ROOT = Path(__file__).parents[2]
GLOVE = "a 1 2 3\ndog 4 5 6\nunicorn 7 8 9\n"


def row(label: str, premise: str, hypothesis: str, parsed: bool = True) -> str:
    """Write a line of SNLI from two bracketed trees."""
    fields = {"gold_label": label}
    for number, tree in ((1, premise), (2, hypothesis)):
        fields[f"sentence{number}"] = " ".join(tree.replace("(", "").replace(")", "").split())
        if parsed:
            fields[f"sentence{number}_binary_parse"] = tree
    return json.dumps(fields) + "\n"


TRAIN = (
    row("entailment", "( ( A dog ) runs )", "( A dog )")
    + row("neutral", "( ( A dog ) runs )", "( ( A Cat ) runs )")
    + row("-", "( A dog )", "( A cat )")
    + row("contradiction", "( A dog )", "( ( No dog ) runs )")
)
DEV = row("neutral", "( ( A unicorn ) runs )", "( A wug )")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def options(tmp_path: Path) -> CorpusOptions:
    """Give options for a folder with a training and a development set."""
    write(tmp_path / "corpus/train.jsonl", TRAIN)
    write(tmp_path / "corpus/dev.jsonl", DEV)
    write(tmp_path / "vectors.txt", GLOVE)
    return CorpusOptions(data=str(tmp_path / "corpus"), data_directory=str(tmp_path / "data"))


def load(options: CorpusOptions) -> tuple[Corpus, list[str]]:
    if options.vectors is not None and Path(options.vectors).is_file():
        pytest.importorskip("torchtext")
    lines: list[str] = []
    return load_corpus(options, lines.append), lines


def was_read(lines: list[str]) -> bool:
    return any(line.startswith("Reading") for line in lines)


def assert_same(first: Corpus, second: Corpus) -> None:
    assert first.vocabulary == second.vocabulary
    assert (first.labels, first.unparsed, first.notes) == (
        second.labels,
        second.unparsed,
        second.notes,
    )
    assert list(first.sets) == list(second.sets)
    for split, data in first.sets.items():
        for name, value in vars(data).items():
            array, other = np.asarray(value), np.asarray(getattr(second.sets[split], name))
            assert array.dtype == other.dtype
            assert np.array_equal(array, other)
    assert (first.vectors is None) == (second.vectors is None)
    if first.vectors is not None and second.vectors is not None:
        assert torch.equal(first.vectors.vectors, second.vectors.vectors)
        assert torch.equal(first.vectors.known, second.vectors.known)


# What is read.


def test_a_folder_becomes_numbered_sets(options):
    corpus, lines = load(options)
    assert corpus.labels == INFERENCE_LABELS
    assert list(corpus.sets) == ["train", "dev"]
    assert corpus.sets["train"].labels.tolist() == [0, 1, 2]
    # "no", "cat" and the words of the development set are too rare.
    assert sorted(corpus.vocabulary.words[2:]) == ["a", "dog", "runs"]
    words = [corpus.vocabulary.words[number] for number in corpus.sets["dev"].words]
    assert words == ["a", "<unk>", "runs", "a", "<unk>"]
    assert corpus.sets["dev"].parsed.all()
    assert corpus.unparsed == {"train": None, "dev": None}
    assert any("3 pairs, 1 without a gold label skipped" in line for line in lines)


def test_minimum_count_and_case(options):
    corpus, _ = load(replace(options, minimum_count=1, lower=False))
    assert sorted(corpus.vocabulary.words[2:]) == ["A", "Cat", "No", "dog", "runs"]
    assert not corpus.vocabulary.lower


def test_vectors_bring_their_words(options, tmp_path):
    corpus, lines = load(replace(options, vectors=str(tmp_path / "vectors.txt")))
    assert corpus.vectors is not None
    known = dict(zip(corpus.vocabulary.words, corpus.vectors.known.tolist(), strict=True))
    # "unicorn" occurs in the development set only.
    expected = {"<unk>": False, "<pad>": False, "a": True, "dog": True, "runs": False}
    assert known == {**expected, "unicorn": True}
    row_ = corpus.vectors.vectors[corpus.vocabulary.words.index("unicorn")]
    assert row_.tolist() == [7, 8, 9]
    # Of the 5 words of the development set, "a" (twice) and "unicorn" have a vector.
    assert any("3 with a vector" in line and "60.0% of dev" in line for line in lines)


def test_vectors_are_induced_where_there_are_none(options, tmp_path):
    options = replace(options, vectors=str(tmp_path / "vectors.txt"))
    without, _ = load(options)
    corpus, lines = load(replace(options, induce_vectors=True))
    assert corpus.vocabulary == without.vocabulary
    assert corpus.vectors is not None
    assert without.vectors is not None
    known = without.vectors.known
    assert torch.equal(corpus.vectors.known, known)
    assert torch.equal(corpus.vectors.vectors[known], without.vectors.vectors[known])
    assert not without.vectors.vectors[~known].any()
    assert corpus.vectors.vectors[~known].any(dim=1).all()
    assert any("Inducing" in line for line in lines)


def test_vectors_are_induced_from_the_training_set_alone(options, tmp_path):
    options = replace(options, vectors=str(tmp_path / "vectors.txt"), induce_vectors=True)
    before, _ = load(options)
    # The same words, so that the vocabulary stays as it is, in other company.
    write(
        tmp_path / "corpus/dev.jsonl", DEV + row("neutral", "( runs ( A dog ) )", "( a unicorn )")
    )
    after, lines = load(options)
    assert was_read(lines)
    assert after.vocabulary == before.vocabulary
    assert before.vectors is not None
    assert after.vectors is not None
    assert torch.equal(after.vectors.vectors, before.vectors.vectors)


def test_vectors_are_induced_from_a_training_set(options, tmp_path):
    options = replace(
        options,
        data=None,
        test=[str(tmp_path / "corpus/dev.jsonl")],
        vectors=str(tmp_path / "vectors.txt"),
        induce_vectors=True,
    )
    with pytest.raises(ConfigurationError, match="--induce-vectors learns from a training set"):
        load(options)


def test_several_files_of_a_split_are_joined(options, tmp_path):
    write(tmp_path / "corpus/train_more.jsonl.gz", TRAIN)
    assert len(load(options)[0].sets["train"]) == 6


def test_labels_of_tables_are_those_of_the_training_set(tmp_path):
    pytest.importorskip("spacy")
    train = write(tmp_path / "train.tsv", "same\tA dog.\tA dog.\nother\tA dog.\tA cat.\n")
    dev = write(tmp_path / "dev.tsv", "same\tA cat.\tA cat.\n")
    options = CorpusOptions(train=[str(train)], dev=[str(dev)], data_directory=str(tmp_path))
    corpus, _ = load(options)
    assert corpus.labels == ("other", "same")
    assert corpus.sets["dev"].labels.tolist() == [1]

    write(dev, "same\tA cat.\tA cat.\nunheard\tA cat.\tA cat.\n")
    with pytest.raises(DataError, match="unheard") as caught:
        load(options)
    assert (caught.value.path, caught.value.line) == (dev, 2)


def test_a_table_may_be_a_test_of_what_was_learned_from_snli(options, tmp_path):
    """Whatever labels it has of those, and in whatever order."""
    pytest.importorskip("spacy")
    table = write(tmp_path / "mine.tsv", "neutral\tA dog.\tA cat.\nentailment\tA dog.\tA dog.\n")
    corpus, _ = load(replace(options, also=[f"mine={table}"]))
    assert corpus.labels == INFERENCE_LABELS
    assert corpus.sets["mine"].labels.tolist() == [1, 0]
    write(table, "neutral\tA dog.\tA cat.\nperhaps\tA dog.\tA dog.\n")
    with pytest.raises(DataError, match="perhaps"):
        load(replace(options, also=[f"mine={table}"]))


def test_a_test_set_alone_can_be_read(options, tmp_path):
    alone = CorpusOptions(
        test=[str(tmp_path / "corpus/dev.jsonl")], data_directory=options.data_directory
    )
    assert list(load(alone)[0].sets) == ["test"]


# Where files are found.


def test_files_of_a_folder_are_told_apart_by_name(tmp_path):
    names = {
        "train": ["b_train.jsonl", "c.train.txt.gz", "train0", "train1.gz", "x_train.tsv"],
        "dev": ["SICK_trial.txt", "snli_dev.jsonl", "validation.json"],
        "test": ["test6.gz"],
    }
    others = ["README.md", "train.py", "train.zip", "vectors.txt"]
    for name in chain(*names.values(), others):
        (tmp_path / name).touch()
    (tmp_path / "train").mkdir()
    found = find_files(CorpusOptions(data=str(tmp_path)), tmp_path)
    assert {split: [path.name for path in paths] for split, paths in found.items()} == names


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


def test_explicit_files_and_a_folder_exclude_each_other(tmp_path):
    with pytest.raises(ConfigurationError, match="exclude each other"):
        find_files(CorpusOptions(data="snli", train=["a"]), tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "sample"])
def test_a_missing_folder_is_named(tmp_path, name):
    with pytest.raises(SpinnError, match=rf"{name}: there is no such folder.*--train"):
        find_files(CorpusOptions(data=name), tmp_path)


def test_a_folder_without_sets_is_named(tmp_path):
    write(tmp_path / "notes.txt", "nothing")
    with pytest.raises(SpinnError, match="no file here has train, dev or test in its name"):
        find_files(CorpusOptions(data=str(tmp_path)), tmp_path)


def test_a_missing_file_is_named(tmp_path):
    options = CorpusOptions(train=[str(tmp_path / "no.jsonl")], data_directory=str(tmp_path))
    with pytest.raises(DataError, match=r"no\.jsonl: there is no such file"):
        load(options)


def test_missing_vectors_are_named(options, tmp_path):
    with pytest.raises(DataError, match=r"no\.txt"):
        load(replace(options, vectors=str(tmp_path / "no.txt")))


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


def test_the_data_directory_is_the_one_here_or_the_one_of_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data_directory(CorpusOptions()) == ROOT / "data"
    assert data_directory(CorpusOptions(data_directory="other")) == Path("other")
    (tmp_path / "data").mkdir()
    assert data_directory(CorpusOptions()) == Path("data")


def test_files_of_different_kinds_are_refused(tmp_path):
    train = write(tmp_path / "train.jsonl", TRAIN)
    dev = write(tmp_path / "dev.txt", "=\ta\t( not b )\n")
    options = CorpusOptions(train=[str(train)], dev=[str(dev)], data_directory=str(tmp_path))
    with pytest.raises(DataError, match="not those of the files before it") as caught:
        load(options)
    assert caught.value.path == dev


LISTOPS = "8\t( ( ( [MAX 2 ) 8 ) ] )\n3\t( ( [SM 3 ) ] )\n"


@pytest.mark.parametrize("last", ["train", "dev", "test"])
@pytest.mark.parametrize("single", [False, True])
def test_single_sentences_among_pairs_are_refused(tmp_path, last, single):
    if single:
        pytest.importorskip("spacy")
    # Pairs in a table may have digits for labels: those alone do not tell the files apart.
    pairs = write(tmp_path / "pairs.tsv", "8\tA dog\tIt\n3\tA cat\tIt\n")
    sentences = write(tmp_path / "sentences.tsv", LISTOPS)
    first, other = (pairs, sentences) if single else (sentences, pairs)
    files = {"train": [first], "dev": [first]}
    files[last] = [*files.get(last, []), other]
    named = {split: list(map(str, paths)) for split, paths in files.items()}
    with pytest.raises(DataError, match="its rows are") as caught:
        load(CorpusOptions(**named, data_directory=str(tmp_path)))  # type: ignore[arg-type]
    assert caught.value.path == other
    assert "single sentences or pairs throughout" in str(caught.value)


# Single sentences.


@pytest.fixture
def listops(tmp_path: Path) -> CorpusOptions:
    """Give options for a folder of single sentences."""
    write(tmp_path / "ops/train_d20s.tsv", LISTOPS)
    write(tmp_path / "ops/dev.tsv.gz", "1\t( ( ( [FIRST 8 ) 7 ) ] )\n")
    return CorpusOptions(data=str(tmp_path / "ops"), data_directory=str(tmp_path / "data"))


def test_listops_as_a_folder(listops):
    corpus, lines = load(listops)
    assert corpus.sides == 1
    assert {data.sides for data in corpus.sets.values()} == {1}
    assert corpus.labels == tuple("0123456789")
    assert corpus.sets["train"].lengths.tolist() == [4, 3]
    assert corpus.sets["train"].labels.tolist() == [8, 3]
    for split in corpus.sets:
        corpus.require_parses(split)
    assert "train: 2 sentences" in lines


def test_a_formal_language_has_no_words_too_rare_to_know(listops):
    # All but "]" occur once; what training never shows stays unknown.
    corpus, _ = load(listops)
    assert sorted(corpus.vocabulary.words[2:]) == sorted(["[max", "2", "8", "]", "[sm", "3"])
    assert (corpus.sets["dev"].words == 0).tolist() == [True, False, True, False]
    fewer, _ = load(replace(listops, minimum_count=2, lower=False))
    assert fewer.vocabulary.words[2:] == ["]"]


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
    write(tmp_path / "prepared/corpus.json", json.dumps(description))
    assert_same(Corpus.load(tmp_path / "prepared"), corpus)


def test_a_sentence_of_a_thousand_words_is_read_whole(tmp_path):
    # Nested as deep as it goes, and to either side.
    words = 1000
    left = "( " * (words - 1) + "1" + " 2 )" * (words - 1)
    right = "( 1 " * (words - 1) + "2" + " )" * (words - 1)
    path = write(tmp_path / "deep.tsv", f"1\t{left}\n2\t{right}\n")
    dataset = load(CorpusOptions(train=[str(path)], cache=False))[0].sets["train"]
    assert dataset.lengths.tolist() == [words, words]
    trees = np.split(dataset.transitions, dataset.transition_offsets[1:-1])
    assert np.array_equal(trees[0], left_branching(words))
    assert np.array_equal(trees[1], right_branching(words))


# Parses.


def test_the_first_pair_without_a_parse_is_named(options, tmp_path):
    pytest.importorskip("spacy")
    more = write(
        tmp_path / "corpus/train_more.jsonl",
        DEV + "\n" + row("neutral", "( A dog )", "( A cat )", parsed=False) * 2,
    )
    corpus, lines = load(options)
    corpus.require_parses("dev")
    with pytest.raises(DataError, match="no parse") as caught:
        corpus.require_parses("train")
    assert (caught.value.path, caught.value.line) == (more, 3)
    assert "--trees" in str(caught.value)
    assert any(line.startswith("train:") and "2 without a parse" in line for line in lines)
    again, _ = load(options)
    with pytest.raises(DataError, match=r"line 3.*no parse"):
        again.require_parses("train")


def test_one_sentence_without_a_parse_is_enough(tmp_path):
    pytest.importorskip("spacy")
    fields = json.loads(DEV)
    fields["sentence2_binary_parse"] = ""
    path = write(tmp_path / "train.jsonl", TRAIN + json.dumps(fields) + "\n")
    options = CorpusOptions(train=[str(path)], data_directory=str(tmp_path))
    corpus, _ = load(options)
    assert corpus.sets["train"].parsed.tolist() == [True] * 7 + [False]
    with pytest.raises(DataError, match="line 5"):
        corpus.require_parses("train")


# The cache.


def test_a_second_run_reads_nothing(options, tmp_path, monkeypatch):
    options = replace(options, vectors=str(tmp_path / "vectors.txt"))
    first, lines = load(options)
    assert was_read(lines)

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a file is read again")

    monkeypatch.setattr(readers, "read_examples", forbidden)
    second, lines = load(options)
    assert not was_read(lines)
    assert lines == first.notes
    assert_same(first, second)


CHANGES: dict[str, Callable[[CorpusOptions, Path], CorpusOptions]] = {
    "format": lambda options, folder: replace(options, format="snli"),
    "case": lambda options, folder: replace(options, lower=False),
    "minimum count": lambda options, folder: replace(options, minimum_count=1),
    "vectors": lambda options, folder: replace(options, vectors=str(folder / "vectors.txt")),
    "induced vectors": lambda options, folder: replace(
        options, vectors=str(folder / "vectors.txt"), induce_vectors=True
    ),
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


def test_a_changed_added_or_touched_file_is_read_again(options, tmp_path):
    vectors = tmp_path / "vectors.txt"
    options = replace(options, vectors=str(vectors))
    load(options)
    train = tmp_path / "corpus/train.jsonl"
    for change in (
        lambda: write(train, TRAIN + DEV),
        lambda: os.utime(train, ns=(1, 1)),  # same size, other content
        lambda: write(tmp_path / "corpus/train_more.jsonl", DEV),
        lambda: write(vectors, GLOVE + "runs 1 1 1\n"),
    ):
        change()
        corpus, lines = load(options)
        assert was_read(lines)
        assert not was_read(load(options)[1])
    assert len(corpus.sets["train"]) == 5
    assert corpus.vectors.known.sum() == 4


DAMAGE: dict[str, Callable[[Path], object]] = {
    "arrays cut short": lambda folder: os.truncate(folder / "corpus.safetensors", 50),
    "arrays gone": lambda folder: (folder / "corpus.safetensors").unlink(),
    "arrays empty": lambda folder: (folder / "corpus.safetensors").write_bytes(b""),
    "description cut short": lambda folder: os.truncate(folder / "corpus.json", 20),
    "description empty": lambda folder: (folder / "corpus.json").write_text("{}"),
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
    assert any("could not be cached" in line for line in lines)


def test_nothing_half_written_is_left(options, tmp_path):
    load(options)
    assert [path.name[0] != "." for path in (tmp_path / "data/cache").iterdir()] == [True]


# Prepared corpora.


@pytest.mark.parametrize("vectors", [False, True])
def test_a_saved_corpus_can_be_loaded(options, tmp_path, vectors):
    if vectors:
        options = replace(options, vectors=str(tmp_path / "vectors.txt"))
    corpus, _ = load(options)
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
        "from spinn.data.corpus import CorpusOptions, load_corpus\n"
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
    with pytest.raises(DataError, match="no prepared corpus"):
        Corpus.load(tmp_path)


# Real data.


def test_sick_as_a_folder(real_data, tmp_path):
    options = CorpusOptions(data=str(real_data / "sick"), data_directory=str(tmp_path))
    corpus, _ = load(options)
    assert {split: len(data) for split, data in corpus.sets.items()} == {"train": 4500, "dev": 500}
    assert corpus.labels == INFERENCE_LABELS
    for split in corpus.sets:
        corpus.require_parses(split)
    assert_same(load(options)[0], corpus)


def test_logic_as_a_folder(real_data):
    found = find_files(CorpusOptions(data=str(real_data / "logic")), real_data)
    assert {split: len(paths) for split, paths in found.items()} == {"train": 7, "test": 7}


# The corpus that is read where none is named.


def test_what_is_read_by_default_is_named_once_and_for_all(tmp_path, monkeypatch):
    options = CorpusOptions(data_directory=str(tmp_path))
    lines: list[str] = []
    chosen = named(options, lines.append)
    assert chosen.data == "sample"
    assert "SNLI is not on disk" in lines[0]
    monkeypatch.setattr("spinn.data.corpus._has_snli", lambda directory: True)
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


def test_a_cache_that_does_not_say_its_format_has_that_asked_for(tmp_path):
    path = write(tmp_path / "train", "=\ta\t( not ( not a ) )\n")
    options = CorpusOptions(
        train=[str(path)], format="logic-brackets", data_directory=str(tmp_path)
    )
    assert load(options)[0].format == "logic-brackets"
    (place,) = (tmp_path / "cache").glob("*/corpus.json")
    description = json.loads(place.read_text())
    del description["format"]
    place.write_text(json.dumps(description))
    assert load(options)[0].format == "logic-brackets"
