"""Transition accuracy against cases counted by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.evaluation.transition_accuracy import TransitionAccuracy
from spinn.transitions import Transition, TreeError, random_uniform

S, R, PAD = Transition.SHIFT, Transition.REDUCE, Transition.PAD


def test_transition_accuracy_by_hand():
    # Free are the steps that find two items on the stack and a word in the buffer: the third (two
    # items, two words) and the fifth (two items, one word).
    gold = [S, S, R, S, S, R, R]
    free = [False, False, True, False, True, False, False]
    predicted = [S, R, R, S, R, R, R]
    found = TransitionAccuracy()
    found.update(predicted, gold)
    assert found.steps == 7
    assert found.free_steps == sum(free)
    assert found.accuracy == pytest.approx(5 / 7)
    assert found.free_accuracy == pytest.approx(1 / 2)
    assert json.loads(json.dumps(found.as_dict())) == {
        "accuracy": 5 / 7,
        "free_accuracy": 1 / 2,
        "steps": 7,
        "free_steps": 2,
    }


def test_transition_accuracy_over_nothing_is_undefined():
    found = TransitionAccuracy()
    assert np.isnan([found.accuracy, found.free_accuracy]).all()
    assert set(found.as_dict().values()) == {None, 0}
    found.update([S, S, R], [S, S, R])
    assert (found.accuracy, found.free_steps) == (1, 0)
    assert np.isnan(found.free_accuracy)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 2**32))
def test_a_padded_batch_scores_as_its_sentences_do(lengths: list[int], seed: int):
    random = np.random.default_rng(seed)
    gold = random_uniform(np.array(lengths), random)
    predicted = random.choice([R, S], size=gold.shape)
    batch, single = TransitionAccuracy(), TransitionAccuracy()
    batch.update(predicted, gold)
    free_steps = 0
    for column, length in enumerate(lengths):
        steps = gold[: 2 * length - 1, column]
        single.update(predicted[: 2 * length - 1, column], steps)
        depth, waiting = 0, length
        for step in steps:
            free_steps += depth >= 2 and waiting >= 1
            depth += 1 if step == S else -1
            waiting -= step == S
    assert batch == single
    assert batch.as_dict() == single.as_dict()
    assert batch.free_steps == free_steps


@pytest.mark.parametrize(
    "gold",
    [[], [S, S], [S, R, S], [S, 0, S], [PAD], [S, S, R, R, S], [PAD, S]],
    ids=repr,
)
def test_gold_transitions_that_are_no_tree_are_refused(gold: list[int]):
    with pytest.raises(TreeError, match="not a tree"):
        TransitionAccuracy().update(gold, gold)


def test_transitions_of_different_shape_are_refused():
    with pytest.raises(ValueError, match=r"predicted is \(1,\), gold \(3,\)"):
        TransitionAccuracy().update([S], [S, S, R])
