"""Classification metrics: accuracy, F1 per label, the confusion matrix and the mean loss.

Evaluation adds batches to a :class:`ClassificationReport`, which returns the metrics as a
dictionary (:meth:`ClassificationReport.as_dict`) or as a plain-text table
(:meth:`ClassificationReport.format`). All metrics except the loss are computed from the confusion
matrix, so memory does not grow with the number of pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinn.evaluation.ratios import UNDEFINED, figure, ratio
from spinn.support.text import printable

LabelArray = NDArray[np.integer[Any]]
FloatArray = NDArray[np.float64]


class ClassificationReport:
    """Counts of gold and predicted labels, and the metrics computed from them.

    The examples are pairs of sentences or single sentences; both are called pairs here. Ratios with
    a zero denominator are 0: the precision of a label that is never predicted, and the recall of a
    label without gold pairs. The means of an empty report (accuracy, macro F1, loss) are NaN. The
    macro F1 excludes labels that are neither gold nor predicted.

    Parameters
    ----------
    labels
        Names of the K labels, by index.
    unit
        Name of the examples in the table.

    """

    def __init__(self, labels: Sequence[str], unit: str = "pairs") -> None:
        self.labels = tuple(labels)
        self.unit = unit
        self.confusion = np.zeros((len(self.labels), len(self.labels)), dtype=np.int64)
        """Pairs by gold label (row) and predicted label (column), ``[K, K]``."""
        self._loss_sum = 0.0

    def update(self, predicted: LabelArray, gold: LabelArray, loss: float) -> None:
        """Add a batch of P pairs.

        Parameters
        ----------
        predicted, gold
            Label indices ``[P]``.
        loss
            Mean loss of these P pairs; batches are weighted by size.

        Raises
        ------
        ValueError
            If the shapes differ, or an index is out of range.

        """
        predicted, gold = np.asarray(predicted), np.asarray(gold)
        if predicted.shape != gold.shape or gold.ndim != 1:
            raise ValueError(f"predicted is {predicted.shape}, gold {gold.shape}; both must be [P]")
        size = len(self.labels)
        for name, numbers in (("predicted", predicted), ("gold", gold)):
            outside = numbers[(numbers < 0) | (numbers >= size)]
            if outside.size:
                raise ValueError(f"{name} label {outside[0]} is not in 0 to {size - 1}")
        cells = np.bincount(gold.astype(np.int64) * size + predicted, minlength=size * size)
        self.confusion += cells.reshape(size, size)
        self._loss_sum += float(loss) * len(gold)

    @property
    def count(self) -> int:
        """Number of pairs."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Fraction of pairs with the correct label."""
        return ratio(int(self.confusion.trace()), self.count)

    @property
    def majority(self) -> float:
        """Accuracy of always predicting the most frequent gold label."""
        return ratio(int(self._gold.max()), self.count)

    @property
    def loss(self) -> float:
        """Mean loss per pair."""
        return ratio(self._loss_sum, self.count)

    @property
    def precision(self) -> FloatArray:
        """Precision of each label, ``[K]``."""
        return _ratio(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self) -> FloatArray:
        """Recall of each label, ``[K]``."""
        return _ratio(self.confusion.diagonal(), self.confusion.sum(axis=1))

    @property
    def f1(self) -> FloatArray:
        """Harmonic mean of precision and recall of each label, ``[K]``."""
        return _ratio(2 * self.confusion.diagonal(), self._occurrences)

    @property
    def macro_f1(self) -> float:
        """Mean F1 over labels that occur, gold or predicted."""
        occurs = self._occurrences > 0
        return float(self.f1[occurs].mean()) if occurs.any() else UNDEFINED

    @property
    def _occurrences(self) -> NDArray[np.int64]:
        return self.confusion.sum(axis=0) + self.confusion.sum(axis=1)

    def as_dict(self) -> dict[str, Any]:
        """Return all metrics as a dictionary for JSON; undefined ones are ``None``."""
        figures = zip(self.labels, self.precision, self.recall, self.f1, self._gold, strict=True)
        return {
            "count": self.count,
            "accuracy": figure(self.accuracy),
            "majority": figure(self.majority),
            "loss": figure(self.loss),
            "macro_f1": figure(self.macro_f1),
            "labels": {
                label: {
                    "precision": float(precision) if self.count else None,
                    "recall": float(recall) if self.count else None,
                    "f1": float(f1) if self.count else None,
                    "count": int(count),
                }
                for label, precision, recall, f1, count in figures
            },
            "confusion": {
                gold: {
                    predicted: int(self.confusion[row, column])
                    for column, predicted in enumerate(self.labels)
                }
                for row, gold in enumerate(self.labels)
            },
        }

    def format(self) -> str:
        """Return the report as plain-text tables; ratios are percentages."""
        if not self.count:
            return f"No {self.unit} have a gold label, so there are no scores of labels."
        summary = (
            f"accuracy {100 * self.accuracy:.2f}%   macro F1 {100 * self.macro_f1:.2f}%   "
            f"loss {self.loss:.4f}   {self.unit} {self.count:,}"
        )
        figures = zip(self.labels, self.precision, self.recall, self.f1, self._gold, strict=True)
        scores = [["label", "precision", "recall", "F1", self.unit]]
        for label, precision, recall, f1, count in figures:
            ratios = [f"{100 * ratio:.2f}" for ratio in (precision, recall, f1)]
            scores.append([label, *ratios, f"{count:,}"])
        confusion = [["gold \\ predicted", *self.labels]]
        for label, row in zip(self.labels, self.confusion, strict=True):
            confusion.append([label, *(f"{cell:,}" for cell in row)])
        parts = [summary, _table(scores), _table(confusion)]
        return "\n\n".join(parts + self._notes())

    @property
    def _gold(self) -> NDArray[np.int64]:
        return self.confusion.sum(axis=1)

    def _notes(self) -> list[str]:
        """Return a note on the ratios in the table with a zero denominator."""
        notes = []
        ratios = "precision (never predicted)", f"recall (no gold {self.unit})"
        for axis, named in enumerate(ratios):
            empty = self.confusion.sum(axis=axis) == 0
            names = [label for label, is_empty in zip(self.labels, empty, strict=True) if is_empty]
            if names:
                notes.append(f"Undefined, given as 0: {named} of {printable(', '.join(names))}.")
        return ["\n".join(notes)] if notes else []


def _ratio(part: Any, whole: Any) -> FloatArray:
    """Divide elementwise; 0 if the denominator is 0."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _table(rows: list[list[str]]) -> str:
    """Align rows in columns, the first to the left, the others to the right."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
