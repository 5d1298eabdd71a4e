"""Perplexity and the continuous cache: against loops over words, and independent of blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from machine import DEVICE
from torch import Tensor
from torch.testing import assert_close

from spinn.data.language import END
from spinn.language.perplexity import ContinuousCache, figures_of, text_scores
from spinn.model.language import DropoutOptions, LanguageModel, LanguageModelOptions

V = 11


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    torch.manual_seed(0)
    options = LanguageModelOptions(embedding_size=6, hidden_size=7, layers=2)
    drops = DropoutOptions(0.3, 0.3, 0.3, 0.3, 0.3)  # of no effect in evaluation
    model = LanguageModel(V, options, drops).to(DEVICE)
    with torch.no_grad():
        model.embedding.weight.mul_(20)  # unlike predictions
    return model


TOKENS = np.random.default_rng(3).integers(END, V, 57).astype(np.int32)


@torch.no_grad()
def by_words(model: LanguageModel, tokens: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return the distribution before every token and the outputs, one token after the other."""
    model.eval()
    state, before, found, outputs = None, END, [], []
    for token in tokens.tolist():
        output = model(torch.tensor([[before]], device=DEVICE), state)
        state, before = output.state, token
        outputs.append(output.raw[0, 0])
        found.append(torch.softmax(model.decode(output.raw[0, 0]), 0))
    return torch.stack(found).cpu(), torch.stack(outputs).cpu()


def test_the_figures_of_a_loss():
    figures = figures_of(math.log(8))
    assert figures["perplexity"] == pytest.approx(8)
    assert figures["bits"] == pytest.approx(3)
    assert figures_of(1e4)["perplexity"] == math.inf


@pytest.mark.parametrize("window", [1, 5, 56, 57, 100])
def test_a_stream_is_scored_word_by_word_whatever_the_window(model, window):
    model.train()
    scores = text_scores(model, TOKENS, window=window)
    probabilities, _ = by_words(model, TOKENS)
    expected = -probabilities[range(len(TOKENS)), TOKENS].log().sum().item()
    assert scores.tokens == len(TOKENS)
    assert scores.nats == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [1, 2, 4, 50])
def test_sentences_are_scored_alone_whatever_the_batch(model, size):
    scores = text_scores(model, TOKENS, layout="sentences", size=size)
    ends = [*(np.flatnonzero(TOKENS == END) + 1), len(TOKENS)]
    expected = 0.0
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        if start < end:
            probabilities, _ = by_words(model, TOKENS[start:end])
            expected -= probabilities[range(end - start), TOKENS[start:end]].log().sum().item()
    assert scores.tokens == len(TOKENS)
    assert scores.nats == pytest.approx(expected, rel=1e-5)


def test_several_streams_count_every_token_once(model):
    assert text_scores(model, TOKENS, size=5, window=3).tokens == len(TOKENS)


def cached_by_words(
    outputs: Tensor, probabilities: Tensor, window: int, theta: float, weight: float
) -> Tensor:
    """Mix every distribution with that of the cache, one after the other."""
    mixed = []
    for t, own in enumerate(probabilities.double()):
        past = range(max(0, t - window), t)
        if not past:
            mixed.append(own)
            continue
        cache = torch.zeros(V, dtype=torch.float64)
        for i in past:
            cache[TOKENS[i]] += math.exp(theta * float(outputs[t] @ outputs[i]))
        mixed.append((1 - weight) * own + weight * cache / cache.sum())
    return torch.stack(mixed)


@pytest.mark.parametrize("block", [1, 4, 20, 57, 80])
@pytest.mark.parametrize("window", [1, 9, 500])
def test_the_cache_equals_a_loop_over_words_whatever_the_block(model, block, window):
    probabilities, outputs = by_words(model, TOKENS)
    mixed = cached_by_words(outputs, probabilities, window, 1.5, 0.3)
    expected = -mixed[range(len(TOKENS)), TOKENS].log().sum().item()
    cache = ContinuousCache(window, 1.5, 0.3)
    scores = text_scores(model, TOKENS, window=block, cache=cache)
    assert scores.nats == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("layout", "size", "window"), [("streams", 1, 0), ("streams", 1, 9), ("sentences", 2, 0)]
)
def test_what_does_not_fit_into_memory_is_computed_in_smaller_parts(
    model, monkeypatch, layout, size, window
):
    """The cache begins anew with each attempt."""

    def scored() -> float:
        cache = ContinuousCache(window, 1.5, 0.3) if window else None
        return text_scores(model, TOKENS, layout=layout, size=size, window=40, cache=cache).nats

    forward, calls, room = LanguageModel.forward, [], [100]

    def bounded(self: LanguageModel, inputs: Tensor, *others: object) -> object:
        calls.append(inputs.numel())
        if len(calls) == room[0]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, inputs, *others)

    monkeypatch.setattr(LanguageModel, "forward", bounded)
    expected, whole = scored(), len(calls)
    calls.clear()
    room[0] = 2  # the cache has seen something
    assert scored() == pytest.approx(expected, rel=1e-6)
    assert len(calls) > 2 + whole


def test_the_probabilities_of_the_cache_sum_to_one():
    torch.manual_seed(0)
    outputs, tokens = torch.randn(30, 4), torch.from_numpy(TOKENS[:30]).long()
    total = torch.zeros(30)
    for word in range(V):
        cache = ContinuousCache(7, 0.8, 0.5)
        parts = [
            cache.log_probabilities(outputs[s], tokens[s], torch.full((10,), word))
            for s in (slice(0, 10), slice(10, 20), slice(20, 30))
        ]
        total += torch.cat(parts).exp()
    assert total[0].isnan()
    assert_close(total[1:], torch.ones(29))


def test_the_cache_sees_nothing_of_the_future():
    torch.manual_seed(0)
    outputs, tokens = torch.randn(20, 4), torch.from_numpy(TOKENS[:20]).long()
    model_nats = torch.rand(20)
    changed, others = outputs.clone(), tokens.clone()
    changed[12:], others[12:] = torch.randn(8, 4), END
    found = ContinuousCache(6, 1.0, 0.2).nats(outputs, tokens, model_nats)
    again = ContinuousCache(6, 1.0, 0.2).nats(changed, others, model_nats)
    assert torch.equal(found[:12], again[:12])
    assert found[0] == model_nats[0]
    assert not torch.equal(found[12:], again[12:])


def test_the_result_does_not_depend_on_padding(model):
    one = text_scores(model, TOKENS, layout="sentences", size=1)
    lengths = np.diff(np.flatnonzero(TOKENS == END))
    assert len(set(lengths.tolist())) > 2  # so that a batch of all of them is padded
    assert text_scores(model, TOKENS, layout="sentences", size=50).nats == pytest.approx(
        one.nats, rel=1e-6
    )
