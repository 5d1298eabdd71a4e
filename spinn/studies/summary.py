"""The figures of each row of a study, from the answers of its runs.

A row's runs differ in the seed alone. Accuracies come with an interval over seeds and premises, and
are compared, pair by pair, with those of the row that the study is held against; trees are compared
with the parser's, with fixed shapes, and between seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from spinn.evaluation.parsing import (
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
    """Accuracy over seeds; all figures are fractions.

    Attributes
    ----------
    seeds
        Of each seed.
    mean, deviation
        Over seeds; the sample standard deviation, ``None`` for one seed.
    interval
        See :func:`spinn.studies.statistics.bootstrap_mean`.

    """

    seeds: tuple[float, ...]
    mean: float
    deviation: float | None
    interval: Interval


@dataclass(frozen=True)
class Comparison:
    """A row less the row that the study is held against.

    Attributes
    ----------
    difference, interval
        In accuracy, and its bounds by :func:`spinn.studies.statistics.bootstrap_difference`.
    p, adjusted
        Of :func:`spinn.studies.statistics.sign_flip_test`, and after Holm's correction for all
        rows compared on the same set.

    """

    difference: float
    interval: Interval
    p: float
    adjusted: float


@dataclass(frozen=True)
class TreeFigures:
    """What the trees of a row are like, by seed; scores are fractions.

    Attributes
    ----------
    split
        The set whose trees these are.
    f1
        Parse F1 of each seed with ``gold`` (where there are parses) and each fixed shape.
    agreement
        Parse F1 between the trees of every two seeds; empty for one seed.
    depth
        Mean depth of a word, of each seed.

    """

    split: str
    f1: dict[str, tuple[float, ...]]
    agreement: tuple[float, ...]
    depth: tuple[float, ...]


@dataclass(frozen=True)
class RowSummary:
    """All figures of a row; what could not be measured is missing.

    Attributes
    ----------
    name, seeds
        The row, and the seeds whose runs are finished.
    accuracy, comparison
        By set, those that all runs of the row have; no comparison on further test sets, for the
        reference itself, and for rows of other pairs.
    trees
        ``None`` for encoders without trees.
    weights, seconds
        Size of the model, and seconds of training, means over seeds.

    """

    name: str
    seeds: tuple[int, ...]
    accuracy: dict[str, Accuracy] = field(default_factory=dict)
    comparison: dict[str, Comparison] = field(default_factory=dict)
    trees: TreeFigures | None = None
    weights: float | None = None
    seconds: float | None = None


def summarise(measurements: Measurements, against: str) -> list[RowSummary]:
    """Compute the figures of all rows, in their order.

    Parameters
    ----------
    measurements
        The finished runs of each row, by seed.
    against
        The row that the others are compared with.

    """
    splits = common_splits(measurements)
    trees_of = splits[-1] if splits else ""  # test, where every run has it
    comparisons: dict[str, dict[str, Comparison]] = {name: {} for name in measurements}
    for split in SPLITS:
        for name, comparison in _comparisons(measurements, against, split).items():
            comparisons[name][split] = comparison
    return [
        _summary(name, runs, trees_of, comparisons[name]) for name, runs in measurements.items()
    ]


def common_splits(measurements: Measurements) -> list[str]:
    """List which of dev and test every finished run has."""
    shared = _shared_sets(run for runs in measurements.values() for run in runs.values())
    return [split for split in SPLITS if split in shared]


def sides_of(measurements: Measurements) -> int:
    """Tell how many sentences are classified together: 2 if in any run, else 1."""
    runs = (run for runs in measurements.values() for run in runs.values())
    return max(measured.sides for run in runs for measured in run.sets.values())


def _shared_sets(runs: Iterable[Measurement]) -> list[str]:
    """List the sets that each of some runs has."""
    finished = list(runs)
    names = finished[0].sets if finished else {}
    return [name for name in names if all(name in run.sets for run in finished)]


def correctness(runs: Mapping[int, Measurement], split: str) -> BoolArray:
    """Stack which labelled pairs each seed answered rightly, ``[S, labelled pairs]``."""
    return np.stack([run.sets[split].correct for run in runs.values()])


def labelled_premises(runs: Mapping[int, Measurement], split: str) -> NDArray[np.int32]:
    """Return the numbers of the premises of the labelled pairs, ``[labelled pairs]``."""
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
        tree_figures([run.sets[trees_of] for run in runs.values()], trees_of) if trees_of else None,
        fmean(run.weights for run in runs.values()),
        fmean(run.seconds for run in runs.values()),
    )


def _generator(split: str, kind: int = 0) -> np.random.Generator:
    """Make the generator of one bootstrap, so that no figure depends on what else is computed."""
    return np.random.default_rng([RANDOM_SEED, *split.encode(), kind])


def _accuracy(runs: Mapping[int, Measurement], split: str) -> Accuracy:
    correct = correctness(runs, split)
    seeds = tuple(float(accuracy) for accuracy in correct.mean(axis=1))
    interval = bootstrap_mean(correct, labelled_premises(runs, split), _generator(split))
    return Accuracy(seeds, fmean(seeds), deviation(seeds), interval)


def _comparisons(measurements: Measurements, against: str, split: str) -> dict[str, Comparison]:
    """Compare every row that has the same pairs with the reference, on one set."""
    reference = measurements[against]
    rows = {
        name: correctness(runs, split)
        for name, runs in measurements.items()
        if name != against and comparable(runs, reference, split)
    }
    if not rows:
        return {}
    held = correctness(reference, split)
    premises = labelled_premises(reference, split)
    p_values = [sign_flip_test(correct, held, premises) for correct in rows.values()]
    return {
        name: Comparison(
            float(correct.mean() - held.mean()),
            bootstrap_difference(correct, held, premises, _generator(split, kind=1)),
            p,
            adjusted,
        )
        for (name, correct), p, adjusted in zip(rows.items(), p_values, holm(p_values), strict=True)
    }


def comparable(
    runs: Mapping[int, Measurement], reference: Mapping[int, Measurement], split: str
) -> bool:
    """Tell whether two rows have finished runs, all of the same pairs in a set."""
    if not runs or not reference:
        return False
    if split not in _shared_sets([*runs.values(), *reference.values()]):
        return False
    first = next(iter(reference.values())).sets[split]
    return all(run.sets[split].same_pairs(first) for run in runs.values())


def tree_figures(seeds: Sequence[SplitMeasurement], split: str) -> TreeFigures | None:
    """Score the trees of a row's runs; ``None`` if they have none."""
    trees = [seed.trees for seed in seeds if seed.trees is not None]
    if not trees:
        return None
    shapes = [compare_with_shapes(of_seed, CONVENTIONS) for of_seed in trees]
    f1 = {shape: tuple(scores[shape] for scores in shapes) for shape in shapes[0]}
    gold = seeds[0].gold_trees
    if any(tree is not None for tree in gold):
        f1 = {"gold": tuple(_gold_f1(of_seed, gold) for of_seed in trees)} | f1
    depth = tuple(mean_depth(of_seed) for of_seed in trees)
    return TreeFigures(split, f1, agreement(trees), depth)


def _gold_f1(trees: Sequence[TransitionArray], gold: Sequence[TransitionArray | None]) -> float:
    score = ParseScore(CONVENTIONS)
    for tree, parse in zip(trees, gold, strict=True):
        if parse is not None:
            score.update(tree, parse)
    return score.f1


def agreement(trees: Sequence[Sequence[TransitionArray]]) -> tuple[float, ...]:
    """Score the trees of every two seeds against each other (self-F1).

    Williams, Drozdov and Bowman (2018, arXiv 1709.01121) report the mean of these as the self-F1 of
    a model: how far different random initialisations lead to the same grammar.
    """
    spans = [[all_spans(tree) for tree in of_seed] for of_seed in trees]
    return tuple(_f1(first, second) for first, second in combinations(spans, 2))


def _f1(first: list[list[Span]], second: list[list[Span]]) -> float:
    score = ParseScore(CONVENTIONS)
    for spans, others in zip(first, second, strict=True):
        score.add_spans(spans, others)
    return score.f1
