"""The e-processes are supermartingales under their hypothesis, whatever the order."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.stats.detectors import difference_rises_above, proportion_falls_below
from rollout.stats.means import Tally, tally
from rollout.stats.proportions import log_e_above, log_e_below, lower_bound, upper_bound
from rollout.stats.quantiles import covering_rank

boundaries = st.floats(0.01, 0.99)
counts = st.integers(0, 1_000_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(p0=boundaries, short=st.floats(0.0, 1.0), n=st.integers(1, 12))
def test_mean_e_value_of_a_proportion_is_at_most_1_under_the_hypothesis(
    p0: float, short: float, n: int
) -> None:
    p = p0 * short
    mean = sum(
        math.comb(n, s) * p**s * (1 - p) ** (n - s) * math.exp(log_e_above(s, n, p0))
        for s in range(n + 1)
    )
    assert mean <= 1 + 1e-9


@given(p0=boundaries, beyond=st.floats(0.05, 0.95), n=st.integers(1, 12))
def test_mean_e_value_of_a_proportion_exceeds_1_beyond_the_hypothesis(
    p0: float, beyond: float, n: int
) -> None:
    """The negative control of the one above: a process that were always 0 would pass it."""
    p = p0 + (1 - p0) * beyond
    mean = sum(
        math.comb(n, s) * p**s * (1 - p) ** (n - s) * math.exp(log_e_above(s, n, p0))
        for s in range(n + 1)
    )
    assert mean > 1


@given(p0=boundaries, n=st.integers(1, 9), short=st.floats(0.0, 1.0))
def test_next_e_value_of_a_proportion_is_no_higher_on_average(
    p0: float, n: int, short: float
) -> None:
    p = p0 * short
    for s in range(n + 1):
        following = p * math.exp(log_e_above(s + 1, n + 1, p0)) + (1 - p) * math.exp(
            log_e_above(s, n + 1, p0)
        )
        assert following <= math.exp(log_e_above(s, n, p0)) * (1 + 1e-9)


masses = st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3).filter(lambda m: sum(m) > 0.1)


@given(masses=masses, n=st.integers(1, 4), slack=st.floats(0.0, 0.3))
def test_mean_e_value_of_a_mean_is_at_most_1_under_the_hypothesis(
    masses: list[float], n: int, slack: float
) -> None:
    values = (0.0, 0.4, 1.0)
    weights = [mass / sum(masses) for mass in masses]
    true_mean = sum(v * w for v, w in zip(values, weights, strict=True))
    boundary = min(1.0, true_mean + slack)
    if boundary < 1e-6:
        return
    mean = 0.0
    for draw in itertools.product(range(3), repeat=n):
        sample = tally({})
        for index in draw:
            sample.add(values[index])
        mean += math.prod(weights[index] for index in draw) * math.exp(sample.log_e_above(boundary))
    assert mean <= 1 + 1e-6


@given(counted=counts, p0=boundaries)
def test_e_values_of_a_million_trials_are_finite_numbers(
    counted: tuple[int, int], p0: float
) -> None:
    s, n = counted
    assert math.isfinite(log_e_above(s, n, p0))
    assert math.isfinite(log_e_below(s, n, p0))


@given(counted=counts, p0=boundaries)
def test_one_more_success_is_more_evidence_of_a_high_proportion(
    counted: tuple[int, int], p0: float
) -> None:
    s, n = counted
    if s < n:
        assert log_e_above(s + 1, n, p0) > log_e_above(s, n, p0)
        assert log_e_below(s + 1, n, p0) < log_e_below(s, n, p0)


@given(counted=counts, low=boundaries, high=boundaries)
def test_a_higher_boundary_is_harder_to_prove(
    counted: tuple[int, int], low: float, high: float
) -> None:
    s, n = counted
    low, high = sorted((low, high))
    assert log_e_above(s, n, high) <= log_e_above(s, n, low) + 1e-9


@given(counted=counts, alpha=st.sampled_from([0.05, 0.025, 1e-5]))
def test_bounds_of_a_proportion_are_where_its_e_process_crosses(
    counted: tuple[int, int], alpha: float
) -> None:
    s, n = counted
    needed = math.log(1 / alpha)
    low, high = lower_bound(s, n, alpha), upper_bound(s, n, alpha)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= s / n <= high
    if low > 0:
        assert log_e_above(s, n, low) >= needed
        assert log_e_above(s, n, low) < needed + 1e-4 or low > s / n - 1e-6 or n > 100_000


values = st.lists(st.sampled_from([0.0, 0.25, 2 / 3, 0.75, 0.8, 1.0]), min_size=1, max_size=60)


@given(values=values, seed=st.integers(), m=boundaries)
def test_the_e_value_of_a_mean_does_not_depend_on_order_or_blocks(
    values: list[float], seed: int, m: float
) -> None:
    one_by_one, in_blocks = Tally(), Tally()
    for value in values:
        one_by_one.add(value)
    shuffled = values[:]
    random.Random(seed).shuffle(shuffled)
    for value in sorted(set(shuffled)):
        in_blocks.add(value, shuffled.count(value))
    assert one_by_one.log_e_above(m) == in_blocks.log_e_above(m)
    assert one_by_one.log_e_below(m) == in_blocks.log_e_below(m)


@given(values=values, m=boundaries)
def test_the_e_value_of_a_mean_is_the_average_of_its_bets(values: list[float], m: float) -> None:
    from rollout.stats.means import STAKES

    counted = Tally()
    capital = [1.0] * len(STAKES)
    for value in values:
        counted.add(value)
        capital = [
            money * (1 + stake / m * (value - m))
            for money, stake in zip(capital, STAKES.tolist(), strict=True)
        ]
    assert math.exp(counted.log_e_above(m)) == pytest.approx(sum(capital) / len(capital), rel=1e-6)


@given(values=values, alpha=st.sampled_from([0.05, 1e-4]))
def test_bounds_of_a_mean_enclose_it_and_are_where_it_crosses(
    values: list[float], alpha: float
) -> None:
    counted = Tally()
    for value in values:
        counted.add(value)
    low, high = counted.lower_bound(alpha), counted.upper_bound(alpha)
    assert counted.mean is not None
    assert 0 <= low <= counted.mean + 1e-9
    assert counted.mean <= high + 1e-9 <= 1 + 2e-9
    if low > 1e-6:
        assert counted.log_e_above(low) >= math.log(1 / alpha) - 1e-6


@given(value=st.floats(allow_nan=True))
def test_a_tally_takes_nothing_that_is_out_of_range(value: float) -> None:
    counted = Tally()
    if 0 <= value <= 1:
        counted.add(value)
        assert counted.n == 1
    else:
        with pytest.raises(ValueError, match="not within"):
            counted.add(value)
        assert counted.n == 0


def test_a_mean_of_a_million_values_is_judged_without_overflow() -> None:
    counted = tally({1.0: 950_000, 0.5: 50_000})
    assert counted.log_e_above(0.9) > 10_000
    assert counted.log_e_above(0.99) < 0
    assert counted.lower_bound(0.025) == pytest.approx(0.975, abs=0.001)


@settings(deadline=None)
@given(p0=st.floats(0.5, 0.99), steps=st.integers(1, 9))
def test_mean_of_a_detector_grows_by_no_more_than_1_a_step(p0: float, steps: int) -> None:
    """Shin, Ramdas and Rinaldo's definition: E[M at a stop] ≤ E[the stop]."""
    mean = 0.0
    for draw in itertools.product((0.0, 1.0), repeat=steps):
        detector = proportion_falls_below(p0)
        for value in draw:
            detector.add(value)
        mean += p0 ** sum(draw) * (1 - p0) ** (steps - sum(draw)) * math.exp(detector.log_e)
    assert mean <= steps + 1e-9


