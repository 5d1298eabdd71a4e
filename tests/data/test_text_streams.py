"""Windows of streams and batches of sentences: every token is a target once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinn.data.language import END
from spinn.data.streams import (
    IGNORED,
    Sentences,
    Streams,
    TextBatch,
    fixed_lengths,
    varied_lengths,
)


def text(count: int) -> np.ndarray:
    """Make a text without two equal tokens, so that it shows where each one goes."""
    return np.arange(END + 1, END + 1 + count, dtype=np.int32)


def targets(batches: list[TextBatch]) -> list[int]:
    return [int(t) for batch in batches for t in batch.targets.flatten() if t != IGNORED]


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 12))
def test_every_token_of_a_stream_is_a_target_once_after_the_one_before_it(count, streams, steps):
    tokens = text(count)
    data = Streams(tokens, streams)
    batches = list(data.windows(fixed_lengths(len(data), steps)))
    assert sorted(targets(batches)) == tokens.tolist()
    assert sum(batch.tokens for batch in batches) == count
    columns = torch.cat([batch.inputs for batch in batches]).T.flatten().tolist()
    assert columns[:count] == [END, *tokens[:-1].tolist()]
    assert all(len(batch.inputs) <= steps for batch in batches)


def test_windows_go_on_from_any_number():
    data = Streams(text(50), 3)
    lengths = [5, 7, 5]
    whole, rest = list(data.windows(lengths)), list(data.windows(lengths, 1))
    assert len(rest) == 2
    for one, other in zip(whole[1:], rest, strict=True):
        assert torch.equal(one.inputs, other.inputs)


def test_varied_lengths_are_those_of_the_paper():
    lengths = varied_lengths(200_000, 70, np.random.default_rng(0))
    assert sum(lengths) == 200_000
    drawn = np.array(lengths[:-1])
    assert drawn.min() >= 5
    short = drawn < 52
    assert 0.03 < short.mean() < 0.07
    assert abs(drawn[short].mean() - 35) < 1.5
    assert abs(drawn[~short].mean() - 69.5) < 0.5  # whole numbers, rounded down
    assert abs(drawn[~short].std() - 5) < 0.3


def test_the_rate_of_a_window_follows_its_length():
    data = Streams(text(40), 2)
    rates = [batch.rate for batch in data.windows([5, 15], base=10)]
    assert rates == [0.5, 1.5]
    assert [batch.rate for batch in data.windows([5, 15])] == [1.0, 1.0]


SENTENCES = np.array([5, 6, END, 7, END, END, 8, 9, 10, END, 11], dtype=np.int32)


@pytest.mark.parametrize("size", [1, 2, 3, 9])
@pytest.mark.parametrize("seed", [None, 4])
def test_every_token_of_the_sentences_is_a_target_once(size, seed):
    data = Sentences(SENTENCES, size)
    random = None if seed is None else np.random.default_rng(seed)
    batches = list(data.batches(random))
    assert len(batches) == len(data)
    assert sorted(targets(batches)) == sorted(SENTENCES.tolist())
    for batch in batches:
        assert (batch.inputs[0] == END).all()
        for column, length in enumerate(batch.lengths.tolist()):
            assert (batch.targets[length:, column] == IGNORED).all()
            assert torch.equal(batch.inputs[1:length, column], batch.targets[: length - 1, column])


def test_the_order_of_sentences_is_that_of_the_generator():
    data = Sentences(SENTENCES, 2)
    first, again, rest = (
        [batch.inputs.tolist() for batch in data.batches(np.random.default_rng(1), start)]
        for start in (0, 0, 1)
    )
    assert first == again
    assert first[1:] == rest


@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_processes_share_streams_and_the_sentences_of_a_batch(world_size):
    for data, parts in [
        (
            Streams(text(50), 5).windows([5, 5]),
            [Streams(text(50), 5, rank, world_size).windows([5, 5]) for rank in range(world_size)],
        ),
        (
            Sentences(SENTENCES, 2).batches(),
            [Sentences(SENTENCES, 2, rank, world_size).batches() for rank in range(world_size)],
        ),
    ]:
        for whole, *shares in zip(data, *parts, strict=True):
            assert sorted(targets(shares)) == sorted(targets([whole]))
            assert sum(share.tokens for share in shares) == whole.tokens
            for share in shares:
                assert share.tokens == len(targets([share]))
                assert share.inputs.shape[1] > 0  # what the model needs to run
