"""Measurements: the file is read as it was written, and damage is reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.data.dataset import DatasetBuilder
from spinn.data.examples import Example, Sentence
from spinn.data.vocabulary import Vocabulary
from spinn.studies.measurement import (
    Measurement,
    SplitMeasurement,
    is_outdated,
    load,
    number_premises,
    pack_trees,
    save,
    unpack_trees,
)
from spinn.support.errors import DataError
from spinn.transitions import balanced, left_branching, random_uniform, right_branching


@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.integers(0, 99))
def test_packed_trees_are_unpacked_unchanged(lengths, seed):
    steps = random_uniform(np.array(lengths), np.random.default_rng(seed))
    trees = [steps[: 2 * length - 1, column] for column, length in enumerate(lengths)]
    packed = pack_trees(trees)
    assert len(packed) == (sum(2 * length - 1 for length in lengths) + 7) // 8
    returned = unpack_trees(packed, np.array(lengths, dtype=np.int32))
    assert len(returned) == len(trees)
    for tree, other in zip(trees, returned, strict=True):
        np.testing.assert_array_equal(tree, other)


def content(*, with_trees: bool) -> SplitMeasurement:
    return SplitMeasurement(
        gold=np.array([0, 2, -1], dtype=np.int16),
        predicted=np.array([0, 1, 1], dtype=np.int16),
        premises=np.array([0, 1, 0], dtype=np.int32),
        lengths=np.array([3, 1, 4, 2, 5, 3], dtype=np.int32),
        trees=[right_branching(n) for n in (3, 1, 4, 2, 5, 3)] if with_trees else None,
        gold_trees=[left_branching(3), None, balanced(4), None, None, right_branching(3)],
    )


@pytest.mark.parametrize("with_trees", [True, False])
def test_a_saved_measurement_is_loaded_unchanged(tmp_path, with_trees):
    before = Measurement({"dev": content(with_trees=with_trees)}, 123, 4.5)
    save(before, tmp_path / "predictions.npz")
    after = load(tmp_path / "predictions.npz")
    assert (after.weights, after.seconds, list(after.sets)) == (123, 4.5, ["dev"])
    old, new = before.sets["dev"], after.sets["dev"]
    assert new.same_pairs(old)
    np.testing.assert_array_equal(new.predicted, old.predicted)
    np.testing.assert_array_equal(new.premises, old.premises)
    np.testing.assert_array_equal(new.correct, [True, False])  # the unlabelled pair is left out
    assert (new.trees is None) == (not with_trees)
    for mine, others in ((new.trees or [], old.trees or []), (new.gold_trees, old.gold_trees)):
        for tree, other in zip(mine, others, strict=True):
            assert (tree is None) == (other is None)
            if tree is not None:
                np.testing.assert_array_equal(tree, other)


def test_a_set_has_pairs_or_single_sentences():
    pairs = content(with_trees=False)
    assert pairs.sides == 2
    assert replace(pairs, lengths=np.array([3, 1, 4], dtype=np.int32)).sides == 1


def test_equal_premises_have_equal_numbers():
    builder = DatasetBuilder(("yes",), lower=True)
    for premise in (["a", "b"], ["a"], ["A", "b"], ["b", "a"], ["a", "b", "x"], ["a", "b", "y"]):
        builder.add(Example(Sentence(premise), Sentence(["a"]), "yes", 1))
    dataset = builder.build(Vocabulary(["<unk>", "<pad>", "a", "b"]))
    # The last two are equal because x and y are unknown words.
    np.testing.assert_array_equal(number_premises(dataset), [0, 1, 0, 2, 3, 3])


def test_a_file_of_an_earlier_version_is_rejected(tmp_path):
    path = tmp_path / "predictions.npz"
    save(Measurement({"dev": content(with_trees=True)}, 1, 1.0), path)
    assert not is_outdated(path)
    with np.load(path) as arrays:
        np.savez(path, **(dict(arrays) | {"version": np.array(1)}))
    assert is_outdated(path)
    with pytest.raises(DataError, match="another version wrote it"):
        load(path)


@pytest.mark.parametrize("damage", [b"", b"not an archive", None])
def test_a_damaged_file_is_reported(tmp_path, damage):
    path = tmp_path / "predictions.npz"
    save(Measurement({"dev": content(with_trees=True)}, 1, 1.0), path)
    path.write_bytes(path.read_bytes()[:300] if damage is None else damage)
    with pytest.raises(DataError, match=r"predictions\.npz: .*repeat the command without"):
        load(path)
