"""The contestants: four forms of SPINN and an LSTM, each with several implementations.

A contestant is identified by names. All implementations of a form have the same weights, and each
can be run as a whole model or as an encoder only. Training and inference are one pass over given
batches; the benchmarks measure time and memory of a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_packed_sequence

from benchmarks.rivals import ListSPINN, PaddedLSTM
from spinn.config import Configuration, resolve
from spinn.data.batching import Batch, Batcher
from spinn.data.dataset import PairDataset
from spinn.inference import plan_of
from spinn.learning.objectives.teacher import teacher_loss
from spinn.learning.optimizers import make_optimizer
from spinn.model.build import build_encoder
from spinn.model.leaves import WordEmbedding
from spinn.model.pair import PairModel
from spinn.model.tracker import Blind
from spinn.model.types import Encoder, Encoding, Leaves, Plan
from spinn.ops.heights import heights_of
from spinn.support.errors import ConfigurationError
from spinn.support.runtime import arithmetic
from spinn.transitions import TransitionArray
from spinn.trees import tree_source

FORMS: dict[str, dict[str, Any]] = {
    "SPINN-PI-NT": {},
    "SPINN-PI": {"tracker": True},
    "SPINN": {"tracker": True, "trees": "predicted"},
    "RL-SPINN": {"tracker": True, "trees": "sampled"},
    "LSTM": {"encoder": "lstm"},
}

ALGORITHMS: dict[str, str] = {
    "spinn": "this project's",
    "reference": "this project's with plain autograd (--engine reference)",
    "fixed": "this project's with fixed shapes (--engine fixed)",
    "list": "lists of tensors",
    "packed": "torch.nn.LSTM, packed",
    "padded": "torch.nn.LSTM, padded",
}

LSTM_ALGORITHMS = ("packed", "padded")
ENGINES = ("reference", "fixed")  # algorithms that --engine takes
BY_DEFAULT = [name for name in ALGORITHMS if name not in ENGINES]


@dataclass(frozen=True)
class Widths:
    """The widths of sentence vectors, tracker and word vectors."""

    hidden: int = 300
    tracker: int = 64
    embedding: int = 300


@dataclass(frozen=True)
class Contestant:
    """A model and an implementation.

    Attributes
    ----------
    form
        One of ``FORMS``.
    algorithm
        One of ``ALGORITHMS``.
    precision
        ``"fp32"``, or ``"bf16"`` for the matrix products.

    """

    form: str
    algorithm: str
    precision: str = "fp32"

    @property
    def by_height(self) -> bool:
        """Whether it composes by height and requires a schedule."""
        return self.form == "SPINN-PI-NT" and self.algorithm == "spinn"

    def configure(self, widths: Widths) -> Configuration:
        """Return the configuration; the learning rate is zero, so that all turns are equal."""
        options = {"hidden_size": widths.hidden, "learning_rate": 0.0, **FORMS[self.form]}
        if options.get("tracker"):
            options["tracker_size"] = widths.tracker
        engine = self.algorithm if self.algorithm in ENGINES else "auto"
        return resolve(options, {"precision": self.precision, "device": "cpu", "engine": engine})


def contestants(
    forms: Sequence[str], algorithms: Sequence[str], precisions: Sequence[str]
) -> list[Contestant]:
    """Return all contestants with these names; LSTMs have separate algorithms.

    Fixed shapes are for forms with a tracker.

    Raises
    ------
    ConfigurationError
        If there are none.

    """
    result = [
        Contestant(form, algorithm, precision)
        for precision in precisions
        for form in forms
        for algorithm in algorithms
        if (form == "LSTM") == (algorithm in LSTM_ALGORITHMS)
        and not (algorithm == "fixed" and form == "SPINN-PI-NT")
    ]
    if not result:
        raise ConfigurationError(
            "No form of --forms has an algorithm of --algorithms; an LSTM is packed or padded."
        )
    return result


def twin_of(encoder: Any, algorithm: str) -> Encoder:
    """Return an encoder with the same weights and another algorithm."""
    if algorithm == "list":
        return ListSPINN(encoder.composition, getattr(encoder, "tracker", Blind()))
    return PaddedLSTM(encoder.lstm) if algorithm == "padded" else encoder


class ModelWork:
    """A whole model: word vectors, leaves, encoder, classifier, loss, gradients, optimiser.

    Parameters
    ----------
    contestant, widths
        The model; other options have their defaults.
    vectors
        ``[V, E]``, fixed word vectors, as in the published models.
    labels
        Number of labels.
    device
        The device of the model.

    """

    def __init__(
        self,
        contestant: Contestant,
        widths: Widths,
        vectors: Tensor,
        labels: int,
        device: torch.device,
    ) -> None:
        self.configuration = contestant.configure(widths)
        self._precision, self._device = contestant.precision, device
        torch.manual_seed(1)
        embedding = WordEmbedding(vectors, torch.ones(len(vectors), dtype=torch.bool))
        model = self.configuration.build_model(embedding, labels)
        model.encoder = twin_of(model.encoder, contestant.algorithm)
        self.model: PairModel = model.to(device)
        self.objective = self.configuration.build_objective().to(device)
        self._optimizer = make_optimizer(self.configuration.optimizer, self.model, self.objective)

    def batches(self, dataset: PairDataset, batch_size: int, *, training: bool) -> Iterator[Batch]:
        """Yield the batches of a set as in training or evaluation, on the device."""
        source = self.configuration.source
        batcher = Batcher(
            dataset,
            (self.configuration.teacher_source or source) if training else source,
            batch_size=batch_size,
            shuffle=training,
            by_height=self.model.by_height,
            share=self.model.shares(training=training),
        )
        for batch in batcher.batches():
            yield batch.to(self._device)

    def train(self, batches: Iterable[Batch]) -> None:
        """Take a training step on each batch."""
        torch.manual_seed(1)
        self.model.train()
        for batch in batches:
            with arithmetic(self._device, self._precision):
                loss = self.objective(self.model, batch, 0.0).loss
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0, foreach=True)
            self._optimizer.step()

    def infer(self, batches: Iterable[Batch]) -> list[Tensor]:
        """Classify each batch; return scores ``[P, labels]``."""
        self.model.eval()
        scores = []
        with torch.no_grad(), arithmetic(self._device, self._precision):
            for batch in batches:
                scores.append(self.model(batch.words, batch.lengths, plan_of(batch)).scores)
        return scores


@dataclass(frozen=True)
class Layout:
    """The inputs an encoder requires: width of leaves, schedule, padded leaves."""

    width: int
    by_height: bool
    padded: bool


@dataclass(frozen=True)
class EncoderInput:
    """The input of an encoder for B sentences.

    Attributes
    ----------
    leaves
        The leaves, longest sentence first.
    padded
        ``[L, B, width]``, leaves for an encoder that requires padding.
    plan
        The plan that follows trees ``[T, B]``, with a schedule if it composes by height.

    """

    leaves: Leaves
    padded: Tensor | None
    plan: Plan


class EncoderWork:
    """An encoder only: the forward pass from leaves to sentences and, in training, backward."""

    def __init__(self, contestant: Contestant, widths: Widths, device: torch.device) -> None:
        self._device, self._precision = device, contestant.precision
        configuration = contestant.configure(widths)
        self._source = configuration.source
        torch.manual_seed(1)
        encoder = build_encoder(
            configuration.model,
            predicts=configuration.predicts,
            spinn=configuration.spinn,
            composition=configuration.composition,
            tracker=configuration.tracker,
        )
        self.layout = Layout(
            encoder.leaf_size, contestant.by_height, contestant.algorithm == "padded"
        )
        self.encoder = twin_of(encoder, contestant.algorithm).to(device)

    def prepare(self, lengths: NDArray[np.int64], transitions: TransitionArray) -> EncoderInput:
        """Prepare sentences with lengths ``[B]`` and trees ``[T, B]``, in any order.

        Leaves are random with the scale of a layer norm's output.
        """
        order = np.argsort(-lengths, kind="stable")
        lengths, transitions = lengths[order], transitions[:, order]
        generator = torch.Generator().manual_seed(1)
        states = torch.randn(int(lengths.sum()), self.layout.width, generator=generator)
        sorted_lengths = torch.from_numpy(lengths)
        padded = None
        if self.layout.padded:
            packed = Leaves.of_lengths(states, sorted_lengths).packed
            padded = pad_packed_sequence(packed)[0].to(self._device)
        heights = None
        if self.layout.by_height:
            heights = heights_of(transitions, lengths).to(self._device)
        steps = torch.from_numpy(transitions.astype(np.int64)).to(self._device)
        leaves = Leaves.of_lengths(states.to(self._device), sorted_lengths)
        return EncoderInput(leaves, padded, Plan.given(steps, heights))

    def prepare_set(self, dataset: PairDataset, batch_size: int) -> list[EncoderInput]:
        """Prepare a set in batches of pairs of similar length."""
        batcher = Batcher(dataset, tree_source("gold"), batch_size=batch_size)
        prepared = []
        for batch in batcher.batches():
            assert batch.transitions is not None
            trees = batch.transitions.numpy().astype(np.int8)
            prepared.append(self.prepare(batch.lengths.numpy(), trees))
        return prepared

    def train(self, inputs: Iterable[EncoderInput]) -> None:
        """Encode each batch and compute the gradients of weights and leaves."""
        torch.manual_seed(1)
        sampled = self._source is not None and self._source.sampled
        for batch in inputs:
            fresh = replace(
                batch,
                leaves=replace(batch.leaves, states=batch.leaves.states.detach().requires_grad_()),
                padded=None if batch.padded is None else batch.padded.detach().requires_grad_(),
            )
            with arithmetic(self._device, self._precision):
                encoding = self._encode(fresh, Plan.sampled() if sampled else batch.plan)
            self._loss(encoding, batch.plan).backward()
            self.encoder.zero_grad(set_to_none=True)

    def infer(self, inputs: Iterable[EncoderInput]) -> list[Tensor]:
        """Encode each batch; return sentences ``[B, H]``."""
        chosen = self._source is not None and self._source.chosen_by_model
        with torch.no_grad(), arithmetic(self._device, self._precision):
            return [
                self._encode(batch, Plan() if chosen else batch.plan).sentences for batch in inputs
            ]

    def _encode(self, batch: EncoderInput, plan: Plan) -> Encoding:
        if batch.padded is not None:
            assert isinstance(self.encoder, PaddedLSTM)
            return Encoding(self.encoder.encode_padded(batch.padded, batch.leaves.lengths))
        return self.encoder.encode(batch.leaves, plan)

    def _loss(self, encoding: Encoding, plan: Plan) -> Tensor:
        """Return a loss with gradients for all weights, like the training loss of the form."""
        loss = encoding.sentences.float().sum()
        if self._source is None or encoding.policy is None:
            return loss
        if self._source.sampled:
            assert encoding.transitions is not None
            return loss - encoding.policy.log_prob(encoding.transitions).sum()
        assert plan.choose.transitions is not None
        return loss + teacher_loss(encoding, plan.choose.transitions)
