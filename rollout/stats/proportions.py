"""E-processes for a proportion: S successes among n trials against a boundary p0. Pure.

A Bernoulli likelihood ratio with a grid of alternatives mixed over it (Howard, Ramdas, McAuliffe
and Sekhon, arXiv:1810.08240, section 3; Lindon and Malek, arXiv:2011.03567):

    e_n = (1/K) Σ_k (θ_k/p0)^S ((1 − θ_k)/(1 − p0))^(n − S)

The alternatives stand at fixed distances δ_k from p0 in log-odds, θ_k = p0 e^δ / (1 − p0 + p0 e^δ).
Each factor then is e^(δX) / (1 + p0 (e^δ − 1)), so that

    ln e_n = ln (1/K) Σ_k exp(δ_k S − n ln(1 + p0 (e^δ_k − 1)))

For δ > 0 the factor's conditional mean is at most 1 whenever P(X = 1 | past) ≤ p0, for δ < 0
whenever it is ≥ p0: the product is a nonnegative supermartingale that starts at 1, and by Ville's
inequality P(e_n ≥ 1/α for any n) ≤ α. It falls as p0 rises (δ > 0), hence bounds by bisection.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

from rollout.stats.logspace import highest_rejected, log_mean_exp

_STEP: Final = 1.6
SHIFTS: Final = tuple(0.02 * _STEP**k for k in range(14))
"""δ_k, from 0.02 to 9: the smallest is what a million trials can tell apart, the largest is a
spotless run. Neighbours differ by 1.6: an alternative between two costs a few per cent of pairs."""

_GROWTHS: Final = tuple(math.expm1(shift) for shift in SHIFTS)


def log_e_above(successes: float, n: int, p0: float) -> float:
    """ln of the e-value against H0: the proportion is at most ``p0``.

    Args:
        successes: S, 0 ≤ S ≤ n; a fraction where it is an expectation.
        n: trials.
        p0: the boundary, in [0, 1].
    """
    return log_mean_exp(
        [
            shift * successes - n * math.log1p(p0 * growth)
            for shift, growth in zip(SHIFTS, _GROWTHS, strict=True)
        ]
    )


def log_e_below(successes: float, n: int, p0: float) -> float:
    """ln of the e-value against H0: the proportion is at least ``p0``."""
    return log_e_above(n - successes, n, 1.0 - p0)


@lru_cache(maxsize=512)  # several gates ask for the same one at every look
def lower_bound(successes: int, n: int, alpha: float) -> float:
    """Always-valid lower bound at 1 − α: every smaller proportion is rejected by ``log_e_above``.

    With probability 1 − α it stays below the truth for all n together. 0 when n is 0.
    """
    if n == 0:
        return 0.0
    needed, share = math.log(1.0 / alpha), successes / n
    spread = max(share * (1.0 - share), 1.0 / n)
    return highest_rejected(
        lambda p0: log_e_above(successes, n, p0),
        needed,
        estimate=share,
        width=math.sqrt((2.0 * needed + 4.0) * spread / n),
    )


def upper_bound(successes: int, n: int, alpha: float) -> float:
    """Always-valid upper bound at 1 − α; 1 when n is 0."""
    return 1.0 - lower_bound(n - successes, n, alpha)
