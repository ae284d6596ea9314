"""E-processes for the mean of bounded values, by betting. Pure.

For values Y in [low, high], rescaled to [0, 1], a gambler who stakes a fixed part c of the wealth
that could be lost on "the mean is above m" holds after n values (Waudby-Smith and Ramdas,
arXiv:2010.09686, section 4, with λ = c/m):

    K_n = Π (1 + λ (Y_i − m)) = Π (1 − c + c Y_i / m)

Where E[Y | past] ≤ m each factor's conditional mean is at most 1, so K_n is a nonnegative
supermartingale, and so is the mean over a grid of stakes c_k (their "diversified Kelly"): it grows
as fast as the best fixed stake, but for ln K. The stakes are fixed in advance, so the e-value is a
function of *how often each value came*, in whatever order: nothing needs to be kept but counts,
and a restart, another block size or another machine cannot change it. It falls as m rises, so
inverting it gives an always-valid bound. "Below" is the same for 1 − Y.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rollout.stats.logspace import highest_rejected

_SMALL: Final = tuple(0.0005 * 1.7**k for k in range(14))
STAKES: Final = np.array([*_SMALL, 0.8, 0.95, 0.99, 0.999])
"""c_k. The small ones are for differences that only a million values tell apart, the large ones
for values that hardly vary."""

_Floats = NDArray[np.floating[Any]]


@dataclass(slots=True)
class Tally:
    """How often each value came: all that the e-processes of a mean need.

    Attributes:
        low: the least value that can come.
        high: the greatest one.
    """

    low: float = 0.0
    high: float = 1.0
    counts: dict[float, int] = field(default_factory=dict)
    n: int = 0
    _bounds: dict[tuple[bool, float], tuple[int, float]] = field(default_factory=dict)

    def add(self, value: float, times: int = 1) -> None:
        """Count a value.

        Raises:
            ValueError: it is outside [low, high], or no number.
        """
        if not self.low <= value <= self.high:
            raise ValueError(f"{value} is not within [{self.low}, {self.high}]")
        self.counts[value] = self.counts.get(value, 0) + times
        self.n += times

    @property
    def mean(self) -> float | None:
        """The mean of what came; None when nothing did."""
        if not self.n:
            return None
        return math.fsum(value * times for value, times in self.counts.items()) / self.n

    def log_e_above(self, mean: float) -> float:
        """ln of the e-value against H0: the mean is at most ``mean``, low < mean ≤ high."""
        return self._sample(upwards=True).log_e(self._scaled(mean))

    def log_e_below(self, mean: float) -> float:
        """ln of the e-value against H0: the mean is at least ``mean``, low ≤ mean < high."""
        return self._sample(upwards=False).log_e(1.0 - self._scaled(mean))

    def lower_bound(self, alpha: float) -> float:
        """Always-valid lower bound of the mean at 1 − α; ``low`` when nothing came."""
        return self.low + (self.high - self.low) * self._bound(alpha, upwards=True)

    def upper_bound(self, alpha: float) -> float:
        """Always-valid upper bound of the mean at 1 − α; ``high`` when nothing came."""
        return self.high - (self.high - self.low) * self._bound(alpha, upwards=False)

    def _bound(self, alpha: float, *, upwards: bool) -> float:
        # Several gates ask for the same bound at every look; n grows with every value.
        n, bound = self._bounds.get((upwards, alpha), (-1, 0.0))
        if n != self.n:
            bound = self._sample(upwards=upwards).bound(alpha)
            self._bounds[upwards, alpha] = self.n, bound
        return bound

    def _scaled(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def _sample(self, *, upwards: bool) -> _Sample:
        values = sorted(self.counts)
        scaled = [self._scaled(value) if upwards else 1.0 - self._scaled(value) for value in values]
        return _Sample(
            np.array(scaled, dtype=np.float64),
            np.array([self.counts[value] for value in values], dtype=np.float64),
        )


@dataclass(frozen=True, slots=True)
class _Sample:
    """Values in [0, 1] with their counts, tested for a mean above something."""

    values: _Floats
    counts: _Floats

    def log_e(self, mean: float) -> float:
        """See the top of this file; shapes are (values, stakes)."""
        if not self.values.size:
            return 0.0
        factors = np.log1p(STAKES[None, :] * (self.values[:, None] / mean - 1.0))
        capital = (self.counts[:, None] * factors).sum(axis=0)
        highest = float(capital.max())
        return highest + math.log(float(np.exp(capital - highest).mean()))

    def bound(self, alpha: float) -> float:
        if not self.values.size:
            return 0.0
        needed, n = math.log(1.0 / alpha), float(self.counts.sum())
        average = float((self.values * self.counts).sum()) / n
        if average <= 0.0:
            return 0.0
        spread = float((self.counts * (self.values - average) ** 2).sum()) / n
        return highest_rejected(
            self.log_e,
            needed,
            estimate=average,
            width=math.sqrt((2.0 * needed + 4.0) * max(spread, 1.0 / n) / n),
        )


def tally(values: Mapping[float, int], low: float = 0.0, high: float = 1.0) -> Tally:
    """A tally of values that were counted elsewhere."""
    made = Tally(low, high)
    for value, times in values.items():
        made.add(value, times)
    return made
