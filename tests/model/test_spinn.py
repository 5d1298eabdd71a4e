"""SPINN over a batch: equal to the reference, always valid trees, clear errors, depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from machine import DEVICE, examples
from torch import Tensor

from spinn.extensions.gated_recursion import GatedRecursiveCell
from spinn.model import reference
from spinn.model.cells import TreeLSTM
from spinn.model.fixed import FixedSPINN
from spinn.model.spinn import SPINN, SPINNByHeight
from spinn.model.tracker import Blind, Tracker
from spinn.model.types import Encoding, Leaves, Plan
from spinn.ops.heights import heights_of
from spinn.transitions import Transition, check, right_branching

S, R, PAD = int(Transition.SHIFT), int(Transition.REDUCE), int(Transition.PAD)
HIDDEN, TRACKER = 3, 4
POOLINGS = ("root", "max", "max-all")
CELLS = (TreeLSTM, GatedRecursiveCell)
AnySPINN = SPINN | SPINNByHeight
Tree = list[int]


@dataclass(frozen=True)
class Form:
    """One of the published models, as the encoder sees it."""

    tracker: int
    predicts: bool
    choice: str


FORMS = {
    "SPINN-PI-NT": Form(0, False, "given"),
    "SPINN-PI": Form(TRACKER, False, "given"),
    "SPINN, taught": Form(TRACKER, True, "given"),
    "SPINN, predicting": Form(TRACKER, True, "greedy"),
    "RL-SPINN": Form(TRACKER, True, "sampled"),
}
# Ways to compute the same: with the fast node table, by autograd alone, and by height.
CASES = [(form, way) for form in FORMS for way in ("fast", "plain")]
CASES.append(("SPINN-PI-NT", "by height"))
CASES += [(form, "replayed") for form in FORMS if form != "SPINN-PI-NT"]
CASES.append(("SPINN, taught", "fixed"))
WITHOUT_PREDICTIONS = [(0, "by height"), (0, "fast"), (0, "plain"), (TRACKER, "fast")]


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


def make_encoder(
    seed: int,
    tracker: int = TRACKER,
    predicts: bool = True,
    *,
    way: str = "fast",
    cell: type[TreeLSTM | GatedRecursiveCell] = TreeLSTM,
    dropout: float = 0.0,
    **options: Any,
) -> Any:
    """Make an encoder in float64 whose weights are large enough for every gate to matter."""
    composition = cell(HIDDEN, tracker, dropout=dropout)
    encoder: AnySPINN
    if way == "by height":
        encoder = SPINNByHeight(composition, **options)
    else:
        watching = Tracker(HIDDEN, tracker, predicts=predicts) if tracker else None
        if way in ("fixed", "replayed"):
            encoder = FixedSPINN(composition, watching, replayed=way == "replayed", **options)
        else:
            encoder = SPINN(composition, watching, plain=way == "plain", **options)
    generator = torch.Generator().manual_seed(seed)
    for weights in encoder.double().parameters():
        torch.nn.init.normal_(weights, std=0.7, generator=generator)
    return encoder.to(DEVICE)


def make_leaves(lengths: list[int], seed: int, width: int = 2 * HIDDEN) -> Leaves:
    generator = torch.Generator().manual_seed(seed + 1)
    states = torch.randn(sum(lengths), width, dtype=torch.float64, generator=generator)
    return Leaves.of_lengths(states.to(DEVICE).requires_grad_(), torch.tensor(lengths))


def lengths_of(batch: list[Tree]) -> list[int]:
    return [(len(tree) + 1) // 2 for tree in batch]


def padded(batch: list[Tree]) -> Tensor:
    """Return trees side by side, ``[T, B]``."""
    steps = len(batch[0])
    columns = [tree + [PAD] * (steps - len(tree)) for tree in batch]
    return torch.tensor(columns, device=DEVICE).T


def plan_for(choice: str, transitions: Tensor) -> Plan:
    plans = {"given": Plan.given(transitions), "greedy": Plan(), "sampled": Plan.sampled()}
    return plans[choice]


def words_of(leaves: Leaves, sentence: int) -> list[Tensor]:
    """Return the leaves of one sentence, found among the packed rows by counting."""
    lengths, rows, first = leaves.sentences.lengths.tolist(), [], 0
    for word in range(lengths[sentence]):
        rows.append(leaves.states[first + sentence])
        first += sum(length > word for length in lengths)
    return rows


def run_reference(
    encoder: AnySPINN, leaves: Leaves, given: list[Tree] | None
) -> list[reference.SentenceEncoding]:
    """Encode each copy of each sentence by itself."""
    tracker = getattr(encoder, "tracker", None)
    return [
        reference.encode(
            words_of(leaves, column // leaves.copies),
            encoder.composition,
            tracker if isinstance(tracker, Tracker) else None,
            given and given[column],
            pooling=encoder.pooling,
        )
        for column in range(len(leaves.lengths))
    ]


def taken_by(encoding: Encoding, leaves: Leaves) -> list[Tree]:
    """Return the transitions of each column; those past its end must be padding."""
    assert encoding.transitions is not None
    result = []
    for length, steps in zip(leaves.lengths.tolist(), encoding.transitions.T.tolist(), strict=True):
        end = 2 * length - 1
        assert steps[end:] == [PAD] * (len(steps) - end)
        result.append(steps[:end])
    return result


def gradients(loss: Tensor, encoder: AnySPINN, leaves: Leaves) -> list[Tensor]:
    weights = [leaves.states, *encoder.parameters()]
    found = torch.autograd.grad(loss, weights, materialize_grads=True, allow_unused=True)
    return list(found)


def assert_same(actual: Tensor | list[Tensor], expected: Tensor | list[Tensor]) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


# Equality with the reference.


@pytest.mark.parametrize(("name", "way"), CASES)
@pytest.mark.parametrize("cell", CELLS)
@given(batch=batches, copies=st.integers(1, 3), seed=seeds, pooling=st.sampled_from(POOLINGS))
@example(batch=[[S]], copies=1, seed=0, pooling="max")
@example(batch=[[S, S, R]], copies=2, seed=1, pooling="root")
@example(batch=[[S, S, S, R, R], [S, S, R, S, R], [S], [S]], copies=1, seed=2, pooling="max")
@example(batch=[[S, S, S, R, R, S, S, R, R], [S, S, R], [S]], copies=3, seed=3, pooling="root")
@settings(max_examples=examples(25))
def test_outputs_and_gradients_are_those_of_the_reference(
    name, way, cell, batch, copies, seed, pooling
):
    form = FORMS[name]
    if way in ("fixed", "replayed") and cell is not TreeLSTM:
        return  # it knows the tree-LSTM alone
    encoder = make_encoder(seed, form.tracker, form.predicts, way=way, cell=cell, pooling=pooling)
    leaves = make_leaves(lengths_of(batch), seed, encoder.leaf_size).repeat(copies)
    repeated = [tree for tree in batch for _ in range(copies)]
    torch.manual_seed(seed)
    encoding = encoder(leaves, plan_for(form.choice, padded(repeated)))
    taken = taken_by(encoding, leaves)
    if form.choice == "given":
        assert taken == repeated

    # Sampled transitions are replayed; the reference finds greedy trees by itself.
    plain = run_reference(encoder, leaves, None if form.choice == "greedy" else taken)
    assert [one.transitions for one in plain] == taken
    assert_same(encoding.sentences, torch.stack([one.sentence for one in plain]))
    assert (encoding.policy is not None) == form.predicts
    if way == "by height":
        assert encoding.tracker is None
    else:
        assert encoding.tracker.shape == (len(padded(batch)), len(repeated), form.tracker)
        assert_tracked_the_same(encoding, plain)
    losses = batched_loss(encoding, seed), plain_loss(plain, seed)
    ours, theirs = (gradients(loss, encoder, leaves) for loss in losses)
    assert_same(ours, theirs)


def assert_tracked_the_same(encoding: Encoding, plain: list[reference.SentenceEncoding]) -> None:
    """Compare the tracker's states and log-probabilities; past the end both are zero."""
    assert encoding.tracker is not None
    for column, one in enumerate(plain):
        steps, states = len(one.transitions), encoding.tracker[:, column]
        if one.states:
            assert_same(states[:steps], torch.stack(one.states))
        assert not states[steps:].any()
        if encoding.policy is not None:
            log_probs = encoding.policy.log_prob(encoding.transitions)[:, column]
            assert_same(log_probs[:steps], torch.stack(one.log_probs))
            assert not log_probs[steps:].any()


