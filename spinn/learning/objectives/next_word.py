"""An auxiliary loss: the LSTM that reads a sentence also predicts its next words.

A sentence encoder trained on labels alone learns of its words what tells the labels apart. A
language model's loss on the same sentences, with a small weight, makes the states of its LSTM
predict all words, too (Rei 2017, arXiv 1704.07156, equation 9). It composes with every objective:
:class:`spinn.learning.objectives.label.Objective` adds it to the loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinn.model.leaves import WordEmbedding
from spinn.model.types import WordStates
from spinn.ops.allreduce import part_of_mean
from spinn.support.options import Condition, Group, Values, option


def _is_frozen(values: Values) -> bool:
    """Return whether the LSTM is that of a language model, and not trained."""
    taken = values["pretrained"] is not None and values["pretrained_parts"] == "all"
    return taken and values["pretrained_freeze"]


def _reads_forwards(values: Values) -> bool:
    """Return whether an LSTM below the leaves, or as the encoder, reads words in order."""
    context = values["leaf_context"]
    return context == "lstm" or (context == "none" and values["encoder"] == "lstm")


@dataclass(frozen=True)
class NextWordOptions:
    """A language model's loss beside the others (``--language-weight`` more than 0)."""

    language_weight: float = option(
        0.0,
        "weight of the cross-entropy of the next word, predicted by the LSTM below the leaves or "
        "by the LSTM encoder (Rei 2017)",
        minimum=0,
        when=Condition(
            lambda values: not _is_frozen(values), "--pretrained-freeze does not train the LSTM"
        ),
    )


NEXT_WORD_GROUP = Group(
    "next_word",
    NextWordOptions,
    Condition(
        lambda values: values["language_weight"] > 0 and _reads_forwards(values),
        "it requires an LSTM that reads words in order: --leaf-context lstm, or --encoder lstm "
        "without a leaf context",
    ),
)


class NextWordLoss(nn.Module):
    """The cross-entropy of the next word, with the word vectors as the decoder.

    Parameters
    ----------
    weight
        Of this loss in the sum.
    width
        D, the width of the LSTM.
    size
        E, the width of a word vector; a linear map leads to it if it differs from D.
    words
        Number of words that can be predicted, the first ones of the vocabulary: those that may be
        read in training, so that files of test sets change nothing.

    """

    def __init__(self, weight: float, width: int, size: int, words: int) -> None:
        super().__init__()
        self.weight = weight
        self.map = nn.Linear(width, size, bias=False) if width != size else nn.Identity()
        self.bias = nn.Parameter(torch.zeros(words))

    def forward(self, read: WordStates, embedding: WordEmbedding) -> Tensor:
        """Return (this process's part of) the mean over all words that have a successor, in nats.

        Parameters
        ----------
        read
            The states of the LSTM after each word.
        embedding
            The word vectors.

        """
        states, targets = read.followed()
        decoder = embedding.table()[: len(self.bias)]
        scores = functional.linear(self.map(states), decoder, self.bias).float()
        losses = functional.cross_entropy(scores, targets, reduction="none")
        return part_of_mean(losses)  # 0 if all sentences of a batch have one word
