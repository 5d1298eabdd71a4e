"""Parse scores against hand-computed cases and against spans read off nltk's trees."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.evaluation.tree_scores import Conventions, ParseScore, compare_with_shapes, mean_depth
from spinn.support.errors import ConfigurationError
from spinn.transitions import (
    Transition,
    TreeError,
    balanced,
    from_brackets,
    left_branching,
    right_branching,
)

try:
    import nltk
except ModuleNotFoundError:  # these tests are then skipped
    nltk = None

needs_nltk = pytest.mark.skipif(nltk is None, reason="nltk is not installed")

S, R, PAD = Transition.SHIFT, Transition.REDUCE, Transition.PAD


def tree(text: str) -> np.ndarray:
    return from_brackets(text)[1]


def score(predicted: str, gold: str, **choices) -> ParseScore:
    result = ParseScore(Conventions(**choices))
    words, gold_steps = from_brackets(gold)
    result.update(tree(predicted), gold_steps, words)
    return result


# Conventions


def test_the_default_conventions_in_words():
    assert Conventions().describe() == (
        "unlabelled bracket F1, mean over sentences; root span counted; one-word spans not "
        "counted; sentences of fewer than 3 words counted; punctuation kept"
    )


def test_other_conventions_in_words():
    conventions = Conventions(
        root=False,
        one_word_spans=True,
        short_sentences="skip",
        average="corpus",
        punctuation="drop",
    )
    assert conventions.describe() == (
        "unlabelled bracket F1, from the spans of the whole corpus; root span not counted; "
        "one-word spans counted; sentences of fewer than 3 words skipped; punctuation dropped"
    )


@pytest.mark.parametrize("name", ["short_sentences", "average", "punctuation"])
def test_unknown_conventions_are_refused(name: str):
    with pytest.raises(ConfigurationError, match=f"{name} is 'macro'; choose .* or "):
        Conventions(**{name: "macro"})


# Parse F1 by hand


def test_f1_by_hand():
    # Predicted spans 0-2, 0-3, 0-4; gold 0-2, 2-4, 0-4: two of three agree.
    found = score("( ( ( a b ) c ) d )", "( ( a b ) ( c d ) )")
    assert found.sentence_f1 == pytest.approx(2 / 3)
    assert found.corpus_f1 == pytest.approx(2 / 3)
    assert found.f1 == found.sentence_f1
    assert found.count == 1


def test_f1_without_the_root():
    found = score("( ( ( a b ) c ) d )", "( ( a b ) ( c d ) )", root=False)
    assert found.f1 == pytest.approx(1 / 2)


def test_f1_with_the_spans_of_single_words():
    # Of seven spans each, the four words, the root and 0-2 agree.
    found = score("( ( ( a b ) c ) d )", "( ( a b ) ( c d ) )", one_word_spans=True)
    assert found.f1 == pytest.approx(6 / 7)
    # The full stop leaves, so three words, the root and 0-2 of 0-3 agree.
    dropped = score(
        "( ( a b ) ( c . ) )", "( ( a ( b c ) ) . )", one_word_spans=True, punctuation="drop"
    )
    assert dropped.f1 == pytest.approx(4 / 5)
    single = ParseScore(Conventions(one_word_spans=True, average="corpus"))
    single.update([S], [S])
    single.update([S, S, R], [S, S, R])
    assert single.as_dict()["corpus_f1"] == 1


def test_sentence_and_corpus_averages_differ():
    for average, expected in (("sentence", (2 / 3 + 1) / 2), ("corpus", (2 + 1) / (3 + 1))):
        found = ParseScore(Conventions(average=average))
        found.update(left_branching(4), balanced(4))
        found.update([S, S, R], [S, S, R])
        assert found.sentence_f1 == pytest.approx((2 / 3 + 1) / 2)
        assert found.corpus_f1 == pytest.approx(3 / 4)
        assert found.f1 == pytest.approx(expected)


def test_short_sentences_count_as_right_or_are_skipped():
    trees = [[S], [S, S, R], right_branching(3)]
    counted = ParseScore(Conventions(root=False))
    skipping = ParseScore(Conventions(root=False, short_sentences="skip"))
    for steps in trees:
        counted.update(steps, left_branching((len(steps) + 1) // 2))
        skipping.update(steps, left_branching((len(steps) + 1) // 2))
    assert (counted.count, counted.skipped) == (3, 0)
    assert counted.sentence_f1 == pytest.approx(2 / 3)
    assert counted.corpus_f1 == 0
    assert (skipping.count, skipping.skipped) == (1, 2)
    assert skipping.sentence_f1 == 0


def test_dropping_punctuation_by_hand():
    predicted, gold = "( ( a b ) ( c . ) )", "( ( ( a b ) c ) . )"
    assert score(predicted, gold).f1 == pytest.approx(2 / 3)  # 0-2 and 0-4 of 0-2, 0-3, 0-4
    assert score(predicted, gold, punctuation="drop").f1 == 1  # ( ( a b ) c ) either way
    assert score(predicted, gold, punctuation="drop", root=False).f1 == 1


def test_dropping_punctuation_shortens_the_sentence():
    found = score("( ( a , ) ( b . ) )", "( ( ( a , ) b ) . )", punctuation="drop")
    assert (found.count, found.corpus_f1) == (1, 1)
    skipping = score(
        "( ( a , ) ( b . ) )",
        "( ( ( a , ) b ) . )",
        punctuation="drop",
        short_sentences="skip",
    )
    assert (skipping.count, skipping.skipped) == (0, 1)


def test_a_sentence_of_punctuation_only_has_nothing_to_get_wrong():
    assert score("( . ( . . ) )", "( ( . . ) . )", punctuation="drop").sentence_f1 == 1


def test_the_score_of_no_trees_is_undefined():
    for average in ("sentence", "corpus"):
        score = ParseScore(Conventions(average=average))
        assert np.isnan(score.f1)
        assert [score.as_dict()[name] for name in ("f1", "sentence_f1", "corpus_f1")] == [None] * 3
    assert np.isnan(list(compare_with_shapes([]).values())).all()
    assert np.isnan(mean_depth([]))


def test_the_dictionary_states_the_conventions():
    found = score("( a ( b c ) )", "( ( a b ) c )", average="corpus")
    assert json.loads(json.dumps(found.as_dict())) == {
        "f1": 0.5,
        "sentence_f1": 0.5,
        "corpus_f1": 0.5,
        "sentences": 1,
        "skipped": 0,
        "conventions": Conventions(average="corpus").describe(),
    }


def test_trees_over_different_words_are_refused():
    with pytest.raises(TreeError, match="predicted tree has 2 words where the gold tree has 3"):
        ParseScore().update([S, S, R], left_branching(3))


def test_padding_is_refused():
    with pytest.raises(TreeError, match="neither SHIFT nor REDUCE"):
        ParseScore().update([S, S, R, PAD], [S, S, R, PAD])


@pytest.mark.parametrize("words", [None, ["a"]])
def test_dropping_punctuation_takes_the_words(words: list[str] | None):
    with pytest.raises(ValueError, match="requires the words"):
        ParseScore(Conventions(punctuation="drop")).update([S, S, R], [S, S, R], words)


# Parse F1 against nltk


def nltk_spans(node: nltk.Tree | str, start: int = 0) -> tuple[int, set[tuple[int, int]]]:
    """Read the spans of two words or more off a tree, by recursion."""
    if isinstance(node, str):
        return start + 1, set()
    end, spans = start, set()
    for child in node:
        end, below = nltk_spans(child, end)
        spans |= below
    return end, spans | ({(start, end)} if end - start > 1 else set())


def without_punctuation(node: nltk.Tree | str) -> nltk.Tree | str | None:
    """Remove the leaves that are a comma, and the nodes left with one child or none."""
    if isinstance(node, str):
        return None if node == "," else node
    children = [child for child in map(without_punctuation, node) if child is not None]
    if len(children) < 2:
        return children[0] if children else None
    return nltk.Tree("X", children)


def expected_f1(predicted: nltk.Tree, gold: nltk.Tree, conventions: Conventions) -> float | None:
    """Compute F1 from precision and recall; ``None`` for a sentence that is skipped."""
    spans = []
    length = 0
    for whole in (predicted, gold):
        node = without_punctuation(whole) if conventions.punctuation == "drop" else whole
        length, found = (0, set()) if node is None else nltk_spans(node)
        if conventions.one_word_spans:
            found |= {(start, start + 1) for start in range(length)}
        spans.append(found if conventions.root else found - {(0, length)})
    if length < 3 and conventions.short_sentences == "skip":
        return None
    matched = len(spans[0] & spans[1])
    if not spans[0] and not spans[1]:
        return 1.0
    precision, recall = matched / len(spans[0]), matched / len(spans[1])
    return 2 * precision * recall / (precision + recall) if matched else 0.0


@st.composite
def sentences(draw: st.DrawFn) -> tuple[str, str]:
    """Two random trees over the same words, commas among them, in brackets."""
    words = draw(st.lists(st.sampled_from(["a", "b", ","]), min_size=1, max_size=12))

    def split(start: int, end: int) -> str:
        if end - start == 1:
            return words[start]
        middle = draw(st.integers(start + 1, end - 1))
        return f"( {split(start, middle)} {split(middle, end)} )"

    return split(0, len(words)), split(0, len(words))


@needs_nltk
@given(
    st.lists(sentences(), min_size=1, max_size=5),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["count", "skip"]),
    st.sampled_from(["keep", "drop"]),
)
def test_sentence_f1_agrees_with_nltk(pairs, root: bool, single: bool, short, punctuation):
    conventions = Conventions(
        root=root, one_word_spans=single, short_sentences=short, punctuation=punctuation
    )
    found = ParseScore(conventions)
    expected = []
    for predicted, gold in pairs:
        words, gold_steps = from_brackets(gold)
        found.update(tree(predicted), gold_steps, words)
        nodes = [
            nltk.Tree.fromstring(text.replace("(", "(X ") if "(" in text else f"(X {text})")
            for text in (predicted, gold)
        ]
        expected.append(expected_f1(nodes[0], nodes[1], conventions))
    counted = [f1 for f1 in expected if f1 is not None]
    assert (found.count, found.skipped) == (len(counted), len(expected) - len(counted))
    assert found.sentence_f1 == pytest.approx(np.mean(counted) if counted else np.nan, nan_ok=True)


# Shapes and depth


def test_comparison_with_shapes_by_hand():
    found = compare_with_shapes([left_branching(4), left_branching(3)])
    assert found == pytest.approx(
        {"left": 1, "right": (1 / 3 + 1 / 2) / 2, "balanced": (2 / 3 + 1) / 2}
    )


def test_each_shape_is_most_like_itself_under_any_conventions():
    words = [["a", "b", ",", "c", "d", "."]] * 2
    for shape, make in (("left", left_branching), ("right", right_branching)):
        for punctuation in ("keep", "drop"):
            conventions = Conventions(root=False, average="corpus", punctuation=punctuation)
            found = compare_with_shapes(iter([make(6), make(6)]), conventions, words)
            assert found[shape] == 1
            assert max(value for name, value in found.items() if name != shape) < 1


def test_comparison_with_shapes_takes_as_many_sentences_as_trees():
    with pytest.raises(ValueError, match="shorter"):
        compare_with_shapes([[S], [S]], sentences=[["a"]])


@pytest.mark.parametrize(
    ("texts", "depth"),
    [
        (["a"], 0),
        (["( a b )"], 1),
        (["( a ( b c ) )"], (1 + 2 + 2) / 3),
        (["( ( a b ) ( c d ) )"], 2),
        (["( a b )", "( ( a b ) ( c d ) )", "a"], (1 + 2 + 0) / 3),
    ],
)
def test_mean_depth(texts: list[str], depth: float):
    assert mean_depth(map(tree, texts)) == pytest.approx(depth)


@given(sentences())
def test_mean_depth_counts_the_open_brackets_over_each_word(pair: tuple[str, str]):
    depths, opened = [], 0
    for token in pair[0].split():
        if token in "()":
            opened += 1 if token == "(" else -1
        else:
            depths.append(opened)
    assert mean_depth([tree(pair[0])]) == pytest.approx(np.mean(depths))


def test_a_deep_tree_is_compared_without_recursion():
    found = ParseScore()
    found.update(left_branching(50_000), right_branching(50_000))
    assert found.f1 == pytest.approx(1 / 49_999)
