"""A restarted e-detector: sees when a stream that was good goes bad. Pure.

For increments whose exponentials have conditional mean ≤ 1 while all is well, the CUSUM form of
Shin, Ramdas and Rinaldo (arXiv:2203.03532, definition 2.6 and section 3) keeps, for each of K bets,

    C_k ← max(C_k, 0) + increment_k          M = (1/K) Σ_k exp(C_k)

exp(C_k) never exceeds the sum over all starting points of the product since then, whose mean after
n steps is at most n. Hence P(M ≥ A within n steps) ≤ n / A, and the mean number of steps to a false
alarm is at least A. Starting anew at every step, it does not have to lose first what a long good
past has won, as a plain e-process must.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from rollout.stats.logspace import log_mean_exp
from rollout.stats.proportions import SHIFTS

_BETS: Final = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95)
_SHIFTS: Final = tuple(shift for shift in SHIFTS if 0.1 < shift < 6.0)


class Detector:
    """Watches for a change in values that come from a few distinct ones."""

    __slots__ = ("_increments", "_sums")

    def __init__(self, increments: dict[float, Sequence[float]]) -> None:
        """Take, for each value that can come, the K log-increments that it causes."""
        self._increments = {value: tuple(steps) for value, steps in increments.items()}
        bets = len(next(iter(self._increments.values())))
        self._sums = [0.0] * bets

    def add(self, value: float) -> None:
        """Take in one value.

        Raises:
            KeyError: a value that cannot come.
        """
        self._sums = [
            step if total < 0.0 else total + step
            for total, step in zip(self._sums, self._increments[value], strict=True)
        ]

    @property
    def log_e(self) -> float:
        """ln of the detector's statistic M after the last value."""
        return log_mean_exp(self._sums)

    def reaches(self, log_e: float) -> bool:
        """Whether M may have come that far; False is certain, and cheap to know."""
        return max(self._sums) >= log_e


def proportion_falls_below(p0: float) -> Detector:
    """Alarms when the share of ones falls below ``p0``; bets as in ``proportions``, downwards."""
    costs = [math.log1p((1.0 - p0) * math.expm1(shift)) for shift in _SHIFTS]
    return Detector(
        {
            1.0: [-cost for cost in costs],
            0.0: [shift - cost for shift, cost in zip(_SHIFTS, costs, strict=True)],
        }
    )


def difference_rises_above(most: float) -> Detector:
    """Alarms when the mean of values −1, 0 and 1 rises above ``most``; bets as in ``means``."""
    return Detector(
        {
            value: [math.log1p(bet * ((1.0 + value) / (1.0 + most) - 1.0)) for bet in _BETS]
            for value in (-1.0, 0.0, 1.0)
        }
    )
