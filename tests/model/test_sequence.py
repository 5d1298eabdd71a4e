"""Encoders without trees: each sentence by itself gives what the batch gives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import DEVICE, examples
from torch import Tensor

from spinn.model.sequence import BagOfWords, SequenceLSTM
from spinn.model.types import Leaves

WIDTH = 4


def make_leaves(lengths: list[int]) -> tuple[Leaves, list[Tensor]]:
    """Make leaves, and the same words as sentences ``[N, width]``."""
    generator = torch.Generator().manual_seed(0)
    sentences = [
        torch.randn(length, WIDTH, dtype=torch.float64, generator=generator).to(DEVICE)
        for length in lengths
    ]
    rows = [
        sentence[time]
        for time in range(lengths[0])
        for sentence in sentences
        if time < len(sentence)
    ]
    return Leaves.of_lengths(torch.stack(rows), torch.tensor(lengths)), sentences


ragged = st.lists(st.integers(1, 7), min_size=1, max_size=6).map(
    lambda lengths: sorted(lengths, reverse=True)
)


@given(lengths=ragged)
def test_bag_of_words_adds_up_the_leaves(lengths):
    leaves, sentences = make_leaves(lengths)
    encoding = BagOfWords(WIDTH)(leaves)
    expected = torch.stack([sentence.sum(dim=0) for sentence in sentences])
    torch.testing.assert_close(encoding.sentences, expected)
    assert encoding.transitions is encoding.policy is encoding.tracker is None


@given(lengths=ragged)
@settings(max_examples=examples(20))
def test_lstm_gives_the_last_state_of_each_sentence(lengths):
    leaves, sentences = make_leaves(lengths)
    encoder = SequenceLSTM(WIDTH).double().to(DEVICE)
    expected = torch.stack([encoder.lstm(sentence)[0][-1] for sentence in sentences])
    torch.testing.assert_close(encoder(leaves).sentences, expected)


@given(lengths=ragged)
@settings(max_examples=examples(20))
def test_bilstm_gives_the_last_state_forwards_and_the_last_backwards(lengths):
    leaves, sentences = make_leaves(lengths)
    encoder = SequenceLSTM(WIDTH, bidirectional=True).double().to(DEVICE)
    half = WIDTH // 2
    outputs = [encoder.lstm(sentence)[0] for sentence in sentences]
    expected = torch.stack([torch.cat([out[-1, :half], out[0, half:]]) for out in outputs])
    torch.testing.assert_close(encoder(leaves).sentences, expected)


@pytest.mark.parametrize("bidirectional", [False, True])
@given(lengths=ragged)
@settings(max_examples=examples(20))
def test_max_pooling_takes_the_largest_number_of_all_states(bidirectional, lengths):
    """Also where all are negative, so that padding would win if it were looked at."""
    leaves, sentences = make_leaves(lengths)
    leaves.states.requires_grad_()
    encoder = SequenceLSTM(WIDTH, bidirectional=bidirectional, pooling="max")
    encoder = encoder.double().to(DEVICE)
    with torch.no_grad():
        for name, bias in encoder.lstm.named_parameters():
            if "bias" in name:
                bias[2 * bias.numel() // 4 : 3 * bias.numel() // 4] = -3.0  # of the candidates
    expected = torch.stack([encoder.lstm(one)[0].amax(dim=0) for one in sentences])
    assert expected.max() < 0
    found = encoder(leaves).sentences
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found.sum(), leaves.states)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize(
    "make",
    [BagOfWords, SequenceLSTM, lambda size: SequenceLSTM(size, bidirectional=True)],
    ids=["bow", "lstm", "bilstm"],
)
def test_output_is_as_wide_as_announced(make, size):
    encoder = make(size).to(DEVICE)
    leaves = Leaves.of_lengths(torch.randn(3, encoder.leaf_size).to(DEVICE), torch.tensor([2, 1]))
    assert encoder(leaves).sentences.shape == (2, encoder.output_size)


def test_bag_of_words_passes_every_word_its_gradient():
    leaves, _ = make_leaves([3, 1])
    leaves.states.requires_grad_()
    weights = torch.tensor([[1.0], [2.0]], device=DEVICE).double()
    (BagOfWords(WIDTH)(leaves).sentences * weights).sum().backward()
    assert leaves.states.grad[:, 0].tolist() == [1, 2, 1, 1]
