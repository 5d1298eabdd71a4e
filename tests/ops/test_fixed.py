"""Fixed shapes: nothing waits for the device, and gradients pass gradcheck."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from machine import DEVICE, gradcheck
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from spinn.model.cells import TreeLSTM
from spinn.model.fixed import FixedSPINN, grid
from spinn.model.tracker import Tracker
from spinn.model.types import Leaves, Plan
from spinn.ops.fixed import Weights, run
from spinn.transitions import Transition

S, R, PAD = int(Transition.SHIFT), int(Transition.REDUCE), int(Transition.PAD)
TREES = torch.tensor([[S, S, R, S, R], [S, S, S, R, R], [S, S, R, PAD, PAD]]).T
GIVEN = TREES.to(DEVICE)
PADDED = torch.cat([GIVEN, torch.full((2, 3), PAD, device=DEVICE)])
LENGTHS = torch.tensor([3, 3, 2])


class Waiting(TorchDispatchMode):
    """Refuse operations that make the host wait for the device, as their result is needed there."""

    FORBIDDEN = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "item", "is_nonzero")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masks = [
            index
            for argument in args
            if isinstance(argument, (list, tuple))
            for index in argument
            if isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)
        ]
        if name in self.FORBIDDEN or (name.startswith(("index", "_index")) and masks):
            raise AssertionError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


def encoder(predicts: bool = True, size: int = 4) -> FixedSPINN:
    torch.manual_seed(1)
    made = FixedSPINN(TreeLSTM(size, 3), Tracker(size, 3, predicts=predicts), replayed=False)
    return made.double().to(DEVICE)


def leaves(size: int = 4) -> Leaves:
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(int(LENGTHS.sum()), 2 * size, generator=generator, dtype=torch.float64)
    return Leaves.of_lengths(states.to(DEVICE).requires_grad_(), LENGTHS)


def test_the_check_finds_what_waits():
    for act in (
        lambda: torch.ones(2).nonzero(),
        lambda: torch.ones(2)[torch.tensor([True, False])],
        lambda: float(torch.ones(1)),
        lambda: torch.ones(2).masked_select(torch.tensor([True, False])),
    ):
        with pytest.raises(AssertionError, match="waits"), Waiting():
            act()


@pytest.mark.parametrize("kind", ["given", "greedy", "sampled"])
def test_no_step_waits_for_the_device_forwards_or_backwards(kind):
    made, read = encoder(), leaves()
    plan = {"given": Plan.given(GIVEN), "greedy": Plan(), "sampled": Plan.sampled()}[kind]
    weights = made._weights()
    states = read.states.index_select(0, grid(read, 4).flatten().to(DEVICE))
    choose, lengths = made._follow(plan.choose, PADDED, 5), LENGTHS.to(DEVICE)
    with Waiting():
        hidden, seen, _ = run(states, 4, lengths, weights, choose)
        torch.autograd.grad(hidden.sum() + seen.sum(), [states, weights.compose, weights.track])


def test_gradients_pass_gradcheck():
    made = encoder(size=2)
    parameters = [leaves(2).states, *made.parameters()]

    def sentences(states: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        encoding = made(Leaves.of_lengths(states, LENGTHS), Plan.given(GIVEN))
        assert encoding.policy is not None
        taken = encoding.transitions
        return encoding.sentences, encoding.policy.log_prob(taken)

    assert gradcheck(sentences, tuple(parameters))


def test_gradients_may_have_any_layout_in_memory():
    made, read = encoder(), leaves()
    states = read.states.index_select(0, grid(read, 4).flatten().to(DEVICE))
    choose, lengths = made._follow(Plan.given(GIVEN).choose, PADDED, 5), LENGTHS.to(DEVICE)
    hidden, seen, _ = run(states, 4, lengths, made._weights(), choose)
    above = torch.linspace(-1, 1, seen.numel(), dtype=seen.dtype, device=DEVICE).view_as(seen)
    across = above.mT.contiguous().mT
    found = [
        torch.autograd.grad([hidden.sum(), seen], states, [None, one], retain_graph=True)
        for one in (above, across)
    ]
    torch.testing.assert_close(*found)


def test_rows_past_the_end_of_a_sentence_have_no_influence():
    made = encoder()
    weights = made._weights()
    states = torch.randn(4 * 3, 8, dtype=torch.float64, device=DEVICE)
    changed = states.clone()
    for place in range(4):
        for sentence, length in enumerate(LENGTHS.tolist()):
            if place >= length:
                changed[place * 3 + sentence] = 1e6
    choose = made._follow(Plan.given(GIVEN).choose, PADDED, 5)
    found = []
    for given in (states, changed):
        hidden, seen, one = run(given.requires_grad_(), 4, LENGTHS.to(DEVICE), weights, choose)
        roots = hidden[one["tops"][4]]
        (gradient,) = torch.autograd.grad(roots.sum(), given)
        found.append([roots, seen[:3], gradient])
    torch.testing.assert_close(found[0], found[1])


def test_the_weights_are_those_of_tracker_and_composition():
    made = encoder(predicts=False)
    weights = made._weights()
    assert isinstance(weights, Weights)
    assert isinstance(made.composition.gates, nn.Linear)
    assert torch.equal(weights.compose, made.composition.gates.weight)
    assert not weights.score.any()
