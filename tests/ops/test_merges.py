"""Merging neighbours: what each layer makes, that nothing is composed twice, and its gradients.

The gradients of whole sentences are held against the plain encoder in ``model/test_gumbel.py``.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from machine import DEVICE, again, examples
from torch import Tensor

from spinn.model.cells import TreeLSTM
from spinn.model.types import Leaves
from spinn.ops import merges
from spinn.ops.tree_lstm import Rows

HIDDEN = 3

ragged = (
    st.lists(st.integers(1, 8), min_size=1, max_size=5)
    .map(lambda lengths: sorted(lengths, reverse=True))
    .filter(lambda lengths: lengths[0] > 1)
)


class Setting:
    """Leaves, a cell and a query in float64, with noise if a temperature is given."""

    def __init__(self, lengths: list[int], seed: int, temperature: float | None = None) -> None:
        generator = torch.Generator().manual_seed(seed)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(*shape, dtype=torch.float64, generator=generator).to(DEVICE)

        self.leaves = Leaves.of_lengths(drawn(sum(lengths), 2 * HIDDEN), torch.tensor(lengths))
        self.leaves.states.requires_grad_()
        self.cell = TreeLSTM(HIDDEN).double()
        for weight in self.cell.parameters():
            torch.nn.init.normal_(weight, generator=generator)
        self.cell.to(DEVICE)
        self.query = drawn(HIDDEN).requires_grad_()
        depth = lengths[0] - 1
        self.noise = None if temperature is None else drawn(depth, len(lengths), depth)
        self.temperature = temperature or 1.0

    @property
    def weights(self) -> list[Tensor]:
        return [self.leaves.states, *self.cell.parameters(), self.query]

    def run(self) -> tuple[Tensor, Tensor]:
        leaves = self.leaves
        return merges.merge(
            leaves.states,
            leaves.rows.to(DEVICE),
            leaves.lengths,
            self.cell.draw(),
            self.query,
            self.noise,
            self.temperature,
        )


@pytest.mark.parametrize("temperature", [None, 1.0])
@given(lengths=ragged, seed=st.integers(0, 999))
@example(lengths=[2], seed=0)
@example(lengths=[3, 1], seed=0)
@settings(max_examples=examples(40), deadline=None)
def test_each_layer_merges_the_pair_that_scores_best(temperature, lengths, seed):
    toy = Setting(lengths, seed, temperature)
    phrases, places = toy.run()
    assert phrases.shape == (lengths[0] - 1, len(lengths), HIDDEN)
    for sentence, length in enumerate(lengths):
        nodes = toy.leaves.states[toy.leaves.rows[:length, sentence]]
        for layer in range(length - 1):
            made = toy.cell(nodes[:-1], nodes[1:])
            scores = made[:, :HIDDEN] @ toy.query
            if toy.noise is not None:
                scores = scores + toy.noise[layer, sentence, : len(scores)]
            place = int(scores.argmax())
            assert places[layer, sentence] == place
            torch.testing.assert_close(phrases[layer, sentence], made[place, :HIDDEN])
            nodes = torch.cat([nodes[:place], made[place, None], nodes[place + 2 :]])
        assert (places[length - 1 :, sentence] == -1).all()
        assert not phrases[length - 1 :, sentence].any()


def test_only_what_is_new_is_composed(monkeypatch):
    """All pairs of words, and then what a merge brings together: two pairs a sentence at most."""
    composed = []
    compose = Rows.compose

    def counted(rows, children):
        composed.append(len(children))
        return compose(rows, children)

    monkeypatch.setattr(Rows, "compose", counted)
    Setting([30, 30, 10], 0).run()
    assert composed[0] == 29 + 29 + 9
    assert len(composed) == 29
    assert all(count <= 6 for count in composed[1:9])
    assert all(count <= 4 for count in composed[9:])


def test_a_graph_can_be_gone_back_through_twice():
    toy = Setting([5, 4, 1], 1, 0.5)
    loss = toy.run()[0].square().sum()
    first = torch.autograd.grad(loss, toy.weights, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(loss, toy.weights), first, **again(1e-9))


def test_the_choice_between_two_pairs_has_the_gradient_worked_out_by_hand():
    """Of three words, where a choice decides what stands left and right in the last pair."""
    toy = Setting([3], 4, 1.7)
    phrases, places = toy.run()
    loss = phrases[1].sum()  # of the root alone
    (found,) = torch.autograd.grad(loss, toy.query)
    nodes = toy.leaves.states.detach()
    made = toy.cell(nodes[:-1], nodes[1:]).detach()
    hard = torch.nn.functional.one_hot(places[0, 0], 2).double()
    choice = hard.clone().requires_grad_()
    # With the first pair chosen, the layer is (pair, third word); with the second, (word, pair).
    left = choice[0] * made[0] + choice[1] * nodes[0]
    right = choice[0] * nodes[2] + choice[1] * made[1]
    root = toy.cell(left[None], right[None])[0, :HIDDEN].sum()
    (by_choice,) = torch.autograd.grad(root, choice)
    assert toy.noise is not None
    scores = made[:, :HIDDEN] @ toy.query.detach() + toy.noise[0, 0]
    soft = (scores / toy.temperature).softmax(dim=0)
    by_score = soft * (by_choice - soft @ by_choice) / toy.temperature
    torch.testing.assert_close(found, by_score @ made[:, :HIDDEN])
