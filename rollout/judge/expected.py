"""How much evidence each gate will need, before any is gathered: for ``policy --explain``. Pure.

Every gate's e-process is run along the path that is expected of the rates one assumes; where it
crosses is close to the median over real paths (``tests/unit/judge/test_expected.py`` compares).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from contracts.policy import Policy
from rollout.judge.budget import ErrorBudget, log_needed
from rollout.judge.figures import percent, points
from rollout.judge.latency import EXCESS, LatencyP99
from rollout.stats.means import Tally, tally
from rollout.stats.proportions import log_e_above, log_e_below

_SPREAD: Final = 0.05
"""Assumed standard deviation of the logarithm of a couple's latency ratio."""


@dataclass(frozen=True, slots=True)
class ExpectedDecision:
    """One gate under assumed rates.

    Attributes:
        gate: its name; ``slice`` stands for each single slice.
        unit: what is counted.
        pass_n: units until it can count as passed, about the median; None when it never will
            within ``max_pairs``.
        fail_n: units until it stops the rollout; None likewise. Proof gates and the instrument
            stop nothing themselves.
        note: one sentence for people.
    """

    gate: str
    unit: Literal["addresses", "batches"]
    pass_n: int | None
    fail_n: int | None
    note: str


def expected_decision(
    policy: Policy,
    *,
    exact_match: float,
    span_f1: float,
    error_increase: float = 0.0,
    slow_batches: float = 0.005,
    latency_ratio: float = 1.0,
    disagreement: float = 0.0,
    attempt: int = 1,
) -> tuple[ExpectedDecision, ...]:
    """What to expect of a candidate with these true rates.

    Args:
        policy: the thresholds.
        exact_match: share of distinct addresses on which both models agree wholly.
        span_f1: mean F1; addresses that do not agree wholly are all taken to have the F1 that
            makes up this mean.
        error_increase: candidate errors less reference errors, per address.
        slow_batches: share of batches over the limit that the reference would have kept.
        latency_ratio: median of candidate over reference time.
        disagreement: of the reference with production.
        attempt: the how-many-eth try.
    """
    budget = ErrorBudget.of(policy.alpha, attempt)
    gates, shadow, most = policy.gates, policy.shadow, policy.shadow.max_pairs
    promote, harm = log_needed(budget.promote), log_needed(budget.guard)

    def shares(p: float, p0: float, *, above: bool) -> Callable[[int], float]:
        process = log_e_above if above else log_e_below
        return lambda n: process(p * n, n, p0)

    exact_min, f1_min = gates.exact_match.min, gates.span_f1.min
    slice_min, aa_max = policy.slices.exact_match.min, policy.aa.max
    rest = 0.0 if exact_match >= 1.0 else (span_f1 - exact_match) / (1.0 - exact_match)
    rest = min(1.0, max(0.0, rest))

    def f1s(n: int) -> Tally:
        equal = round(exact_match * n)
        return tally({1.0: equal, rest: n - equal} if rest < 1.0 else {1.0: n})

    def differences(rate: float) -> Callable[[int], Tally]:
        return lambda n: tally({1.0: round(rate * n), 0.0: n - round(rate * n)}, -1.0, 1.0)

    errors, slow = differences(max(0.0, error_increase)), differences(slow_batches)
    setting = LatencyP99(gates.latency_p99.max_ratio, gates.latency_p99.min_batches).setting_batches
    over = _normal_tail(
        (math.log(gates.latency_ratio.max_ratio) - math.log(latency_ratio)) / _SPREAD
    )
    couples = _first(shares(over, 0.5, above=True), harm, most)
    slow_n = _first(lambda n: slow(n).log_e_above(EXCESS), harm, most)
    return (
        ExpectedDecision(
            "exact_match",
            "addresses",
            _no_fewer(
                _first(shares(exact_match, exact_min, above=True), promote, most), shadow.min_pairs
            ),
            None,
            f"proven above {percent(exact_min)} at a true {percent(exact_match)}",
        ),
        ExpectedDecision(
            "span_f1",
            "addresses",
            _no_fewer(
                _first(lambda n: f1s(n).log_e_above(f1_min), promote, most), shadow.min_pairs
            ),
            None,
            f"proven above {f1_min:.4f} at a true {span_f1:.4f}",
        ),
        ExpectedDecision(
            "harm_exact_match",
            "addresses",
            shadow.min_pairs if exact_match >= exact_min else None,
            _first(shares(exact_match, exact_min, above=False), harm, most),
            f"stops when proven below {percent(exact_min)}",
        ),
        ExpectedDecision(
            "harm_span_f1",
            "addresses",
            shadow.min_pairs if span_f1 >= f1_min else None,
            _first(lambda n: f1s(n).log_e_below(f1_min), harm, most),
            f"stops when proven below {f1_min:.4f}",
        ),
        ExpectedDecision(
            "error_rate",
            "addresses",
            shadow.min_pairs if error_increase <= gates.error_rate.max_increase else None,
            _first(lambda n: errors(n).log_e_above(gates.error_rate.max_increase), harm, most),
            f"stops when proven more than {points(gates.error_rate.max_increase)} above the"
            " reference’s",
        ),
        ExpectedDecision(
            "slice",
            "addresses",
            policy.slices.min_pairs if exact_match >= slice_min else None,
            _first(shares(exact_match, slice_min, above=False), harm, most),
            f"each single slice; stops when proven below {percent(slice_min)}",
        ),
        ExpectedDecision(
            "latency_p99",
            "batches",
            setting + gates.latency_p99.min_batches if slow_batches <= EXCESS else None,
            None if slow_n is None else setting + slow_n,
            f"{setting} batches set the limit; stops when proven that over 1% more of the"
            " candidate’s batches exceed it",
        ),
        ExpectedDecision(
            "latency_ratio",
            "batches",
            gates.latency_ratio.min_batches if over <= 0.5 else None,
            None if couples is None else 2 * couples,
            f"stops when the median ratio is proven above {gates.latency_ratio.max_ratio:.2f}",
        ),
        ExpectedDecision(
            "aa",
            "addresses",
            _first(shares(disagreement, aa_max, above=False), promote, most),
            None,
            f"the reference proven to differ from production on less than {percent(aa_max)}",
        ),
    )


def _first(log_e: Callable[[int], float], needed: float, most: int) -> int | None:
    """The first n with log_e(n) ≥ needed, along an expected path that rises or never does."""
    if log_e(most) < needed:
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if log_e(middle) >= needed:
            high = middle
        else:
            low = middle
    return high


def _no_fewer(n: int | None, least: int) -> int | None:
    return None if n is None else max(n, least)


def _normal_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))
