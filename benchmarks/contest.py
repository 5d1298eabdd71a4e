"""The contestants: four forms of SPINN and an LSTM, each in every way there is to compute it.

A contestant is built from its names alone, with the same weights whichever way it is computed, and
can be run as a whole model or as an encoder. Training and inference are one pass over batches that
are handed in; the programs put clocks and meters around them.
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
from spinn.errors import ConfigurationError
from spinn.evaluation.evaluate import arithmetic, plan_of
from spinn.model.build import build_encoder
from spinn.model.leaves import WordEmbedding
from spinn.model.pair import PairModel
from spinn.model.tracker import Blind
from spinn.model.types import Encoder, Encoding, Leaves, Plan
from spinn.ops.heights import heights_of
from spinn.training.objectives.teacher import teacher_loss
from spinn.training.optimizers import make_optimizer
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
    "reference": "the same by plain autograd (--engine reference)",
    "list": "lists of tensors",
    "packed": "torch.nn.LSTM, packed",
    "padded": "torch.nn.LSTM, padded",
}

LSTM_ALGORITHMS = ("packed", "padded")


@dataclass(frozen=True)
class Widths:
    """The widths of a model: of sentences, tracker and word vectors."""

    hidden: int = 300
    tracker: int = 64
    embedding: int = 300


@dataclass(frozen=True)
class Contestant:
    """A model and a way to compute it.

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
        """Whether it composes by height, and wants a schedule with its trees."""
        return self.form == "SPINN-PI-NT" and self.algorithm == "spinn"

    def configure(self, widths: Widths) -> Configuration:
        """Configure the model; the learning rate is zero, so that every turn is the same work."""
        options = {"hidden_size": widths.hidden, "learning_rate": 0.0, **FORMS[self.form]}
        if options.get("tracker"):
            options["tracker_size"] = widths.tracker
        engine = "reference" if self.algorithm == "reference" else "auto"
        return resolve(options, {"precision": self.precision, "device": "cpu", "engine": engine})


def contestants(
    forms: Sequence[str], algorithms: Sequence[str], precisions: Sequence[str]
) -> list[Contestant]:
    """List all contestants of these names; an LSTM has ways of its own.

    Raises
    ------
    ConfigurationError
        If there are none.

    """
    found = [
        Contestant(form, algorithm, precision)
        for precision in precisions
        for form in forms
        for algorithm in algorithms
        if (form == "LSTM") == (algorithm in LSTM_ALGORITHMS)
    ]
    if not found:
        raise ConfigurationError(
            "None of --algorithms computes one of --forms; an LSTM is packed or padded."
        )
    return found


def twin_of(encoder: Any, algorithm: str) -> Encoder:
    """Return an encoder with the same weights that computes by this algorithm."""
    if algorithm == "list":
        return ListSPINN(encoder.composition, getattr(encoder, "tracker", Blind()))
    return PaddedLSTM(encoder.lstm) if algorithm == "padded" else encoder


class ModelWork:
    """A whole model: word vectors, leaves, encoder, classifier, loss, gradients, optimiser.

    Parameters
    ----------
    contestant, widths
        The model. What widths leave open is as the project has it by default.
    vectors
        ``[V, E]``, fixed word vectors, as the published models have them.
    labels
        How many labels there are.
    device
        Where it runs.

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
        """Cut a set into batches as training or evaluation does, and move them."""
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
    """How an encoder wants its sentences: how wide leaves are, and with what beside them."""

    width: int
    by_height: bool
    padded: bool


@dataclass(frozen=True)
class EncoderInput:
    """What an encoder reads of B sentences.

    Attributes
    ----------
    leaves
        The words, longest sentence first.
    padded
        ``[L, B, width]``, for an encoder that reads them so.
    given
        The plan that follows their trees ``[T, B]``, with heights where it composes by height.

    """

    leaves: Leaves
    padded: Tensor | None
    given: Plan


class EncoderWork:
    """An encoder alone, from leaves to sentences and, in training, back."""

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
        """Lay out sentences with lengths ``[B]`` and trees ``[T, B]``, in any order.

        The leaves are drawn at the scale that a layer norm leaves them.
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
        given = torch.from_numpy(transitions.astype(np.int64)).to(self._device)
        leaves = Leaves.of_lengths(states.to(self._device), sorted_lengths)
        return EncoderInput(leaves, padded, Plan.given(given, heights))

    def prepare_set(self, dataset: PairDataset, batch_size: int) -> list[EncoderInput]:
        """Lay out a set, in batches of pairs of like length."""
        batcher = Batcher(dataset, tree_source("gold"), batch_size=batch_size)
        prepared = []
        for batch in batcher.batches():
            assert batch.transitions is not None
            trees = batch.transitions.numpy().astype(np.int8)
            prepared.append(self.prepare(batch.lengths.numpy(), trees))
        return prepared

    def train(self, inputs: Iterable[EncoderInput]) -> None:
        """Encode each batch and find the gradients of weights and leaves."""
        torch.manual_seed(1)
        sampled = self._source is not None and self._source.sampled
        for given in inputs:
            fresh = replace(
                given,
                leaves=replace(given.leaves, states=given.leaves.states.detach().requires_grad_()),
                padded=None if given.padded is None else given.padded.detach().requires_grad_(),
            )
            with arithmetic(self._device, self._precision):
                encoding = self._encode(fresh, Plan.sampled() if sampled else given.given)
            self._loss(encoding, given).backward()
            self.encoder.zero_grad(set_to_none=True)

    def infer(self, inputs: Iterable[EncoderInput]) -> list[Tensor]:
        """Encode each batch; return sentences ``[B, H]``."""
        chosen = self._source is not None and self._source.chosen_by_model
        with torch.no_grad(), arithmetic(self._device, self._precision):
            return [
                self._encode(given, Plan() if chosen else given.given).sentences for given in inputs
            ]

    def _encode(self, given: EncoderInput, plan: Plan) -> Encoding:
        if given.padded is not None:
            assert isinstance(self.encoder, PaddedLSTM)
            return Encoding(self.encoder.encode_padded(given.padded, given.leaves.lengths))
        return self.encoder.encode(given.leaves, plan)

    def _loss(self, encoding: Encoding, given: EncoderInput) -> Tensor:
        """Return a loss that reaches all weights, as the form's own loss does."""
        loss = encoding.sentences.float().sum()
        if self._source is None or encoding.policy is None:
            return loss
        if self._source.sampled:
            assert encoding.transitions is not None
            return loss - encoding.policy.log_prob(encoding.transitions).sum()
        assert given.given.choose.transitions is not None
        return loss + teacher_loss(encoding, given.given.choose.transitions)
