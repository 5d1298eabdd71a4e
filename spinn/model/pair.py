"""The sentence-pair model: leaves, encoder and classifier, from a batch to scores of the labels.

Premise and hypothesis stand side by side in the batch and are encoded by the same encoder in one
run. The same model classifies single sentences: an example has S of them, 2 or 1, and only the
classifier sees the difference. The encoder wants its sentences longest first; the sorting and its
undoing happen here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from spinn.model.classifier import PairClassifier
from spinn.model.encoder import SPINN, Choice, Encoding, Leaves
from spinn.model.gumbel import GumbelTreeLSTM
from spinn.model.leaves import LeafLayer
from spinn.model.parser import Parser
from spinn.schedule import Schedule, build_schedule


@dataclass(frozen=True)
class SortedSentences:
    """Sentences of a batch, longest first.

    Attributes
    ----------
    words, lengths, transitions
        ``[L, S]``, ``[S]`` and ``[T, S]`` (or none), as in the batch, sorted.
    back
        ``[S]``, where each sentence of the batch went, so that ``sorted[back]`` is the batch.

    """

    words: Tensor
    lengths: Tensor
    transitions: Tensor | None
    back: Tensor

    @classmethod
    def of(cls, words: Tensor, lengths: Tensor, transitions: Tensor | None) -> SortedSentences:
        """Sort sentences with words ``[L, S]`` (any device) and lengths ``[S]`` (CPU)."""
        lengths, order = lengths.sort(descending=True, stable=True)
        back = order.argsort()
        to = order.to(words.device)
        given = None if transitions is None else transitions[:, to]
        return cls(words[:, to], lengths, given, back.to(words.device))

    @property
    def partners(self) -> Tensor:
        """``[S]``, where the other sentence of each one's pair went, if they are pairs."""
        return torch.empty_like(self.back).scatter(
            0, self.back, self.back.roll(len(self.back) // 2)
        )

    def places(self, copies: int) -> Tensor:
        """``[S * copies]``, where the copies of each sentence, side by side, went."""
        offsets = torch.arange(copies, device=self.back.device)
        return (self.back[:, None] * copies + offsets).flatten()


@dataclass(frozen=True)
class PairOutput:
    """What the model made of P examples (of each K times, side by side, if copies were asked for).

    Attributes
    ----------
    scores
        ``[P * K, labels]``, unnormalised.
    encoding
        Of the SP * K sentences, premises first, in the order of the batch.

    """

    scores: Tensor
    encoding: Encoding

    def nothing(self) -> PairOutput:
        """Return the output of no example, through which gradients still reach the model."""
        none = torch.empty(0, dtype=torch.long, device=self.scores.device)
        return PairOutput(self.scores[:0], self.encoding.reorder(none))


class PairModel(nn.Module):
    """Classify pairs of sentences, or single ones, with any encoder.

    They are composed along the trees of a parser, if there is one.
    """

    def __init__(
        self,
        leaves: LeafLayer,
        encoder: nn.Module,
        classifier: PairClassifier,
        parser: Parser | None = None,
    ) -> None:
        super().__init__()
        self.leaves = leaves
        self.encoder = encoder
        self.classifier = classifier
        self.parser = parser

    @property
    def policy(self) -> nn.Module | None:
        """The part that is there to choose transitions: the parser, or else the tracker."""
        if self.parser is not None:
            return self.parser
        return self.encoder.tracker if isinstance(self.encoder, SPINN) else None

    @property
    def sides(self) -> int:
        """How many sentences are classified together: 2, or 1."""
        return self.classifier.sides

    @property
    def goes_by_height(self) -> bool:
        """Whether batches of given trees should come with a schedule."""
        encoder = self.encoder
        return isinstance(encoder, SPINN) and encoder.tracker is None and encoder.engine == "auto"

    def shares(self, *, training: bool) -> bool:
        """Tell whether equal subtrees of a batch have equal vectors, so that one will do."""
        return self.goes_by_height and self.leaves.alike(training=training)

    def forward(
        self,
        words: Tensor,
        lengths: Tensor,
        transitions: Tensor | None = None,
        choice: Choice = Choice.GIVEN,
        *,
        own_share: float = 0.0,
        temperature: float | None = None,
        schedule: Schedule | None = None,
    ) -> PairOutput:
        """Classify P examples.

        Parameters
        ----------
        words, lengths, transitions
            ``[L, SP]``, ``[SP]`` (on the CPU) and ``[T, SP]``, premises first.
        choice
            Who chooses the transitions.
        own_share
            See :meth:`SPINN.forward`.
        temperature
            See :meth:`GumbelTreeLSTM.forward`.
        schedule
            Of the given transitions, for models that go by height.

        """
        if schedule is not None:
            return self._compose(words, lengths, transitions, schedule)
        sentences = SortedSentences.of(words, lengths, transitions)
        leaves = self.leaves_of(sentences)
        return self.classify(
            sentences, leaves, choice, own_share=own_share, temperature=temperature
        )

    def leaves_of(self, sentences: SortedSentences) -> Leaves:
        """Make the leaves of sorted sentences."""
        partners = sentences.partners if self.leaves.aligned and self.sides == 2 else None
        leaves: Leaves = self.leaves(sentences.words, sentences.lengths, partners)
        return leaves

    def classify(
        self,
        sentences: SortedSentences,
        leaves: Leaves,
        choice: Choice,
        *,
        copies: int = 1,
        own_share: float = 0.0,
        temperature: float | None = None,
    ) -> PairOutput:
        """Encode and classify examples whose leaves are made; several runs may share them."""
        if isinstance(self.encoder, SPINN):
            encoding = self.parse(sentences, leaves, choice, copies=copies, own_share=own_share)
            if self.parser is not None:
                assert encoding.transitions is not None
                vectors = self._follow(sentences, leaves, encoding.transitions, copies)
                encoding = replace(encoding, sentences=vectors)
        elif isinstance(self.encoder, GumbelTreeLSTM):
            encoding = self.encoder(leaves, temperature)
        else:
            encoding = self.encoder(leaves)
        return self._output(encoding.reorder(sentences.places(copies)))

    def parse(
        self,
        sentences: SortedSentences,
        leaves: Leaves,
        choice: Choice,
        *,
        copies: int = 1,
        own_share: float = 0.0,
    ) -> Encoding:
        """Run what chooses the transitions, the parser or else the encoder, on sorted sentences.

        A parser makes leaves of its own.
        """
        given = sentences.transitions if choice is Choice.GIVEN else None
        if self.parser is None:
            encoding = self.encoder(leaves, given, choice, copies=copies, own_share=own_share)
        else:
            encoding = self.parser(
                sentences.words,
                sentences.lengths,
                given,
                choice,
                copies=copies,
                own_share=own_share,
            )
        return encoding

    def _follow(
        self, sentences: SortedSentences, leaves: Leaves, transitions: Tensor, copies: int
    ) -> Tensor:
        """Compose sorted sentences, so many copies of each, along a parser's trees."""
        assert isinstance(self.encoder, SPINN)
        if not self.goes_by_height:
            encoding: Encoding = self.encoder(leaves, transitions, copies=copies)
            return encoding.sentences
        steps = transitions.cpu().numpy()
        lengths = leaves.lengths.repeat_interleave(copies).numpy()
        if leaves.alike:  # as they were made, which may have been in another mode than this one
            words = sentences.words.cpu().numpy()
            schedule = build_schedule(steps, lengths, words.repeat(copies, axis=1))
            # Where each word of the schedule, which has them sorted, first stands among the leaves.
            packed = words[np.arange(len(words))[:, None] < leaves.lengths.numpy()]
            first = torch.from_numpy(np.unique(packed, return_index=True)[1])
            states = leaves.states[first.to(leaves.states.device)]
        else:
            schedule = build_schedule(steps, lengths)
            states = leaves.states.repeat_interleave(copies, dim=0)
        return self.encoder.compose(states, schedule.to(transitions.device))

    def _compose(
        self, words: Tensor, lengths: Tensor, transitions: Tensor | None, schedule: Schedule
    ) -> PairOutput:
        """Encode by height; the schedule knows the order of the sentences."""
        assert isinstance(self.encoder, SPINN)
        if schedule.words is not None:
            leaves = self.leaves.of_words(schedule.words)
        else:
            sentences = SortedSentences.of(words, lengths, None)
            leaves = self.leaves_of(sentences).states
        return self._output(Encoding(self.encoder.compose(leaves, schedule), transitions))

    def _output(self, encoding: Encoding) -> PairOutput:
        return PairOutput(self.classifier(*encoding.sentences.chunk(self.sides)), encoding)