def test_a_detector_sees_a_fall_after_a_long_good_past() -> None:
    draw = random.Random(7)
    detector = proportion_falls_below(0.98)
    for _ in range(100_000):
        detector.add(float(draw.random() < 0.99))
        assert detector.log_e < math.log(1e9)
    steps = 0
    while detector.log_e < math.log(1e9):
        detector.add(float(draw.random() < 0.90))
        steps += 1
    assert steps < 700


def test_a_plain_e_process_is_slow_after_a_long_good_past() -> None:
    """Why the detector restarts."""
    good, fell = 99_000, 700
    assert log_e_below(good + 0.9 * fell, 100_000 + fell, 0.98) < 0


def test_a_detector_of_errors_is_quiet_on_paired_errors_and_sees_new_ones() -> None:
    detector = difference_rises_above(0.001)
    for _ in range(5000):
        detector.add(0.0)
    assert detector.log_e < 1
    for _ in range(40):
        detector.add(1.0)
    assert detector.log_e > math.log(1e9)


@given(n=st.integers(1, 5000), quantile=st.sampled_from([0.5, 0.9, 0.99]))
def test_a_covering_rank_is_the_smallest_that_rejects(n: int, quantile: float) -> None:
    needed = math.log(20)
    rank = covering_rank(n, quantile, 0.05)
    if rank is None:
        assert log_e_above(n, n, quantile) < needed
    else:
        assert log_e_above(rank, n, quantile) >= needed > log_e_above(rank - 1, n, quantile)
