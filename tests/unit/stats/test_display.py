"""Figures for people agree with scipy and with textbooks."""

from __future__ import annotations

import random

import pytest
from scipy.stats import binom, binomtest

from rollout.stats.display import (
    clopper_pearson_interval,
    mcnemar_p,
    paired_bootstrap_interval,
    wilson_interval,
)
from rollout.stats.quantiles import fixed_sample_upper_bound, smallest_sample


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (980, 1000)])
def test_intervals_of_a_proportion_are_scipys(successes: int, n: int) -> None:
    wilson = binomtest(successes, n).proportion_ci(method="wilson")
    exact = binomtest(successes, n).proportion_ci(method="exact")
    assert wilson_interval(successes, n) == pytest.approx((wilson.low, wilson.high), abs=1e-6)
    assert clopper_pearson_interval(successes, n) == pytest.approx((exact.low, exact.high))


def test_nothing_seen_leaves_everything_open() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert clopper_pearson_interval(0, 0) == (0.0, 1.0)
    assert mcnemar_p(0, 0) is None


def test_mcnemar_is_the_exact_binomial_test_on_discordant_pairs() -> None:
    assert mcnemar_p(10, 10) == pytest.approx(1.0)
    assert mcnemar_p(0, 10) == pytest.approx(2 / 2**10)


def test_the_bootstrap_is_the_same_for_the_same_seed_and_covers_the_mean() -> None:
    draw = random.Random(3)
    differences = [draw.choice([-0.2, 0.0, 0.0, 0.0, 0.25]) for _ in range(800)]
    low, high = paired_bootstrap_interval(differences, seed=1, resamples=2000)
    assert (low, high) == paired_bootstrap_interval(differences, seed=1, resamples=2000)
    assert low < sum(differences) / len(differences) < high
    with pytest.raises(ValueError, match="no differences"):
        paired_bootstrap_interval([], seed=1)


@pytest.mark.parametrize("n", [299, 500, 1000, 3000])
def test_the_bound_of_a_quantile_is_the_smallest_rank_that_holds(n: int) -> None:
    rank = int(fixed_sample_upper_bound(list(range(1, n + 1)), 0.99, 0.05))
    assert binom.sf(rank - 1, n, 0.99) <= 0.05
    assert binom.sf(rank - 2, n, 0.99) > 0.05


def test_too_small_a_sample_bounds_no_quantile() -> None:
    assert smallest_sample(0.99, 0.05) == 299
    with pytest.raises(ValueError, match="298 values"):
        fixed_sample_upper_bound([1.0] * 298, 0.99, 0.05)
