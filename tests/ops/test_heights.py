"""Trees by height, against a plain walk through each sentence with a stack."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinn.ops.heights import Heights, heights_of
from spinn.transitions import Transition, left_branching
from spinn.trees import tree_source

NO_PARSE = np.empty((0, 0), dtype=np.int8)

ragged = st.lists(st.integers(1, 9), min_size=1, max_size=6)
seeds = st.integers(0, 2**16)
Tree = int | tuple["Tree", "Tree"]


def random_batch(lengths: list[int], seed: int, vocabulary: int = 3):
    random = np.random.default_rng(seed)
    draw = tree_source("random").draw
    assert draw is not None
    transitions = draw(np.array(lengths), NO_PARSE, random)
    words = random.integers(2, 2 + vocabulary, (max(lengths), len(lengths)), dtype=np.int32)
    return transitions, np.array(lengths), words


def plain_trees(transitions: np.ndarray, lengths: list[int], leaves: list[list[int]]) -> list[Tree]:
    """Read each sentence's tree with a stack; its leaves are the numbers in ``leaves``."""
    trees = []
    for column, length in enumerate(lengths):
        stack: list[Tree] = []
        waiting = iter(leaves[column])
        for step in transitions[: 2 * length - 1, column]:
            if step == Transition.SHIFT:
                stack.append(next(waiting))
            else:
                right, left = stack.pop(), stack.pop()
                stack.append((left, right))
        (tree,) = stack
        trees.append(tree)
    return trees


def trees_by_height(heights: Heights, leaves: int) -> list[Tree]:
    """Compose in the given order; every child must precede its parent."""
    nodes: list[Tree] = list(range(leaves))
    children = iter(heights.children.tolist())
    for size in heights.sizes:
        made = len(nodes)
        for left, right in [next(children) for _ in range(size)]:
            assert left < made
            assert right < made
            nodes.append((nodes[left], nodes[right]))
    assert next(children, None) is None
    trees = [nodes[root] for root in heights.roots.tolist()]
    for tree, column in zip(trees, heights.phrases.T.tolist(), strict=True):
        phrases = [part for part in parts(tree) if not isinstance(part, int)]
        assert sorted(map(str, (nodes[row] for row in column[: len(phrases)]))) == sorted(
            map(str, phrases)
        )
        assert all(nodes[row] == tree for row in column[len(phrases) :])
    for tree, column in zip(trees, heights.leaves.T.tolist(), strict=True):
        words = [part for part in parts(tree) if isinstance(part, int)]
        assert sorted(nodes[row] for row in column[: len(words)]) == sorted(words)
        assert all(nodes[row] == tree for row in column[len(words) :])
    return trees


def parts(tree: Tree) -> list[Tree]:
    """List a tree, its parts, and theirs."""
    return [tree, *([] if isinstance(tree, int) else [p for half in tree for p in parts(half)])]


def packed_leaves(lengths: list[int]) -> list[list[int]]:
    """Give each word its number in the order in which torch packs them."""
    order = sorted(range(len(lengths)), key=lambda column: -lengths[column])
    numbers: list[list[int]] = [[] for _ in lengths]
    count = 0
    for time in range(max(lengths)):
        for column in order:
            if lengths[column] > time:
                numbers[column].append(count)
                count += 1
    return numbers


@given(lengths=ragged, seed=seeds)
def test_composing_by_height_builds_the_trees(lengths, seed):
    transitions, sizes, _ = random_batch(lengths, seed)
    heights = heights_of(transitions, sizes)
    expected = plain_trees(transitions, lengths, packed_leaves(lengths))
    assert trees_by_height(heights, sum(lengths)) == expected
    assert heights.words is None
    assert len(heights.children) == sum(lengths) - len(lengths)


def height(tree: Tree) -> int:
    return 0 if isinstance(tree, int) else 1 + max(map(height, tree))


@given(lengths=ragged, seed=seeds)
def test_there_are_as_many_sizes_as_the_highest_tree_has_levels(lengths, seed):
    transitions, sizes, _ = random_batch(lengths, seed)
    heights = heights_of(transitions, sizes)
    trees = plain_trees(transitions, lengths, packed_leaves(lengths))
    assert len(heights.sizes) == max(map(height, trees))


@given(lengths=ragged, seed=seeds, vocabulary=st.integers(1, 3))
def test_shared_heights_list_each_distinct_subtree_once(lengths, seed, vocabulary):
    transitions, sizes, words = random_batch(lengths, seed, vocabulary)
    heights = heights_of(transitions, sizes, words)
    assert heights.words is not None
    distinct = heights.words.tolist()
    numbers = [
        [distinct.index(word) for word in words[:length, column]]
        for column, length in enumerate(lengths)
    ]
    expected = plain_trees(transitions, lengths, numbers)
    assert trees_by_height(heights, len(distinct)) == expected
    assert len(distinct) + len(heights.children) == len(
        {part for tree in expected for part in parts(tree)}
    )


def test_sentences_of_one_word_need_no_composition():
    heights = heights_of(np.full((1, 2), Transition.SHIFT, dtype=np.int8), np.array([1, 1]))
    assert heights.sizes == ()
    assert heights.children.shape == (0, 2)
    assert heights.roots.tolist() == [0, 1]


def test_deep_trees_take_time_in_proportion_to_their_words():
    """A chain of 20,000 levels; an algorithm of quadratic cost would take minutes."""
    heights = heights_of(left_branching(20_000)[:, None], np.array([20_000]))
    assert heights.sizes == (1,) * 19_999
    assert heights.children[1:, 0].tolist() == list(range(20_000, 39_998))


@pytest.mark.parametrize("share", [False, True])
def test_heights_move_as_a_whole(share):
    transitions, sizes, words = random_batch([3, 2], 0)
    heights = heights_of(transitions, sizes, words if share else None)
    moved = heights.to(torch.device("meta"))
    assert moved.children.is_meta
    assert moved.roots.is_meta
    assert (moved.words is None) is not share
    assert moved.sizes == heights.sizes


@given(lengths=ragged, seed=seeds, share=st.booleans())
def test_reordered_heights_are_those_of_the_sentences_in_another_order(lengths, seed, share):
    transitions, sizes, words = random_batch(lengths, seed)
    heights = heights_of(transitions, sizes, words if share else None)
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed))
    moved = heights.reorder(order)
    leaves = sum(lengths) if heights.words is None else len(heights.words)
    expected = trees_by_height(heights, leaves)
    assert trees_by_height(moved, leaves) == [expected[column] for column in order.tolist()]
    assert moved.sizes == heights.sizes
