"""The text of a language model: units, files, sets, and the sentences of an NLI corpus."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from spinn.data.language import END, TextOptions, directed, load_text, normalized, read_tokens
from spinn.data.units import UNITS
from spinn.data.vocabulary import UNKNOWN
from spinn.support.errors import ConfigurationError, DataError

TEXT = "The cat sat.\n\nA dog, too!\n"


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    return str(tmp_path / "text.txt")


def read_back(options: TextOptions, split: str = "train") -> str:
    corpus = load_text(options)
    words = [corpus.vocabulary.words[number] for number in corpus.sets[split].tokens]
    return corpus.unit.join(words)


@pytest.mark.parametrize(
    ("unit", "normalize", "expected"),
    [
        ("char", "none", TEXT),
        ("char", "lower", TEXT.lower()),
        ("char", "letters", "the cat sat a dog too "),
        ("word", "none", "The cat sat.\n\nA dog, too!\n"),
        ("word", "letters", "the cat sat\na dog too\n"),
    ],
)
def test_a_text_is_read_in_its_units(file, unit, normalize, expected):
    options = TextOptions(unit=unit, text=[file], normalize=normalize, split="100")
    assert read_back(options) == expected


def test_compressed_files_are_read_one_after_the_other(tmp_path, file):
    (tmp_path / "more.gz").write_bytes(gzip.compress(b"More.\r\n"))
    options = TextOptions(unit="char", text=[file, str(tmp_path / "more.gz")], split="100")
    assert read_back(options) == TEXT + "More.\n"


def test_a_text_is_cut_into_contiguous_sets(tmp_path):
    text = "".join(chr(ord("a") + number % 26) for number in range(99)) + "\n"
    (tmp_path / "text.txt").write_text(text)
    for split, sizes in [("80/10/10", [80, 10, 10]), ("90/10", [90, 10]), ("100", [100])]:
        options = TextOptions(unit="char", text=[str(tmp_path / "text.txt")], split=split)
        corpus = load_text(options)
        assert list(corpus.sets) == ["train", "dev", "test"][: len(sizes)]
        assert [len(part) for part in corpus.sets.values()] == sizes
        found = np.concatenate([part.tokens for part in corpus.sets.values()])
        assert "".join(corpus.vocabulary.words[number] for number in found) == text


def test_a_limit_counts_tokens(file):
    assert read_back(TextOptions(unit="char", text=[file], split="100", limit=5)) == "The c"


def test_the_vocabulary_is_that_of_training_the_most_frequent_first(tmp_path):
    (tmp_path / "a.txt").write_text("b a b c\n")
    (tmp_path / "b.txt").write_text("a d b\n")
    options = TextOptions(train=[str(tmp_path / "a.txt")], dev=[str(tmp_path / "b.txt")])
    corpus = load_text(options)
    assert corpus.vocabulary.words == ["<unk>", "<pad>", "<eos>", "b", "a", "c"]
    assert corpus.sets["dev"].tokens.tolist() == [4, UNKNOWN, 3, END]
    assert "dev: 4 words, 25.00% unknown" in corpus.notes
    frequent = load_text(TextOptions(train=options.train, dev=options.dev, minimum_count=2))
    assert frequent.vocabulary.words == ["<unk>", "<pad>", "<eos>", "b"]
    assert load_text(options, frequent.vocabulary).sets["dev"].tokens.tolist() == [0, 0, 3, 2]


def pair(premise: str, hypothesis: str, label: str = "neutral") -> str:
    row = {"gold_label": label, "sentence1": premise, "sentence2": hypothesis}
    row |= {"sentence1_binary_parse": premise, "sentence2_binary_parse": hypothesis}
    return json.dumps(row) + "\n"


@pytest.fixture
def corpus_folder(tmp_path: Path) -> Path:
    one, two = "( A ( dog barks ) )", "( It moves )"
    train = [pair(one, two), pair(one, "( It sleeps )"), pair("( A cat )", two, "-")]
    (tmp_path / "train.jsonl").write_text("".join(train))
    dev = [pair("( A bird )", two), pair("( A bird )", one)]
    (tmp_path / "dev.jsonl").write_text("".join(dev))
    (tmp_path / "test.jsonl").write_text(pair("( A fish )", "( It swims )"))
    return tmp_path


def test_the_sentences_of_a_corpus_are_distinct_premises_and_all_hypotheses(corpus_folder):
    options = TextOptions(corpus=str(corpus_folder), normalize="lower")
    assert read_back(options).splitlines() == [
        "a dog barks", "it moves", "it sleeps", "a cat", "it moves",
    ]  # fmt: skip
    assert read_back(options, "dev").splitlines() == ["a <unk>", "it moves", "a dog barks"]
    corpus = load_text(options)
    assert "dev: 2 of 3 sentences (66.7%) are also in train" in corpus.notes
    assert "test: 0 of 2 sentences (0.0%) are also in train" in corpus.notes
    assert not {"bird", "fish", "swims"} & set(corpus.vocabulary.words)


def test_letters_are_what_is_left():
    assert normalized("  It's 5 O'Clock! ", "letters") == "it s o clock"
    assert normalized("  It's ", "none") == "  It's "


@pytest.mark.parametrize("split", ["", "0/100", "50/40", "a", "10/20/30/40", "110/-10"])
def test_shares_must_add_up(file, split):
    with pytest.raises(ConfigurationError, match=r"--split .*give 80/10/10"):
        load_text(TextOptions(text=[file], split=split))


def test_text_is_named_in_one_way(file):
    for options in (
        TextOptions(),
        TextOptions(text=[file], corpus="sample"),
        TextOptions(dev=[file]),
    ):
        with pytest.raises(ConfigurationError, match="Name the text in one way"):
            load_text(options)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(DataError, match=r"empty\.txt: there is no text in it"):
        load_text(TextOptions(text=[str(tmp_path / "empty.txt")]))


def test_words_are_joined_with_line_breaks_at_ends():
    assert UNITS.find("word").join(["a", "b", "<eos>", "<eos>", "c"]) == "a b\n\nc"


def test_a_backward_text_has_the_words_of_each_line_in_reverse_order(file):
    options = TextOptions(text=[file], split="100", direction="backward")
    assert read_back(options) == "sat. cat The\n\ntoo! dog, A\n"


def test_a_text_that_is_cut_in_a_line_is_reversed_up_to_there():
    for tokens, expected in [
        ([3, 4, END, 5, 6, 7], [4, 3, END, 7, 6, 5]),
        ([END, END, 3, END], [END, END, 3, END]),
        ([3, 4], [4, 3]),
    ]:
        text = np.array(tokens, dtype=np.int32)
        found = directed(text, "backward")
        assert found.tolist() == expected
        assert directed(found, "backward").tolist() == tokens
        assert directed(text, "forward") is text


def test_lines_that_have_no_ends_are_not_reversed(file, corpus_folder):
    options = TextOptions(unit="char", text=[file], normalize="letters", direction="backward")
    with pytest.raises(ConfigurationError, match="--normalize letters drops the ends of lines"):
        load_text(options)
    whole = TextOptions(
        unit="char", corpus=str(corpus_folder), normalize="letters", direction="backward"
    )
    assert read_back(whole).startswith("skrab god a\nsevom ti\n")


def test_a_file_is_tokenised_for_a_model_of_the_sentences_of_a_corpus(tmp_path):
    (tmp_path / "text.txt").write_text("all men are tired.\nit's a dog\n", encoding="utf-8")
    tokens = list(read_tokens(tmp_path / "text.txt", TextOptions(corpus="sample", unit="word")))
    lines = " ".join(tokens).split(UNITS.find("word").end)
    assert [line.strip() for line in lines] == ["all men are tired .", "it 's a dog", ""]


def test_a_text_may_be_a_single_line(tmp_path, monkeypatch):
    monkeypatch.setattr("spinn.data.lines.LONGEST_LINE", 1000)  # of a corpus of rows
    text = "anarchism originated " * 100
    (tmp_path / "text8").write_text(text)
    options = TextOptions(text=[str(tmp_path / "text8")], unit="char", split="100")
    assert read_back(options) == f"{text}\n"
