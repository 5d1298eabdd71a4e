"""The transition alphabet: conversions, validity, tree shapes and random trees."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.transitions import (
    FIXED_SHAPES,
    RANDOM_SHAPES,
    Transition,
    TransitionArray,
    TreeError,
    balanced,
    check,
    check_sequences,
    fold,
    from_brackets,
    from_spans,
    is_valid,
    left_branching,
    random_shift,
    random_uniform,
    right_branching,
    to_brackets,
    to_spans,
    tokens_of,
)

S, R, PAD = Transition.SHIFT, Transition.REDUCE, Transition.PAD
DEEP = 100_000

# A word is anything without blanks that is not a bare bracket; brackets within a word are fine.
words_of_text = st.text(min_size=1, max_size=6).filter(
    lambda word: tokens_of(word) == [word] and word not in ("(", ")")
)


@st.composite
def trees(draw: st.DrawFn, max_words: int = 30) -> list[int]:
    """Transitions of a random tree, made by splitting: no code of the package is involved."""
    agenda: list[int] = [draw(st.integers(1, max_words))]
    steps: list[int] = []
    while agenda:
        size = agenda.pop()
        if size == 1:
            steps.append(S)
        elif size == 0:
            steps.append(R)
        else:
            left = draw(st.integers(1, size - 1))
            agenda += [0, size - left, left]
    return steps


def all_trees(length: int) -> list[tuple[int, ...]]:
    """List every tree over ``length`` words, by recursion on the root's split."""
    if length == 1:
        return [(S,)]
    return [
        (*left, *right, R)
        for split in range(1, length)
        for left in all_trees(split)
        for right in all_trees(length - split)
    ]


def height(steps: TransitionArray) -> int:
    """Count the levels of a tree with a stack of heights."""
    stack: list[int] = []
    for step in steps.tolist():
        stack.append(0 if step == S else 1 + max(stack.pop(), stack.pop()))
    return stack[0]


# The alphabet


def test_the_alphabet_has_the_numbers_of_torchtext():
    assert [(t.name, int(t)) for t in Transition] == [("PAD", 1), ("REDUCE", 2), ("SHIFT", 3)]


# Brackets


@pytest.mark.parametrize(
    ("text", "words", "steps"),
    [
        ("a", ["a"], [S]),
        ("( a )", ["a"], [S]),
        ("( a b )", ["a", "b"], [S, S, R]),
        ("( ( a dog ) runs )", ["a", "dog", "runs"], [S, S, R, S, R]),
        ("( a ( b c ) )", ["a", "b", "c"], [S, S, S, R, R]),
        ("  (  a\t b ) \n", ["a", "b"], [S, S, R]),
        ("( -LRB- (x) )", ["-LRB-", "(x)"], [S, S, R]),
    ],
)
def test_brackets_are_read(text: str, words: list[str], steps: list[int]):
    read_words, read_steps = from_brackets(text)
    assert read_words == words
    assert read_steps.tolist() == steps
    assert read_steps.dtype == np.int8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no words"),
        ("   ", "no words"),
        ("( )", "0 children"),
        ("a )", "closing bracket has no opening bracket"),
        ("( a b ) )", "closing bracket has no opening bracket"),
        ("( a b", r"1 opening bracket\(s\) are never closed"),
        ("( ( ( a b )", r"2 opening bracket\(s\) are never closed"),
        ("( a b c )", "3 children"),
        ("( a ( b ) )", "1 children"),
        ("( ( a b ) )", "1 children"),
        ("( ( a ) b )", "1 children"),
        ("a b", "2 trees side by side"),
        ("( a b ) ( c d )", "2 trees side by side"),
        ("( a ) b", "2 trees side by side"),
    ],
)
def test_brackets_that_are_no_tree_are_refused(text: str, message: str):
    with pytest.raises(TreeError, match=message):
        from_brackets(text)


@given(trees(), st.data())
def test_brackets_round_trip(steps: list[int], data: st.DataObject):
    length = (len(steps) + 1) // 2
    words = data.draw(st.lists(words_of_text, min_size=length, max_size=length))
    text = to_brackets(words, steps)
    read_words, read_steps = from_brackets(text)
    assert read_words == words
    assert read_steps.tolist() == steps
    assert to_brackets(read_words, read_steps) == text


def test_brackets_are_written_as_snli_writes_them():
    assert to_brackets(["a", "dog", "runs"], [S, S, R, S, R]) == "( ( a dog ) runs )"
    assert to_brackets(["a", "b", "c"], [S, S, S, R, R]) == "( a ( b c ) )"
    assert to_brackets(["Yes"], [S]) == "Yes"


