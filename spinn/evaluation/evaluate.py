"""Running a model over a data set: labels, probabilities, trees, and the scores of all three.

Nothing is sampled here: a tracker that predicts or was trained by REINFORCE follows its most
probable transitions, and every other source hands over its trees as in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from spinn.data.batching import Batch, Batcher
from spinn.data.dataset import NO_LABEL, PairDataset
from spinn.evaluation.classification import ClassificationReport
from spinn.evaluation.transition_accuracy import TransitionAccuracy
from spinn.evaluation.tree_scores import Conventions, ParseScore, compare_with_shapes, mean_depth
from spinn.model.pair import PairModel
from spinn.model.types import Plan
from spinn.runtime import arithmetic, evaluation_mode
from spinn.transitions import TransitionArray
from spinn.trees import TreeSource


@dataclass(frozen=True)
class Evaluation:
    """What a model made of P pairs or single sentences, in the order of the data set.

    Attributes
    ----------
    report
        Accuracy and its kin, over the examples that have a label.
    probabilities
        ``[P, labels]``.
    trees
        The trees taken, a pair's premise and hypothesis in turn (2P of pairs, P of single
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
    device: torch.device | None = None,
    precision: str = "fp32",
    seed: int = 0,
) -> Evaluation:
    """Classify a data set, following the trees of ``source``.

    Parameters
    ----------
    model
        The model; it is put in evaluation mode for the time of the call.
    dataset, labels
        The examples, with as many sentences as the model takes, and the names of their labels.
    source
        Where transitions come from; ``None`` for encoders without trees.
    batch_size, device, precision
        How to run it; the device is the model's own by default.
    seed
        Of random trees.

    """
    device = next(model.parameters()).device if device is None else device
    batcher = Batcher(
        dataset,
        source,
        batch_size=batch_size,
        shuffle=False,
        seed=seed,
        by_height=model.by_height,
        share=model.shares(training=False),
    )
    report = ClassificationReport(labels, dataset.kind.unit)
    probabilities = np.zeros((len(dataset), len(labels)), dtype=np.float32)
    trees: list[TransitionArray] | None = None
    with evaluation_mode(model), arithmetic(device, precision):
        for batch in batcher.batches():
            moved = batch.to(device)
            output = model(moved.words, moved.lengths, plan_of(moved))
            scores = output.scores.float()
            rows = batch.rows.numpy()
            probabilities[rows] = scores.softmax(dim=1).cpu().numpy()
            _count(report, scores.cpu(), batch.labels)
            if output.encoding.transitions is not None:
                trees = [_NO_TREE] * len(dataset.lengths) if trees is None else trees
                taken = output.encoding.transitions.cpu().numpy().astype(np.int8)
                _put_trees(trees, taken, batch.lengths.numpy(), rows)
    return Evaluation(report, probabilities, trees)


def parse(
    model: PairModel,
    dataset: PairDataset,
    *,
    batch_size: int = 256,
    precision: str = "fp32",
) -> list[TransitionArray]:
    """Find the most probable tree of each sentence of a data set, and do nothing else.

    The parameters are those of :func:`evaluate`, and so are the trees; the model must have a
    parser, or a tracker that predicts.
    """
    device = next(model.parameters()).device
    trees = [_NO_TREE] * len(dataset.lengths)
    with evaluation_mode(model), arithmetic(device, precision):
        for batch in Batcher(dataset, None, batch_size=batch_size, shuffle=False).batches():
            leaves, plan = model.read(batch.words.to(device), batch.lengths, Plan())
            encoding = model.parse(leaves, plan)
            assert encoding.transitions is not None
            taken = encoding.transitions.cpu().numpy().astype(np.int8)
            _put_trees(trees, taken, batch.lengths.numpy(), batch.rows.numpy())
    return trees


def plan_of(batch: Batch) -> Plan:
    """Follow the transitions of a batch, if it has any, or else the most probable ones."""
    if batch.transitions is None:
        return Plan()
    return Plan.given(batch.transitions, batch.heights)


_NO_TREE: TransitionArray = np.empty(0, dtype=np.int8)


def _count(report: ClassificationReport, scores: torch.Tensor, labels: torch.Tensor) -> None:
    known = labels != NO_LABEL
    if known.any():
        scores, labels = scores[known], labels[known]
        loss = float(functional.cross_entropy(scores, labels))
        report.update(scores.argmax(dim=1).numpy(), labels.numpy(), loss)


def _put_trees(
    trees: list[TransitionArray],
    taken: TransitionArray,
    lengths: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> None:
    """Sort the trees of a batch ``[T, SP]`` into the list of all trees."""
    sides = len(lengths) // len(rows)
    for column, length in enumerate(lengths):
        side, row = divmod(column, len(rows))
        trees[sides * rows[row] + side] = taken[: 2 * length - 1, column]


def all_scores(
    evaluation: Evaluation,
    dataset: PairDataset,
    source: TreeSource | None,
    conventions: Conventions,
    words: list[list[str]] | None = None,
) -> dict[str, Any]:
    """Gather all figures of an evaluation, ready for JSON: of the labels and of the trees.

    The parameters are those of :func:`evaluate` and :func:`score_trees`.
    """
    scores: dict[str, Any] = evaluation.report.as_dict()
    if evaluation.trees is not None and source is not None:
        scores["trees"] = {"source": source.name} | score_trees(
            evaluation.trees, dataset, conventions, words
        )
    return scores


def score_trees(
    trees: list[TransitionArray],
    dataset: PairDataset,
    conventions: Conventions,
    words: list[list[str]] | None = None,
) -> dict[str, Any]:
    """Score trees: against the parser's where it left any, and against trees of fixed shapes.

    Parameters
    ----------
    trees
        All trees, as in :class:`Evaluation`.
    dataset
        The examples, with the parser's trees.
    conventions
        Of the F1.
    words
        The words of all sentences, wanted where punctuation is dropped.

    Returns
    -------
    Figures ready for JSON: ``depth``, ``shapes`` and, where there are gold trees, ``gold``.

    """
    scores: dict[str, Any] = {
        "conventions": conventions.describe(),
        "depth": mean_depth(trees),
        "shapes": compare_with_shapes(trees, conventions, words),
    }
    offsets = dataset.transition_offsets
    gold = np.split(dataset.transitions, offsets[1:-1])
    parse, steps = ParseScore(conventions), TransitionAccuracy()
    for sentence in np.flatnonzero(dataset.parsed):
        parse.update(trees[sentence], gold[sentence], None if words is None else words[sentence])
    for length in np.unique(dataset.lengths):  # trees of one length stack to [T, B]
        alike = np.flatnonzero(dataset.parsed & (dataset.lengths == length))
        if alike.size:
            taken, given = ([source[one] for one in alike] for source in (trees, gold))
            steps.update(np.stack(taken, axis=1), np.stack(given, axis=1))
    if parse.count:
        scores["gold"] = parse.as_dict() | steps.as_dict()
    return scores


def count_parameters(module: nn.Module) -> int:
    """Count the numbers that are trained."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
