"""The watch over a promoted candidate: sees soon when it goes bad. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from contracts.judgement import GateResult
from contracts.policy import Policy
from rollout.evidence.outcomes import AddressOutcome
from rollout.judge.figures import percent, points, rounded, shown_log_e
from rollout.stats.detectors import Detector, difference_rises_above, proportion_falls_below

WATCHES: Final = 2


@dataclass(slots=True)
class _Watch:
    name: str
    detector: Detector
    threshold: float
    n: int = 0
    total: float = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value
        self.detector.add(value)


class BakeWatch:
    """Two restarted e-detectors on distinct addresses, in canonical order.

    *Exact match* falls below ``gates.exact_match.min``; *candidate errors less reference errors*
    rise above ``gates.error_rate.max_increase``. Together they alarm falsely within
    ``bake.max_results`` addresses with a probability of at most ``alpha.rollback``: each has half
    of it.
    """

    def __init__(self, policy: Policy) -> None:
        """Start watching."""
        gates = policy.gates
        threshold = WATCHES * policy.bake.max_results / policy.alpha.rollback
        self.log_e_needed = math.ceil(math.log(threshold) * 1e6) / 1e6
        self._exact = _Watch(
            "bake_exact_match",
            proportion_falls_below(gates.exact_match.min),
            gates.exact_match.min,
        )
        self._errors = _Watch(
            "bake_error_rate",
            difference_rises_above(gates.error_rate.max_increase),
            gates.error_rate.max_increase,
        )
        self._alarm: GateResult | None = None

    def address(self, outcome: AddressOutcome) -> None:
        """Take in one distinct address."""
        if outcome.exact is not None:
            self._exact.add(float(outcome.exact))
            self._check(self._exact)
        self._errors.add(float(outcome.candidate_error - outcome.reference_error))
        self._check(self._errors)

    @property
    def alarm(self) -> GateResult | None:
        """The first alarm; it stays. None while all is well."""
        return self._alarm

    @property
    def results(self) -> tuple[GateResult, ...]:
        """How both watches stand, alarm or not."""
        return tuple(self._result(watch) for watch in (self._exact, self._errors))

    def _check(self, watch: _Watch) -> None:
        if self._alarm is not None or not watch.detector.reaches(self.log_e_needed - 1e-6):
            return  # the mean of exponentials is never above the largest of them
        if shown_log_e(watch.detector.log_e) >= self.log_e_needed:
            self._alarm = self._result(watch)

    def _result(self, watch: _Watch) -> GateResult:
        value = rounded(watch.total / watch.n) if watch.n else None
        fired = shown_log_e(watch.detector.log_e) >= self.log_e_needed
        exact = watch is self._exact
        show = percent if exact else points
        change = (
            f"exact match has fallen below {show(watch.threshold)}"
            if exact
            else f"candidate errors have risen above {show(watch.threshold)}"
        )
        over = "" if value is None else f" ({show(value)} over {watch.n} distinct addresses since)"
        return GateResult(
            name=watch.name,
            kind="guard",
            status="failed" if fired else "undecided",
            value=value,
            threshold=watch.threshold,
            n=watch.n,
            log_e=shown_log_e(watch.detector.log_e),
            log_e_needed=self.log_e_needed,
            reason=f"{change}{over}" if fired else f"no sign that {change}{over}",
        )
