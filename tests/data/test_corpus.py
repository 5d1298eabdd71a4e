"""The corpus on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from corpora import assert_same, load, was_read, write

from spinn.data.corpus import Corpus
from spinn.support.errors import DataError

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
