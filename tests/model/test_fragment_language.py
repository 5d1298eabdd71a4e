"""The model over fragments equals a brute-force twin in double precision."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from labelled_trees import english
from machine import DEVICE, EXACT
from torch import Tensor, nn

from spinn.data.fragments.dataset import FragmentBatch, number_sequences
from spinn.data.fragments.vocabulary import build_fragment_vocabulary
from spinn.learning.objectives.fragments import FragmentLossOptions, FragmentObjective
from spinn.model.fragment_language import (
    FragmentLanguageModel,
    FragmentModelOptions,
    FragmentScores,
    segment_log_prob,
    top_k_excess,
)

SEQUENCES = english()
VOCABULARY = build_fragment_vocabulary(SEQUENCES, minimum=2)
DATA = number_sequences(SEQUENCES, VOCABULARY)


def build(layers: int = 1, dropout: float = 0.0) -> FragmentLanguageModel:
    torch.manual_seed(1)
    model = FragmentLanguageModel(VOCABULARY.sizes, FragmentModelOptions(5, 3, 4, layers, dropout))
    return model.double().to(DEVICE)


def batch(*rows: int) -> FragmentBatch:
    return DATA.batch(torch.tensor(rows).numpy()).to(DEVICE)


def scores(model: nn.Module, part: FragmentBatch, **options: bool) -> FragmentScores:
    return model(part.fragments, part.parents, part.types, part.lengths, **options)


def twin(model: FragmentLanguageModel, row: int) -> tuple[Tensor, Tensor]:
    """Return log-probabilities and top-k terms of a tree, one fragment after another."""
    part = batch(row)
    kind = torch.cat([torch.full((size,), type) for type, size in enumerate(VOCABULARY.sizes)]).to(
        DEVICE
    )
    state, before = None, torch.tensor([model.start], device=DEVICE)
    log_probs, excess = [], []
    for fragment, parent, type in zip(part.fragments, part.parents, part.types, strict=True):
        hidden, state = model.lstm(model.embedding(before)[None], state)
        given = [hidden[0, 0], model.embedding(parent)[0], model.type_embedding(type)[0]]
        logits = model.decoder(torch.cat(given))
        fits = kind == type
        log_probs.append(logits.masked_fill(~fits, -torch.inf).log_softmax(dim=0)[fragment[0]])
        probs = logits.softmax(dim=0)
        largest = probs.sort(descending=True).values[: int(fits.sum())]
        excess.append(largest.sum() - probs[fits].sum())
        before = fragment
    return torch.stack(log_probs), torch.stack(excess)


@pytest.mark.parametrize("layers", [1, 2])
def test_scores_and_gradients_equal_those_of_the_twin(layers):
    model = build(layers)
    part = batch(2, 0, 1)
    found = scores(model, part, with_excess=True)
    assert found.excess is not None
    loss = FragmentObjective(FragmentLossOptions(0.7))(model, part).loss
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    total, count = torch.zeros((), dtype=torch.double, device=DEVICE), 0
    for column, row in enumerate((2, 0, 1)):
        log_prob, excess = twin(model, row)
        length = len(log_prob)
        torch.testing.assert_close(found.log_prob[:length, column], log_prob)
        torch.testing.assert_close(found.excess[:length, column], excess)
        assert not found.log_prob[length:, column].any()
        assert not found.excess[length:, column].any()
        total, count = total - log_prob.sum() + 0.7 * excess.sum(), count + length
    torch.testing.assert_close(loss, total / count)
    for one, other in zip(gradients, torch.autograd.grad(total / count, parameters), strict=True):
        torch.testing.assert_close(one, other)


def test_scores_do_not_depend_on_padding_and_other_trees():
    model = build().eval()
    alone = scores(model, batch(1)).log_prob[:, 0]
    together = scores(model, batch(0, 1, 2)).log_prob[: len(alone), 1]
    torch.testing.assert_close(alone, together)
    part = batch(1, 0)
    inside = torch.arange(len(part.fragments))[:, None] < part.lengths
    changed = [values + 7 * ~inside.to(DEVICE) for values in (part.fragments, part.parents)]
    assert torch.equal(
        model(*changed, part.types, part.lengths).log_prob, scores(model, part).log_prob
    )


def test_a_score_depends_on_the_fragments_before_only():
    model = build().eval()
    part = batch(0)
    before = scores(model, part).log_prob
    part.fragments[4] = VOCABULARY.starts[int(part.types[4])]
    after = scores(model, part).log_prob
    assert torch.equal(before[:4], after[:4])
    assert (before[5:] != after[5:]).any()


def test_steps_give_the_scores_of_the_whole():
    model = build(layers=2).eval()
    part = batch(0)
    whole = scores(model, part).log_prob[:, 0]
    before, state = torch.tensor([model.start], device=DEVICE), None
    for time, type in enumerate(part.types[:, 0].tolist()):
        hidden, state = model.step(before, state)
        logits = model.logits(hidden, part.parents[time], type)
        assert logits.shape == (1, VOCABULARY.sizes[type])
        column = int(part.fragments[time]) - VOCABULARY.starts[type]
        torch.testing.assert_close(logits.log_softmax(dim=1)[0, column], whole[time])
        before = part.fragments[time]


SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@given(SIZES, st.integers(1, 12), st.randoms(use_true_random=False))
def test_segments_equal_a_mask(sizes, rows, random):
    count = sum(sizes)
    generator = torch.Generator().manual_seed(random.randrange(2**31))
    features, weight, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.double).to(DEVICE).requires_grad_()
        for shape in ((rows, 3), (count, 3), (count,))
    )
    kind = torch.cat([torch.full((size,), type) for type, size in enumerate(sizes)]).to(DEVICE)
    targets = torch.randint(count, (rows,), generator=generator).to(DEVICE)
    types = kind[targets]
    found = segment_log_prob(features, targets, types, weight, bias, sizes)
    logits = features @ weight.T + bias
    masked = logits.masked_fill(kind != types[:, None], -torch.inf).log_softmax(dim=1)
    expected = masked.gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(found, expected)
    inputs = (features, weight, bias)
    for one, other in zip(
        torch.autograd.grad(found.sum(), inputs),
        torch.autograd.grad(expected.sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
    excess = top_k_excess(features, types, weight, bias, sizes)
    assert ((excess > -1e-12) & (excess < 1)).all()


def test_the_excess_is_zero_if_the_fitting_fragments_are_the_most_probable():
    weight, bias = torch.zeros(4, 1), torch.tensor([3.0, 2.0, 1.0, 0.0])
    features, types = torch.zeros(2, 1), torch.tensor([0, 1])
    excess = top_k_excess(features, types, weight, bias, [2, 2])
    probs = bias.softmax(dim=0)
    expected = torch.stack([probs.new_zeros(()), probs[:2].sum() - probs[2:].sum()])
    torch.testing.assert_close(excess, expected)


def test_scores_in_half_precision_are_normalised_in_single():
    features, weight, bias = (torch.ones(*shape).bfloat16() for shape in ((1, 2), (9, 2), (9,)))
    zero = torch.zeros(1, dtype=torch.long)
    found = segment_log_prob(features, zero, zero, weight, bias, [9])
    torch.testing.assert_close(found, -torch.tensor([9.0]).log())
    assert top_k_excess(features, zero, weight, bias, [9]).dtype == torch.float32


@pytest.mark.parametrize("type_loss", [0.0, 1.0])
def test_training_reduces_the_loss_and_evaluation_has_no_dropout(type_loss):
    model = build(layers=2, dropout=0.1).float().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    part, objective = batch(0, 1, 2, 3), FragmentObjective(FragmentLossOptions(type_loss))
    losses = []
    for _ in range(40):
        loss = objective(model, part).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    model.eval()
    one, other = (scores(model, part).log_prob for _ in range(2))
    assert not EXACT or torch.equal(one, other)
