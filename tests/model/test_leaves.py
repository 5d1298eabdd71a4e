"""From words to leaves: which vectors are trained, contexts and norms, and no padding anywhere."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from machine import DEVICE
from torch import Tensor, nn

import spinn.extensions  # noqa: F401 - registers the aligned leaves
from spinn.model.leaves import LeafLayer, WordEmbedding, make_norm
from spinn.model.norm import GlobalBatchNorm, recomputed_statistics
from spinn.model.types import Sentences

FIXED = torch.tensor([False, False, True, True, False, True], device=DEVICE)
NONE_FIXED, ALL_FIXED = torch.zeros_like(FIXED), torch.ones_like(FIXED)
LENGTHS = torch.tensor([4, 2, 1])  # always on the CPU
# Time first, longest first, padded with 1.
WORDS = torch.tensor([[2, 4, 5], [3, 2, 1], [0, 1, 1], [4, 1, 1]], device=DEVICE)

SENTENCES = Sentences(LENGTHS, WORDS)

tensor = partial(torch.tensor, device=DEVICE)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(DEVICE)


def make_layer(*parts: Any, **options: Any) -> LeafLayer:
    return LeafLayer(*parts, **options).to(DEVICE)


def sentences_of(words: Tensor, lengths: Tensor) -> list[Tensor]:
    return [words[:length, b] for b, length in enumerate(lengths.tolist())]


def unpacked(states: Tensor, lengths: Tensor) -> list[Tensor]:
    """Take packed rows apart into sentences ``[N, width]``."""
    result: list[list[Tensor]] = [[] for _ in lengths]
    rows = iter(states)
    for time in range(int(lengths.max())):
        for sentence, length in enumerate(lengths.tolist()):
            if time < length:
                result[sentence].append(next(rows))
    assert next(rows, None) is None
    return [torch.stack(sentence) for sentence in result]


# Word vectors.


@pytest.mark.parametrize("fixed", [FIXED, NONE_FIXED, ALL_FIXED], ids=["some", "none", "all"])
def test_every_word_gets_its_vector(fixed):
    vectors = drawn(6, 3)
    words = tensor([5, 0, 1, 1, 4, 2, 3])
    assert torch.equal(WordEmbedding(vectors, fixed)(words), vectors[words])


@pytest.mark.parametrize("fixed", [FIXED, NONE_FIXED, ALL_FIXED], ids=["some", "none", "all"])
def test_only_vectors_that_are_not_fixed_have_a_gradient(fixed):
    embedding = WordEmbedding(drawn(6, 3), fixed)
    assert embedding.trained.shape == (int((~fixed).sum()), 3)
    words = tensor([0, 2, 4, 4, 5])
    weights = drawn(5, 3)
    total = (embedding(words) * weights).sum()
    if fixed.all():
        assert not embedding.trained.numel()
        return
    total.backward()
    expected = torch.zeros(6, 3, device=DEVICE).index_add(0, words, weights)[~fixed]
    torch.testing.assert_close(embedding.trained.grad, expected)


def test_fixed_vectors_stay_and_the_others_move_under_an_optimiser():
    vectors = drawn(6, 3)
    embedding = WordEmbedding(vectors, FIXED)
    optimizer = torch.optim.AdamW(embedding.parameters(), lr=0.1, weight_decay=0.1)
    everything = torch.arange(6, device=DEVICE)
    for _ in range(3):
        optimizer.zero_grad()
        embedding(everything).square().sum().backward()
        optimizer.step()
    after = embedding(everything)
    assert torch.equal(after[FIXED], vectors[FIXED])
    assert ((after[~FIXED] - vectors[~FIXED]).abs() > 0.01).all()


@pytest.mark.parametrize("fixed", [FIXED, NONE_FIXED, ALL_FIXED], ids=["some", "none", "all"])
def test_shaped_like_makes_room_for_stored_weights(fixed):
    stored = WordEmbedding(drawn(6, 3), fixed)
    weights = {
        f"leaves.embedding.{name}": value.cpu() for name, value in stored.state_dict().items()
    }
    fresh = WordEmbedding.shaped_like(weights, "leaves.embedding.").to(DEVICE)
    fresh.load_state_dict(stored.state_dict())
    words = torch.arange(6, device=DEVICE)
    assert torch.equal(fresh(words), stored(words))
    assert fresh.size == 3


def test_without_fixed_vectors_the_initial_ones_are_not_kept():
    embedding = WordEmbedding(torch.zeros(1000, 8), torch.zeros(1000, dtype=torch.bool))
    assert embedding.fixed_vectors.untyped_storage().nbytes() == 0


def test_looking_up_does_not_write_into_the_fixed_vectors():
    embedding = WordEmbedding(drawn(6, 3), FIXED)
    before = embedding.fixed_vectors.clone()
    embedding(torch.arange(6, device=DEVICE)).sum().backward()
    assert torch.equal(embedding.fixed_vectors, before)


# Leaves.


def test_leaves_are_projected_words_in_packed_order():
    layer = make_layer(WordEmbedding(drawn(6, 3), FIXED), 8).eval()
    leaves = layer(SENTENCES)
    assert leaves.states.shape == (7, 8)
    assert leaves.sentences.batch_sizes.tolist() == [3, 2, 1, 1]
    packed = tensor([2, 4, 5, 3, 2, 0, 4])
    torch.testing.assert_close(leaves.states, layer.projection(layer.embedding(packed)))


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("context", ["none", "lstm", "bilstm"])
def test_each_sentence_has_the_leaves_it_has_alone(context, norm):
    layer = make_layer(
        WordEmbedding(drawn(6, 3), FIXED), 8, context=context, context_width=5, norm=norm
    )
    layer.double().eval()
    together = unpacked(layer(SENTENCES).states, LENGTHS)
    for sentence, words in zip(together, sentences_of(WORDS, LENGTHS), strict=True):
        alone = layer(Sentences(torch.tensor([len(words)]), words[:, None]))
        torch.testing.assert_close(sentence, alone.states)


@pytest.mark.parametrize(
    ("context", "knows"), [("none", [2]), ("lstm", [2, 3]), ("bilstm", [0, 1, 2, 3])]
)
def test_context_decides_which_leaves_know_of_a_word(context, knows):
    layer = make_layer(
        WordEmbedding(drawn(6, 3), FIXED), 8, context=context, context_width=5
    ).eval()
    length = torch.tensor([4])
    before = layer(Sentences(length, tensor([[2], [3], [0], [4]]))).states
    after = layer(Sentences(length, tensor([[2], [3], [5], [4]]))).states
    assert (before != after).any(dim=1).nonzero().flatten().tolist() == knows


def test_aligned_leaves_know_the_other_sentence_and_their_own_word():
    layer = make_layer(WordEmbedding(drawn(6, 3), FIXED), 8, context="aligned", context_width=6)
    lengths, back = torch.tensor([3, 2]), tensor([0, 1])
    before = layer.eval()(Sentences(lengths, WORDS[:3, :2], back)).states
    changed = WORDS[:3, :2].clone()
    changed[1, 0] = 5  # the second word of the first sentence
    after = layer(Sentences(lengths, changed, back)).states
    both = unpacked(before, lengths), unpacked(after, lengths)
    differs = [(a != b).any(dim=1).tolist() for a, b in zip(*both, strict=True)]
    assert differs == [[False, True, False], [True, True]]


@pytest.mark.parametrize(
    ("context", "needs_pairs"),
    [("none", False), ("lstm", False), ("bilstm", False), ("aligned", True)],
)
def test_which_leaves_need_pairs(context, needs_pairs):
    layer = make_layer(WordEmbedding(drawn(6, 3), FIXED), 8, context=context, context_width=6)
    assert layer.needs_pairs is needs_pairs


@pytest.mark.parametrize("context", ["none", "lstm", "bilstm"])
@pytest.mark.parametrize("width", [8, 5])
def test_leaves_are_as_wide_as_the_encoder_requires(context, width):
    layer = make_layer(WordEmbedding(drawn(6, 3), FIXED), width, context=context, context_width=6)
    assert layer(SENTENCES).states.shape == (7, width)
    if layer.context is not None:
        assert layer.context.hidden_size == 6
        assert layer.projection.in_features == (12 if context == "bilstm" else 6)


def test_norms():
    rows = 3 * drawn(50, 4) + 2
    assert torch.equal(make_norm("none", 4)(rows), rows)
    by_row = make_norm("layer", 4).to(DEVICE)(rows)
    close = partial(torch.testing.assert_close, rtol=0, atol=1e-5)
    close(by_row.mean(dim=1).cpu(), torch.zeros(50))
    by_column = make_norm("batch", 4).train().to(DEVICE)(rows)
    close(by_column.mean(dim=0).cpu(), torch.zeros(4))
    close(by_column.var(dim=0, correction=0).cpu(), torch.ones(4), atol=1e-3)


def test_batch_statistics_are_those_of_the_words_without_padding():
    layer = make_layer(WordEmbedding(drawn(6, 3), FIXED), 4, norm="batch").train()
    with torch.no_grad():
        words = torch.cat(sentences_of(WORDS, LENGTHS))
        projected = layer.projection(layer.embedding(words))
    layer(SENTENCES)
    torch.testing.assert_close(layer.norm.running_mean, 0.1 * projected.mean(dim=0))
    torch.testing.assert_close(layer.norm.running_var, 0.9 + 0.1 * projected.var(dim=0))


def test_dropout_is_of_training_only():
    embedding = WordEmbedding(torch.ones(6, 50, device=DEVICE), NONE_FIXED)
    layer = make_layer(embedding, 400, embedding_dropout=0.5, dropout=0.25)
    nn.init.constant_(layer.projection.weight, 0.02)
    nn.init.constant_(layer.projection.bias, 0.0)
    torch.manual_seed(0)
    trained = layer.train()(SENTENCES).states
    assert abs((trained == 0).double().mean().item() - 0.25) < 0.05
    assert trained.std() > 0.1
    torch.testing.assert_close(layer.eval()(SENTENCES).states.cpu(), torch.ones(7, 400))


def test_gradients_reach_every_weight():
    layer = make_layer(
        WordEmbedding(drawn(6, 3), FIXED), 8, context="bilstm", context_width=5, norm="layer"
    )
    layer(SENTENCES).states.pow(3).sum().backward()
    for name, weight in layer.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


def test_each_token_is_dropped_by_itself():
    torch.manual_seed(0)
    embedding = WordEmbedding(drawn(6, 16), NONE_FIXED)
    layer = make_layer(embedding, 32, norm="layer", embedding_dropout=0.5, dropout=0.5)
    states = layer.train()(SENTENCES).states
    tokens = WORDS[(torch.arange(len(WORDS))[:, None] < LENGTHS).to(DEVICE)]
    first, second = states[tokens == 2]  # the two places of word 2
    assert not torch.equal(first, second)
    first, second = layer.eval()(SENTENCES).states[tokens == 2]
    torch.testing.assert_close(first, second)


# Equal words.


@pytest.mark.parametrize(
    ("options", "training", "evaluating"),
    [
        ({}, True, True),
        ({"norm": "layer"}, True, True),
        ({"norm": "batch"}, False, True),
        ({"dropout": 0.1}, False, True),
        ({"embedding_dropout": 0.1}, False, True),
        ({"context": "lstm", "context_width": 5}, False, False),
        ({"context": "aligned", "context_width": 6}, False, False),
    ],
)
def test_when_equal_words_have_equal_leaves(options, training, evaluating):
    layer = make_layer(WordEmbedding(drawn(6, 3), FIXED), 8, **options)
    sentences = Sentences(LENGTHS[:2], WORDS[:, :2], tensor([0, 1]))
    for mode, expected in ((True, training), (False, evaluating)):
        assert layer.alike(training=mode) is expected
        assert layer.train(mode)(sentences).alike is expected
    with recomputed_statistics(layer):
        assert layer.alike(training=False) is (evaluating and options.get("norm") != "batch")


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_leaves_of_distinct_words_are_those_of_the_sentences(norm):
    layer = make_layer(WordEmbedding(drawn(6, 3), FIXED), 8, norm=norm)
    distinct = tensor([0, 2, 3, 4, 5])
    shared, leaves = layer(SENTENCES, distinct), layer(SENTENCES)
    assert shared.sentences is SENTENCES
    assert shared.alike
    packed = tensor([2, 4, 5, 3, 2, 0, 4])
    rows = torch.searchsorted(distinct, packed)
    torch.testing.assert_close(shared.states[rows], leaves.states)
    torch.testing.assert_close(shared.states, layer.of_words(distinct))


def test_a_row_alone_in_a_batch_is_normalised_as_in_evaluation():
    norm = GlobalBatchNorm(3).to(DEVICE)
    norm(torch.randn(20, 3).to(DEVICE))
    row = torch.randn(1, 3).to(DEVICE)
    alone = norm(row)
    torch.testing.assert_close(alone, norm.eval()(row))
    assert norm.num_batches_tracked == 1
