"""The language model: weight drop against a twin, locked masks, padding, state, modes."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from machine import DEVICE
from torch import Tensor, nn
from torch.nn import functional
from torch.testing import assert_close

from spinn.model import language
from spinn.model.language import (
    DropoutOptions,
    LanguageModel,
    LanguageModelOptions,
    detached,
    locked_dropout,
)

V = 9
SMALL = LanguageModelOptions(embedding_size=4, hidden_size=5, layers=2)
DROPS = DropoutOptions(0.3, 0.2, 0.2, 0.2, 0.5)


def make(
    options: LanguageModelOptions = SMALL, dropout: DropoutOptions | None = None
) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(V, options, dropout).double().to(DEVICE)


def inputs(steps: int = 6, streams: int = 3) -> Tensor:
    return torch.randint(V, (steps, streams), generator=torch.Generator().manual_seed(2)).to(DEVICE)


def lstm_twin(layer: nn.Module, recurrent: Tensor, hidden: Tensor) -> Tensor:
    """Run an LSTM step by step, with the hidden-to-hidden weights given (input, forget, cell)."""
    h = c = hidden.new_zeros(hidden.shape[1], layer.hidden_size)
    outputs = []
    for row in hidden:
        gates = row @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ recurrent.T + layer.bias_hh_l0
        i, f, g, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("tied", [True, False])
def test_without_dropout_it_is_plain_layers(cell, tied):
    model = make(replace(SMALL, cell=cell, tied=tied), DropoutOptions()).train()
    words = inputs()
    hidden = model.embedding(words)
    for layer in model.layers:
        hidden, _ = layer(hidden)
    output = model(words)
    assert torch.equal(output.dropped, hidden)
    weight = model.embedding.weight if tied else model.decoder
    assert_close(model.decode(output.dropped), hidden @ weight.T + model.bias)


def test_weight_drop_equals_a_twin_with_its_mask_gradients_too(monkeypatch):
    model = make(dropout=DropoutOptions(weight_dropout=0.5)).train()
    masks: list[Tensor] = []
    plain = functional.dropout

    def noted(values: Tensor, rate: float) -> Tensor:
        masks.append(plain(torch.ones_like(values), rate))
        return values * masks[-1]

    monkeypatch.setattr(language.functional, "dropout", noted)
    words = inputs()
    model(words).raw.square().sum().backward()
    got = {name: weight.grad.clone() for name, weight in model.named_parameters() if name != "bias"}
    model.zero_grad()
    hidden = model.embedding(words)
    for layer, mask in zip(model.layers, masks, strict=True):
        hidden = lstm_twin(layer, layer.weight_hh_l0 * mask, hidden)
    hidden.square().sum().backward()
    assert len(masks) == 2
    for name, gradient in got.items():
        assert_close(gradient, model.get_parameter(name).grad, rtol=1e-9, atol=1e-9)


def test_one_mask_on_the_weights_serves_all_steps_and_half_of_them_are_kept():
    model = make(replace(SMALL, hidden_size=60), DropoutOptions(weight_dropout=0.5)).train()
    layer, weight = model.layers[0], model.layers[0].weight_hh_l0
    hidden = torch.zeros(2, 1, 4, dtype=torch.float64, device=DEVICE)
    model._run(layer, hidden, None, None)[0].sum().backward()
    assert (weight.grad != 0).double().mean().item() == pytest.approx(0.5, abs=0.05)


def test_training_and_evaluation_alternate_and_copies_work():
    model = make(dropout=DROPS)
    words = inputs()
    keys = list(model.state_dict())
    expected = model.eval()(words).raw
    model.train()(words).raw.sum().backward()
    assert torch.equal(model.eval()(words).raw, expected)
    assert not torch.equal(model.train()(words).raw, expected)
    twin = copy.deepcopy(model).eval()
    assert torch.equal(twin(words).raw, expected)
    assert_close(twin.float()(words).raw, expected.float(), rtol=1e-4, atol=1e-5)
    assert twin.train()(words).raw.dtype == torch.float32
    assert list(twin.state_dict()) == keys
    assert "layers.0.weight_hh_l0" in keys


def test_weight_drop_is_trained():
    model = make(dropout=DropoutOptions(weight_dropout=0.5)).train()
    before = model.layers[0].weight_hh_l0.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model(inputs()).raw.sum().backward()
    optimizer.step()
    assert not torch.equal(model.layers[0].weight_hh_l0, before)
    assert not torch.equal(model.eval()(inputs()).raw, make()(inputs()).raw)


def test_locked_masks_are_constant_in_time_and_differ_between_sequences():
    torch.manual_seed(0)
    dropped = locked_dropout(torch.ones(5, 4, 200), 0.4, True)
    assert (dropped == dropped[:1]).all()
    assert not torch.equal(dropped[0, 0], dropped[0, 1])
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.6])
    assert (dropped == 0).float().mean().item() == pytest.approx(0.4, abs=0.05)
    assert torch.equal(locked_dropout(torch.ones(2, 3, 4), 0.4, False), torch.ones(2, 3, 4))


def test_whole_words_are_dropped_on_the_input_side_only():
    model = make(dropout=DropoutOptions(word_dropout=0.5)).train()
    words = torch.arange(V, device=DEVICE).repeat(3, 1)
    embedded = model._embed(words)
    assert torch.equal(embedded[0], embedded[1])  # all occurrences
    kept = embedded[0].abs().sum(1) > 0
    assert 0 < kept.sum() < V
    assert_close(embedded[0][kept], 2 * model.embedding.weight[kept])
    hidden = torch.ones(1, 4, dtype=torch.float64, device=DEVICE)
    assert_close(model.decode(hidden), hidden @ model.embedding.weight.T)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_padding_changes_nothing_and_lengths_need_no_order(cell):
    model = make(replace(SMALL, cell=cell)).eval()
    words, lengths = inputs(6, 3), torch.tensor([2, 6, 4])
    together = model(words, None, lengths)
    for column, length in enumerate(lengths.tolist()):
        alone = model(words[:length, column : column + 1])
        assert_close(together.raw[:length, column], alone.raw[:, 0])
        assert (together.raw[length:, column] == 0).all()
        for parts, others in zip(together.state, alone.state, strict=True):
            for part, other in zip(parts, others, strict=True):
                assert_close(part[:, column], other[:, 0])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_carried_state_makes_windows_one_stream(cell):
    model = make(replace(SMALL, cell=cell)).eval()
    words = inputs(7, 2)
    first = model(words[:3], model.zero_state(2))
    second = model(words[3:], detached(first.state))
    assert_close(torch.cat([first.raw, second.raw]), model(words).raw)


def test_a_tied_last_layer_is_as_wide_as_an_embedding():
    assert [layer.hidden_size for layer in make().layers] == [5, 4]
    assert [layer.hidden_size for layer in make(replace(SMALL, tied=False)).layers] == [5, 5]
    assert make().decoder is None
