"""Accuracy of predicted transitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinn.evaluation.ratios import figure, ratio
from spinn.transitions import Transition, Transitions, TreeError


@dataclass
class TransitionAccuracy:
    """Fraction of steps at which the predicted transition equals the gold transition.

    If the model follows its own predictions, its state after an error differs from that of the gold
    tree; later steps are compared all the same.

    Many steps allow one transition only: SHIFT with fewer than two items on the stack, REDUCE with
    an empty buffer. *Free* steps are those where both are legal, so the accuracy over free steps is
    the more informative one. Both accuracies are fractions from 0 to 1; NaN without steps.
    """

    steps: int = field(default=0, init=False)
    """Number of steps."""
    free_steps: int = field(default=0, init=False)
    """Number of steps at which both transitions are legal."""
    _correct: int = field(default=0, init=False, repr=False)
    _free_correct: int = field(default=0, init=False, repr=False)

    def update(self, predicted: Transitions, gold: Transitions) -> None:
        """Add the steps of one sentence or of a batch.

        Parameters
        ----------
        predicted
            The transition predicted at each step, ``[T]`` or ``[T, B]``; it may be illegal.
        gold
            The gold transitions, of the same shape; PAD is ignored.

        Raises
        ------
        ValueError
            If the shapes differ.
        TreeError
            If the gold transitions are not trees.

        """
        gold_steps, predicted_steps = np.asarray(gold), np.asarray(predicted)
        if gold_steps.shape != predicted_steps.shape:
            raise ValueError(f"predicted is {predicted_steps.shape}, gold {gold_steps.shape}")
        used = gold_steps != Transition.PAD
        free = _free_steps(gold_steps, used)
        correct = (gold_steps == predicted_steps) & used
        self.steps += int(used.sum())
        self.free_steps += int(free.sum())
        self._correct += int(correct.sum())
        self._free_correct += int((correct & free).sum())

    @property
    def accuracy(self) -> float:
        """Accuracy over all steps."""
        return ratio(self._correct, self.steps)

    @property
    def free_accuracy(self) -> float:
        """Accuracy over free steps."""
        return ratio(self._free_correct, self.free_steps)

    def as_dict(self) -> dict[str, Any]:
        """Return accuracies, ``None`` if undefined, and counts as a dictionary for JSON."""
        return {
            "accuracy": figure(self.accuracy),
            "free_accuracy": figure(self.free_accuracy),
            "steps": self.steps,
            "free_steps": self.free_steps,
        }


def _free_steps(gold: NDArray[Any], used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask of free steps of gold trees ``[T]`` or ``[T, B]``."""
    shift = (gold == Transition.SHIFT).astype(np.int64)
    change = shift - (gold == Transition.REDUCE)
    depth = change.cumsum(axis=0)  # stack items after each step
    buffered = shift.sum(axis=0) - shift.cumsum(axis=0)  # words in the buffer after each step
    is_step = np.isin(gold, (Transition.SHIFT, Transition.REDUCE))
    if gold.shape[0] == 0 or (used & ~is_step).any() or (depth < 1).any() or (depth[-1] != 1).any():
        raise TreeError("the gold transitions are not a tree")
    result: NDArray[np.bool_] = used & (depth - change > 1) & (buffered + shift > 0)
    return result
