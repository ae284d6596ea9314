"""Bounds of a quantile: always-valid ones, and the exact one for a sample of fixed size. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rollout.stats.proportions import log_e_above


def covering_rank(n: int, quantile: float, alpha: float) -> int | None:
    """The smallest k such that the k-th smallest of n bounds the quantile from above for ever.

    "No more than ``quantile`` of all values are ≤ x" is a hypothesis on a proportion; the bound
    is the smallest x at which its e-process rejects. Only the true quantile's own process can err,
    so no union over x is needed: P(the bound is ever below the quantile) ≤ α (compare Howard and
    Ramdas, arXiv:1906.09712, section 2).

    Returns:
        k in [1, n], or None while n is too small for any bound.
    """
    needed = math.log(1.0 / alpha)
    if n == 0 or log_e_above(n, n, quantile) < needed:
        return None
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        if log_e_above(middle, n, quantile) >= needed:
            high = middle
        else:
            low = middle
    return high


def smallest_sample(quantile: float, alpha: float) -> int:
    """Fewest values whose greatest one bounds the quantile from above at 1 − α: q^n ≤ α."""
    return math.ceil(math.log(alpha) / math.log(quantile))


def fixed_sample_upper_bound(values: Sequence[float], quantile: float, alpha: float) -> float:
    """Upper bound of a quantile at 1 − α from one sample of a size fixed in advance.

    The k-th smallest value lies below the quantile only if at least k of n values do, so k is the
    smallest rank with P(Bin(n, quantile) ≥ k) ≤ α (the textbook order-statistic interval, as in
    David and Nagaraja, *Order Statistics*, section 7.1). Good for one look only.

    Raises:
        ValueError: fewer values than ``smallest_sample``.
    """
    n = len(values)
    if n < smallest_sample(quantile, alpha):
        raise ValueError(f"{n} values bound no {quantile} quantile at {1 - alpha}")
    rank = n
    tail = n * math.log(quantile)  # ln P(Bin ≥ n)
    while rank > 1:
        below = math.lgamma(n + 1) - math.lgamma(rank) - math.lgamma(n - rank + 2)
        below += (rank - 1) * math.log(quantile) + (n - rank + 1) * math.log1p(-quantile)
        wider = max(tail, below) + math.log1p(math.exp(-abs(tail - below)))
        if wider > math.log(alpha):
            break
        tail, rank = wider, rank - 1
    return sorted(values)[rank - 1]
