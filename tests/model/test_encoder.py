"""The batched encoder: equal to the plain one, valid trees always, clear errors, depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import reference
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from machine import DEVICE, examples
from torch import Tensor

from spinn.model.encoder import SPINN, Choice, Encoding, Leaves
from spinn.transitions import Transition, check, right_branching

S, R, PAD = int(Transition.SHIFT), int(Transition.REDUCE), int(Transition.PAD)
HIDDEN, TRACKER = 3, 4
POOLINGS = ("root", "max", "max-all")
CELLS = ("tree-lstm", "gated-recursive")
Tree = list[int]


@dataclass(frozen=True)
class Form:
    """One of the published models, as the encoder sees it."""

    tracker: int
    predicts: bool
    choice: Choice


FORMS = {
    "SPINN-PI-NT": Form(0, False, Choice.GIVEN),
    "SPINN-PI": Form(TRACKER, False, Choice.GIVEN),
    "SPINN, taught": Form(TRACKER, True, Choice.GIVEN),
    "SPINN, predicting": Form(TRACKER, True, Choice.GREEDY),
    "RL-SPINN": Form(TRACKER, True, Choice.SAMPLED),
}


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Draw a tree over one to eight words, any shape."""
    waiting, depth = draw(st.integers(1, 8)), 0
    tree: Tree = []
    while waiting or depth > 1:
        shift = waiting > 0 and (depth < 2 or draw(st.booleans()))
        tree.append(S if shift else R)
        depth += 1 if shift else -1
        waiting -= shift
    return tree


batches = st.lists(trees(), min_size=1, max_size=5).map(
    lambda batch: sorted(batch, key=len, reverse=True)
)
seeds = st.integers(0, 2**16)


def make_encoder(seed: int, tracker: int = TRACKER, predicts: bool = True, **options: Any) -> SPINN:
    """Make an encoder in float64 whose weights are large enough for every gate to matter."""
    encoder = SPINN(HIDDEN, tracker, predicts=predicts, **options).double()
    generator = torch.Generator().manual_seed(seed)
    for weights in encoder.parameters():
        torch.nn.init.normal_(weights, std=0.7, generator=generator)
    return encoder.to(DEVICE)


def make_leaves(lengths: list[int], seed: int, width: int = 2 * HIDDEN) -> Leaves:
    generator = torch.Generator().manual_seed(seed + 1)
    states = torch.randn(sum(lengths), width, dtype=torch.float64, generator=generator)
    return Leaves(states.to(DEVICE).requires_grad_(), torch.tensor(lengths))


