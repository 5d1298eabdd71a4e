"""The shift-reduce machine: views, legal moves and stacks, against Python lists; and its record."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from machine import DEVICE
from torch import Tensor

from spinn.model.machine import Machine, running
from spinn.model.policy import TransitionPolicy
from spinn.model.trace import Trace
from spinn.model.types import Leaves
from spinn.transitions import Transition

S, R, PAD = int(Transition.SHIFT), int(Transition.REDUCE), int(Transition.PAD)
tensor = partial(torch.tensor, device=DEVICE)
ragged = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(
    lambda lengths: sorted(lengths, reverse=True)
)


@dataclass
class Counting:
    """A node table that records what it composes, and numbers the new rows."""

    empty: int
    made: int
    children: list[list[list[int]]] = field(default_factory=list)
    seen: list[Tensor] = field(default_factory=list)

    def compose(self, children: Tensor, tracker: Tensor | None = None) -> Tensor:
        assert tracker is not None
        self.children.append(children.tolist())
        self.seen.append(tracker)
        rows = torch.arange(self.made, self.made + len(children), device=DEVICE)
        self.made += len(children)
        return rows

    def read(self, rows: Tensor) -> Tensor:
        raise AssertionError("nothing is read here")


def load(lengths: list[int], copies: int = 1) -> tuple[Machine, Counting]:
    states = torch.zeros(sum(lengths), 1, device=DEVICE)
    leaves = Leaves.of_lengths(states, torch.tensor(lengths)).repeat(copies)
    empty = 1000
    return Machine.load(leaves, empty), Counting(empty, len(states))


@given(lengths=ragged)
def test_running_counts_the_sentences_with_a_transition_left(lengths):
    expected = [sum(2 * n - 1 > time for n in lengths) for time in range(2 * lengths[0] - 1)]
    assert running(torch.tensor(lengths)) == expected


@given(lengths=ragged, copies=st.integers(1, 2), seed=st.integers(0, 1000))
def test_buffers_and_stacks_are_those_of_python_lists(lengths, copies, seed):
    machine, nodes = load(lengths, copies)
    draw = torch.Generator().manual_seed(seed)
    all_lengths = [length for length in lengths for _ in range(copies)]
    buffers = [words[:n] for words, n in zip(machine.words().T.tolist(), all_lengths, strict=True)]
    stacks: list[list[int]] = [[] for _ in buffers]
    for active in running(torch.tensor(all_lengths)):
        pairs = list(zip(buffers[:active], stacks[:active], strict=True))
        top = [buffer[0] if buffer else nodes.empty for buffer, _ in pairs]
        two = [[nodes.empty, nodes.empty, *stack][-2:] for _, stack in pairs]
        assert machine.view(active).tolist() == [
            [first, second, third] for first, (third, second) in zip(top, two, strict=True)
        ]
        legal = [[len(stack) > 1, bool(buffer)] for buffer, stack in pairs]
        assert machine.legal(active).tolist() == legal
        coins = torch.rand(active, generator=draw).tolist()
        shifts = [
            may_shift and (not may_reduce or coin < 0.5)
            for (may_reduce, may_shift), coin in zip(legal, coins, strict=True)
        ]
        expected = []
        made = nodes.made
        for shift, (buffer, stack) in zip(shifts, pairs, strict=True):
            if shift:
                stack.append(buffer.pop(0))
            else:
                expected.append(stack[-2:])
                stack[-2:] = [made]
                made += 1
        calls = len(nodes.children)
        machine.shift(tensor(shifts))
        machine.reduce(~tensor(shifts), nodes, torch.zeros(active, 0, device=DEVICE))
        assert nodes.children[calls:] == ([expected] if expected else [])
        assert machine.tops(active).tolist() == [stack[-1] for _, stack in pairs]
    assert all(len(stack) == 1 for stack in stacks)
    assert not any(buffers)
    assert machine.tops(len(stacks)).tolist() == [stack[0] for stack in stacks]


def test_words_past_the_end_are_empty():
    machine, nodes = load([3, 1])
    assert machine.words().tolist() == [[0, 1], [2, nodes.empty], [3, nodes.empty]]


def test_the_states_of_those_that_reduce_go_to_the_composition():
    machine, nodes = load([2, 2, 2])
    everyone = torch.ones(3, dtype=torch.bool, device=DEVICE)
    machine.shift(everyone)
    machine.shift(everyone)
    seen = tensor([[1.0], [2.0], [3.0]])
    machine.reduce(tensor([True, False, True]), nodes, seen)
    assert nodes.children == [[[0, 3], [2, 5]]]
    assert nodes.seen[0].tolist() == [[1.0], [3.0]]
    assert machine.tops(3).tolist() == [6, 4, 7]
    assert machine.legal(3).tolist() == [[False, False], [True, False], [False, False]]


# The record.


def trace_of_two(predicts: bool) -> Trace:
    """Record a sentence of two words beside one of one word."""
    trace = Trace(2)
    steps = [([S, S], [0, 1]), ([S], [2]), ([R], [3])]
    for time, (taken, tops) in enumerate(steps):
        logits = torch.full((len(taken), 2), time + 1.0, device=DEVICE)
        policy = TransitionPolicy(logits, torch.ones_like(logits).bool()) if predicts else None
        trace.add(tensor(taken), tensor(tops), policy, logits)
    return trace


@pytest.mark.parametrize("predicts", [False, True])
def test_the_record_is_padded_where_a_sentence_is_over(predicts):
    sentences = torch.zeros(2, 5, device=DEVICE)
    encoding = trace_of_two(predicts).encoding(sentences)
    assert encoding.sentences is sentences
    assert encoding.transitions.tolist() == [[S, S], [S, PAD], [R, PAD]]
    assert encoding.tracker[:, :, 0].tolist() == [[1, 1], [2, 0], [3, 0]]
    assert (encoding.policy is not None) == predicts
    if predicts:
        assert torch.equal(encoding.policy.logits, encoding.tracker)
        assert encoding.policy.running.tolist() == [[True, True], [True, False], [True, False]]


def test_phrases_are_the_rows_made_by_reduce():
    trace = trace_of_two(False)
    assert trace.phrases(9).tolist() == [[9, 9], [9, 9], [3, 9]]
    assert trace.taken.tolist() == [[S, S], [S, PAD], [R, PAD]]
