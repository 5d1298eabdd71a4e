"""SPINN as a layer for other models: padded vectors in, sentence vectors out.

:class:`SPINNEncoder` is used like :class:`torch.nn.LSTM`. It checks and sorts what it is given, and
leaves the algorithm to :mod:`spinn.model.spinn`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from spinn.model.cells import TreeLSTM
from spinn.model.spinn import SPINN, SPINNByHeight
from spinn.model.tracker import Tracker
from spinn.model.types import Encoder, Encoding, Leaves, Plan, Sentences
from spinn.transitions import Transition, check_sequences

POOLINGS = ("root", "max", "max-all")


class SPINNEncoder(nn.Module):
    """Encode sentences of any word vectors along binary trees (Bowman et al. 2016).

    Each word vector is projected to a state of a tree-LSTM; the trees compose the states.

    Parameters
    ----------
    input_size, hidden_size
        E and H, the widths of a word vector and of a sentence vector.
    tracker_size
        K, the width of the tracker, an LSTM that watches buffer and stack; 0 for none.
    pooling
        What a sentence vector is: the ``"root"`` of the tree, or the maximum over all phrases
        (``"max"``), or over all phrases and words (``"max-all"``).

    Raises
    ------
    ValueError
        If a width is too small, or there is no such pooling.

    """

    def __init__(
        self, input_size: int, hidden_size: int, *, tracker_size: int = 0, pooling: str = "root"
    ) -> None:
        super().__init__()
        if min(input_size, hidden_size) < 1 or tracker_size < 0:
            raise ValueError(
                "input_size and hidden_size must be 1 or more, and tracker_size 0 or more; they "
                f"are {input_size}, {hidden_size} and {tracker_size}"
            )
        if pooling not in POOLINGS:
            raise ValueError(f"pooling is {pooling!r}; choose from {', '.join(POOLINGS)}")
        self.input_size, self.hidden_size, self.tracker_size = input_size, hidden_size, tracker_size
        composition = TreeLSTM(hidden_size, tracker_size)
        self.projection = nn.Linear(input_size, composition.state_size)
        self.encoder: Encoder
        if tracker_size:
            tracker = Tracker(hidden_size, tracker_size, predicts=True)
            self.encoder = SPINN(composition, tracker, pooling=pooling)
        else:
            self.encoder = SPINNByHeight(composition, pooling=pooling)

    def forward(
        self, embeddings: Tensor, lengths: Tensor, transitions: Tensor | None = None
    ) -> Tensor:
        """Return the vectors ``[B, H]`` of B sentences, in the given order.

        Parameters
        ----------
        embeddings
            ``[B, L, E]``, word vectors, padded at the end with anything.
        lengths
            ``[B]``, numbers of words, from 1 to L; or a mask ``[B, L]`` of bool, true for words.
        transitions
            ``[B, 2L - 1]``, a binary tree for each sentence of N words: 2N - 1 transitions, 3 for
            SHIFT and 2 for REDUCE, padded with 1. If ``None``, the tracker takes the transitions it
            scores best; without a tracker, trees are right-branching. No gradient of the result
            reaches the scores: to train them, use :meth:`encode`.

        Raises
        ------
        ValueError
            If shapes do not fit, or transitions are not trees over these words.

        """
        return self.encode(embeddings, lengths, transitions).sentences

    def encode(
        self, embeddings: Tensor, lengths: Tensor, transitions: Tensor | None = None
    ) -> Encoding:
        """Return vectors, transitions ``[T, B]`` and, with a tracker, their policy.

        Parameters and errors are those of :meth:`forward`; T is 2N - 1 for the longest sentence.
        """
        self._check_embeddings(embeddings)
        counts = _lengths_of(lengths, embeddings)
        if transitions is not None:
            transitions = _checked_transitions(transitions, counts, embeddings)
        elif not self.tracker_size:
            transitions = _right_branching(counts)
        # From here on, sentences are in columns, longest first, and their words have no padding.
        ordered, order = counts.sort(descending=True, stable=True)
        longest, place, device = int(ordered[0]), order.to(embeddings.device), embeddings.device
        present = torch.arange(longest)[:, None] < ordered
        words = embeddings[place, :longest].transpose(0, 1)[present.to(device)]
        # Under autocast the projection is bf16; memory cells are kept in the weights' precision.
        states = self.projection(words).to(self.projection.weight.dtype)
        leaves = Leaves(states, Sentences(ordered, back=place.argsort()))
        plan = Plan()
        if transitions is not None:
            plan = Plan.given(transitions[order, : 2 * longest - 1].T.to(device))
        return leaves.restore(self.encoder.encode(leaves, plan))

    def _check_embeddings(self, embeddings: Tensor) -> None:
        if embeddings.ndim != 3 or embeddings.shape[2] != self.input_size:
            raise ValueError(
                f"embeddings have the shape {list(embeddings.shape)} where [sentences, words, "
                f"{self.input_size}] is required"
            )
        if 0 in embeddings.shape:
            raise ValueError(f"embeddings of the shape {list(embeddings.shape)} have no words")


def _lengths_of(lengths: Tensor, embeddings: Tensor) -> Tensor:
    """Return lengths ``[B]`` on the CPU, from lengths or from a mask ``[B, L]``."""
    count, longest = embeddings.shape[:2]
    given = torch.as_tensor(lengths).detach().cpu()
    if given.dtype == torch.bool:
        if given.shape != (count, longest):
            raise ValueError(
                f"the mask has the shape {list(given.shape)} where [{count}, {longest}] is required"
            )
        counts = given.sum(dim=1)
        if not given.equal(torch.arange(longest) < counts[:, None]):
            raise ValueError("the mask is false before a word; pad sentences at the end")
    else:
        if given.is_floating_point() or given.shape != (count,):
            raise ValueError(
                f"lengths are {given.dtype} of the shape {list(given.shape)} where integers of the "
                f"shape [{count}], or a mask of bool, are required"
            )
        counts = given.long()
    if counts.min() < 1 or counts.max() > longest:
        wrong = int(((counts < 1) | (counts > longest)).nonzero()[0])
        raise ValueError(
            f"sentence {wrong} has {int(counts[wrong])} words where 1 to {longest} are required"
        )
    return counts


def _checked_transitions(transitions: Tensor, counts: Tensor, embeddings: Tensor) -> Tensor:
    """Return transitions ``[B, T]`` on the CPU; they must be trees over the sentences."""
    count, longest = embeddings.shape[:2]
    given = torch.as_tensor(transitions).detach().cpu()
    if given.is_floating_point() or given.shape != (count, 2 * longest - 1):
        raise ValueError(
            f"transitions are {given.dtype} of the shape {list(given.shape)} where integers of the "
            f"shape [{count}, {2 * longest - 1}] are required"
        )
    steps, ends = given.numpy(), 2 * counts.numpy() - 1
    inside = np.arange(steps.shape[1]) < ends[:, None]
    for wrong in np.flatnonzero((~inside & (steps != Transition.PAD)).any(axis=1))[:1]:
        raise ValueError(
            f"the transitions of sentence {wrong} go on after {ends[wrong]}, which is all that its "
            f"{counts[wrong]} words take; pad with {int(Transition.PAD)}"
        )
    for wrong in np.flatnonzero(steps[:, 0] != Transition.SHIFT)[:1]:
        raise ValueError(f"the transitions of sentence {wrong} do not begin with SHIFT")
    check_sequences(steps[inside], np.concatenate([[0], ends.cumsum()]))
    return given.long()


def _right_branching(counts: Tensor) -> Tensor:
    """Return right-branching trees ``[B, T]`` over sentences of these lengths."""
    steps = torch.arange(2 * int(counts.max()) - 1)
    trees = torch.full((len(counts), len(steps)), int(Transition.PAD))
    trees[steps < 2 * counts[:, None] - 1] = int(Transition.REDUCE)
    trees[steps < counts[:, None]] = int(Transition.SHIFT)
    return trees
