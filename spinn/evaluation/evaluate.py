"""Evaluation of a model on a data set: the report of its labels, probabilities and trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from spinn.data.dataset import NO_LABEL, PairDataset
from spinn.evaluation.classification import ClassificationReport
from spinn.inference import Inference
from spinn.model.pair import PairModel
from spinn.pretrained import TrainedModel
from spinn.transitions import TransitionArray
from spinn.trees import TreeSource


@dataclass(frozen=True)
class LabelClasses:
    """Classes of labels, where a test set distinguishes fewer than the model.

    Attributes
    ----------
    names
        The classes.
    members
        For each label of the model, the index of its class.

    """

    names: tuple[str, ...]
    members: tuple[int, ...]


@dataclass(frozen=True)
class Evaluation:
    """The results for P pairs or single sentences, in the order of the data set.

    Attributes
    ----------
    report
        Accuracy, F1 and loss of the examples that have a label.
    probabilities
        ``[P, labels]``.
    trees
        The trees taken, premise and hypothesis of each pair in turn (2P of pairs, P of single
        sentences); ``None`` for encoders without trees.

    """

    report: ClassificationReport
    probabilities: NDArray[np.float32]
    trees: list[TransitionArray] | None


def evaluate(
    model: PairModel,
    dataset: PairDataset,
    labels: tuple[str, ...],
    source: TreeSource | None,
    *,
    batch_size: int = 256,
    precision: str = "fp32",
    seed: int = 0,
    classes: LabelClasses | None = None,
    report: ClassificationReport | None = None,
    progress: bool = False,
) -> Evaluation:
    """Classify a data set along the trees of ``source``, and score the labels.

    Parameters
    ----------
    model
        The model, on its device; its mode is restored afterwards.
    dataset, labels
        The examples, with as many sentences as the model takes, and the names of their labels.
    source
        Where transitions come from; ``None`` for encoders without trees.
    batch_size, precision, seed, progress
        See :class:`spinn.inference.Inference`.
    classes
        The classes that the labels of the data set number, if several labels count as one.
    report
        A report to add to; by default a new one.

    """
    outputs = Inference(model, source, batch_size, precision, seed, progress).classify(dataset)
    if report is None:
        names = labels if classes is None else classes.names
        report = ClassificationReport(names, dataset.kind.unit)
    for rows in outputs.batches:
        scores = torch.from_numpy(outputs.scores[rows])
        _count(report, scores, dataset.labels[rows], classes)
    return Evaluation(report, outputs.probabilities, outputs.encodings.trees)


def evaluate_trained(
    trained: TrainedModel,
    dataset: PairDataset,
    source: TreeSource | None,
    *,
    batch_size: int = 256,
    seed: int | None = None,
    classes: LabelClasses | None = None,
    report: ClassificationReport | None = None,
    progress: bool = False,
) -> Evaluation:
    """Evaluate a trained model on its device as training does at its end.

    Parameters
    ----------
    trained, dataset
        The model, and numericalised examples.
    source
        See :meth:`spinn.pretrained.TrainedModel.tree_source`.
    batch_size
        Number of examples in a batch.
    seed
        Seed of random trees; by default that of the run.
    classes, report, progress
        See :func:`evaluate`.

    """
    return evaluate(
        trained.model,
        dataset,
        trained.labels,
        source,
        batch_size=batch_size,
        precision=trained.precision,
        seed=trained.seed if seed is None else seed,
        classes=classes,
        report=report,
        progress=progress,
    )


def _count(
    report: ClassificationReport,
    scores: torch.Tensor,
    gold: NDArray[np.int64],
    classes: LabelClasses | None,
) -> None:
    """Add the examples of a batch that have a label."""
    known = torch.from_numpy(gold != NO_LABEL)
    if known.any():
        scores, labels = scores[known], torch.from_numpy(gold)[known]
        predicted = scores.argmax(dim=1)
        if classes is not None:
            members = torch.tensor(classes.members)
            predicted = members[predicted]
            grouped = [scores[:, members == one].logsumexp(1) for one in range(len(classes.names))]
            scores = torch.stack(grouped, dim=1)  # the softmax is the sum of the probabilities
        loss = float(functional.cross_entropy(scores, labels))
        report.update(predicted.numpy(), labels.numpy(), loss)
