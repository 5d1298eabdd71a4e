"""The sentence-pair model: leaves, encoder and classifier, from a batch to scores of the labels.

Premise and hypothesis are side by side in the batch and are encoded in one run. The same model
classifies single sentences: an example has S of them, 2 or 1, and only the classifier sees the
difference. Sentences are sorted for the encoder, and its result is put back in order, here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spinn.model.classifier import PairClassifier
from spinn.model.leaves import LeafLayer
from spinn.model.types import Encoder, Encoding, Leaves, Plan, Sentences, WordStates


@dataclass(frozen=True)
class PairOutput:
    """The result for P examples, or for K copies of each, side by side.

    Attributes
    ----------
    scores
        ``[P * K, labels]``, unnormalised.
    encoding
        Of the SP * K sentences, premises first, in the order of the batch.
    word_states
        Of the SP sentences, once each: states of the LSTM below the leaves, or of an LSTM encoder,
        if it reads words forwards only.

    """

    scores: Tensor
    encoding: Encoding
    word_states: WordStates | None = None

    def nothing(self) -> PairOutput:
        """Return the output of no example, through which gradients still reach the model."""
        none = torch.empty(0, dtype=torch.long, device=self.scores.device)
        read = None if self.word_states is None else self.word_states.nothing()
        return PairOutput(self.scores[:0], self.encoding.reorder(none), read)


class PairModel(nn.Module):
    """Classify pairs of sentences, or single ones, with any encoder.

    Parameters
    ----------
    leaves, encoder, classifier
        The parts.

    """

    def __init__(self, leaves: LeafLayer, encoder: Encoder, classifier: PairClassifier) -> None:
        super().__init__()
        self.leaves = leaves
        self.encoder = encoder
        self.classifier = classifier

    @property
    def sides(self) -> int:
        """Sentences that are classified together: 2, or 1."""
        return self.classifier.sides

    @property
    def by_height(self) -> bool:
        """Whether batches of given trees should come with heights."""
        return self.encoder.by_height

    def shares(self, *, training: bool) -> bool:
        """Return whether equal subtrees of a batch have equal vectors, so that one will do."""
        return self.by_height and self.leaves.alike(training=training)

    def forward(self, words: Tensor, lengths: Tensor, plan: Plan) -> PairOutput:
        """Classify P examples.

        Parameters
        ----------
        words, lengths
            ``[L, SP]`` and ``[SP]`` (on the CPU), premises first.
        plan
            How to encode them.

        """
        leaves, plan = self.read(words, lengths, plan)
        return self.classify(leaves, plan)

    def read(self, words: Tensor, lengths: Tensor, plan: Plan) -> tuple[Leaves, Plan]:
        """Sort sentences and make their leaves; return leaves and the plan in their order."""
        sentences, order = Sentences.sort(words, lengths)
        distinct = None if plan.heights is None else plan.heights.words
        leaves: Leaves = self.leaves(sentences, distinct)
        return leaves, plan.reorder(order)

    def classify(self, leaves: Leaves, plan: Plan) -> PairOutput:
        """Encode and classify examples whose leaves are made; several runs may share them."""
        encoding = self.encode(leaves, plan)
        scores = self.classifier(*encoding.sentences.chunk(self.sides))
        return PairOutput(scores, encoding, leaves.word_states or encoding.word_states)

    def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Encode sentences whose leaves are made, in the order of the batch."""
        return leaves.restore(self.encoder.encode(leaves, plan))

    def parse(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Choose the transitions of examples whose leaves are made, in the order of the batch."""
        return leaves.restore(self.encoder.parse(leaves, plan))
