"""An extension of a user in a few lines, registered: a cell, a leaf context, a schedule."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from machine import DEVICE
from torch import Tensor, nn
from toys import (
    one_batch,
    small_configuration,
    small_model,
    write_corpus,
    write_expressions,
)

from spinn.commands.options import add_configuration, configuration_of
from spinn.data.prepare import load_corpus
from spinn.learning.schedules import SCHEDULES, LearningRate, Schedule
from spinn.model.cells import COMPOSITIONS, CompositionCell
from spinn.model.leaves import LEAF_CONTEXTS, LeafContext
from spinn.model.pair import PairModel
from spinn.model.types import Sentences
from spinn.ops.recorded import RecordedNodes
from spinn.support.errors import ConfigurationError
from spinn.support.options import option
from spinn.training.run import load_training_corpus


@dataclass(frozen=True)
class Recursion:
    weight: Tensor
    table: ClassVar = RecordedNodes
    hidden_size = property(lambda self: len(self.weight))
    weights = property(lambda self: (self.weight,))

    def __call__(self, left: Tensor, right: Tensor, tracker: Tensor | None = None) -> Tensor:
        inputs = [left, right] if tracker is None else [left, right, tracker]
        return torch.tanh(torch.cat(inputs, dim=1) @ self.weight.T)


class RecursiveCell(CompositionCell):
    def __init__(self, hidden_size: int, tracker_size: int = 0, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden_size = self.state_size = hidden_size
        self.weight = nn.Parameter(torch.randn(hidden_size, 2 * hidden_size + tracker_size))

    def draw(self) -> Recursion:
        return Recursion(self.weight)


class FirstWord(LeafContext):
    """Put the first word of its sentence beside each word."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.output_size = 2 * size

    def forward(self, states: Tensor, sentences: Sentences) -> Tensor:
        first = torch.cat([states[:size] for size in sentences.batch_sizes.tolist()])
        return torch.cat([states, first], dim=1)


class Swapped(FirstWord):
    """Read the first word of the other sentence of a pair."""

    needs_pairs = True

    def forward(self, states: Tensor, sentences: Sentences) -> Tensor:
        first = states[: len(sentences.lengths)][sentences.partners]
        sizes = sentences.batch_sizes.tolist()
        return torch.cat([states, torch.cat([first[:size] for size in sizes])], dim=1)


@dataclass(frozen=True)
class Drop(Schedule):
    schedule: str = option("drop", "how the learning rate moves")
    drop_after: int = option(2, "steps at the peak", minimum=1)

    def share(self, step: int, total: int, stalled: int) -> float:
        return 1.0 if step < self.drop_after else 0.0


@pytest.fixture
def registered() -> Iterator[None]:
    """Register all; remove them after the test."""
    COMPOSITIONS.register("recursive", RecursiveCell)
    LEAF_CONTEXTS.register("first-word", FirstWord)
    LEAF_CONTEXTS.register("swapped", Swapped)
    SCHEDULES.register("drop", Drop)
    yield
    del COMPOSITIONS["recursive"], LEAF_CONTEXTS["first-word"], LEAF_CONTEXTS["swapped"]
    del SCHEDULES["drop"]


def train(folder: Path, **options: Any) -> tuple[PairModel, list[float]]:
    """Take a few steps on one batch; return the model and the losses."""
    still = {"embedding_dropout": 0.0, "leaf_dropout": 0.0, "classifier_dropout": 0.0}
    configuration = small_configuration(write_corpus(folder), **still, **options)
    torch.manual_seed(0)
    model = small_model(configuration, load_corpus(configuration.data))
    objective = configuration.build_objective().to(DEVICE)
    batch = one_batch(configuration, configuration.teacher_source or configuration.source)
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=0.005), []
    for _ in range(4):
        loss = objective(model, batch, 0.0).loss
        optimizer.zero_grad()
        loss.backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.any(), name
            assert weight.grad.isfinite().all(), name
        optimizer.step()
        losses.append(loss.item())
    return model, losses


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    "form", [{}, {"tracker": True}, {"tracker": True, "trees": "predicted"}, {"pooling": "max-all"}]
)
def test_a_new_cell_is_trained_like_the_others(tmp_path, form):
    model, losses = train(tmp_path, composition="recursive", **form)
    assert isinstance(model.encoder.composition, RecursiveCell)
    assert losses[-1] < losses[0]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("encoder", ["spinn", "bilstm", "bow"])
@pytest.mark.parametrize("context", ["first-word", "swapped"])
def test_a_new_leaf_context_is_trained_like_the_others(tmp_path, context, encoder):
    model, losses = train(tmp_path, leaf_context=context, encoder=encoder)
    assert type(model.leaves.context) is LEAF_CONTEXTS[context]
    assert model.leaves.projection.in_features == 2 * model.leaves.embedding.size
    assert losses[-1] < losses[0]


@pytest.mark.usefixtures("registered")
def test_a_context_of_pairs_is_refused_where_sentences_are_alone(tmp_path):
    folder = write_expressions(tmp_path)
    load_training_corpus(small_configuration(folder, leaf_context="first-word"))
    with pytest.raises(ConfigurationError, match="--leaf-context swapped reads"):
        load_training_corpus(small_configuration(folder, leaf_context="swapped"))


@pytest.mark.usefixtures("registered")
def test_a_new_schedule_brings_its_options():
    parser = argparse.ArgumentParser()
    add_configuration(parser)
    flags = ["--schedule", "drop", "--drop-after", "3"]
    schedule = configuration_of(parser.parse_args(flags)).schedule
    assert schedule == Drop("drop", 3)
    assert [LearningRate(schedule, 9).share(step) for step in (0, 2, 3, 8)] == [1, 1, 0, 0]
    with pytest.raises(ConfigurationError, match="--drop-after does nothing here; it belongs to"):
        configuration_of(parser.parse_args(["--drop-after", "3"]))


def test_what_is_not_registered_is_refused(tmp_path):
    for options in (
        {"composition": "recursive"},
        {"leaf_context": "first-word"},
        {"schedule": "drop"},
    ):
        with pytest.raises(ConfigurationError, match="choose from"):
            small_configuration(tmp_path, **options)


def run_with_extensions(names: str, folder: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"SPINN_EXTENSIONS": names, "PYTHONPATH": str(folder)}
    arguments = ["train", "--data", "sample", "--composition", "mine", "--print-config"]
    return subprocess.run(
        [sys.executable, "-m", "spinn", *arguments],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )


def test_modules_in_the_environment_are_loaded(tmp_path):
    (tmp_path / "first.py").write_text(
        "from spinn.model.cells import COMPOSITIONS, TreeLSTM\n"
        "COMPOSITIONS.register('mine', TreeLSTM)\n"
    )
    (tmp_path / "second.py").write_text("raise ImportError('no such library')\n")
    found = run_with_extensions("first", tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert 'composition = "mine"' in found.stdout
    found = run_with_extensions("first, second", tmp_path)
    assert found.returncode == 2
    assert "names second, which cannot be imported (no such library)" in found.stderr
