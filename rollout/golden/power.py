"""What a labelled set of a given size can see. Pure; normal approximation, for planning only.

The gate fails a candidate whose mean difference of F1 over n addresses is below ``min_delta``. A
difference of one address has variance d·r² − δ², where d is the share of addresses on which the
two models differ, r the root mean square of the difference there, and δ its mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

POWER: Final = 0.8
"""The chance with which the named regression is caught."""


@dataclass(frozen=True, slots=True)
class Power:
    """What a set of ``addresses`` can see.

    Attributes:
        addresses: its size.
        detects: the smallest true fall of mean F1 that fails the gate in at least 8 of 10
            sets of this size; None where not even the largest possible fall does.
        fails_equal: the chance that a candidate exactly as good as the reference fails.
    """

    addresses: int
    detects: float | None
    fails_equal: float


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Assumptions, or what was measured, of how two models differ.

    Attributes:
        discordance: share of addresses with another F1, in (0, 1].
        spread: root mean square of the difference of F1 on those, in (0, 1].
    """

    discordance: float
    spread: float

    @property
    def deviation(self) -> float:
        """Standard deviation of one address's difference when the mean is zero."""
        return math.sqrt(self.discordance) * self.spread


def measured(deltas: Sequence[float]) -> Sensitivity | None:
    """How two models really differed; None where they never did.

    Args:
        deltas: differences of F1, one for each address.
    """
    unlike = [delta for delta in deltas if delta != 0.0]
    if not unlike:
        return None
    square = sum(delta * delta for delta in unlike) / len(unlike)
    return Sensitivity(len(unlike) / len(deltas), math.sqrt(square))


def sensitivity(addresses: int, assumed: Sensitivity, min_delta: float) -> Power:
    """What a golden gate over so many addresses can see.

    Args:
        addresses: at least 1.
        assumed: how the models differ.
        min_delta: the gate's threshold, as in the policy.
    """
    error = assumed.deviation / math.sqrt(addresses)
    normal = NormalDist()
    detects: float | None = max(0.0, normal.inv_cdf(POWER) * error - min_delta)
    # No mean can fall by more than every discordant address losing all it can.
    if detects is not None and detects > assumed.discordance:
        detects = None
    return Power(addresses, detects, normal.cdf(min_delta / error))