def lengths_of(batch: list[Tree]) -> list[int]:
    return [(len(tree) + 1) // 2 for tree in batch]


def padded(batch: list[Tree]) -> Tensor:
    """Stand trees side by side, ``[T, B]``."""
    steps = len(batch[0])
    columns = [tree + [PAD] * (steps - len(tree)) for tree in batch]
    return torch.tensor(columns, device=DEVICE).T


def words_of(leaves: Leaves, sentence: int) -> list[Tensor]:
    """Pick the words of one sentence out of the packed rows."""
    lengths, rows, first = leaves.lengths.tolist(), [], 0
    for word in range(lengths[sentence]):
        rows.append(leaves.states[first + sentence])
        first += sum(length > word for length in lengths)
    return rows


def run_reference(
    encoder: SPINN, leaves: Leaves, given: list[Tree] | None, copies: int
) -> list[reference.PlainEncoding]:
    count = len(leaves.lengths) * copies
    return [
        reference.encode(encoder, words_of(leaves, column // copies), given and given[column])
        for column in range(count)
    ]


def taken_by(encoding: Encoding, lengths: list[int], copies: int = 1) -> list[Tree]:
    """Read the transitions of each column; what lies behind them must be padding."""
    assert encoding.transitions is not None
    result = []
    for column, steps in enumerate(encoding.transitions.T.tolist()):
        end = 2 * lengths[column // copies] - 1
        assert steps[end:] == [PAD] * (len(steps) - end)
        result.append(steps[:end])
    return result


def gradients(loss: Tensor, encoder: SPINN, leaves: Leaves) -> list[Tensor]:
    weights = [leaves.states, *encoder.parameters()]
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    return [
        torch.zeros_like(weight) if gradient is None else gradient
        for weight, gradient in zip(weights, found, strict=True)
    ]


def assert_same(actual: Tensor | list[Tensor], expected: Tensor | list[Tensor]) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


# Equality with the reference.


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("engine", ["auto", "reference"])
@given(batch=batches, copies=st.integers(1, 3), seed=seeds, pooling=st.sampled_from(POOLINGS))
@example(batch=[[S]], copies=1, seed=0, pooling="max")
@example(batch=[[S, S, R]], copies=2, seed=1, pooling="root")
@example(batch=[[S, S, S, R, R], [S, S, R, S, R], [S], [S]], copies=1, seed=2, pooling="max")
@example(batch=[[S, S, S, R, R, S, S, R, R], [S, S, R], [S]], copies=3, seed=3, pooling="root")
@settings(max_examples=examples(25))
def test_outputs_and_gradients_are_those_of_the_reference(
    form, engine, cell, batch, copies, seed, pooling
):
    options = {"pooling": pooling, "composition": cell, "engine": engine}
    encoder = make_encoder(seed, form.tracker, form.predicts, **options)
    lengths = lengths_of(batch)
    leaves = make_leaves(lengths, seed, encoder.leaf_size)
    torch.manual_seed(seed)
    transitions = padded(batch) if form.choice is Choice.GIVEN else None
    encoding = encoder(leaves, transitions, form.choice, copies=copies)
    taken = taken_by(encoding, lengths, copies)
    if form.choice is Choice.GIVEN:
        assert taken == [tree for tree in batch for _ in range(copies)]

    # What was sampled is replayed; greedy trees the reference finds by itself.
    replay = None if form.choice is Choice.GREEDY else taken
    plain = run_reference(encoder, leaves, replay, copies)
    assert [one.transitions for one in plain] == taken
    assert_same(encoding.sentences, torch.stack([one.sentence for one in plain]))
    assert_tracked_the_same(form, encoding, plain)
    losses = batched_loss(encoding, seed), plain_loss(plain, seed)
    ours, theirs = (gradients(loss, encoder, leaves) for loss in losses)
    assert_same(ours, theirs)


@pytest.mark.parametrize("cell", CELLS)
@given(batch=batches, seed=seeds, tracker=st.sampled_from([0, TRACKER]))
@settings(max_examples=examples(25))
def test_engines_agree_where_weights_of_the_composition_are_dropped(cell, batch, seed, tracker):
    lengths, found = lengths_of(batch), []
    for engine in ("auto", "reference"):
        encoder = make_encoder(seed, tracker, composition=cell, dropout=0.4, engine=engine)
        leaves = make_leaves(lengths, seed, encoder.leaf_size)
        torch.manual_seed(seed)
        encoding = encoder(leaves, padded(batch))
        found.append(
            [encoding.sentences, *gradients(batched_loss(encoding, seed), encoder, leaves)]
        )
    assert_same(*found)


def assert_tracked_the_same(
    form: Form, encoding: Encoding, plain: list[reference.PlainEncoding]
) -> None:
    """Compare the tracker's states and log-probabilities; behind a sentence both are zero."""
    assert (encoding.tracker is not None) == bool(form.tracker)
    assert (encoding.policy is not None) == form.predicts
    for column, one in enumerate(plain):
        steps = len(one.transitions)
        if encoding.tracker is not None:
            states = encoding.tracker[:, column]
            assert_same(states[:steps], torch.stack(one.states))
            assert not states[steps:].any()
        if encoding.policy is not None:
            scores = encoding.policy.log_probability(encoding.transitions)[:, column]
            assert_same(scores[:steps], torch.stack(one.log_probabilities))
            assert not scores[steps:].any()


def loss_weights(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Give every output ``[count, H]`` and every sentence's transitions a weight of its own."""
    generator = torch.Generator().manual_seed(seed + 2)
    drawn = torch.randn(count, HIDDEN + 1, dtype=torch.float64, generator=generator).to(DEVICE)
    return drawn[:, :HIDDEN], drawn[:, HIDDEN]


def batched_loss(encoding: Encoding, seed: int) -> Tensor:
    outputs, advantages = loss_weights(len(encoding.sentences), seed)
    loss = (encoding.sentences * outputs).sum()
    if encoding.policy is not None:
        steps = encoding.policy.log_probability(encoding.transitions)
        loss = loss - (steps.sum(dim=0) * advantages).sum()
    return loss


def plain_loss(plain: list[reference.PlainEncoding], seed: int) -> Tensor:
    loss = torch.zeros((), dtype=torch.float64, device=DEVICE)
    for one, outputs, advantage in zip(plain, *loss_weights(len(plain), seed), strict=True):
        loss = loss + (one.sentence * outputs).sum()
        loss = loss - advantage * sum(one.log_probabilities)
    return loss


def test_tracker_state_enters_the_composition():
    encoder = make_encoder(0)
    leaves = make_leaves([2], 0)
    before = encoder(leaves, padded([[S, S, R]])).sentences
    with torch.no_grad():
        encoder.tracker.cell.bias_hh += 1.0
    assert not torch.allclose(encoder(leaves, padded([[S, S, R]])).sentences, before)


def test_encoder_runs_in_float32_and_without_gradient():
    encoder = make_encoder(0).float()
    lengths = [3, 2]
    wide = make_leaves(lengths, 0)
    leaves = Leaves(wide.states.detach().float(), wide.lengths)
    with torch.no_grad():
        encoding = encoder(leaves, None, Choice.GREEDY)
    plain = run_reference(encoder, leaves, None, 1)
    assert encoding.sentences.dtype == torch.float32
    assert not encoding.sentences.requires_grad
    torch.testing.assert_close(encoding.sentences, torch.stack([one.sentence for one in plain]))


# Who chooses.


EXTREMES: dict[str, Callable[[SPINN], None]] = {
    "always reduce": lambda encoder: set_scores(encoder, 1e30, -1e30),
    "always shift": lambda encoder: set_scores(encoder, -1e30, 1e30),
    "both huge": lambda encoder: set_scores(encoder, 1e30, 1e30),
    "both tiny": lambda encoder: set_scores(encoder, -1e30, -1e30),
    "steep": lambda encoder: encoder.tracker.score.weight.data.mul_(1e6),
    "as drawn": lambda encoder: None,
}


def set_scores(encoder: SPINN, reduce: float, shift: float) -> None:
    encoder.tracker.score.bias.data.copy_(torch.tensor([reduce, shift]))


@pytest.mark.parametrize("choice", [Choice.GREEDY, Choice.SAMPLED])
@pytest.mark.parametrize("extreme", EXTREMES.values(), ids=EXTREMES)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), seed=seeds)
@settings(max_examples=examples(10))
def test_chosen_transitions_are_trees_whatever_the_scores(extreme, choice, lengths, seed):
    lengths.sort(reverse=True)
    encoder = make_encoder(seed).float()
    extreme(encoder)
    states = make_leaves(lengths, seed).states.detach().float()
    torch.manual_seed(seed)
    encoding = encoder(Leaves(states, torch.tensor(lengths)), None, choice, copies=2)
    for column, tree in enumerate(taken_by(encoding, lengths, 2)):
        check(tree, lengths[column // 2])
    encoding.policy.log_probability(encoding.transitions).sum().backward()
    assert all(
        weight.grad is None or weight.grad.isfinite().all() for weight in encoder.parameters()
    )


def test_certain_scores_give_the_trees_they_ask_for():
    encoder = make_encoder(0)
    lengths = [5, 3, 1]
    leaves = make_leaves(lengths, 0)
    for choice in (Choice.GREEDY, Choice.SAMPLED):
        set_scores(encoder, 1e30, -1e30)
        left = taken_by(encoder(leaves, None, choice), lengths)
        assert left == [[S] + [S, R] * (length - 1) for length in lengths]
        set_scores(encoder, -1e30, 1e30)
        right = taken_by(encoder(leaves, None, choice), lengths)
        assert right == [[S] * length + [R] * (length - 1) for length in lengths]


def test_samples_differ_between_copies_and_repeat_with_the_seed():
    encoder = make_encoder(0)
    lengths = [8, 7]
    leaves = make_leaves(lengths, 0)
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        runs.append(taken_by(encoder(leaves, None, Choice.SAMPLED, copies=8), lengths, 8))
    assert runs[0] == runs[1] != runs[2]
    assert len({tuple(tree) for tree in runs[0][:8]}) > 1


@given(batch=batches, seed=seeds)
@settings(max_examples=examples(20))
def test_own_share_goes_from_the_given_trees_to_the_trackers(batch, seed):
    encoder = make_encoder(seed)
    lengths = lengths_of(batch)
    leaves = make_leaves(lengths, seed)
    transitions = padded(batch)
    taught, greedy = encoder(leaves, transitions), encoder(leaves, None, Choice.GREEDY)
    for share, expected in ((0.0, taught), (1.0, greedy)):
        mixed = encoder(leaves, transitions, own_share=share)
        assert taken_by(mixed, lengths) == taken_by(expected, lengths)
        assert_same(mixed.sentences, expected.sentences)
    torch.manual_seed(seed)
    half = encoder(leaves, transitions, own_share=0.5, copies=3)
    taken = taken_by(half, lengths, 3)
    for column, tree in enumerate(taken):
        check(tree, lengths[column // 3])
    plain = run_reference(encoder, leaves, taken, 3)
    assert_same(half.sentences, torch.stack([one.sentence for one in plain]))


def test_own_share_of_a_half_follows_both():
    encoder = make_encoder(0)
    set_scores(encoder, 1e30, -1e30)  # the tracker's trees branch to the left
    lengths = [8]
    teacher = padded([right_branching(8).tolist()])
    torch.manual_seed(0)
    encoding = encoder(make_leaves(lengths, 0), teacher, own_share=0.5, copies=50)
    assert len({tuple(tree) for tree in taken_by(encoding, lengths, 50)}) > 10


def test_own_share_means_nothing_to_a_tracker_that_does_not_predict():
    encoder = make_encoder(0, predicts=False)
    batch = [[S, S, R, S, R]]
    leaves = make_leaves([3], 0)
    assert taken_by(encoder(leaves, padded(batch), own_share=1.0), [3]) == batch


@pytest.mark.parametrize("tracker", [0, TRACKER])
def test_transitions_may_be_left_in_their_small_type(tracker):
    encoder = make_encoder(0, tracker)
    leaves = make_leaves([3, 1], 0)
    batch = padded([[S, S, S, R, R], [S]])
    encoding = encoder(leaves, batch.to(torch.int8))
    assert_same(encoding.sentences, encoder(leaves, batch).sentences)
    assert torch.equal(encoding.transitions.long(), batch)


# Errors.


def test_missing_transitions_are_an_error():
    with pytest.raises(ValueError, match="given transitions"):
        make_encoder(0)(make_leaves([2], 0))


@pytest.mark.parametrize("choice", [Choice.GREEDY, Choice.SAMPLED])
@pytest.mark.parametrize("tracker", [0, TRACKER])
def test_choosing_without_a_predicting_tracker_is_an_error(choice, tracker):
    encoder = make_encoder(0, tracker, predicts=False)
    with pytest.raises(ValueError, match="no tracker that predicts"):
        encoder(make_leaves([2], 0), None, choice)


# Depth.


@pytest.mark.parametrize("tracker", [0, TRACKER])
def test_a_right_branching_sentence_of_2000_words(tracker):
    encoder = make_encoder(0, tracker)
    leaves = make_leaves([2000, 1], 0)
    transitions = padded([right_branching(2000).tolist(), [S]])
    sentences = encoder(leaves, transitions).sentences
    assert sentences.isfinite().all()
    found = gradients(sentences.sum(), encoder, leaves)
    assert all(gradient.isfinite().all() for gradient in found)
    assert found[0][:2].any()
