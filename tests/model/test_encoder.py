"""The encoder as a layer: equal to the reference, in any order, with clear errors."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import DEVICE, again, examples
from torch import Tensor

from spinn.model import reference
from spinn.model.encoder import SPINNEncoder
from spinn.model.tracker import Tracker
from spinn.transitions import balanced, left_branching, random_uniform, right_branching

E, H, K = 4, 3, 2


def make(tracker_size: int = 0, seed: int = 0, **options: str) -> SPINNEncoder:
    encoder = SPINNEncoder(E, H, tracker_size=tracker_size, **options).double()
    generator = torch.Generator().manual_seed(seed)
    for weight in encoder.parameters():
        torch.nn.init.normal_(weight, std=0.7, generator=generator)
    return encoder.to(DEVICE)


def drawn(lengths: list[int], seed: int = 0, padding: int = 0) -> tuple[Tensor, Tensor]:
    """Return embeddings whose padding is not finite, and lengths."""
    generator = torch.Generator().manual_seed(seed)
    shape = len(lengths), max(lengths) + padding, E
    embeddings = torch.randn(shape, dtype=torch.float64, generator=generator)
    for row, length in zip(embeddings, lengths, strict=True):
        row[length:] = torch.nan
    return embeddings.to(DEVICE).requires_grad_(), torch.tensor(lengths)


def padded(trees: list, steps: int) -> Tensor:
    rows = [[*map(int, tree), *[1] * (steps - len(tree))] for tree in trees]
    return torch.tensor(rows)


def by_reference(
    encoder: SPINNEncoder, embeddings: Tensor, lengths: Tensor, trees: Tensor | None
) -> tuple[Tensor, list[list[int]]]:
    """Encode each sentence by itself."""
    tracker = getattr(encoder.encoder, "tracker", None)
    found = [
        reference.encode(
            list(encoder.projection(row[:length])),
            encoder.encoder.composition,
            tracker if isinstance(tracker, Tracker) else None,
            None if trees is None else trees[number, : 2 * length - 1].tolist(),
            pooling=encoder.encoder.pooling,
        )
        for number, (row, length) in enumerate(zip(embeddings, lengths.tolist(), strict=True))
    ]
    return torch.stack([one.sentence for one in found]), [one.transitions for one in found]


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    padding=st.integers(0, 2),
    tracker_size=st.sampled_from([0, K]),
    pooling=st.sampled_from(["root", "max", "max-all"]),
    chosen=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=examples(30))
def test_vectors_and_gradients_are_those_of_the_reference(
    lengths, padding, tracker_size, pooling, chosen, seed
):
    encoder = make(tracker_size, seed, pooling=pooling)
    embeddings, counts = drawn(lengths, seed, padding)
    steps = 2 * embeddings.shape[1] - 1
    if chosen:
        trees = None if tracker_size else padded(list(map(right_branching, lengths)), steps)
        vectors = encoder(embeddings, counts)
    else:
        random = np.random.default_rng(seed)
        trees = padded([random_uniform(np.array([n]), random)[:, 0] for n in lengths], steps)
        vectors = encoder(embeddings, counts, trees)
    expected, _ = by_reference(encoder, embeddings, counts, trees)
    torch.testing.assert_close(vectors, expected, rtol=1e-9, atol=1e-9)
    weights = [embeddings, *encoder.parameters()]
    found, wanted = (
        torch.autograd.grad(
            result.square().sum(), weights, allow_unused=True, materialize_grads=True
        )
        for result in (vectors, expected)
    )
    torch.testing.assert_close(list(found), list(wanted), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("tracker_size", [0, K])
def test_neither_order_nor_padding_nor_a_mask_changes_a_vector(tracker_size):
    encoder = make(tracker_size)
    embeddings, lengths = drawn([2, 5, 1, 4, 5], padding=3)
    trees = padded(list(map(balanced, lengths.tolist())), 15)
    mask = torch.arange(8) < lengths[:, None]
    order = torch.tensor([3, 0, 4, 2, 1])
    for given_trees in (trees, None):
        vectors = encoder(embeddings, lengths, given_trees)
        in_order = given_trees if given_trees is None else given_trees[order]
        other = encoder(embeddings[order], mask[order].to(DEVICE), in_order)
        torch.testing.assert_close(other, vectors[order])
        for row, length in enumerate(lengths.tolist()):
            tree = None if given_trees is None else trees[row : row + 1, : 2 * length - 1]
            alone = encoder(embeddings[row : row + 1, :length], lengths[row : row + 1], tree)
            torch.testing.assert_close(alone[0], vectors[row])


def test_gradients_reach_words_and_weights_but_not_padding():
    encoder = make(K)
    embeddings, lengths = drawn([2, 3])
    encoder(embeddings, lengths).sum().backward()
    gradient = embeddings.grad
    assert gradient is not None
    assert gradient[0, :2].abs().min() > 0
    assert not gradient[0, 2:].any()
    assert encoder.projection.weight.grad.abs().sum() > 0


def test_the_policy_is_there_to_be_trained():
    encoder = make(K)
    embeddings, lengths = drawn([2, 4, 3])
    encoding = encoder.encode(embeddings, lengths)
    _, trees = by_reference(encoder, embeddings, lengths, None)
    assert encoding.transitions is not None
    for column, tree in zip(encoding.transitions.T.tolist(), trees, strict=True):
        assert column[: len(tree)] == tree
    assert encoding.policy is not None
    encoding.policy.log_prob(encoding.transitions).sum().backward()
    assert encoder.encoder.tracker.score.weight.grad.abs().sum() > 0


WORDS = torch.zeros(2, 3, E, dtype=torch.float64)
LENGTHS = torch.tensor([3, 2])
LEFT = padded([left_branching(3), left_branching(2)], 5)


def changed(values: Tensor, row: int, column: int, value: int) -> Tensor:
    copy = values.clone()
    copy[row, column] = value
    return copy


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((WORDS[0], LENGTHS), "embeddings have the shape [3, 4] where [sentences, words, 4]"),
        ((WORDS[:, :, :3], LENGTHS), "embeddings have the shape [2, 3, 3]"),
        ((WORDS[:0], LENGTHS[:0]), "have no words"),
        ((WORDS, LENGTHS[:1]), "lengths are torch.int64 of the shape [1]"),
        ((WORDS, LENGTHS.double()), "lengths are torch.float64"),
        ((WORDS, torch.tensor([3, 0])), "sentence 1 has 0 words where 1 to 3 are required"),
        ((WORDS, torch.tensor([4, 1])), "sentence 0 has 4 words"),
        ((WORDS, torch.tensor([-1, 1])), "sentence 0 has -1 words"),
        ((WORDS, torch.ones(3, 2, dtype=torch.bool)), "the mask has the shape [3, 2]"),
        ((WORDS, torch.tensor([[True] * 3, [False, True, True]])), "the mask is false before"),
        ((WORDS, torch.zeros(2, 3, dtype=torch.bool)), "sentence 0 has 0 words"),
        ((WORDS, LENGTHS, LEFT.T), "transitions are torch.int64 of the shape [5, 2]"),
        ((WORDS, LENGTHS, LEFT[:, :4]), "where integers of the shape [2, 5] are required"),
        ((WORDS, LENGTHS, LEFT.float()), "transitions are torch.float32"),
        (
            (WORDS, LENGTHS, changed(LEFT, 0, 1, 2)),
            "the transitions of sentence 0 are not a binary",
        ),
        ((WORDS, LENGTHS, changed(LEFT, 1, 0, 1)), "sentence 1 do not begin with SHIFT"),
        ((WORDS, LENGTHS, changed(LEFT, 1, 2, 7)), "sentence 1 are not a binary tree"),
        ((WORDS, LENGTHS, changed(LEFT, 1, 3, 3)), "sentence 1 go on after 3"),
        ((WORDS, LENGTHS, changed(LEFT, 0, 4, 3)), "sentence 0 are not a binary tree"),
    ],
)
def test_what_does_not_fit_is_a_sentence(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()(*given)


def test_a_gradient_of_the_tracker_alone_leaves_nothing_to_the_next_pass():
    encoder, (embeddings, lengths) = make(K), drawn([5, 2, 3])
    encoding = encoder.encode(embeddings, lengths)
    label = encoding.sentences.sum()
    policy = -encoding.policy.log_prob(encoding.transitions).sum()
    weights = list(encoder.encoder.composition.parameters())
    before = torch.autograd.grad(label, weights, retain_graph=True)
    torch.autograd.grad(policy, encoder.encoder.tracker.cell.weight_ih, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(label, weights), before, **again(1e-9))


def test_options_that_are_none_are_refused():
    with pytest.raises(ValueError, match="choose from root, max, max-all"):
        SPINNEncoder(E, H, pooling="mean")
    with pytest.raises(ValueError, match="must be 1 or more"):
        SPINNEncoder(E, 0)


def test_autocast_and_half_precision_are_possible():
    encoder, (embeddings, lengths) = SPINNEncoder(E, H, tracker_size=K).to(DEVICE), drawn([3, 2])
    with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
        vectors = encoder(embeddings.float(), lengths)
    assert vectors.isfinite().all()
