"""Preparing a corpus: vocabulary, labels, vectors and missing parses."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from corpora import DEV, LISTOPS, TRAIN, assert_same, load, row, was_read, write
from machine import NEEDS_PIPES

from spinn import extensions
from spinn.data.examples import SENTENCE
from spinn.data.labels import INFERENCE_LABELS
from spinn.data.options import CorpusOptions
from spinn.data.prepare import load_corpus
from spinn.data.spacy_parser import SpacyParser
from spinn.support.errors import ConfigurationError, DataError
from spinn.transitions import left_branching, right_branching

extensions.load()


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
    corpus, lines = load(options, tmp_path / "vectors.txt")
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
    without, _ = load(options, tmp_path / "vectors.txt")
    corpus, lines = load(options, tmp_path / "vectors.txt", induce=True)
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
    before, _ = load(options, tmp_path / "vectors.txt", induce=True)
    # The same words, so that the vocabulary stays as it is, in other company.
    write(
        tmp_path / "corpus/dev.jsonl", DEV + row("neutral", "( runs ( A dog ) )", "( a unicorn )")
    )
    after, lines = load(options, tmp_path / "vectors.txt", induce=True)
    assert was_read(lines)
    assert after.vocabulary == before.vocabulary
    assert before.vectors is not None
    assert after.vectors is not None
    assert torch.equal(after.vectors.vectors, before.vectors.vectors)


def test_vectors_are_induced_from_a_training_set(options, tmp_path):
    options = replace(options, data=None, test=[str(tmp_path / "corpus/dev.jsonl")])
    with pytest.raises(ConfigurationError, match="Vectors are completed from a training set"):
        load(options, tmp_path / "vectors.txt", induce=True)


def test_a_parser_of_a_prepared_corpus_without_trees_is_refused(options, tmp_path):
    table = write(tmp_path / "raw.tsv", "neutral\ta dog runs\ta cat runs\n" * 2)
    corpora = {"parsed": options, "raw": CorpusOptions(train=[str(table)], cache=False)}
    for name, one in corpora.items():
        load(one)[0].save(tmp_path / name)
        prepared = CorpusOptions(data=str(tmp_path / name))
        if name == "parsed":
            assert load_corpus(prepared, parser=SpacyParser()).sets.keys() == {"train", "dev"}
        else:
            with pytest.raises(ConfigurationError, match="Prepare it again from its text files"):
                load_corpus(prepared, parser=SpacyParser())


def test_several_files_of_a_split_are_joined(options, tmp_path):
    write(tmp_path / "corpus/train_more.jsonl.gz", TRAIN)
    assert len(load(options)[0].sets["train"]) == 6


def test_labels_of_tables_are_those_of_the_training_set(tmp_path):
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


@pytest.mark.parametrize(
    "rows",
    [
        ["A dog runs in the park.\tIt moves\tno"] * 2,
        [f"{number}.5\tA dog runs.\tIt moves." for number in range(12)],
        [f"dog {number}\tA dog runs.\tIt moves." for number in range(6)],
    ],
)
def test_labels_that_are_sentences_or_numbers_are_refused(tmp_path, rows):
    train = write(tmp_path / "train.tsv", "label\tone\tother\n" + "\n".join(rows))
    with pytest.raises(DataError, match="its labels look like sentences or numbers") as caught:
        load(CorpusOptions(train=[str(train)], data_directory=str(tmp_path)))
    assert "Name the columns label, premise and hypothesis" in str(caught.value)


def test_a_table_may_be_a_test_of_what_was_learned_from_snli(options, tmp_path):
    """Whatever labels it has of those, and in whatever order."""
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


def test_a_missing_file_is_named(tmp_path):
    options = CorpusOptions(train=[str(tmp_path / "no.jsonl")], data_directory=str(tmp_path))
    with pytest.raises(DataError, match=r"no\.jsonl: there is no such file"):
        load(options)


def test_missing_vectors_are_named(options, tmp_path):
    with pytest.raises(DataError, match=r"no\.txt"):
        load(options, tmp_path / "no.txt")


def test_files_of_different_kinds_are_refused(tmp_path):
    train = write(tmp_path / "train.jsonl", TRAIN)
    dev = write(tmp_path / "dev.txt", "=\ta\t( not b )\n")
    options = CorpusOptions(train=[str(train)], dev=[str(dev)], data_directory=str(tmp_path))
    with pytest.raises(DataError, match="not those of the files before it") as caught:
        load(options)
    assert caught.value.path == dev


@pytest.mark.parametrize("last", ["train", "dev", "test"])
@pytest.mark.parametrize("single", [False, True])
def test_single_sentences_among_pairs_are_refused(tmp_path, last, single):
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


def test_listops_as_a_folder(listops):
    corpus, lines = load(listops)
    assert corpus.kind == SENTENCE
    assert {data.kind for data in corpus.sets.values()} == {SENTENCE}
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


def test_the_first_pair_without_a_parse_is_named(options, tmp_path):
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
    fields = json.loads(DEV)
    fields["sentence2_binary_parse"] = ""
    path = write(tmp_path / "train.jsonl", TRAIN + json.dumps(fields) + "\n")
    options = CorpusOptions(train=[str(path)], data_directory=str(tmp_path))
    corpus, _ = load(options)
    assert corpus.sets["train"].parsed.tolist() == [True] * 7 + [False]
    with pytest.raises(DataError, match="line 5"):
        corpus.require_parses("train")


def test_sick_as_a_folder(real_data, tmp_path):
    options = CorpusOptions(data=str(real_data / "sick"), data_directory=str(tmp_path))
    corpus, _ = load(options)
    assert {split: len(data) for split, data in corpus.sets.items()} == {"train": 4500, "dev": 500}
    assert corpus.labels == INFERENCE_LABELS
    for split in corpus.sets:
        corpus.require_parses(split)
    assert_same(load(options)[0], corpus)


def table(path, *rows, header="language\tlabel\tpremise\thypothesis"):
    return str(write(path, "\n".join((header, *rows, ""))))


def test_columns_and_labels_are_named_by_options(tmp_path):
    header = "b,Urteil,a"
    train = table(tmp_path / "t.csv", "It.,0,A dog.", "It.,2,A cat.", "It.,-1,No.", header=header)
    options = CorpusOptions(
        train=[train], dev=[train], data_directory=str(tmp_path), label_names="yes,maybe,no"
    )
    options = replace(options, columns="premise=a,hypothesis=b,label=Urteil")
    corpus, _ = load(options)
    assert corpus.labels == ("no", "yes")
    assert corpus.sets["dev"].labels.tolist() == [1, 0]
    other, lines = load(replace(options, label_names="yes,maybe,never"))
    assert was_read(lines)  # not from the cache
    assert other.labels == ("never", "yes")


def test_languages_are_counted(tmp_path):
    train = table(tmp_path / "t", "en\tyes\tA.\tB.", "ar\tno\tC.\tD.", "en\tno\tE.\tF.")
    dev = table(tmp_path / "d", "en\tyes\tA.\tB.")
    _, lines = load(CorpusOptions(train=[train], dev=[dev], data_directory=str(tmp_path)))
    assert any(line.endswith("in 2 languages (ar 1, en 2)") for line in lines)
    assert not any("languages" in line for line in lines if line.startswith("dev"))


def test_labels_in_other_spellings_become_the_usual_ones(tmp_path):
    """ANLI has letters, SciTail *entails*."""
    options = CorpusOptions(data_directory=str(tmp_path), cache=False)
    for found, labels in (
        (("e", "n", "c", "neutral"), ("contradiction", "entailment", "neutral")),
        (("entails", "neutral"), ("entailment", "neutral")),
        (("e", "d"), ("d", "e")),
    ):
        path = table(tmp_path / "t", *(f"en\t{label}\tA.\tB." for label in found))
        corpus, _ = load(replace(options, train=[path], dev=[path]))
        assert corpus.labels == labels


def test_a_mixture_of_words_and_numbers_is_refused(tmp_path):
    path = table(tmp_path / "t", "en\tneutral\tA.\tB.", "en\t1\tA.\tB.")
    with pytest.raises(DataError, match=r"some are words \(1, neutral\)\. .*--label-names"):
        load(CorpusOptions(train=[path], dev=[path], data_directory=str(tmp_path)))


@NEEDS_PIPES
@pytest.mark.parametrize("format", ["auto", "tsv"])
def test_a_pipe_is_refused_where_it_would_be_read_again(tmp_path, format):
    os.mkfifo(tmp_path / "pipe")
    options = CorpusOptions(
        train=[str(tmp_path / "pipe")], format=format, data_directory=str(tmp_path)
    )
    with pytest.raises(DataError, match=r"pipe: a pipe can be read once only.*Save it to a file"):
        load(options)


@pytest.mark.skipif(sys.platform == "darwin", reason="all names of files are UTF-8")
def test_names_of_files_need_not_be_unicode(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    train, vectors = table(Path(f"{name}.tsv"), "en\tyes\tA b.\tB."), Path(f"{name}.txt")
    vectors.write_text("a 1 2\nb 1 nan\n")
    options = CorpusOptions(train=[train], dev=[train], data_directory=str(tmp_path))
    corpus, _ = load(options, vectors)
    assert any("vectors left out" in note for note in corpus.notes)
    again, lines = load(options, vectors)
    assert not was_read(lines)
    assert again.unparsed == corpus.unparsed
