"""Trees as numbers, in batches."""

from __future__ import annotations

import numpy as np
from labelled_trees import english

from spinn.data.fragments.dataset import number_sequences
from spinn.data.fragments.tree import open_slots
from spinn.data.fragments.vocabulary import build_fragment_vocabulary

SEQUENCES = english()
VOCABULARY = build_fragment_vocabulary(SEQUENCES, minimum=2)
DATA = number_sequences(SEQUENCES, VOCABULARY)


def test_each_fragment_has_its_parent_and_type():
    assert len(DATA) == len(SEQUENCES)
    assert DATA.lengths.tolist() == [len(one) for one in SEQUENCES]
    for row, sequence in enumerate(SEQUENCES):
        place = slice(DATA.offsets[row], DATA.offsets[row + 1])
        numbers = VOCABULARY.numbers(sequence).tolist()
        assert DATA.fragments[place].tolist() == numbers
        slots = open_slots(sequence)
        parents = [len(VOCABULARY) if one.parent < 0 else numbers[one.parent] for one in slots]
        assert DATA.parents[place].tolist() == parents
        types = [VOCABULARY.type_number(one.type) for one in slots]
        assert DATA.types[place].tolist() == types


def test_fragments_are_within_the_numbers_of_their_type():
    starts, sizes = np.array(VOCABULARY.starts), np.array(VOCABULARY.sizes)
    first = starts[DATA.types]
    assert (first <= DATA.fragments).all()
    assert (DATA.fragments < first + sizes[DATA.types]).all()


def test_batches_are_padded_columns_in_the_order_of_the_rows():
    rows = np.array([2, 0])
    batch = DATA.batch(rows)
    assert batch.fragments.shape == (max(DATA.lengths[rows]), 2)
    assert batch.lengths.tolist() == DATA.lengths[rows].tolist()
    for column, row in enumerate(rows):
        length, start = DATA.lengths[row], DATA.offsets[row]
        for name in ("fragments", "parents", "types"):
            values, padded = getattr(DATA, name), getattr(batch, name)[:, column]
            assert padded[:length].tolist() == values[start : start + length].tolist()
            assert not padded[length:].any()


def test_every_tree_is_in_one_batch():
    many = number_sequences(SEQUENCES * 10, VOCABULARY)
    for random in (None, np.random.default_rng(1)):
        batches = list(many.batches(3, random))
        assert sorted(int(n) for one in batches for n in one.lengths) == sorted(many.lengths)
        assert [len(one.lengths) for one in batches].count(3) == 13
    lengths = [int(n) for one in many.batches(3) for n in one.lengths]
    assert lengths == sorted(lengths)
    first, second = (
        [one.fragments.tolist() for one in many.batches(3, np.random.default_rng(seed))]
        for seed in (1, 1)
    )
    assert first == second


def test_processes_share_the_trees_of_a_batch():
    whole = list(DATA.batches(2, np.random.default_rng(1)))
    shares = [list(DATA.batches(2, np.random.default_rng(1), 0, rank, 3)) for rank in range(3)]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert sum(part.size for part in parts) == batch.size
        assert [len(part) for part in parts] == [int(rank < len(batch)) for rank in range(3)]
        assert all(len(part.lengths) == 1 for part in parts)  # what the model needs to run
        columns = [part.fragments[:, 0].tolist() for part in parts if len(part)]
        for column, values in enumerate(columns):
            assert batch.fragments[: len(values), column].tolist() == values
