"""The figures of an evaluation, of labels and of trees: as numbers for JSON, and as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from spinn.data.dataset import PairDataset
from spinn.evaluation.classification import ClassificationReport
from spinn.evaluation.evaluate import Evaluation
from spinn.evaluation.ratios import figure, percent
from spinn.evaluation.transition_accuracy import TransitionAccuracy
from spinn.evaluation.tree_scores import (
    Conventions,
    MeanDepth,
    ParseScore,
    ShapeScores,
    all_spans,
)
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
    """Score the trees of a data set; see :class:`TreeFigures`."""
    figures = TreeFigures(conventions)
    figures.update(trees, dataset, words)
    return figures.as_dict()


class TreeFigures:
    """Scores of trees against the parser's, if there are any, and against trees of fixed shapes.

    Parameters
    ----------
    conventions
        Conventions of parse F1.

    """

    def __init__(self, conventions: Conventions) -> None:
        self._conventions = conventions
        self._depth = MeanDepth()
        self._shapes = ShapeScores(conventions)
        self._parse = ParseScore(conventions)
        self._steps = TransitionAccuracy()

    def update(
        self,
        trees: list[TransitionArray],
        dataset: PairDataset,
        words: list[list[str]] | None = None,
    ) -> None:
        """Add the trees of a data set.

        Parameters
        ----------
        trees
            All trees, as in :class:`spinn.evaluation.evaluate.Evaluation`.
        dataset
            The examples, with the parser's trees.
        words
            The words of all sentences; required if the conventions drop punctuation.

        """
        gold = np.split(dataset.transitions, dataset.transition_offsets[1:-1])
        parsed = dataset.parsed
        for sentence, tree in enumerate(trees):
            spans = all_spans(tree)
            own = None if words is None else words[sentence]
            self._depth.add_spans(spans)
            self._shapes.add_spans(spans, own)
            if parsed[sentence]:
                self._parse.add_spans(spans, all_spans(gold[sentence]), own)
        for length in np.unique(dataset.lengths):  # trees of one length stack to [T, B]
            alike = np.flatnonzero(parsed & (dataset.lengths == length))
            if alike.size:
                taken, given = ([source[one] for one in alike] for source in (trees, gold))
                self._steps.update(np.stack(taken, axis=1), np.stack(given, axis=1))

    def as_dict(self) -> dict[str, Any]:
        """Return figures for JSON: ``depth``, ``shapes`` and, if there are parses, ``gold``."""
        scores: dict[str, Any] = {
            "conventions": self._conventions.describe(),
            "depth": figure(self._depth.mean),
            "shapes": {name: figure(score.f1) for name, score in self._shapes.scores.items()},
        }
        if self._steps.steps:
            scores["gold"] = self._parse.as_dict() | self._steps.as_dict()
        return scores


def format_scores(scores: dict[str, Any], report: ClassificationReport) -> str:
    """Return the figures of an evaluation as text."""
    parts = [report.format()]
    trees = scores.get("trees")
    if trees is not None:
        lines = [f"trees: {trees['source']}, mean depth {trees['depth']:.2f}"]
        if "gold" in trees:
            lines.append(_against_parser(trees["gold"]))
        shapes = ", ".join(f"{name} {percent(f1)}" for name, f1 in trees["shapes"].items())
        counted = any(f1 is not None for f1 in trees["shapes"].values())
        compared = f"F1 {shapes}" if counted else "nothing is counted in F1"
        lines += [f"against trees of one shape: {compared}", f"F1: {trees['conventions']}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _against_parser(gold: dict[str, Any]) -> str:
    """Return the agreement with the parser's trees as a line of text."""
    counted = "nothing is counted in F1" if gold["f1"] is None else f"F1 {percent(gold['f1'])}"
    line = (
        f"against the parser's trees: {counted}, transition accuracy {percent(gold['accuracy'])} "
        "of all steps"
    )
    if gold["free_steps"]:
        line += f", {percent(gold['free_accuracy'])} of those with a choice"
    return f"{line} ({gold['sentences']:,} sentences)"
