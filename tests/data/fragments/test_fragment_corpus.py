"""The sets of trees of a language model."""

from __future__ import annotations

from pathlib import Path

import pytest
from labelled_trees import PROGRAM, SENTENCES, english

from spinn.data.fragments.corpus import FragmentDataOptions, load_fragments
from spinn.support.errors import ConfigurationError, DataError


@pytest.fixture
def trees(tmp_path: Path) -> str:
    """Write 40 different trees."""
    path = tmp_path / "trees.txt"
    path.write_text("".join(f"(A (B w{number}) (B w{number % 3}))\n" for number in range(40)))
    return str(path)


def test_without_further_files_a_tenth_chooses_and_another_is_reported(trees):
    sets = load_fragments(FragmentDataOptions(train=[trees])).sets
    assert {split: len(part) for split, part in sets.items()} == {"train": 32, "dev": 4, "test": 4}
    again = load_fragments(FragmentDataOptions(train=[trees])).sets
    other = load_fragments(FragmentDataOptions(train=[trees], split_seed=2)).sets
    for split, part in sets.items():
        assert part.fingerprint == again[split].fingerprint
        assert part.fingerprint != other[split].fingerprint


def test_given_sets_are_not_split(trees):
    sets = load_fragments(FragmentDataOptions(train=[trees], test=[trees])).sets
    assert {split: len(part) for split, part in sets.items()} == {"train": 36, "dev": 4, "test": 40}
    sets = load_fragments(FragmentDataOptions(train=[trees], dev=[trees])).sets
    assert {split: len(part) for split, part in sets.items()} == {"train": 40, "dev": 40}


def test_the_vocabulary_is_that_of_training(trees, tmp_path):
    (tmp_path / "dev.txt").write_text(SENTENCES[0])
    options = FragmentDataOptions(train=[trees], dev=[str(tmp_path / "dev.txt")], minimum_count=2)
    corpus = load_fragments(options)
    assert corpus.vocabulary.types == ["B", "A"]
    assert len(corpus.vocabulary.rare) == 37
    assert "dev: 1 trees, 8 fragments, 100.00% unknown" in corpus.notes
    kept = load_fragments(options, corpus.vocabulary)
    assert kept.sets["dev"].fingerprint == corpus.sets["dev"].fingerprint


def test_long_trees_are_left_out_of_training_alone(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text("\n".join(SENTENCES))
    lengths = [len(one) for one in english()]
    options = {"train": [str(path)], "dev": [str(path)]}
    corpus = load_fragments(FragmentDataOptions(**options, max_fragments=min(lengths)))
    assert len(corpus.sets["train"]) == lengths.count(min(lengths))
    assert len(corpus.sets["dev"]) == len(lengths)
    assert "left out 3 trees of more than 8 fragments" in corpus.notes[0]
    with pytest.raises(ConfigurationError, match="leaves nothing to train on"):
        load_fragments(FragmentDataOptions(**options, max_fragments=2))


def test_words_are_lower_cased_and_programs_are_not(tmp_path):
    (tmp_path / "a.txt").write_text("(A X)\n(A x)\n(A y)")
    (tmp_path / "a.py").write_text(PROGRAM)
    for name, lowercase in (("a.txt", True), ("a.py", False)):
        options = FragmentDataOptions(train=[str(tmp_path / name)], test=[str(tmp_path / name)])
        assert load_fragments(options).vocabulary.lowercase is lowercase


def test_options_are_checked(trees):
    with pytest.raises(ConfigurationError, match="--train FILES"):
        FragmentDataOptions()
    with pytest.raises(ConfigurationError, match="cannot be mixed"):
        load_fragments(FragmentDataOptions(train=[trees], dev=["a.py"]))
    with pytest.raises(DataError, match="no such file"):
        load_fragments(FragmentDataOptions(train=["missing.txt"]))
