"""Gates on latency, both paired: each model's time on the same device batch. Pure.

A machine's load moves both times of a batch together, and what runs second finds warm caches. So
neither gate compares a candidate's time of now with a reference's of another moment, and the ratio
is taken over two batches with opposite orders.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from rollout.evidence.outcomes import BatchOutcome
from rollout.judge.figures import points, ratio
from rollout.judge.results import Measure, Seen
from rollout.stats.means import Tally
from rollout.stats.proportions import log_e_above
from rollout.stats.quantiles import covering_rank, fixed_sample_upper_bound, smallest_sample

LATENCY_RATIO: Final = Measure("median latency ratio", "device batches", ratio, good="below")
LATENCY_P99: Final = Measure(
    "batches over the limit, candidate less reference", "device batches", points, good="below"
)

QUANTILE: Final = 0.99
EXCESS: Final = 1.0 - QUANTILE
"""As large a share of batches may be over the limit, beyond the reference's own."""

LIMIT_ALPHA: Final = 0.05
"""The limit rests on a 95% upper bound of the reference's P99."""

_WAITING: Final = 10_000
"""Batches of one order that wait for one of the other. Orders alternate by a hash, so the queue
grows like a random walk; workers that only ever used one order are not to fill the memory."""

_BINS_PER_E: Final = 2000
_LARGEST_BIN: Final = 10 * _BINS_PER_E


def usable(batch: BatchOutcome) -> bool:
    """Whether both times are positive numbers: a clock that says otherwise is no evidence."""
    return 0.0 < batch.candidate_ms < math.inf and 0.0 < batch.reference_ms < math.inf


@dataclass(slots=True)
class LatencyRatio:
    """Median of candidate time over reference time, each over two batches of opposite order.

    √(r₁ r₂) of a batch on which the candidate ran first and one on which it ran second: what
    running second gains or loses cancels. H0 of harm: P(that is above ``max_ratio``) ≤ 1/2, a sign
    test that no distribution of times can fool.
    """

    most: float
    n: int = 0
    couples: int = 0
    above: int = 0
    _bins: dict[int, int] = field(default_factory=dict)
    _first: deque[float] = field(default_factory=lambda: deque(maxlen=_WAITING))
    _second: deque[float] = field(default_factory=lambda: deque(maxlen=_WAITING))

    def add(self, batch: BatchOutcome) -> None:
        """Count one usable batch."""
        log_ratio = math.log(batch.candidate_ms / batch.reference_ms)
        first = batch.order == "candidate_first"
        partners, own = (self._second, self._first) if first else (self._first, self._second)
        if not partners:
            own.append(log_ratio)
            return
        middle = 0.5 * (log_ratio + partners.popleft())
        self.couples += 1
        self.n += 2
        self.above += middle > math.log(self.most)
        place = max(-_LARGEST_BIN, min(_LARGEST_BIN, round(middle * _BINS_PER_E)))
        self._bins[place] = self._bins.get(place, 0) + 1

    def harm(self, alpha: float, alpha_bound: float) -> Seen:
        """Figures on "the median ratio is above ``most``"."""
        if not self.couples:
            return Seen(None, None, 0, 0.0, alpha)
        rank = covering_rank(self.couples, 0.5, alpha_bound)
        return Seen(
            self._at_rank((self.couples + 1) // 2),
            None if rank is None else self._at_rank(rank),
            self.n,
            log_e_above(self.above, self.couples, 0.5),
            alpha,
        )

    def _at_rank(self, rank: int) -> float:
        passed = 0
        for place in sorted(self._bins):
            passed += self._bins[place]
            if passed >= rank:
                return math.exp(place / _BINS_PER_E)
        raise AssertionError("a rank beyond all couples")


@dataclass(slots=True)
class LatencyP99:
    """Share of batches over a limit, candidate less reference.

    The limit is ``most`` × the upper bound of the reference's P99 over the first batches, then
    frozen. H0 of harm: P(candidate > limit) − P(reference > limit) ≤ 1%. With a reference that
    keeps to its P99 this is P(candidate > limit) ≤ 1%; when load comes or goes after the limit was
    set, both are over it alike and nothing is concluded.
    """

    most: float
    first_batches: int
    limit_ms: float | None = None
    over: Tally = field(default_factory=lambda: Tally(-1.0, 1.0))
    _reference: list[float] = field(default_factory=list)

    def add(self, batch: BatchOutcome) -> None:
        """Count one usable batch: towards the limit, or against it."""
        if self.limit_ms is None:
            self._reference.append(batch.reference_ms)
            if len(self._reference) >= self.setting_batches:
                bound = fixed_sample_upper_bound(self._reference, QUANTILE, LIMIT_ALPHA)
                self.limit_ms = self.most * bound
                self._reference.clear()
            return
        over = (batch.candidate_ms > self.limit_ms) - (batch.reference_ms > self.limit_ms)
        self.over.add(float(over))

    @property
    def setting_batches(self) -> int:
        """Batches that set the limit: as the policy says, and enough for a bound of a P99."""
        return max(self.first_batches, smallest_sample(QUANTILE, LIMIT_ALPHA))

    @property
    def setting(self) -> int:
        """Batches that have gone into a limit which does not stand yet."""
        return len(self._reference)

    def harm(self, alpha: float, alpha_bound: float) -> Seen:
        """Figures on "more than 1% more of the candidate's batches are over the limit"."""
        if not self.over.n:
            return Seen(None, None, 0, 0.0, alpha)
        bound = self.over.upper_bound(alpha_bound)
        return Seen(self.over.mean, bound, self.over.n, self.over.log_e_above(EXCESS), alpha)
