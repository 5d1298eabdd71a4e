"""Pairs of logic written anew: what is true of them stays true, and all forms come up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinn.data.batching import Batch, Batcher
from spinn.data.corpus import Corpus
from spinn.data.options import CorpusOptions
from spinn.data.prepare import load_corpus
from spinn.data.vocabulary import Vocabulary
from spinn.extensions.symmetries import logic_symmetries
from spinn.generators.dice import Dice
from spinn.generators.logic import ALWAYS, TABLES, draw_pairs, relate
from spinn.support.errors import ConfigurationError
from spinn.transitions import Transition
from spinn.trees import TREE_SOURCES

SIZES = dict.fromkeys(range(1, 7), 60)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("logic")
    drawn = draw_pairs(Dice(4), SIZES)
    file = write(folder, ["\t".join(pair) for pairs in drawn.values() for pair in pairs])
    return load_corpus(CorpusOptions(train=[str(file)], format="logic", cache=False))


def write(folder: Path, lines: list[str]) -> Path:
    file = folder / "train"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def batcher(corpus: Corpus, trees: str = "gold", **options: Any) -> Batcher:
    symmetries = logic_symmetries(corpus.vocabulary, corpus.labels)
    given: dict[str, Any] = {"batch_size": 40, "seed": 5, "transform": symmetries} | options
    return Batcher(corpus.sets["train"], TREE_SOURCES[trees], **given)


def formulas(batch: Batch, corpus: Corpus) -> Iterator[list[Any]]:
    """Read the pairs of a batch back as trees of words."""
    assert batch.transitions is not None
    trees = []
    for column in range(batch.words.shape[1]):
        words = iter(batch.words[: batch.lengths[column], column].tolist())
        stack: list[Any] = []
        for step in batch.transitions[:, column].tolist():
            if step == Transition.SHIFT:
                stack.append(corpus.vocabulary.words[next(words)])
            elif step == Transition.REDUCE:
                stack[-2:] = [tuple(stack[-2:])]
        (tree,) = stack
        trees.append(tree)
    for pair in range(len(batch)):
        yield trees[pair :: len(batch)]


def table(tree: Any) -> int:
    """Find out when a formula is true."""
    if isinstance(tree, str):
        return TABLES[tree]
    first, second = tree
    if first == "not":
        return ALWAYS ^ table(second)
    connective, right = second
    return table(first) & table(right) if connective == "and" else table(first) | table(right)


def shape(tree: Any) -> Any:
    """Forget which variable is which, but not where one comes back."""
    names: dict[str, int] = {}

    def walk(part: Any) -> Any:
        if isinstance(part, tuple):
            return tuple(map(walk, part))
        return names.setdefault(part, len(names)) if part in TABLES else part

    return walk(tree)


def test_the_relation_of_a_pair_written_anew_is_its_label(corpus):
    count = 0
    for batch in batcher(corpus).batches():
        for (first, second), label in zip(formulas(batch, corpus), batch.labels, strict=True):
            assert corpus.labels[label] == relate(table(first), table(second))
            count += 1
    assert count == sum(SIZES.values())


def test_a_form_has_other_names_or_another_order_and_nothing_else(corpus):
    plain = {}
    for batch in batcher(corpus, transform=None).batches():
        plain |= dict(zip(batch.rows.tolist(), formulas(batch, corpus), strict=True))
    exchanged, renamed = [], []
    for epoch in range(3):
        for batch in batcher(corpus).batches(epoch):
            for row, pair in zip(batch.rows.tolist(), formulas(batch, corpus), strict=True):
                straight = shape(tuple(pair)) == shape(tuple(plain[row]))
                assert straight or shape(tuple(pair[::-1])) == shape(tuple(plain[row]))
                exchanged.append(not straight)
                renamed.append(sorted(map(str, pair)) != sorted(map(str, plain[row])))
    assert np.mean(exchanged) == pytest.approx(0.5, abs=0.1)
    assert np.mean(renamed) > 0.9


def test_the_sentences_are_the_same_but_for_names_where_trees_are_random(corpus):
    for batch in batcher(corpus, "random").batches():
        assert batch.transitions is not None
        assert (batch.transitions == Transition.SHIFT).sum(dim=0).tolist() == batch.lengths.tolist()


def test_forms_are_a_matter_of_seed_and_epoch(corpus):
    def words(epoch: int, **options: Any) -> list[list[list[int]]]:
        return [batch.words.tolist() for batch in batcher(corpus, **options).batches(epoch)]

    assert words(1) == words(1)
    assert words(1) != words(2)
    assert words(1) != words(1, seed=6)


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_out_the_same_forms(corpus, world_size):
    whole = batcher(corpus).batches()
    shares = [
        batcher(corpus, rank=rank, world_size=world_size).batches() for rank in range(world_size)
    ]
    for batch, *parts in zip(whole, *shares, strict=True):
        expected = list(zip(formulas(batch, corpus), batch.labels.tolist(), strict=True))
        for rank, part in enumerate(parts):
            own = list(zip(formulas(part, corpus), part.labels.tolist(), strict=True))
            assert own == expected[rank::world_size]


def test_heights_are_made_of_the_words_that_are_read(corpus):
    for batch in batcher(corpus, by_height=True, share=True).batches():
        assert batch.heights is not None
        assert batch.heights.words is not None
        read = set(batch.words.flatten().tolist()) - {corpus.vocabulary.words.index("<pad>")}
        assert set(batch.heights.words.tolist()) >= read


def test_a_variable_that_no_pair_has_is_given_to_none(tmp_path):
    file = write(tmp_path, ["<\ta\t( a ( or b ) )", "#\ta\tb"])
    options = CorpusOptions(train=[str(file)], format="logic", cache=False, minimum_count=1)
    corpus = load_corpus(options)
    for epoch in range(20):
        for batch in batcher(corpus).batches(epoch):
            known = {"a", "b", "or", "<pad>"}
            assert {corpus.vocabulary.words[word] for word in batch.words.flatten()} <= known


def test_other_labels_have_no_symmetries():
    with pytest.raises(ConfigurationError, match=r"--symmetries is for logic.*neutral"):
        logic_symmetries(Vocabulary(["<unk>", "<pad>", "a"]), ["entailment", "neutral"])
