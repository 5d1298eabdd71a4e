"""Summaries of the rows of a study, from the measurements of their runs.

The runs of a row differ only in their seed. Accuracies have a bootstrap interval over seeds and
premises and are compared, pair by pair, with those of one row of the study. Trees are compared with
the parser's, with fixed shapes, and between seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from spinn.evaluation.tree_scores import (
    Conventions,
    ParseScore,
    all_spans,
    compare_with_shapes,
    mean_depth,
)
from spinn.studies.measurement import SPLITS, Measurement, SplitMeasurement
from spinn.studies.statistics import (
    BoolArray,
    Interval,
    bootstrap_difference,
    bootstrap_mean,
    deviation,
    holm,
    sign_flip_test,
)
from spinn.transitions import Span, TransitionArray

RANDOM_SEED = 0  # of the bootstrap
CONVENTIONS = Conventions()

# The measurements of each row by seed.
Measurements = Mapping[str, Mapping[int, Measurement]]


@dataclass(frozen=True)
class Accuracy:
    """Accuracy over seeds, in fractions.

    Attributes
    ----------
    seeds
        Accuracy of each seed.
    mean, deviation
        Mean and sample standard deviation over seeds; no deviation (``None``) for one seed.
    interval
        From :func:`spinn.studies.statistics.bootstrap_mean`.

    """

    seeds: tuple[float, ...]
    mean: float
    deviation: float | None
    interval: Interval


@dataclass(frozen=True)
class Comparison:
    """Difference of a row from the row it is compared with.

    Attributes
    ----------
    difference, interval
        Difference in accuracy, and its interval from
        :func:`spinn.studies.statistics.bootstrap_difference`.
    p, adjusted
        From :func:`spinn.studies.statistics.sign_flip_test`, and after Holm's correction over all
        rows compared on the same set.

    """

    difference: float
    interval: Interval
    p: float
    adjusted: float


@dataclass(frozen=True)
class TreeScores:
    """Scores of the trees of a row, by seed; F1 scores are fractions.

    Attributes
    ----------
    split
        The set of the trees.
    f1
        Parse F1 of each seed against ``gold`` (if there are parses) and each fixed shape.
    agreement
        Parse F1 between the trees of each two seeds; empty for one seed.
    depth
        Mean depth of a word, for each seed.

    """

    split: str
    f1: dict[str, tuple[float, ...]]
    agreement: tuple[float, ...]
    depth: tuple[float, ...]


@dataclass(frozen=True)
class RowSummary:
    """Summary of a row over its finished runs.

    Attributes
    ----------
    name, seeds
        The row, and the seeds of its finished runs.
    accuracy, comparison
        By set, for sets that all runs of the row have. There is no comparison on further test sets,
        for the row that others are compared with, and for rows measured on other pairs.
    trees
        ``None`` for encoders without trees.
    weights, seconds
        Number of parameters and training time, means over seeds.

    """

    name: str
    seeds: tuple[int, ...]
    accuracy: dict[str, Accuracy] = field(default_factory=dict)
    comparison: dict[str, Comparison] = field(default_factory=dict)
    trees: TreeScores | None = None
    weights: float | None = None
    seconds: float | None = None


def summarise(measurements: Measurements, against: str) -> list[RowSummary]:
    """Return the summaries of all rows, in order.

    Parameters
    ----------
    measurements
        Measurements of the finished runs of each row, by seed.
    against
        The row that the others are compared with.

    """
    splits = common_splits(measurements)
    trees_of = splits[-1] if splits else ""  # test, if every run has it
    comparisons: dict[str, dict[str, Comparison]] = {name: {} for name in measurements}
    for split in SPLITS:
        for name, comparison in _comparisons(measurements, against, split).items():
            comparisons[name][split] = comparison
    return [
        _summary(name, runs, trees_of, comparisons[name]) for name, runs in measurements.items()
    ]


def common_splits(measurements: Measurements) -> list[str]:
    """Return which of dev and test every finished run has."""
    shared = _shared_sets(run for runs in measurements.values() for run in runs.values())
    return [split for split in SPLITS if split in shared]


def sides_of(measurements: Measurements) -> int:
    """Return the largest number of sentences per example in any run: 2 or 1."""
    runs = (run for runs in measurements.values() for run in runs.values())
    return max(measured.sides for run in runs for measured in run.sets.values())


def _shared_sets(runs: Iterable[Measurement]) -> list[str]:
    """Return the sets that all of the runs have."""
    finished = list(runs)
    names = finished[0].sets if finished else {}
    return [name for name in names if all(name in run.sets for run in finished)]


def correctness(runs: Mapping[int, Measurement], split: str) -> BoolArray:
    """Return whether each seed classified each labelled pair correctly, ``[S, labelled pairs]``."""
    return np.stack([run.sets[split].correct for run in runs.values()])


def labelled_premises(runs: Mapping[int, Measurement], split: str) -> NDArray[np.int32]:
    """Return the premise numbers of the labelled pairs, ``[labelled pairs]``."""
    first = next(iter(runs.values())).sets[split]
    return first.premises[first.labelled]


def _summary(
    name: str,
    runs: Mapping[int, Measurement],
    trees_of: str,
    comparison: dict[str, Comparison],
) -> RowSummary:
    if not runs:
        return RowSummary(name, ())
    accuracy = {split: _accuracy(runs, split) for split in _shared_sets(runs.values())}
    return RowSummary(
        name,
        tuple(runs),
        accuracy,
        comparison,
        score_row_trees([run.sets[trees_of] for run in runs.values()], trees_of)
        if trees_of
        else None,
        fmean(run.weights for run in runs.values()),
        fmean(run.seconds for run in runs.values()),
    )


def _generator(split: str, kind: int = 0) -> np.random.Generator:
    """Return a new generator, so that results do not depend on the other rows and sets."""
    return np.random.default_rng([RANDOM_SEED, *split.encode(), kind])


def _accuracy(runs: Mapping[int, Measurement], split: str) -> Accuracy:
    correct = correctness(runs, split)
    seeds = tuple(float(accuracy) for accuracy in correct.mean(axis=1))
    interval = bootstrap_mean(correct, labelled_premises(runs, split), _generator(split))
    return Accuracy(seeds, fmean(seeds), deviation(seeds), interval)


def _comparisons(measurements: Measurements, against: str, split: str) -> dict[str, Comparison]:
    """Compare all rows measured on the same pairs with the row ``against``, on one set."""
    others = measurements[against]
    rows = {
        name: correctness(runs, split)
        for name, runs in measurements.items()
        if name != against and comparable(runs, others, split)
    }
    if not rows:
        return {}
    base = correctness(others, split)
    premises = labelled_premises(others, split)
    p_values = [sign_flip_test(correct, base, premises) for correct in rows.values()]
    return {
        name: Comparison(
            float(correct.mean() - base.mean()),
            bootstrap_difference(correct, base, premises, _generator(split, kind=1)),
            p,
            adjusted,
        )
        for (name, correct), p, adjusted in zip(rows.items(), p_values, holm(p_values), strict=True)
    }


def comparable(
    runs: Mapping[int, Measurement], others: Mapping[int, Measurement], split: str
) -> bool:
    """Return whether two rows have finished runs, all measured on the same pairs of a set."""
    if not runs or not others:
        return False
    if split not in _shared_sets([*runs.values(), *others.values()]):
        return False
    first = next(iter(others.values())).sets[split]
    return all(run.sets[split].same_pairs(first) for run in runs.values())


def score_row_trees(seeds: Sequence[SplitMeasurement], split: str) -> TreeScores | None:
    """Return the scores of the trees of a row's runs; ``None`` if they have no trees."""
    trees = [seed.trees for seed in seeds if seed.trees is not None]
    if not trees:
        return None
    shapes = [compare_with_shapes(of_seed, CONVENTIONS) for of_seed in trees]
    f1 = {shape: tuple(scores[shape] for scores in shapes) for shape in shapes[0]}
    gold = seeds[0].gold_trees
    if any(tree is not None for tree in gold):
        f1 = {"gold": tuple(_gold_f1(of_seed, gold) for of_seed in trees)} | f1
    depth = tuple(mean_depth(of_seed) for of_seed in trees)
    return TreeScores(split, f1, agreement(trees), depth)


def _gold_f1(trees: Sequence[TransitionArray], gold: Sequence[TransitionArray | None]) -> float:
    score = ParseScore(CONVENTIONS)
    for tree, parse in zip(trees, gold, strict=True):
        if parse is not None:
            score.update(tree, parse)
    return score.f1


def agreement(trees: Sequence[Sequence[TransitionArray]]) -> tuple[float, ...]:
    """Return the F1 between the trees of each two seeds.

    Their mean is the self-F1 of Williams, Drozdov and Bowman (2018, arXiv 1709.01121), which
    measures how consistent the learned grammar is over random initialisations.
    """
    spans = [[all_spans(tree) for tree in of_seed] for of_seed in trees]
    return tuple(_f1(first, second) for first, second in combinations(spans, 2))


def _f1(first: list[list[Span]], second: list[list[Span]]) -> float:
    score = ParseScore(CONVENTIONS)
    for spans, others in zip(first, second, strict=True):
        score.add_spans(spans, others)
    return score.f1
