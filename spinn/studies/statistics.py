"""The statistics of an ablation study: intervals, a paired test, and a correction for many tests.

Everything here is a pure function of which pairs were answered rightly, ``correct[s, p]`` for seed
``s`` and pair ``p``, and of which pairs share a premise and so are no independent sample: these are
drawn together. Where only the accuracies of the seeds were kept, :func:`score_interval` does with
them. Randomness comes only from the generator that is handed over.
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
_CHUNK = 500  # replicates drawn at a time, so that many seeds do not need much memory


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
    """Bound the accuracy of a row by the percentile bootstrap over seeds and premises.

    In each replicate the S seeds and, independently, the premises are drawn with replacement, each
    with all its pairs, and the accuracy of the drawn seeds on the drawn pairs is taken. This is the
    bootstrap for crossed factors of Owen (2007, "The pigeonhole bootstrap", Annals of Applied
    Statistics 1) over clusters (Davison and Hinkley 1997, section 3.8), with the percentile
    interval of Efron and Tibshirani (1993, chapter 13).

    Parameters
    ----------
    correct
        ``[S, P]``.
    premises
        ``[P]``, equal for pairs of one premise.
    random
        The generator of the draws.
    replicates, level
        How many draws, and how much of them the interval holds.

    """
    return _percentiles(_replicates([correct], premises, random, replicates)[:, 0], level)


def score_interval(accuracies: Sequence[float], pairs: int, *, level: float = LEVEL) -> Interval:
    """Bound the accuracy of a row by Wilson's score interval, from its seeds' accuracies alone.

    The squared standard error of the mean accuracy ``m`` of S seeds is taken to be
    ``m (1 - m) / P + s^2 / S``: P independent pairs, of which all seeds answer the same ones
    rightly, so that the first part is never too small; and seeds with the sample deviation ``s``.
    The interval of Wilson (1927, "Probable inference, the law of succession, and statistical
    inference", JASA 22) is taken for as many pairs as would have that error by themselves.

    Parameters
    ----------
    accuracies
        Of each seed, fractions.
    pairs
        How many pairs each was taken on.
    level
        How much the interval holds.

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
    """Bound the difference in accuracy, first less second, of two rows on the same pairs.

    As in :func:`bootstrap_mean`; a replicate draws the same premises for both rows, and the seeds
    of each row by themselves.

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
    """Add up what the pairs of each premise have, ``[R, P]``, to ``[R, premises]``."""
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

    Premises with as many pairs, of which all seeds of all rows answered as many rightly, are
    interchangeable, so drawing premises is drawing from the multinomial over the distinct columns:
    some instead of thousands.
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
    """Test whether two rows differ on the same pairs; return the exact two-sided p.

    The statistic is the sum over pairs of the difference between the two rows' correctness, each
    averaged over its seeds. Where the rows do not differ, what the pairs of a premise add to it is
    as likely with the other sign; p is the share of all sign patterns over premises whose sum is at
    least as far from 0 as the one observed. With one seed a row and one pair a premise this is
    McNemar's exact test (McNemar 1947). It takes the trained models as given: premises are the
    sample, seeds are not.

    The differences are multiples of one number, so the distribution over all patterns is exact,
    from its characteristic function (Pagano and Tritchler 1983, "On obtaining permutation
    distributions in polynomial time", JASA 78).

    Parameters
    ----------
    first, second
        ``[S, P]`` and ``[R, P]``.
    premises
        ``[P]``, equal for pairs of one premise.

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
    # The signed sum is twice the sum of those with a plus, less the sum of all.
    signed = 2 * np.arange(len(chances)) - (len(chances) - 1)
    p = float(chances[np.abs(signed) >= observed].sum())
    return float(np.clip(p, 2.0 ** (1 - min(differences.size, 1000)), 1.0))


def _subset_sums(sizes: IntArray, counts: IntArray) -> FloatArray:
    """Distribute the sum of a random half: each item is in or out by a fair coin.

    There are ``counts[k]`` items of size ``sizes[k]``; entry ``u`` of the result is the chance that
    the sum is ``u``. The transform of the sum is the product of those of the items.
    """
    span = int((sizes * counts).sum()) + 1
    frequencies = np.arange(span // 2 + 1)
    transform = np.ones(len(frequencies), dtype=np.complex128)
    for size, count in zip(sizes, counts, strict=True):
        angle = 2 * np.pi * ((frequencies * size) % span) / span
        transform *= ((1 + np.exp(-1j * angle)) / 2) ** count
    return np.clip(np.fft.irfft(transform, n=span), 0, None)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values of several tests so that a false alarm in any is bounded (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
