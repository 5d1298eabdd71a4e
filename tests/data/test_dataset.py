"""Examples become flat arrays, and the arrays can be taken apart again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.data.dataset import NO_LABEL, DatasetBuilder, PairDataset
from spinn.data.examples import PAIR, SENTENCE, Example, ExampleKind, Sentence, kind_with
from spinn.data.vocabulary import UNKNOWN, Vocabulary
from spinn.transitions import Transition, from_brackets, left_branching

PAD = int(Transition.PAD)
LABELS = ("yes", "no")


def parsed(brackets: str) -> Sentence:
    return Sentence(*from_brackets(brackets))


PAIRS = [
    Example(parsed("( ( A dog ) runs )"), parsed("( It moves )"), "yes", 1),
    Example(parsed("( A cat )"), Sentence(["The", "cat", "sleeps"]), "no", 2),
    Example(Sentence(["Runs"]), parsed("A"), None, 3),
]
VOCABULARY = Vocabulary(["<unk>", "<pad>", "a", "dog", "runs", "it", "cat"])


def build(examples: list[Example], lower: bool = True, kind: ExampleKind = PAIR) -> PairDataset:
    builder = DatasetBuilder(LABELS, lower=lower, kind=kind)
    builder.extend(examples)
    assert len(builder) == len(examples)
    return builder.build(VOCABULARY)


def test_words_are_numbered_and_unknown_ones_share_a_number():
    dataset = build(PAIRS)
    assert dataset.words.tolist() == [2, 3, 4, 5, 0, 2, 6, 0, 6, 0, 4, 2]
    assert dataset.words.dtype == np.int32
    assert VOCABULARY.words[UNKNOWN] == "<unk>"


def test_sentences_lie_one_after_another_premise_first():
    dataset = build(PAIRS)
    assert len(dataset) == 3
    assert dataset.lengths.tolist() == [3, 2, 2, 3, 1, 1]
    assert dataset.offsets.tolist() == [0, 3, 5, 7, 10, 11, 12]
    assert dataset.transition_offsets.tolist() == [0, 5, 8, 11, 16, 17, 18]


def test_transitions_are_the_trees_or_padding():
    dataset = build(PAIRS)
    assert dataset.transitions.tolist() == [3, 3, 2, 3, 2, 3, 3, 2, 3, 3, 2] + [PAD] * 6 + [3]
    assert dataset.transitions.dtype == np.int8
    assert dataset.parsed.tolist() == [True, True, True, False, False, True]


def test_labels_are_numbered_as_listed():
    dataset = build(PAIRS)
    assert dataset.labels.tolist() == [0, 1, NO_LABEL]
    assert dataset.labels.dtype == np.int64


def test_word_counts():
    builder = DatasetBuilder(LABELS, lower=True)
    builder.extend(PAIRS)
    expected = {"a": 3, "dog": 1, "runs": 2, "it": 1, "moves": 1, "cat": 2, "the": 1, "sleeps": 1}
    assert builder.word_counts() == expected


def test_case_is_kept_if_asked():
    builder = DatasetBuilder(LABELS, lower=False)
    builder.extend(PAIRS)
    counts = builder.word_counts()
    assert (counts["A"], counts["a"], counts["Runs"], counts["runs"]) == (3, 0, 1, 1)
    cased = Vocabulary(["<unk>", "<pad>", "A", "runs"], lower=False)
    assert builder.build(cased).words.tolist() == [2, 0, 3, 0, 0, 2, 0, 0, 0, 0, 0, 2]


def test_a_label_that_is_not_listed_is_refused():
    builder = DatasetBuilder(LABELS, lower=True)
    with pytest.raises(KeyError):
        builder.add(PAIRS[0]._replace(label="perhaps"))


@pytest.mark.parametrize("kind", [SENTENCE, PAIR])
def test_an_example_of_the_other_kind_is_refused(kind):
    pair, builder = PAIRS[0], DatasetBuilder(LABELS, lower=True, kind=kind)
    one, other = (pair._replace(hypothesis=None), pair)[:: 1 if kind == SENTENCE else -1]
    builder.add(one)
    with pytest.raises(ValueError, match=kind.unit):
        builder.add(other)
    assert len(builder) == 1
    dataset = builder.build(VOCABULARY)
    wrong = kind_with(3 - kind.count)
    with pytest.raises(ValueError, match=f"{kind.count} sentences are not {wrong.count}"):
        replace(dataset, kind=wrong)


def test_kinds_are_found_by_their_number_of_sentences():
    assert [kind_with(kind.count) for kind in (SENTENCE, PAIR)] == [SENTENCE, PAIR]
    assert PAIR.roles == ("premise", "hypothesis")
    with pytest.raises(ValueError, match="3 sentences"):
        kind_with(3)


words = st.lists(st.sampled_from(["a", "dog", "runs", "cat", "new"]), min_size=1, max_size=6)


@given(
    pairs=st.lists(st.tuples(words, words, st.booleans()), min_size=1, max_size=6),
    kind=st.sampled_from([SENTENCE, PAIR]),
)
def test_sentences_can_be_taken_out_again(pairs, kind):
    def sentence(words: list[str], with_tree: bool) -> Sentence:
        return Sentence(words, left_branching(len(words)) if with_tree else None)

    examples = [
        Example(
            sentence(premise, tree),
            sentence(hypothesis, not tree) if kind == PAIR else None,
            "yes",
            1,
        )
        for premise, hypothesis, tree in pairs
    ]
    dataset = build(examples, kind=kind)
    assert (len(dataset), dataset.kind) == (len(pairs), kind)
    sentences = [one for example in examples for one in example.sentences]
    assert len(sentences) == len(dataset.lengths) == kind.count * len(pairs)
    for number, (expected, tree) in enumerate(sentences):
        begin, end = dataset.offsets[number : number + 2]
        numbers = VOCABULARY.numbers(expected)
        assert dataset.words[begin:end].tolist() == numbers.tolist()
        begin, end = dataset.transition_offsets[number : number + 2]
        steps = [PAD] * (2 * len(expected) - 1) if tree is None else tree.tolist()
        assert dataset.transitions[begin:end].tolist() == steps
        assert dataset.parsed[number] == (tree is not None)


@given(
    lengths=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=5),
    kind=st.sampled_from([SENTENCE, PAIR]),
    data=st.data(),
)
def test_examples_are_taken_with_their_trees_and_labels(lengths, kind, data):
    examples = [
        Example(
            *(
                Sentence([str(length)] * length, left_branching(length))
                for length in pair[: kind.count]
            ),
            *[None] * (2 - kind.count),
            LABELS[sum(pair) % len(LABELS)],
            1,
        )
        for pair in lengths
    ]
    rows = data.draw(st.lists(st.integers(0, len(examples) - 1), max_size=6))
    whole = build(examples, kind=kind)
    taken = whole.take(np.array(rows, dtype=np.int64))
    assert (len(taken), taken.kind) == (len(rows), kind)
    for name in ("words", "transitions", "labels"):
        parts = [getattr(whole.take(np.array([row])), name) for row in rows]
        assert getattr(taken, name).tolist() == [one for part in parts for one in part.tolist()]
    assert taken.lengths.tolist() == [
        length for row in rows for length in lengths[row][: kind.count]
    ]
    for row, label in zip(rows, taken.labels.tolist(), strict=True):
        assert label == whole.labels[row]
