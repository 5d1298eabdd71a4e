"""The auxiliary loss of the next word: its value, its gradients, and what it is added to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from machine import DEVICE
from torch import Tensor, nn
from torch.testing import assert_close
from toys import FORMS, one_batch, small_configuration, small_model

from spinn.config import Configuration
from spinn.data.batching import Batch
from spinn.data.prepare import load_corpus
from spinn.inference import plan_of
from spinn.learning.objectives.label import Objective, StepResult
from spinn.learning.transfer import receiving_lstm
from spinn.model.leaves import WordEmbedding
from spinn.model.pair import PairModel
from spinn.model.parser import ParsedEncoder
from spinn.model.types import Plan, Sentences

STILL = {"embedding_dropout": 0.0, "leaf_dropout": 0.0, "classifier_dropout": 0.0}
LEAVES = {"leaf_context": "lstm"}
EQUAL = {"hidden_size": 6}  # as wide as the word vectors
MODELS: dict[str, dict[str, Any]] = {
    "leaves": {**LEAVES, "encoder": "bow"},
    "leaves, equal": {**LEAVES, **EQUAL},
    "leaves of an LSTM": {**LEAVES, "encoder": "lstm", "pooling": "max"},
    "encoder": {"encoder": "lstm"},
    "encoder, equal": {"encoder": "lstm", "pooling": "max", **EQUAL},
}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "label": {},
    "teacher": FORMS["SPINN"],
    "REINFORCE": {**FORMS["RL-SPINN"], "samples": 3},
    "PPO": {**FORMS["RL-SPINN"], "policy_updates": 2, "parser": "own", "parser_size": 3},
    "frozen parser": {**FORMS["RL-SPINN"], "policy_epochs": 1, "parser": "own"},
    "Gumbel": FORMS["Gumbel Tree-LSTM"],
}


class Toy:
    """A model, its objective, and a batch as training would cut it."""

    def __init__(self, folder: Path, *, weight: float = 0.5, **options: Any) -> None:
        options = {**STILL, "language_weight": weight, **options}
        self.configuration: Configuration = small_configuration(folder, **options)
        corpus = load_corpus(self.configuration.data)
        torch.manual_seed(4)
        self.model: PairModel = small_model(self.configuration, corpus).double()
        torch.manual_seed(5)
        self.objective: Objective = self.configuration.build_objective(
            corpus.kind.count, embedding_size=6, words=len(corpus.vocabulary)
        )
        self.objective.double().to(DEVICE)
        if self.objective.next_word is not None:
            nn.init.normal_(self.objective.next_word.bias)
        source = self.configuration.teacher_source or self.configuration.source
        self.batch: Batch = one_batch(self.configuration, source)

    def step(self, epoch: float = 0.0) -> StepResult:
        torch.manual_seed(9)
        result: StepResult = self.objective(self.model, self.batch, epoch)
        return result

    def sentences(self) -> list[Tensor]:
        columns = zip(self.batch.words.T, self.batch.lengths.tolist(), strict=True)
        return [words[:length] for words, length in columns]


def by_loops(toy: Toy) -> float:
    """Compute the loss sentence by sentence and word by word."""
    model, loss = toy.model, toy.objective.next_word
    assert loss is not None
    vectors = model.leaves.embedding(torch.arange(len(loss.bias), device=DEVICE))
    losses = []
    for words in toy.sentences():
        read = model.leaves.embedding(words)
        if model.leaves.context is None:
            read = model.leaves(Sentences(torch.tensor([len(words)]), words[:, None])).states
        states, _ = nn.LSTM.forward(receiving_lstm(model), read)  # as torch defines it
        for state, following in zip(states[:-1], words[1:], strict=True):
            mapped = loss.map.weight @ state if isinstance(loss.map, nn.Linear) else state
            scores = torch.stack([vector @ mapped for vector in vectors]) + loss.bias
            losses.append(-scores.log_softmax(dim=0)[following])
    return torch.stack(losses).mean().item()


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("fixed", ["none", "some", "all"])
def test_the_loss_is_the_mean_over_all_words_that_have_a_successor(toy_either, name, fixed):
    toy = Toy(toy_either, **MODELS[name])
    loss, table = toy.objective.next_word, toy.model.leaves.embedding.table().detach()
    assert loss is not None
    assert isinstance(loss.map, nn.Linear) is ("equal" not in name)
    kept = torch.arange(len(table), device=DEVICE) % 2 == 0
    kept = {"none": kept & False, "some": kept, "all": kept | True}[fixed]
    toy.model.leaves.embedding = WordEmbedding(table, kept).double().to(DEVICE)
    result = toy.step()
    assert result.means["language"].item() == pytest.approx(by_loops(toy), rel=1e-6)


@pytest.mark.parametrize("name", list(OBJECTIVES))
@pytest.mark.parametrize("epoch", [0.0, 1.5])
def test_it_is_added_to_the_loss_of_every_objective(toy_folder, name, epoch):
    """It reads words once: however many trees are sampled, it is the same number."""
    with_loss = Toy(toy_folder, **LEAVES, **OBJECTIVES[name])
    without = Toy(toy_folder, **LEAVES, **OBJECTIVES[name], weight=0.0)
    without.model.load_state_dict(with_loss.model.state_dict())
    result, other = with_loss.step(epoch), without.step(epoch)
    language = result.means["language"]
    assert language.item() == pytest.approx(by_loops(with_loss), rel=1e-6)
    assert result.loss.item() == pytest.approx((other.loss + 0.5 * language).item(), rel=1e-6)
    assert result.means.keys() - other.means.keys() == {"language"}
    assert result.sums["loss"] == other.sums["loss"]
    if other.trees is not None:
        assert result.trees.leaves.word_states is None


@pytest.mark.parametrize("name", ["REINFORCE", "PPO"])
def test_sentences_are_read_once(toy_folder, monkeypatch, name):
    toy, runs = Toy(toy_folder, **LEAVES, **OBJECTIVES[name], baseline="greedy"), []
    context = toy.model.leaves.context
    assert context is not None
    forward = context.forward
    monkeypatch.setattr(context, "forward", lambda *given: runs.append(1) or forward(*given))
    toy.step().loss.backward()
    assert len(runs) == 1


@pytest.mark.parametrize("name", list(MODELS))
def test_its_gradient_reaches_the_lstm_the_word_vectors_and_the_decoder(toy_folder, name):
    toy = Toy(toy_folder, **MODELS[name])
    output = toy.model(toy.batch.words, toy.batch.lengths, plan_of(toy.batch))
    loss = toy.objective.next_word
    assert loss is not None
    assert output.word_states is not None
    loss(output.word_states, toy.model.leaves.embedding).backward()
    reached = {name for name, w in toy.model.named_parameters() if w.grad is not None}
    own = [*receiving_lstm(toy.model).parameters(), *loss.parameters()]
    assert all(weight.grad is not None and weight.grad.any() for weight in own)
    assert "leaves.embedding.trained" in reached
    # Every word is scored, so every vector has a gradient.
    gradient = toy.model.leaves.embedding.trained.grad
    assert gradient is not None
    assert gradient.any(dim=1).all()
    assert not any(name.startswith("classifier") for name in reached)


def test_a_parser_with_words_of_its_own_is_not_reached(toy_folder):
    toy = Toy(toy_folder, **LEAVES, **OBJECTIVES["PPO"])
    read = toy.step().word_states
    assert read is None  # what is no longer needed is not kept
    output = toy.model(toy.batch.words, toy.batch.lengths, Plan())
    assert toy.objective.next_word is not None
    toy.objective.next_word(output.word_states, toy.model.leaves.embedding).backward()
    assert isinstance(toy.model.encoder, ParsedEncoder)
    assert all(weight.grad is None for weight in toy.model.encoder.parser.parameters())


def test_sentences_of_one_word_and_no_sentences_have_a_loss_of_zero(toy_folder):
    toy = Toy(toy_folder, **MODELS["leaves"])
    loss = toy.objective.next_word
    assert loss is not None
    words, lengths = toy.batch.words[:1, :4], torch.ones(4, dtype=torch.long)
    single = toy.model(words, lengths, Plan())
    none = toy.model(toy.batch.words, toy.batch.lengths, Plan()).nothing()
    for output in (single, none):
        value = loss(output.word_states, toy.model.leaves.embedding)
        assert value == 0
        toy.model.zero_grad()
        value.backward()
        for weight in receiving_lstm(toy.model).parameters():
            assert weight.grad is not None
            assert not weight.grad.any()


def test_there_is_no_such_loss_without_the_option(toy_folder):
    toy = Toy(toy_folder, **LEAVES, weight=0.0)
    assert toy.objective.next_word is None
    assert toy.objective.state_dict() == {}
    assert_close(toy.step().loss, toy.objective.step(toy.model, toy.batch, 0.0).loss)
