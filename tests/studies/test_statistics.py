"""Intervals and tests against exactly solvable cases."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.studies.statistics import (
    Interval,
    bootstrap_difference,
    bootstrap_mean,
    deviation,
    holm,
    score_interval,
    sign_flip_test,
)


def answers(random: np.random.Generator, seeds: int, pairs: int, rate: float) -> np.ndarray:
    return random.random((seeds, pairs)) < rate


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def alone(correct: np.ndarray) -> np.ndarray:
    """Return distinct premise numbers."""
    return np.arange(correct.shape[1])


def bootstrap_of(correct: np.ndarray, random: np.random.Generator, **options: int) -> Interval:
    return bootstrap_mean(correct, alone(correct), random, **options)


def bootstrap_between(
    first: np.ndarray, second: np.ndarray, random: np.random.Generator
) -> Interval:
    return bootstrap_difference(first, second, alone(first), random)


def flip(first: np.ndarray, second: np.ndarray) -> float:
    return sign_flip_test(first, second, alone(first))


def enumerated(first: np.ndarray, second: np.ndarray) -> float:
    """Enumerate all sign patterns."""
    differences = first.mean(axis=0) - second.mean(axis=0)
    observed = abs(differences.sum())
    patterns = [np.dot(signs, differences) for signs in product((1, -1), repeat=len(differences))]
    return float(np.mean([abs(total) >= observed - 1e-9 for total in patterns]))


def mcnemar(only_first: int, only_second: int) -> float:
    """Compute the exact binomial form from the discordant pairs."""
    n, k = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)


@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 3), st.integers(1, 10))
def test_the_permutation_test_equals_full_enumeration(seed, seeds, others, pairs):
    random = generator(seed)
    first, second = answers(random, seeds, pairs, 0.7), answers(random, others, pairs, 0.4)
    assert flip(first, second) == pytest.approx(enumerated(first, second), abs=1e-12)


@pytest.mark.parametrize(("gains", "losses"), [(8, 2), (5, 5), (1, 0), (40, 20), (700, 640)])
def test_with_one_seed_it_is_mcnemars_exact_test(gains, losses):
    first = np.array([[True] * gains + [False] * losses + [True] * 7])
    second = np.array([[False] * gains + [True] * losses + [True] * 7])
    assert flip(first, second) == pytest.approx(mcnemar(gains, losses), rel=1e-9)


def test_equal_rows_do_not_differ():
    same = answers(generator(), 3, 50, 0.5)
    assert flip(same, same) == 1.0
    assert flip(same, same[::-1]) == 1.0


def test_p_is_the_same_either_way_and_never_zero():
    better, worse = np.ones((2, 300), dtype=bool), np.zeros((3, 300), dtype=bool)
    assert 0 < flip(better, worse) < 1e-12
    first, second = answers(generator(1), 2, 300, 0.7), answers(generator(2), 3, 300, 0.6)
    assert flip(first, second) == pytest.approx(flip(second, first), abs=1e-12)


def test_p_is_uniform_under_the_null_hypothesis():
    random = generator(5)
    p = [flip(answers(random, 2, 60, 0.6), answers(random, 2, 60, 0.6))
         for _ in range(400)]  # fmt: skip
    assert np.mean(np.array(p) < 0.05) < 0.08
    assert 0.4 < np.mean(p) < 0.65


@pytest.mark.parametrize("value", [True, False])
def test_the_bootstrap_of_constant_predictions_has_no_width(value):
    constant = np.full((3, 40), value)
    interval = bootstrap_of(constant, generator())
    assert (interval.low, interval.high) == (float(value), float(value))
    interval = bootstrap_between(constant, constant, generator())
    assert (interval.low, interval.high) == (0.0, 0.0)


def test_one_seed_gives_the_binomial_interval():
    correct = np.array([[True] * 60 + [False] * 40])
    interval = bootstrap_of(correct, generator(), replicates=40_000)
    # Percentiles of Binomial(100, 0.6), from its distribution function.
    assert interval.low == pytest.approx(0.50, abs=0.011)
    assert interval.high == pytest.approx(0.69, abs=0.011)


def test_the_score_interval_of_one_seed_inverts_the_z_test():
    interval = score_interval([0.6], 100)
    for rate in (interval.low, interval.high):
        assert abs(0.6 - rate) / (rate * (1 - rate) / 100) ** 0.5 == pytest.approx(1.959964)


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 500))
def test_the_score_interval_contains_the_mean_and_stays_in_0_to_1(seed, seeds, pairs):
    accuracies = answers(generator(seed), seeds, pairs, 0.9).mean(axis=1).tolist()
    interval = score_interval(accuracies, pairs)
    mean = np.mean(accuracies)
    assert 0 <= interval.low <= mean + 1e-12
    assert mean - 1e-12 <= interval.high <= 1


def test_the_score_interval_is_wider_if_seeds_differ():
    alike, apart = score_interval([0.8, 0.8, 0.8], 900), score_interval([0.75, 0.8, 0.85], 900)
    assert alike.low == pytest.approx(score_interval([0.8], 900).low)
    assert apart.high - apart.low > 1.5 * (alike.high - alike.low)


def test_the_bound_of_a_perfect_accuracy_depends_on_the_number_of_pairs():
    few, many = score_interval([1.0], 10), score_interval([1.0, 1.0], 1000)
    assert few.low == pytest.approx(1 / (1 + 1.959964**2 / 10))
    assert few.high == pytest.approx(1.0)
    assert many.high == pytest.approx(1.0)
    assert many.low > 0.99


def test_seeds_are_resampled_too():
    # All variance is between seeds, none between pairs.
    correct = np.array([[True] * 30, [False] * 30])
    interval = bootstrap_of(correct, generator())
    # Both draws are the same given seed with chance 1/4, so the percentiles are 0 and 1.
    assert (interval.low, interval.high) == (0.0, 1.0)
    fixed = bootstrap_of(correct[:1], generator())
    assert (fixed.low, fixed.high) == (1.0, 1.0)


def test_a_difference_draws_the_same_pairs_for_both_rows():
    hard = answers(generator(3), 1, 200, 0.5)
    interval = bootstrap_between(hard, hard, generator())
    assert (interval.low, interval.high) == (0.0, 0.0)
    worse = hard & (np.arange(200) != np.flatnonzero(hard[0])[0])
    interval = bootstrap_between(hard, worse, generator())
    assert interval.low == 0.0
    assert 0 < interval.high <= 4 / 200


def test_resampling_counts_of_equal_pairs_is_resampling_pairs():
    correct = answers(generator(7), 3, 120, 0.65)
    interval = bootstrap_of(correct, generator(), replicates=20_000)
    random = generator(1)
    means = [
        correct[np.ix_(random.integers(3, size=3), random.integers(120, size=120))].mean()
        for _ in range(20_000)
    ]
    assert [interval.low, interval.high] == pytest.approx(
        np.quantile(means, [0.025, 0.975]), abs=0.006
    )


def test_pairs_of_a_premise_are_resampled_together():
    # Three copies of each pair carry no more information than one.
    single = answers(generator(3), 1, 100, 0.6)
    premises = np.repeat(np.arange(100), 3)
    together = bootstrap_mean(np.repeat(single, 3, axis=1), premises, generator())
    assert together == bootstrap_of(single, generator())
    shuffled = generator(1).permutation(300)
    mixed = np.repeat(single, 3, axis=1)[:, shuffled]
    assert bootstrap_mean(mixed, premises[shuffled], generator()) == together
    apart = bootstrap_of(np.repeat(single, 3, axis=1), generator())
    assert apart.high - apart.low < 0.7 * (together.high - together.low)


def test_clusters_of_different_sizes_are_resampled_like_single_ones():
    correct = answers(generator(7), 2, 90, 0.65)
    premises = generator(2).integers(30, size=90)
    other = answers(generator(8), 2, 90, 0.5)
    random, numbers = generator(1), np.unique(premises)
    members = [np.flatnonzero(premises == number) for number in numbers]
    differences = []
    for _ in range(10_000):
        pairs = np.concatenate(
            [members[one] for one in random.integers(len(numbers), size=len(numbers))]
        )
        accuracies = [
            rows[np.ix_(random.integers(2, size=2), pairs)].mean() for rows in (correct, other)
        ]
        differences.append(accuracies[0] - accuracies[1])
    interval = bootstrap_difference(correct, other, premises, generator(), replicates=20_000)
    assert [interval.low, interval.high] == pytest.approx(
        np.quantile(differences, [0.025, 0.975]), abs=0.01
    )


def test_the_pairs_of_a_premise_change_sign_together():
    # Each of 3 premises adds 2, and of 8 sign patterns 2 reach 6.
    better, worse = np.ones((1, 6), dtype=bool), np.zeros((1, 6), dtype=bool)
    assert sign_flip_test(better, worse, np.array([1, 1, 2, 2, 3, 3])) == pytest.approx(2 / 8)
    # The contributions of the pairs of a premise may cancel out.
    assert (
        sign_flip_test(better ^ [[0, 1] * 3], better ^ [[1, 0] * 3], np.repeat([4, 5, 6], 2)) == 1
    )


def test_the_same_generator_gives_the_same_interval():
    correct = answers(generator(), 2, 100, 0.5)
    assert bootstrap_of(correct, generator(4)) == bootstrap_of(correct, generator(4))


def test_holms_correction_by_hand():
    # 4 x 0.01, 3 x 0.02, then 2 x 0.03 = 0.06 (not below what came before), 1 x 0.5.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holms_correction_never_lowers_or_reorders(p_values):
    adjusted = holm(p_values)
    assert all(p <= corrected <= 1 for p, corrected in zip(p_values, adjusted, strict=True))
    assert sorted(adjusted) == [adjusted[i] for i in np.argsort(p_values, kind="stable")]


def test_the_deviation_is_the_sample_standard_deviation():
    assert deviation([1.0, 3.0]) == pytest.approx(2**0.5)
    assert deviation([1.0]) is None