def loss_weights(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw a weight for every output ``[count, H]`` and for every sentence's transitions."""
    generator = torch.Generator().manual_seed(seed + 2)
    drawn = torch.randn(count, HIDDEN + 1, dtype=torch.float64, generator=generator).to(DEVICE)
    return drawn[:, :HIDDEN], drawn[:, HIDDEN]


def batched_loss(encoding: Encoding, seed: int) -> Tensor:
    outputs, advantages = loss_weights(len(encoding.sentences), seed)
    loss = (encoding.sentences * outputs).sum()
    if encoding.policy is not None:
        steps = encoding.policy.log_prob(encoding.transitions)
        loss = loss - (steps.sum(dim=0) * advantages).sum()
    return loss


def plain_loss(plain: list[reference.SentenceEncoding], seed: int) -> Tensor:
    loss = torch.zeros((), dtype=torch.float64, device=DEVICE)
    for one, outputs, advantage in zip(plain, *loss_weights(len(plain), seed), strict=True):
        loss = loss + (one.sentence * outputs).sum()
        loss = loss - advantage * sum(one.log_probs)
    return loss


@pytest.mark.parametrize("cell", CELLS)
@given(batch=batches, seed=seeds, tracker=st.sampled_from([0, TRACKER]))
@settings(max_examples=examples(25))
def test_all_ways_agree_where_weights_of_the_composition_are_dropped(cell, batch, seed, tracker):
    lengths, found = lengths_of(batch), []
    for way in ("plain", "fast") if tracker else ("plain", "fast", "by height"):
        encoder = make_encoder(seed, tracker, way=way, cell=cell, dropout=0.4)
        leaves = make_leaves(lengths, seed, encoder.leaf_size)
        torch.manual_seed(seed)
        encoding = encoder(leaves, Plan.given(padded(batch)))
        found.append(
            [encoding.sentences, *gradients(batched_loss(encoding, seed), encoder, leaves)]
        )
    for other in found[1:]:
        assert_same(other, found[0])


@given(batch=batches, seed=seeds, pooling=st.sampled_from(POOLINGS))
@settings(max_examples=examples(25))
def test_by_height_it_makes_no_difference_who_orders_the_compositions(batch, seed, pooling):
    encoder = make_encoder(seed, 0, way="by height", pooling=pooling)
    leaves, transitions = make_leaves(lengths_of(batch), seed), padded(batch)
    heights = heights_of(transitions.cpu().numpy(), leaves.lengths.numpy()).to(DEVICE)
    ordered, unordered = (
        encoder(leaves, Plan.given(transitions, given)) for given in (heights, None)
    )
    assert_same(ordered.sentences, unordered.sentences)
    assert torch.equal(ordered.transitions, unordered.transitions)


def test_tracker_state_enters_the_composition():
    encoder = make_encoder(0)
    leaves, plan = make_leaves([2], 0), Plan.given(padded([[S, S, R]]))
    before = encoder(leaves, plan).sentences
    with torch.no_grad():
        encoder.tracker.cell.bias_hh += 1.0
    assert not torch.allclose(encoder(leaves, plan).sentences, before)


def test_what_an_encoder_says_about_itself():
    for cell in CELLS:
        for way in ("fast", "by height"):
            encoder = make_encoder(0, 0, way=way, cell=cell)
            assert encoder.leaf_size == encoder.composition.state_size
            assert encoder.output_size == HIDDEN
            assert encoder.by_height == (way == "by height")
            assert encoder.parser is None
    assert isinstance(make_encoder(0, 0).tracker, Blind)
    watching = make_encoder(0)
    assert watching.policy is watching.tracker
    assert make_encoder(0, 0, way="by height").policy is None


def test_encoder_runs_in_float32_and_without_gradient():
    encoder = make_encoder(0).float()
    wide = make_leaves([3, 2], 0)
    leaves = Leaves.of_lengths(wide.states.detach().float(), wide.lengths)
    with torch.no_grad():
        encoding = encoder(leaves, Plan())
    plain = run_reference(encoder, leaves, None)
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


@pytest.mark.parametrize("plan", [Plan(), Plan.sampled()], ids=["greedy", "sampled"])
@pytest.mark.parametrize("extreme", EXTREMES.values(), ids=EXTREMES)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), seed=seeds)
@settings(max_examples=examples(10))
def test_chosen_transitions_are_trees_whatever_the_scores(extreme, plan, lengths, seed):
    lengths.sort(reverse=True)
    encoder = make_encoder(seed).float()
    extreme(encoder)
    states = make_leaves(lengths, seed).states.detach().float()
    leaves = Leaves.of_lengths(states, torch.tensor(lengths)).repeat(2)
    torch.manual_seed(seed)
    encoding = encoder(leaves, plan)
    for column, tree in enumerate(taken_by(encoding, leaves)):
        check(tree, lengths[column // 2])
    encoding.policy.log_prob(encoding.transitions).sum().backward()
    assert all(
        weight.grad is None or weight.grad.isfinite().all() for weight in encoder.parameters()
    )


def test_certain_scores_give_the_trees_they_ask_for():
    encoder = make_encoder(0)
    lengths = [5, 3, 1]
    leaves = make_leaves(lengths, 0)
    for plan in (Plan(), Plan.sampled()):
        set_scores(encoder, 1e30, -1e30)
        left = taken_by(encoder(leaves, plan), leaves)
        assert left == [[S] + [S, R] * (length - 1) for length in lengths]
        set_scores(encoder, -1e30, 1e30)
        right = taken_by(encoder(leaves, plan), leaves)
        assert right == [[S] * length + [R] * (length - 1) for length in lengths]


def test_without_a_plan_the_most_probable_transitions_are_taken():
    encoder, leaves = make_encoder(0), make_leaves([7, 5, 2], 0)
    encoding, expected = encoder(leaves), encoder(leaves, Plan())
    assert torch.equal(encoding.transitions, expected.transitions)
    assert torch.equal(encoder.parse(leaves, Plan()).transitions, expected.transitions)


def test_samples_differ_between_copies_and_repeat_with_the_seed():
    encoder = make_encoder(0)
    leaves = make_leaves([8, 7], 0).repeat(8)
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        runs.append(taken_by(encoder(leaves, Plan.sampled()), leaves))
    assert runs[0] == runs[1] != runs[2]
    assert len({tuple(tree) for tree in runs[0][:8]}) > 1


@given(batch=batches, seed=seeds)
@settings(max_examples=examples(20))
def test_a_mixed_plan_goes_from_the_given_trees_to_the_trackers(batch, seed):
    encoder = make_encoder(seed)
    leaves, transitions = make_leaves(lengths_of(batch), seed), padded(batch)
    taught, greedy = encoder(leaves, Plan.given(transitions)), encoder(leaves, Plan())
    for share, expected in ((0.0, taught), (1.0, greedy)):
        mixed = encoder(leaves, Plan.mixed(transitions, share))
        assert taken_by(mixed, leaves) == taken_by(expected, leaves)
        assert_same(mixed.sentences, expected.sentences)
    copies = leaves.repeat(3)
    torch.manual_seed(seed)
    half = encoder(copies, Plan.mixed(transitions.repeat_interleave(3, dim=1), 0.5))
    taken = taken_by(half, copies)
    for length, tree in zip(copies.lengths.tolist(), taken, strict=True):
        check(tree, length)
    plain = run_reference(encoder, copies, taken)
    assert_same(half.sentences, torch.stack([one.sentence for one in plain]))


def test_a_share_of_a_half_follows_both():
    encoder = make_encoder(0)
    set_scores(encoder, 1e30, -1e30)  # the tracker's trees branch to the left
    leaves = make_leaves([8], 0).repeat(50)
    teacher = padded([right_branching(8).tolist()] * 50)
    torch.manual_seed(0)
    encoding = encoder(leaves, Plan.mixed(teacher, 0.5))
    assert len({tuple(tree) for tree in taken_by(encoding, leaves)}) > 10


def test_a_tracker_that_does_not_predict_has_no_share():
    encoder = make_encoder(0, predicts=False)
    batch = [[S, S, R, S, R]]
    leaves = make_leaves([3], 0)
    assert taken_by(encoder(leaves, Plan.mixed(padded(batch), 1.0)), leaves) == batch


@pytest.mark.parametrize(("tracker", "way"), WITHOUT_PREDICTIONS)
def test_transitions_may_be_left_in_their_small_type(tracker, way):
    encoder = make_encoder(0, tracker, way=way)
    leaves = make_leaves([3, 1], 0)
    batch = padded([[S, S, S, R, R], [S]])
    encoding = encoder(leaves, Plan.given(batch.to(torch.int8)))
    assert_same(encoding.sentences, encoder(leaves, Plan.given(batch)).sentences)
    assert torch.equal(encoding.transitions.long(), batch)


# Errors.


@pytest.mark.parametrize("plan", [None, Plan(), Plan.sampled()], ids=["no plan", "best", "sampled"])
@pytest.mark.parametrize(("tracker", "way"), WITHOUT_PREDICTIONS)
def test_choosing_without_a_predicting_tracker_is_an_error(plan, tracker, way):
    encoder = make_encoder(0, tracker, predicts=False, way=way)
    with pytest.raises(ValueError, match="no tracker that predicts transitions; give them"):
        encoder(make_leaves([2], 0), plan)


# Depth.


@pytest.mark.parametrize(("tracker", "way"), [(0, "by height"), (0, "fast"), (TRACKER, "fast")])
def test_a_right_branching_sentence_of_2000_words(tracker, way):
    encoder = make_encoder(0, tracker, way=way)
    leaves = make_leaves([2000, 1], 0)
    transitions = padded([right_branching(2000).tolist(), [S]])
    sentences = encoder(leaves, Plan.given(transitions)).sentences
    assert sentences.isfinite().all()
    found = gradients(sentences.sum(), encoder, leaves)
    assert all(gradient.isfinite().all() for gradient in found)
    assert found[0][:2].any()
