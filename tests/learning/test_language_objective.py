"""The loss of a language model, its penalties, and the state it carries."""

from __future__ import annotations

import torch
from machine import DEVICE
from torch.nn import functional
from torch.testing import assert_close

from spinn.data.streams import IGNORED, TextBatch
from spinn.learning.objectives.language import LanguageObjective, PenaltyOptions
from spinn.model.language import DropoutOptions, LanguageModel, LanguageModelOptions

OPTIONS = LanguageModelOptions(embedding_size=4, hidden_size=5, layers=2)


def make(dropout: DropoutOptions | None = None) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(9, OPTIONS, dropout).double().to(DEVICE)


def batch(steps: int, streams: int, seed: int = 0) -> TextBatch:
    random = torch.Generator().manual_seed(seed)
    inputs, targets = torch.randint(9, (2, steps, streams), generator=random)
    return TextBatch(inputs, targets, None, steps * streams).to(DEVICE)


def test_the_loss_is_the_mean_over_tokens_without_padding():
    model, one = make(), batch(4, 3)
    one.targets[2:, 1] = IGNORED
    result = LanguageObjective(PenaltyOptions(), None)(model, one)
    scores = model.decode(model(one.inputs).raw)
    expected = functional.cross_entropy(
        scores.flatten(0, 1).float(), one.targets.flatten(), ignore_index=IGNORED
    )
    assert_close(result.loss, expected)
    assert_close(result.sums["loss"], 10 * expected.detach())


def test_the_penalties_are_those_of_the_paper():
    model, one = make(DropoutOptions(output_dropout=0.5)).train(), batch(4, 3)
    results = []
    for penalties in (PenaltyOptions(), PenaltyOptions(2.0, 1.0)):
        torch.manual_seed(3)
        results.append(LanguageObjective(penalties, None)(model, one).loss)
    torch.manual_seed(3)
    output = model(one.inputs)
    activation = output.dropped.square().mean()
    temporal = (output.raw[1:] - output.raw[:-1]).square().mean()
    assert_close(
        (results[1] - results[0]).double(), 2 * activation + temporal, rtol=1e-4, atol=1e-6
    )


def test_penalties_leave_padding_out():
    model, one = make(), batch(4, 2)
    one.targets[2:, 1] = IGNORED
    lengths = torch.tensor([4, 2])
    padded = TextBatch(one.inputs, one.targets, lengths, 6)
    output = model(one.inputs, None, lengths)
    rows = torch.cat([output.raw[:, 0], output.raw[:2, 1]])
    changes = torch.cat(
        [output.raw[1:, 0] - output.raw[:-1, 0], output.raw[1:2, 1] - output.raw[:1, 1]]
    )
    plain = LanguageObjective(PenaltyOptions(), None)(model, padded).loss
    penal = LanguageObjective(PenaltyOptions(2.0, 1.0), None)(model, padded).loss
    expected = 2 * rows.square().mean() + changes.square().mean()
    assert_close((penal - plain).double(), expected, rtol=1e-4, atol=1e-6)


def test_the_state_is_carried_without_gradient_and_kept_in_the_state_dictionary():
    model = make()
    objective = LanguageObjective(PenaltyOptions(), model.zero_state(2)).to(DEVICE)
    first, second = batch(3, 2, 1), batch(5, 2, 2)
    objective(model, first).loss.backward()
    twin = LanguageObjective(PenaltyOptions(), make().zero_state(2)).to(DEVICE)
    twin.load_state_dict(objective.state_dict())
    together = model(torch.cat([first.inputs, second.inputs])).raw[3:]
    expected = functional.cross_entropy(
        model.decode(together).flatten(0, 1).float(), second.targets.flatten()
    )
    for one in (objective, twin):
        result = one(model, second).loss
        result.backward()
        assert_close(result, expected)
    objective.reset()
    again = objective(model, first).loss
    assert_close(again, LanguageObjective(PenaltyOptions(), None)(model, first).loss)