@pytest.mark.parametrize("word", ["(", ")", "", "two words", " a", "a\n"])
def test_words_that_could_not_be_read_back_are_not_written(word: str):
    with pytest.raises(TreeError, match="cannot be written in brackets; write -LRB- or -RRB-"):
        to_brackets(["a", word], [S, S, R])


def test_a_word_may_have_a_blank_that_is_not_of_ascii():
    words, transitions = from_brackets("( about ( 2\u00a01/2 cups ) )")
    assert words == ["about", "2\u00a01/2", "cups"]
    assert to_brackets(words, transitions) == "( about ( 2\u00a01/2 cups ) )"


@given(st.text(st.characters(max_codepoint=0x2100)))
def test_texts_are_split_alike_whatever_else_is_in_them(text):
    plain = "".join(symbol for symbol in text if symbol.isascii())
    assert tokens_of(plain) == tokens_of(plain + " \u00e9")[:-1]


def test_brackets_need_as_many_words_as_shifts():
    with pytest.raises(TreeError, match="2 words where the sentence has 3"):
        to_brackets(["a", "b", "c"], [S, S, R])


# Spans


@pytest.mark.parametrize(
    ("steps", "spans"),
    [
        ([S], []),
        ([S, S, R], [(0, 2)]),
        ([S, S, R, S, R], [(0, 2), (0, 3)]),
        ([S, S, S, R, R], [(1, 3), (0, 3)]),
        ([S, S, R, S, S, R, R], [(0, 2), (2, 4), (0, 4)]),
    ],
)
def test_spans_come_in_the_order_of_composition(steps: list[int], spans: list[tuple[int, int]]):
    assert to_spans(steps) == spans
    assert from_spans((len(steps) + 1) // 2, spans).tolist() == steps


@given(trees(), st.randoms(use_true_random=False))
def test_spans_round_trip_in_any_order(steps: list[int], shuffler):
    length = (len(steps) + 1) // 2
    spans = to_spans(steps)
    assert len(spans) == length - 1
    mixed = spans + spans[:2]  # a span given twice is one span
    shuffler.shuffle(mixed)
    result = from_spans(length, mixed)
    assert result.dtype == np.int8
    assert result.tolist() == steps
    assert to_spans(result) == spans


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], "ends with 0 items"),
        ([R], "REDUCE finds fewer than two"),
        ([S, R], "REDUCE finds fewer than two"),
        ([S, S, R, R, S], "REDUCE finds fewer than two"),
        ([S, S], "ends with 2 items"),
        ([S, S, R, PAD], "1 is neither SHIFT nor REDUCE"),
        ([0, S], "0 is neither SHIFT nor REDUCE"),
    ],
)
def test_transitions_that_are_no_tree_have_no_spans(steps: list[int], message: str):
    with pytest.raises(TreeError, match=message):
        to_spans(steps)


@pytest.mark.parametrize(
    ("length", "spans"),
    [
        (0, []),
        (2, []),
        (3, [(0, 3)]),
        (3, [(0, 2)]),
        (3, [(0, 2), (1, 3)]),
        (3, [(0, 2), (1, 3), (0, 3)]),
        (4, [(0, 3), (1, 4), (0, 4)]),
        (4, [(0, 2), (0, 3), (1, 4)]),
        (2, [(0, 3), (0, 2)]),
        (2, [(-1, 2)]),
        (2, [(0, 2), (0, 1)]),
        (1, [(0, 1)]),
        (3, [(0, 2), (2, 2), (0, 3)]),
    ],
)
def test_spans_that_are_no_tree_are_refused(length: int, spans: list[tuple[int, int]]):
    with pytest.raises(TreeError):
        from_spans(length, spans)


def test_crossing_spans_are_named():
    with pytest.raises(TreeError, match="cross or leave gaps"):
        from_spans(4, [(0, 2), (1, 3), (0, 4)])


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(-1, 7), st.integers(-1, 7)), max_size=6))
def test_from_spans_returns_the_very_spans_or_refuses(length: int, spans: list[tuple[int, int]]):
    try:
        result = from_spans(length, spans)
    except TreeError:
        return
    assert is_valid(result, length)
    assert set(to_spans(result)) == set(spans)


# Validity


