"""The figures of an evaluation, of labels and of trees: as numbers for JSON, and as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from spinn.data.dataset import PairDataset
from spinn.evaluation.evaluate import Evaluation
from spinn.evaluation.transition_accuracy import TransitionAccuracy
from spinn.evaluation.tree_scores import Conventions, ParseScore, compare_with_shapes, mean_depth
from spinn.transitions import TransitionArray
from spinn.trees import TreeSource


def all_scores(
    evaluation: Evaluation,
    dataset: PairDataset,
    source: TreeSource | None,
    conventions: Conventions,
    words: list[list[str]] | None = None,
) -> dict[str, Any]:
    """Return all figures of an evaluation, for JSON.

    The parameters are those of :func:`spinn.evaluation.evaluate.evaluate` and :func:`score_trees`.
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
    """Score trees against the parser's, where there are any, and against trees of fixed shapes.

    Parameters
    ----------
    trees
        All trees, as in :class:`spinn.evaluation.evaluate.Evaluation`.
    dataset
        The examples, with the parser's trees.
    conventions
        Conventions of parse F1.
    words
        The words of all sentences; required if the conventions drop punctuation.

    Returns
    -------
    Figures for JSON: ``depth``, ``shapes`` and, if there are gold trees, ``gold``.

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


def format_scores(scores: dict[str, Any], evaluation: Evaluation) -> str:
    """Return the figures of an evaluation as text."""
    parts = [evaluation.report.format()]
    trees = scores.get("trees")
    if trees is not None:
        lines = [f"trees: {trees['source']}, mean depth {trees['depth']:.2f}"]
        if "gold" in trees:
            gold = trees["gold"]
            lines.append(
                f"against the parser's trees: F1 {100 * gold['f1']:.2f}%, transition accuracy "
                f"{100 * gold['accuracy']:.2f}% of all steps, {100 * gold['free_accuracy']:.2f}% "
                f"of those with a choice ({gold['sentences']:,} sentences)"
            )
        shapes = ", ".join(f"{name} {100 * f1:.2f}%" for name, f1 in trees["shapes"].items())
        lines += [f"against trees of one shape: F1 {shapes}", f"F1: {trees['conventions']}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
