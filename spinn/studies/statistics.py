"""Statistics of studies: confidence intervals, a paired test, a correction for multiple tests.

All functions are pure. Their input is ``correct[s, p]``, whether seed ``s`` classified pair ``p``
correctly, and the premise number of each pair. Pairs with the same premise are not independent, so
they are resampled as a cluster. :func:`score_interval` needs only the accuracies of the seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

REPLICATES = 10_000
LEVEL = 0.95
_CHUNK = 500  # replicates drawn at a time, to bound memory


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


def deviation(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation (n - 1); ``None`` for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def bootstrap_mean(
    correct: BoolArray,
    premises: NDArray[Any],
    random: np.random.Generator,
    *,
    replicates: int = REPLICATES,
    level: float = LEVEL,
) -> Interval:
    """Return the percentile bootstrap interval, over seeds and premises, of a row's accuracy.

    Each replicate draws the S seeds and, independently, the premises with all their pairs, both
    with replacement, and takes the accuracy of the drawn seeds on the drawn pairs. This is the
    bootstrap for crossed factors of Owen (2007, "The pigeonhole bootstrap", Annals of Applied
    Statistics 1) over clusters (Davison and Hinkley 1997, section 3.8), with the percentile
    interval of Efron and Tibshirani (1993, chapter 13).

    Parameters
    ----------
    correct
        ``[S, P]``.
    premises
        Premise numbers ``[P]``.
    random
        Random generator.
    replicates, level
        Number of replicates, and coverage of the interval.

    """
    return _percentiles(_replicates([correct], premises, random, replicates)[:, 0], level)


def score_interval(accuracies: Sequence[float], pairs: int, *, level: float = LEVEL) -> Interval:
    """Return Wilson's score interval of a row's accuracy, from its seeds' accuracies alone.

    The squared standard error of the mean accuracy ``m`` of S seeds is estimated as
    ``m (1 - m) / P + s^2 / S``, where ``s`` is the sample standard deviation over seeds. The first
    term is exact for P independent pairs of which all seeds classify the same ones correctly. It is
    too large if seeds err on different pairs, and too small if pairs depend on each other, such as
    those with the same premise. The interval of Wilson (1927, "Probable inference, the law of
    succession, and statistical inference", JASA 22) is that for the number of pairs with the same
    error.

    Parameters
    ----------
    accuracies
        Accuracy of each seed, as a fraction.
    pairs
        Number of pairs in the set.
    level
        Coverage of the interval.

    """
    mean, spread = fmean(accuracies), deviation(accuracies) or 0.0
    error = mean * (1 - mean) / pairs + spread**2 / len(accuracies)
    effective = mean * (1 - mean) / error if error else pairs
    squared = NormalDist().inv_cdf((1 + level) / 2) ** 2 / effective
    centre = (mean + squared / 2) / (1 + squared)
    width = (squared * mean * (1 - mean) + squared**2 / 4) ** 0.5 / (1 + squared)
    return Interval(max(0.0, centre - width), min(1.0, centre + width))


def bootstrap_difference(
    first: BoolArray,
    second: BoolArray,
    premises: NDArray[Any],
    random: np.random.Generator,
    *,
    replicates: int = REPLICATES,
    level: float = LEVEL,
) -> Interval:
    """Return the bootstrap interval of the difference in accuracy, first minus second, of two rows.

    As in :func:`bootstrap_mean`; a replicate draws the same premises for both rows, and the seeds
    of each row independently.

    Parameters
    ----------
    first, second
        ``[S, P]`` and ``[R, P]``.
    premises, random, replicates, level
        As in :func:`bootstrap_mean`.

    """
    drawn = _replicates([first, second], premises, random, replicates)
    return _percentiles(drawn[:, 0] - drawn[:, 1], level)


def _by_premise(values: NDArray[Any], premises: NDArray[Any]) -> IntArray:
    """Sum values ``[R, P]`` over the pairs of each premise; return ``[R, premises]``."""
    distinct, places = np.unique(premises, return_inverse=True)
    totals = np.zeros((len(distinct), len(values)), dtype=np.int64)
    np.add.at(totals, places, values.T)
    return totals.T


def _replicates(
    rows: list[BoolArray],
    premises: NDArray[Any],
    random: np.random.Generator,
    replicates: int,
) -> FloatArray:
    """Draw replicates of the accuracies of R rows on common pairs, ``[replicates, R]``.

    Premises with the same number of pairs and the same number of correct ones for each seed are
    interchangeable. Drawing premises is therefore drawing from the multinomial distribution over
    the few distinct columns.
    """
    answers = np.concatenate(rows)
    counted = np.concatenate([np.ones((1, answers.shape[1]), dtype=bool), answers])
    columns, counts = np.unique(_by_premise(counted, premises), axis=1, return_counts=True)
    drawn_premises = counts.sum()
    means = np.empty((replicates, len(rows)))
    bounds = np.cumsum([0] + [len(row) for row in rows])
    for start in range(0, replicates, _CHUNK):
        size = min(_CHUNK, replicates - start)
        weights = random.multinomial(drawn_premises, counts / drawn_premises, size=size)
        pairs, *right = (weights @ columns.T).T
        accuracies = np.stack(right, axis=1) / pairs[:, None]  # [size, seeds of all rows]
        for row, (begin, end) in enumerate(pairwise(bounds)):
            seeds = end - begin
            drawn = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=size) / seeds
            means[start : start + size, row] = (accuracies[:, begin:end] * drawn).sum(axis=1)
    return means


def _percentiles(values: FloatArray, level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def sign_flip_test(first: BoolArray, second: BoolArray, premises: NDArray[Any]) -> float:
    """Return the exact two-sided p of the test whether two rows differ on the same pairs.

    The statistic is the sum over pairs of the difference between the two rows' correctness, each
    averaged over its seeds. Under the null hypothesis the contribution of each premise is equally
    likely with the opposite sign; p is the fraction of all sign patterns over premises whose sum is
    at least as far from 0 as the observed one. With one seed per row and one pair per premise this
    is McNemar's exact test (McNemar 1947). The test is conditional on the trained models: premises
    are sampled, seeds are not.

    The differences are multiples of one number, so the distribution over all patterns is computed
    exactly from its characteristic function (Pagano and Tritchler 1983, "On obtaining permutation
    distributions in polynomial time", JASA 78).

    Parameters
    ----------
    first, second
        ``[S, P]`` and ``[R, P]``.
    premises
        Premise numbers ``[P]``.

    """
    of_first, of_second = (_by_premise(rows, premises).sum(axis=0) for rows in (first, second))
    differences = of_first * len(second) - of_second * len(first)
    differences = differences[differences != 0]
    if not differences.size:
        return 1.0
    differences //= np.gcd.reduce(differences)
    observed = abs(int(differences.sum()))
    sizes, counts = np.unique(np.abs(differences), return_counts=True)
    chances = _subset_sums(sizes, counts)
    # The signed sum is twice the sum of the items with a plus, minus the sum of all items.
    signed = 2 * np.arange(len(chances)) - (len(chances) - 1)
    p = float(chances[np.abs(signed) >= observed].sum())
    return float(np.clip(p, 2.0 ** (1 - min(differences.size, 1000)), 1.0))


def _subset_sums(sizes: IntArray, counts: IntArray) -> FloatArray:
    """Return the distribution of the sum of a random subset, each item included with chance 1/2.

    There are ``counts[k]`` items of size ``sizes[k]``; entry ``u`` of the result is the probability
    of the sum ``u``. The transform of the sum is the product of the transforms of the items.
    """
    span = int((sizes * counts).sum()) + 1
    frequencies = np.arange(span // 2 + 1)
    transform = np.ones(len(frequencies), dtype=np.complex128)
    for size, count in zip(sizes, counts, strict=True):
        angle = 2 * np.pi * ((frequencies * size) % span) / span
        transform *= ((1 + np.exp(-1j * angle)) / 2) ** count
    return np.clip(np.fft.irfft(transform, n=span), 0, None)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for multiple tests by the step-down method of Holm (1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