@pytest.mark.parametrize(
    ("steps", "length", "message"),
    [
        ([], None, "at least one SHIFT"),
        ([PAD], None, "a sequence of SHIFT and REDUCE"),
        ([S, S, R, PAD], 2, "a sequence of SHIFT and REDUCE"),
        ([S, 0], None, "a sequence of SHIFT and REDUCE"),
        ([R], None, "fewer than two items"),
        ([S, R, S], None, "fewer than two items"),
        ([S, R], None, "fewer than two items"),
        ([S, S], None, "ends with 2 items where a tree leaves 1"),
        ([S, S, S, R], None, "ends with 2 items"),
        ([S, S, R], 3, "2 words where the sentence has 3"),
        ([S, S, R], 1, "2 words where the sentence has 1"),
    ],
)
def test_check_says_why_a_sequence_is_no_tree(steps: list[int], length: int | None, message: str):
    with pytest.raises(TreeError, match=message):
        check(steps, length)
    with pytest.raises(TreeError, match=message):
        check(np.array(steps, dtype=np.int8), length)
    assert not is_valid(steps, length)


@given(st.lists(st.sampled_from([PAD, R, S]), max_size=9))
def test_the_valid_sequences_are_just_the_trees(steps: list[int]):
    length = (len(steps) + 1) // 2
    is_tree = len(steps) % 2 == 1 and tuple(steps) in all_trees(length)
    assert is_valid(steps) == is_tree
    assert is_valid(steps, length) == is_tree
    assert not is_valid(steps, length + 1)


