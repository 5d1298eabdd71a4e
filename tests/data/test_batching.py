"""Batches: like lengths together, every pair once, an order that can be repeated and resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinn.data.batching import DEFAULT_POOL_BATCHES, Batch, Batcher, CurriculumOptions
from spinn.data.dataset import PairDataset
from spinn.data.examples import kind_with
from spinn.data.options import CorpusOptions
from spinn.data.prepare import load_corpus
from spinn.data.vocabulary import PADDING
from spinn.ops.heights import heights_of
from spinn.transitions import Transition, check, random_uniform
from spinn.trees import TREE_SOURCES

PAD = int(Transition.PAD)


def make_dataset(count: int, seed: int = 0, longest: int = 40, sides: int = 2) -> PairDataset:
    """Draw examples with parses: premises up to ``longest`` words, hypotheses half as long."""
    random = np.random.default_rng(seed)
    premises = random.integers(1, longest + 1, count)
    hypotheses = random.integers(1, longest // 2 + 1, count)
    lengths = np.stack([premises, hypotheses][:sides], axis=1).ravel()
    offsets = np.concatenate([[0], lengths.cumsum()])
    trees = random_uniform(lengths, random).T
    return PairDataset(
        random.integers(2, 1000, offsets[-1]).astype(np.int32),
        offsets,
        trees[trees != PAD],
        random.integers(0, 3, count),
        kind_with(sides),
    )


def make_batcher(dataset: PairDataset, trees: str | None = "gold", **options: object) -> Batcher:
    source = None if trees is None else TREE_SOURCES[trees]
    return Batcher(dataset, source, **({"batch_size": 8} | options))  # type: ignore[arg-type]


def rows_of(batcher: Batcher, epoch: int = 0) -> list[list[int]]:
    return [batch.rows.tolist() for batch in batcher.batches(epoch)]


def assert_equal(first: Batch, second: Batch) -> None:
    for name, value in vars(first).items():
        other = getattr(second, name)
        assert other is None if value is None else torch.equal(value, other), name


# What a batch holds.


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("shuffle", [True, False])
def test_a_batch_holds_the_words_parses_and_labels_of_its_rows(shuffle, sides):
    dataset = make_dataset(50, sides=sides)
    for batch in make_batcher(dataset, shuffle=shuffle).batches():
        count = len(batch)
        longest = int(batch.lengths.max())
        assert batch.words.shape == (longest, sides * count)
        assert batch.transitions.shape == (2 * longest - 1, sides * count)
        assert batch.words.dtype == batch.transitions.dtype == batch.labels.dtype == torch.int64
        assert np.array_equal(batch.labels.numpy(), dataset.labels[batch.rows.numpy()])
        for place, row in enumerate(batch.rows.tolist()):
            for role in range(sides):
                column, sentence = place + role * count, sides * row + role
                begin, end = dataset.offsets[sentence : sentence + 2]
                length = end - begin
                assert batch.lengths[column] == length
                words = batch.words[:, column].numpy()
                assert np.array_equal(words[:length], dataset.words[begin:end])
                assert (words[length:] == PADDING).all()
                steps = batch.transitions[:, column].numpy()
                begin = dataset.transition_offsets[sentence]
                parse = dataset.transitions[begin : begin + 2 * length - 1]
                assert np.array_equal(steps[: 2 * length - 1], parse)
                assert (steps[2 * length - 1 :] == PAD).all()


@pytest.mark.parametrize("trees", [None, "predicted", "sampled"])
def test_no_transitions_where_nobody_hands_them_over(trees):
    for batch in make_batcher(make_dataset(20), trees).batches():
        assert batch.transitions is None


@pytest.mark.parametrize("trees", ["left", "right", "balanced", "random", "random-shift"])
def test_other_trees_need_no_parse(trees):
    parsed = make_dataset(30)
    unparsed = PairDataset(
        parsed.words, parsed.offsets, np.full_like(parsed.transitions, PAD), parsed.labels
    )
    for batch in make_batcher(unparsed, trees).batches():
        for column, length in enumerate(batch.lengths.tolist()):
            check(batch.transitions[: 2 * length - 1, column].numpy(), length)


def test_moving_to_the_processor_changes_nothing():
    (batch,) = make_batcher(make_dataset(5)).batches()
    assert batch.to(torch.device("cpu")) is batch


# Which pairs, in what order.


@given(
    count=st.integers(1, 70),
    size=st.integers(2, 9),
    budget=st.none() | st.integers(2, 400),
    shuffle=st.booleans(),
    epoch=st.integers(0, 3),
    sides=st.sampled_from([1, 2]),
)
def test_every_pair_comes_exactly_once(count, size, budget, shuffle, epoch, sides):
    batcher = make_batcher(
        make_dataset(count, sides=sides), batch_size=size, token_budget=budget, shuffle=shuffle
    )
    rows = np.concatenate(batcher.order(epoch))
    assert sorted(rows.tolist()) == list(range(count))


def test_order_depends_on_seed_and_epoch_only():
    dataset = make_dataset(100)
    first = rows_of(make_batcher(dataset, seed=1), epoch=2)
    assert first == rows_of(make_batcher(dataset, seed=1), epoch=2)
    assert first == rows_of(make_batcher(dataset, "balanced", seed=1), epoch=2)
    assert first != rows_of(make_batcher(dataset, seed=1), epoch=3)
    assert first != rows_of(make_batcher(dataset, seed=2), epoch=2)
    batcher = make_batcher(dataset, seed=1)
    rows_of(batcher, epoch=0)  # what was asked before plays no part
    assert first == rows_of(batcher, epoch=2)


@pytest.mark.parametrize("trees", ["gold", "random"])
def test_an_epoch_can_be_resumed_at_any_batch(trees):
    batcher = make_batcher(make_dataset(100), trees)
    whole = list(batcher.batches(1))
    for start, stop in ((0, None), (5, None), (3, 7), (len(whole) - 1, None), (len(whole), None)):
        part = list(batcher.batches(1, start, stop))
        assert len(part) == len(whole[start:stop])
        for first, second in zip(part, whole[start:stop], strict=True):
            assert_equal(first, second)


def test_random_trees_are_fresh_in_every_epoch_and_can_be_repeated():
    def trees(seed: int, epoch: int) -> dict[int, list[int]]:
        found = {}
        for batch in make_batcher(make_dataset(40), "random", seed=seed).batches(epoch):
            for place, row in enumerate(batch.rows.tolist()):
                steps = batch.transitions[: 2 * batch.lengths[place] - 1, place]
                found[row] = steps.tolist()
        return found

    first = trees(0, 0)
    assert first == trees(0, 0)
    for other in (trees(0, 1), trees(1, 0)):
        different = [row for row in first if first[row] != other[row] and len(first[row]) > 9]
        long = [row for row in first if len(first[row]) > 9]
        assert len(different) > 0.9 * len(long)


# Sizes.


@pytest.mark.parametrize("size", [2, 8, 30])
def test_batches_are_of_the_size_asked_for(size):
    sizes = [len(rows) for rows in make_batcher(make_dataset(95), batch_size=size).order(0)]
    assert set(sizes) <= {size, 95 % size, size + 1}
    assert sizes.count(size) >= 95 // size - 1


@given(count=st.integers(2, 60), size=st.integers(2, 7), epoch=st.integers(0, 2))
def test_no_batch_of_a_single_pair_when_shuffling(count, size, epoch):
    batcher = make_batcher(make_dataset(count), batch_size=size)
    assert min(len(rows) for rows in batcher.order(epoch)) > 1


@pytest.mark.parametrize("pools", [1, 3])
def test_no_batch_of_a_single_pair_when_only_one_is_left_for_the_last_pool(pools):
    count = pools * DEFAULT_POOL_BATCHES * 2 + 1
    order = make_batcher(make_dataset(count), batch_size=2).order(0)
    assert sorted(len(rows) for rows in order) == [2] * (count // 2 - 1) + [3]
    assert sorted(np.concatenate(order).tolist()) == list(range(count))


def test_a_single_pair_is_still_a_batch():
    (batch,) = make_batcher(make_dataset(1)).batches()
    assert batch.rows.tolist() == [0]


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("shuffle", [True, False])
def test_token_budget_is_kept_and_used(shuffle, sides):
    dataset, budget = make_dataset(500, sides=sides), 600
    longest = dataset.lengths.reshape(-1, sides).max(axis=1)
    order = make_batcher(dataset, token_budget=budget, shuffle=shuffle).order(0)
    used = [sides * len(rows) * longest[rows].max() for rows in order]
    assert max(used) <= budget
    assert np.median(used) > 0.8 * budget


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_pair_longer_than_the_token_budget_stands_alone(shuffle):
    order = make_batcher(make_dataset(30), token_budget=2, shuffle=shuffle).order(0)
    longest = make_dataset(30).lengths.reshape(-1, 2).max(axis=1)
    assert all(len(rows) == 1 or longest[rows].max() == 1 for rows in order)


# Bucketing.


def share_of_padding(dataset: PairDataset, order: list[np.ndarray]) -> float:
    """Give the share of padding if premises and hypotheses were each padded to their longest."""
    lengths = dataset.lengths.reshape(-1, 2)
    cells = sum(len(rows) * lengths[rows].max(axis=0).sum() for rows in order)
    return 1 - lengths.sum() / cells


def shuffled(dataset: PairDataset, size: int) -> list[np.ndarray]:
    rows = np.random.default_rng(0).permutation(len(dataset))
    return np.split(rows, range(size, len(rows), size))


def test_pools_put_like_lengths_together():
    dataset = make_dataset(4000)
    order = make_batcher(dataset, batch_size=16).order(0)
    assert share_of_padding(dataset, order) < 0.4 * share_of_padding(dataset, shuffled(dataset, 16))
    premises = dataset.lengths[::2]
    spread = [np.ptp(premises[rows]) for rows in order]
    assert np.mean(spread) < 2
    # But short and long batches alternate: the order is not one of lengths.
    means = [premises[rows].mean() for rows in order]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.2


def test_a_pool_of_one_batch_leaves_batches_as_they_were_drawn():
    """Each is a sample of the whole set, whose lengths vary as those of the set do."""
    dataset = make_dataset(4000)
    premises = dataset.lengths.reshape(-1, 2)[:, 0]
    spread = {
        pool: np.mean([premises[rows].std() for rows in batcher.order(0)])
        for pool in (1, 100)
        for batcher in [make_batcher(dataset, batch_size=32, pool_batches=pool)]
    }
    assert spread[1] == pytest.approx(premises.std(), rel=0.05)
    assert spread[100] < 0.1 * premises.std()


def test_bucketing_changes_from_epoch_to_epoch():
    batcher = make_batcher(make_dataset(4000), batch_size=16)
    first, second = (
        {frozenset(rows.tolist()) for rows in batcher.order(epoch)} for epoch in (0, 1)
    )
    assert len(first & second) < 0.1 * len(first)


@pytest.mark.parametrize("sides", [1, 2])
def test_a_curriculum_begins_with_the_shortest_and_ends_with_all(sides):
    dataset = make_dataset(500, sides=sides)
    longest = dataset.lengths.reshape(-1, sides).max(axis=1)
    batcher = make_batcher(dataset, curriculum=CurriculumOptions(0.2, 4))
    counts = []
    for epoch in range(6):
        rows = np.concatenate(batcher.order(epoch))
        left_out = np.setdiff1d(np.arange(500), rows)
        assert len(set(rows.tolist())) == len(rows)
        assert all(longest[left_out] > longest[rows].max())
        counts.append(len(rows))
    shares = [0.2, 0.4, 0.6, 0.8, 1.0, 1.0]
    # As long as the longest of the share are more than one in forty.
    assert counts == pytest.approx([500 * share for share in shares], abs=25)
    assert counts[4:] == [500, 500]


def test_the_end_of_a_curriculum_is_a_run_without_one():
    dataset = make_dataset(300)
    grown = make_batcher(dataset, curriculum=CurriculumOptions(0.3, 2))
    assert rows_of(grown, epoch=2) == rows_of(make_batcher(dataset), epoch=2)


@pytest.mark.parametrize("sides", [1, 2])
def test_evaluation_goes_by_length_and_leaves_nothing_out(sides):
    dataset = make_dataset(101, sides=sides)
    order = make_batcher(dataset, shuffle=False).order(0)
    assert [len(rows) for rows in order] == [8] * 12 + [5]
    every = dataset.lengths.reshape(-1, sides)
    lengths = [tuple(one) for one in every[np.concatenate(order)]]
    assert lengths == sorted(lengths)
    later = make_batcher(dataset, shuffle=False, seed=5).order(3)
    assert [rows.tolist() for rows in order] == [rows.tolist() for rows in later]


def test_an_evaluation_of_nine_pairs_keeps_the_ninth_alone():
    order = make_batcher(make_dataset(9), shuffle=False).order(0)
    assert [len(rows) for rows in order] == [8, 1]


def test_ties_keep_the_order_of_the_file():
    dataset = make_dataset(200, longest=2)
    rows = np.concatenate(make_batcher(dataset, shuffle=False).order(0))
    lengths = dataset.lengths.reshape(-1, 2)[rows]
    same = (lengths[1:] == lengths[:-1]).all(axis=1)
    assert same.sum() > 100
    assert (np.diff(rows)[same] > 0).all()


def test_real_sentences_are_bucketed(real_data: Path, tmp_path: Path):
    options = CorpusOptions(
        train=[str(real_data / "sick/SICK_train_parsed.txt.gz")],
        data_directory=str(tmp_path),
        cache=False,
    )
    dataset = load_corpus(options).sets["train"]
    assert len(dataset) == 4500
    order = make_batcher(dataset, batch_size=16).order(0)
    assert share_of_padding(dataset, order) < 0.3 * share_of_padding(dataset, shuffled(dataset, 16))


# Heights.


@pytest.mark.parametrize("share", [False, True])
def test_a_batch_comes_with_the_heights_of_its_own_trees(share):
    batcher = make_batcher(make_dataset(30), "random", by_height=True, share=share)
    for batch in batcher.batches():
        assert batch.transitions is not None
        assert batch.heights is not None
        assert (batch.heights.words is not None) is share
        expected = heights_of(
            batch.transitions.numpy().astype(np.int8),
            batch.lengths.numpy(),
            batch.words.numpy().astype(np.int32) if share else None,
        )
        assert batch.heights.sizes == expected.sizes
        assert torch.equal(batch.heights.children, expected.children)
        assert torch.equal(batch.heights.roots, expected.roots)


def test_there_are_no_heights_without_being_asked_or_without_trees():
    dataset = make_dataset(10)
    for batcher in (make_batcher(dataset), make_batcher(dataset, None, by_height=True)):
        assert all(batch.heights is None for batch in batcher.batches())


# Shares.


@pytest.mark.parametrize("trees", [None, "gold", "balanced", "random"])
@pytest.mark.parametrize(("count", "sides"), [(2, 2), (3, 2), (5, 2), (3, 1), (5, 1)])
def test_shares_make_up_the_batch_with_the_same_trees(trees, count, sides):
    dataset, options = make_dataset(34, sides=sides), {"by_height": True, "seed": 4}
    shared = [
        make_batcher(dataset, trees, rank=rank, world_size=count, **options).batches(epoch=1)
        for rank in range(count)
    ]
    wholes = list(make_batcher(dataset, trees, **options).batches(epoch=1))
    assert sorted(map(len, wholes)) == [2, 8, 8, 8, 8]
    for whole, *shares in zip(wholes, *shared, strict=True):
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
        for rank, share in enumerate(shares):
            places = torch.arange(len(whole))[rank::count]
            assert torch.equal(share.rows, whole.rows[places])
            assert torch.equal(share.labels, whole.labels[places])
            assert (share.heights is None) == (trees is None)
            if len(share):
                columns = torch.cat([places, len(whole) + places][:sides])
                assert_columns_equal(share, whole, columns)


def assert_columns_equal(share: Batch, whole: Batch, columns: torch.Tensor) -> None:
    assert torch.equal(share.lengths, whole.lengths[columns])
    longest = int(share.lengths.max())
    assert torch.equal(share.words, whole.words[:longest, columns])
    assert (share.transitions is None) == (whole.transitions is None)
    if share.transitions is not None and whole.transitions is not None:
        assert torch.equal(share.transitions, whole.transitions[: 2 * longest - 1, columns])


@pytest.mark.parametrize("sides", [1, 2])
def test_who_has_no_share_gets_an_example_to_run_and_none_to_count(sides):
    whole, share = (
        next(make_batcher(make_dataset(2, sides=sides), rank=rank, world_size=3).batches())
        for rank in (0, 2)
    )
    assert len(share) == len(share.rows) == 0
    assert share.transitions is not None
    assert torch.equal(share.words, whole.words)
    assert torch.equal(share.lengths, whole.lengths)
    assert torch.equal(share.transitions, whole.transitions)
