"""The registry of tree sources: what each hands over is a batch of trees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.support.errors import ConfigurationError
from spinn.transitions import Transition, balanced, check, left_branching, right_branching
from spinn.trees import GUMBEL_TREES, TREE_SOURCES, tree_source

PAD = int(Transition.PAD)
DRAWING = [name for name, source in TREE_SOURCES.items() if source.draw and name != "gold"]
RANDOM = [name for name, source in TREE_SOURCES.items() if source.random]
NO_PARSE = np.empty((0, 0), dtype=np.int8)

ragged = st.lists(st.integers(1, 12), min_size=1, max_size=8)


def draw(name: str, lengths: list[int], seed: int = 0, gold: np.ndarray = NO_PARSE) -> np.ndarray:
    source = tree_source(name)
    assert source.draw is not None
    return source.draw(np.array(lengths), gold, np.random.default_rng(seed))


def test_the_names_on_the_command_line():
    assert list(TREE_SOURCES) == [
        "gold",
        "left",
        "right",
        "balanced",
        "random",
        "random-shift",
        "predicted",
        "sampled",
    ]
    for name, source in TREE_SOURCES.items():
        assert tree_source(name) is source
        assert source.name == name
        assert source.summary


def test_what_each_source_asks_for():
    assert [name for name, source in TREE_SOURCES.items() if source.needs_parse] == ["gold"]
    assert RANDOM == ["random", "random-shift"]
    chosen = [name for name, source in TREE_SOURCES.items() if source.chosen_by_model]
    assert chosen == ["predicted", "sampled"]
    assert [name for name, source in TREE_SOURCES.items() if source.needs_tracker] == chosen
    assert [name for name, source in TREE_SOURCES.items() if source.sampled] == ["sampled"]


@pytest.mark.parametrize("name", DRAWING)
@given(lengths=ragged, seed=st.integers(0, 1000))
def test_ragged_lengths_give_padded_trees(name, lengths, seed):
    transitions = draw(name, lengths, seed)
    assert transitions.shape == (2 * max(lengths) - 1, len(lengths))
    assert transitions.dtype == np.int8
    for column, length in enumerate(lengths):
        check(transitions[: 2 * length - 1, column], length)
        assert (transitions[2 * length - 1 :, column] == PAD).all()


@pytest.mark.parametrize(
    ("name", "shape"),
    [("left", left_branching), ("right", right_branching), ("balanced", balanced)],
)
def test_fixed_sources_have_their_shape_whatever_the_seed(name, shape):
    lengths = [6, 1, 3, 6]
    transitions = draw(name, lengths, seed=1)
    for column, length in enumerate(lengths):
        assert transitions[: 2 * length - 1, column].tolist() == shape(length).tolist()
    assert np.array_equal(transitions, draw(name, lengths, seed=2))


@pytest.mark.parametrize("name", RANDOM)
def test_random_sources_follow_the_generator(name):
    lengths = [20] * 5
    assert np.array_equal(draw(name, lengths, 1), draw(name, lengths, 1))
    assert not np.array_equal(draw(name, lengths, 1), draw(name, lengths, 2))
    assert len({tuple(tree) for tree in draw(name, lengths).T.tolist()}) == 5


def test_gold_hands_over_the_parses():
    parses = draw("random", [5, 2, 1], seed=7)
    assert np.array_equal(draw("gold", [5, 2, 1], gold=parses), parses)


def test_what_an_encoder_builds_by_itself_is_nothing_to_choose():
    assert GUMBEL_TREES.chosen_by_model
    assert not GUMBEL_TREES.needs_tracker
    assert GUMBEL_TREES not in TREE_SOURCES.values()
    with pytest.raises(ConfigurationError):
        tree_source(GUMBEL_TREES.name)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ConfigurationError) as caught:
        tree_source("golden")
    assert "'golden'" in str(caught.value)
    for name in TREE_SOURCES:
        assert name in str(caught.value)