@given(trees())
def test_trees_are_valid(steps: list[int]):
    check(steps)
    check(np.array(steps, dtype=np.int8), (len(steps) + 1) // 2)


def test_a_tree_error_is_a_value_error():
    assert issubclass(TreeError, ValueError)


# Depth


@pytest.mark.parametrize("shape", FIXED_SHAPES.values(), ids=FIXED_SHAPES.keys())
def test_a_tree_of_any_depth_converts_in_linear_time(shape: Callable[[int], TransitionArray]):
    started = time.perf_counter()
    steps = shape(DEEP)
    check(steps, DEEP)
    words, read = from_brackets(to_brackets(["w"] * DEEP, steps))
    assert len(words) == DEEP
    assert np.array_equal(read, steps)
    assert np.array_equal(from_spans(DEEP, to_spans(steps)), steps)
    assert time.perf_counter() - started < 30  # quadratic work would take far longer


# Fixed shapes


def test_shapes_of_four_words():
    drawn = {name: to_brackets(list("abcd"), shape(4)) for name, shape in FIXED_SHAPES.items()}
    assert drawn == {
        "left": "( ( ( a b ) c ) d )",
        "right": "( a ( b ( c d ) ) )",
        "balanced": "( ( a b ) ( c d ) )",
    }


def test_the_left_half_of_a_balanced_tree_is_the_larger():
    assert to_brackets(list("abcde"), balanced(5)) == "( ( ( a b ) c ) ( d e ) )"


@pytest.mark.parametrize("shape", FIXED_SHAPES.values(), ids=FIXED_SHAPES.keys())
def test_shapes_are_trees_over_the_words(shape: Callable[[int], TransitionArray]):
    for length in range(1, 70):
        steps = shape(length)
        assert steps.dtype == np.int8
        check(steps, length)


@pytest.mark.parametrize("length", [*range(1, 66), 127, 128, 129, 1000])
def test_heights_of_the_shapes(length: int):
    assert height(left_branching(length)) == length - 1
    assert height(right_branching(length)) == length - 1
    assert height(balanced(length)) == math.ceil(math.log2(length))


# Random shapes


@pytest.mark.parametrize("shape", RANDOM_SHAPES.values(), ids=RANDOM_SHAPES.keys())
@given(lengths=st.lists(st.integers(1, 25), min_size=1, max_size=12), seed=st.integers(0, 2**32))
def test_random_trees_are_valid_and_padded(shape, lengths: list[int], seed: int):
    batch = shape(np.array(lengths), np.random.default_rng(seed))
    assert batch.shape == (2 * max(lengths) - 1, len(lengths))
    assert batch.dtype == np.int8
    for column, length in enumerate(lengths):
        check(batch[: 2 * length - 1, column], length)
        assert (batch[2 * length - 1 :, column] == PAD).all()


@pytest.mark.parametrize("shape", RANDOM_SHAPES.values(), ids=RANDOM_SHAPES.keys())
def test_random_trees_depend_on_the_seed_alone(shape):
    lengths = np.arange(1, 40)
    first, again, other = (shape(lengths, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("shape", RANDOM_SHAPES.values(), ids=RANDOM_SHAPES.keys())
def test_one_generator_gives_new_trees_at_each_draw(shape):
    random = np.random.default_rng(0)
    lengths = np.full(20, 15)
    assert not np.array_equal(shape(lengths, random), shape(lengths, random))


def assert_distribution(
    batch: TransitionArray, probabilities: dict[tuple[int, ...], Fraction]
) -> None:
    """Compare drawn trees with their probabilities by a chi-square test at p = 0.001."""
    # Wilson and Hilferty's approximation of the quantile, good to a per cent from 4 degrees on.
    freedom = len(probabilities) - 1
    spread = 2 / (9 * freedom)
    limit = freedom * (1 - spread + 3.0902 * math.sqrt(spread)) ** 3
    drawn = Counter(tuple(column) for column in batch.T.tolist())
    assert set(drawn) == set(probabilities)
    total = batch.shape[1]
    distance = sum(
        (drawn[tree] - total * probability) ** 2 / (total * probability)
        for tree, probability in probabilities.items()
    )
    assert distance < limit


@pytest.mark.parametrize(("length", "catalan"), [(4, 5), (5, 14)])
@pytest.mark.parametrize("longest", [None, 9])
def test_random_uniform_draws_every_tree_equally_often(
    length: int, catalan: int, longest: int | None
):
    trees_of_length = all_trees(length)
    assert len(trees_of_length) == catalan
    lengths = np.full(20_000, length)
    if longest is not None:
        lengths = np.append(lengths, longest)  # a longer neighbour must not bend the distribution
    batch = random_uniform(lengths, np.random.default_rng(17))[: 2 * length - 1, :20_000]
    assert_distribution(batch, dict.fromkeys(trees_of_length, Fraction(1, catalan)))


def coin_probability(tree: tuple[int, ...]) -> Fraction:
    """Halve for every step of the tree at which both transitions are legal."""
    probability, depth, waiting = Fraction(1), 0, (len(tree) + 1) // 2
    for step in tree:
        if depth >= 2 and waiting >= 1:
            probability /= 2
        depth += 1 if step == S else -1
        waiting -= step == S
    return probability


@pytest.mark.parametrize("longest", [None, 9])
def test_random_shift_tosses_a_fair_coin_where_there_is_a_choice(longest: int | None):
    probabilities = {tree: coin_probability(tree) for tree in all_trees(4)}
    assert sum(probabilities.values()) == 1
    assert probabilities == {
        tuple(left_branching(4).tolist()): Fraction(1, 4),
        tuple(right_branching(4).tolist()): Fraction(1, 4),
        tuple(from_brackets("( ( a ( b c ) ) d )")[1].tolist()): Fraction(1, 8),
        tuple(from_brackets("( a ( ( b c ) d ) )")[1].tolist()): Fraction(1, 8),
        tuple(balanced(4).tolist()): Fraction(1, 4),
    }
    lengths = np.full(20_000, 4)
    if longest is not None:
        lengths = np.append(lengths, longest)
    batch = random_shift(lengths, np.random.default_rng(5))[:7, :20_000]
    assert_distribution(batch, probabilities)


def test_the_trees_of_up_to_two_words_are_certain():
    for shape in RANDOM_SHAPES.values():
        batch = shape(np.array([1, 2]), np.random.default_rng(0))
        assert batch.T.tolist() == [[S, PAD, PAD], [S, S, R]]


# Many sequences at once.


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 6), st.integers(0, 4)), min_size=1))
def test_sequences_are_checked_at_once_as_one_by_one(sentences):
    sequences = []
    for length, place, value in sentences:
        sequence = (right_branching, left_branching)[value % 2](length)
        if place < len(sequence):
            sequence[place] = value
        sequences.append(
            np.full_like(sequence, Transition.PAD) if value == 4 and place == 6 else sequence
        )
    offsets = np.cumsum([0, *map(len, sequences)])
    valid = [bool((one == Transition.PAD).all()) or is_valid(one) for one in sequences]
    if all(valid):
        check_sequences(np.concatenate(sequences), offsets)
    else:
        with pytest.raises(TreeError, match=f"of sentence {valid.index(False)} are"):
            check_sequences(np.concatenate(sequences), offsets)


def test_no_sequences_are_right():
    check_sequences(np.empty(0, dtype=np.int8), np.zeros(1, dtype=np.int64))


def test_a_tree_is_folded_from_its_words():
    words, transitions = from_brackets("( a ( ( b c ) d ) )")
    assert fold(words, transitions, lambda left, right: f"[{left}{right}]") == "[a[[bc]d]]"
    assert fold(["a"], [Transition.SHIFT], lambda left, right: left) == "a"
