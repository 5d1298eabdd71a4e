"""The contestants do the same work, whichever way they compute it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.common import load_sentences, sample
from benchmarks.contest import (
    FORMS,
    LSTM_ALGORITHMS,
    Contestant,
    EncoderWork,
    ModelWork,
    Widths,
    contestants,
)
from spinn.data.dataset import PairDataset
from spinn.support.errors import ConfigurationError

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "dev.jsonl"
WIDTHS = Widths(hidden=6, tracker=4, embedding=5)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pairs() -> PairDataset:
    return sample(load_sentences([str(SAMPLE)]).sets["train"], 10)


def ways(form: str) -> list[Contestant]:
    algorithms = LSTM_ALGORITHMS if form == "LSTM" else ("spinn", "reference", "list")
    return contestants([form], algorithms, ["fp32"])


def model(one: Contestant) -> ModelWork:
    vectors = torch.randn(500, WIDTHS.embedding, generator=torch.Generator().manual_seed(1))
    return ModelWork(one, WIDTHS, vectors, 3, CPU)


def test_an_lstm_has_its_own_ways_and_spinn_its_own() -> None:
    found = contestants(["SPINN", "LSTM"], ["spinn", "list", "packed", "padded"], ["fp32"])
    assert [(one.form, one.algorithm) for one in found] == [
        ("SPINN", "spinn"),
        ("SPINN", "list"),
        ("LSTM", "packed"),
        ("LSTM", "padded"),
    ]


def test_a_contest_without_contestants_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="packed or padded"):
        contestants(["LSTM"], ["list"], ["fp32"])


@pytest.mark.parametrize("form", FORMS)
def test_whole_models_classify_alike(form: str, pairs: PairDataset) -> None:
    scores = []
    for one in ways(form):
        work = model(one)
        scores.append(torch.cat(work.infer(work.batches(pairs, 4, training=False))))
    for other in scores[1:]:
        torch.testing.assert_close(other, scores[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_whole_models_have_the_same_loss_and_gradients(form: str, pairs: PairDataset) -> None:
    found = []
    for one in ways(form):
        work = model(one)
        work.model.double()
        objective = one.configure(WIDTHS).build_objective()
        torch.manual_seed(2)  # of dropout and of samples
        loss = objective(work.model, next(work.batches(pairs, 10, training=True)), 0.0).loss
        loss.backward()
        weights = dict(work.model.named_parameters())
        found.append({name: own.grad for name, own in weights.items()} | {"loss": loss.detach()})
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_encoders_encode_alike_and_reach_all_weights(form: str, pairs: PairDataset) -> None:
    sentences = []
    for one in ways(form):
        work = EncoderWork(one, WIDTHS, CPU)
        inputs = work.prepare_set(pairs, 4)
        assert sum(len(given.leaves.lengths) for given in inputs) == 2 * len(pairs)
        # By height, sentences come in the order of the batch, which is sorted already.
        sentences.append(torch.cat(work.infer(inputs)))
        reached = reached_by_training(work, inputs[:1])
        assert reached == {name for name, _ in work.encoder.named_parameters()}
    for other in sentences[1:]:
        torch.testing.assert_close(other, sentences[0], rtol=1e-4, atol=1e-5)


def reached_by_training(work: EncoderWork, inputs: list) -> set[str]:
    """List the weights that get a gradient other than zero."""
    reached = set()
    for name, weight in work.encoder.named_parameters():
        weight.register_hook(
            lambda gradient, name=name: reached.add(name) if gradient.any() else None
        )
    work.train(inputs)
    assert all(weight.grad is None for weight in work.encoder.parameters())
    return reached


def test_training_leaves_the_weights_as_they_are(pairs: PairDataset) -> None:
    work = model(Contestant("RL-SPINN", "spinn"))
    before = {name: own.clone() for name, own in work.model.state_dict().items()}
    work.train(work.batches(pairs, 5, training=True))
    assert any(own.grad is not None and own.grad.any() for own in work.model.parameters())
    for name, own in work.model.state_dict().items():
        assert torch.equal(own, before[name])
