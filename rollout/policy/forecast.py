"""How long a policy's decision takes, before any traffic. Pure; for planning, not for judging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from contracts.errors import UsageError
from contracts.policy import Policy
from rollout.documents import nearest
from rollout.judge.expected import ExpectedDecision, expected_decision

MEASURED: Final = {
    "exact_match": 0.784,
    "span_f1": 0.935,
    "error_increase": 0.0,
    "slow_batches": 0.005,
    "latency_ratio": 1.0,
    "disagreement": 0.0,
}
"""What is assumed unless told otherwise: the agreement of the two starter releases on addresses
of the second one's kind (``benchmarks/real-pairs.json``), and a candidate that is as fast and
fails as seldom as the reference."""

_RANGES: Final = {
    "exact_match": (0.0, 1.0),
    "span_f1": (0.0, 1.0),
    "error_increase": (0.0, 1.0),
    "slow_batches": (0.0, 1.0),
    "latency_ratio": (0.01, 100.0),
    "disagreement": (0.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Forecast:
    """One gate under assumed rates.

    Attributes:
        gate: its name.
        unit: what it counts.
        pass_n: units until it can count as passed; None: never within ``max_pairs``.
        pass_hours: the same as time.
        fail_n: units until it stops the rollout; None: it never will at these rates.
        fail_hours: the same as time.
        note: one sentence.
    """

    gate: str
    unit: Literal["addresses", "batches"]
    pass_n: int | None
    pass_hours: float | None
    fail_n: int | None
    fail_hours: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What to expect of a rollout.

    Attributes:
        forecasts: gate by gate.
        hours: until it has passed; None when it will not.
        because: what decides that, as a sentence.
    """

    forecasts: tuple[Forecast, ...]
    hours: float | None
    because: str


def parse_expectations(assignments: Sequence[str]) -> dict[str, float]:
    """``exact_match=0.985`` … over what is assumed.

    Raises:
        UsageError: ``bad_expectation``.
    """
    rates = dict(MEASURED)
    for assignment in assignments:
        name, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals or name not in rates:
            raise UsageError(
                f"--expect {assignment[:60]}: {nearest(name, rates)}",
                code="bad_expectation",
                hint="Write for example --expect exact_match=0.985 --expect span_f1=0.99.",
            )
        low, high = _RANGES[name]
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise UsageError(
                f"--expect {assignment[:60]}: must be a number from {low} to {high}",
                code="bad_expectation",
                hint="Rates are shares, for example 0.985.",
            )
        rates[name] = value
    return rates


def outlook(
    policy: Policy,
    rates: dict[str, float],
    *,
    addresses_per_hour: float,
    rows_per_batch: float,
    attempt: int = 1,
) -> Outlook:
    """When each gate decides.

    Args:
        policy: thresholds, and the share that is shadowed.
        rates: as ``parse_expectations`` makes them.
        addresses_per_hour: distinct addresses in the input.
        rows_per_batch: addresses in a device batch of a shadow worker.
        attempt: the how-many-eth try of the same pair: later ones need more evidence.
    """
    expected = expected_decision(policy, attempt=attempt, **rates)
    per_hour = addresses_per_hour * policy.shadow.share
    rate = {"addresses": per_hour, "batches": per_hour / rows_per_batch}
    forecasts = tuple(_forecast(one, rate[one.unit]) for one in expected)
    return Outlook(forecasts, *_whole(policy, forecasts))


def _forecast(one: ExpectedDecision, per_hour: float) -> Forecast:
    def hours(n: int | None) -> float | None:
        return None if n is None else n / per_hour

    return Forecast(
        one.gate, one.unit, one.pass_n, hours(one.pass_n), one.fail_n, hours(one.fail_n), one.note
    )


def _whole(policy: Policy, forecasts: Sequence[Forecast]) -> tuple[float | None, str]:
    shortest = policy.shadow.min_duration / timedelta(hours=1)
    longest = policy.shadow.max_duration / timedelta(hours=1)
    never = [one.gate for one in forecasts if one.pass_hours is None]
    if never:
        return None, f"at these rates {', '.join(never)} will not pass"
    slowest = max(forecasts, key=lambda one: one.pass_hours or 0.0)
    hours = slowest.pass_hours or 0.0
    if hours > longest:
        return None, (
            f"{slowest.gate} takes {hours:.1f} hours, shadow.max_duration is {longest:g}: raise it "
            "or shadow.share, or replay retained traffic"
        )
    if hours <= shortest:
        return shortest, f"shadow.min_duration; the slowest gate, {slowest.gate}, is done earlier"
    return hours, f"{slowest.gate} is the slowest gate"
