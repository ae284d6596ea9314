"""Sums of exponentials and the search for a bound, without ever leaving log space."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

_CLOSE_ENOUGH: Final = 1e-5
"""Nats of evidence: a bound whose e-value is that near to 1/α is not searched for any further."""
_SHORTEST: Final = 1e-9
_STEPS: Final = 100


def log_mean_exp(terms: Sequence[float]) -> float:
    """ln of the mean of exp(terms); minus infinity when every term is.

    Raises:
        ValueError: there are no terms.
    """
    highest = max(terms)
    if highest == -math.inf:
        return -math.inf
    return highest + math.log(sum([math.exp(term - highest) for term in terms]) / len(terms))


def highest_rejected(
    log_e: Callable[[float], float], needed: float, *, estimate: float, width: float
) -> float:
    """The highest boundary in [0, estimate] that evidence rejects, 0 where it rejects none.

    Args:
        log_e: evidence against "the truth is at most x"; falls as x rises.
        needed: what rejects.
        estimate: where the evidence rejects nothing yet.
        width: a first guess of how far below the estimate the answer lies.

    Returns:
        The boundary, never above the true one, found by bracketing and then by the Illinois
        variant of false position (Dowell and Jarratt, 1971).
    """
    high, short = estimate, log_e(estimate) - needed
    if short >= 0.0:
        return estimate
    while True:
        low = max(0.0, estimate - width)
        over = log_e(low) - needed if low > 0.0 else math.inf
        if over >= 0.0:
            break
        high, short, width = low, over, 2.0 * width
    if over == math.inf:  # the e-value at 0 is no number to interpolate with
        low, over = 0.5 * high, log_e(0.5 * high) - needed
        while over < 0.0:
            if low < _SHORTEST:
                return 0.0
            high, short, low = low, over, 0.5 * low
            over = log_e(low) - needed
    kept = 0
    best = over
    for _ in range(_STEPS):
        if best <= _CLOSE_ENOUGH or high - low <= _SHORTEST:
            break
        middle = (low * short - high * over) / (short - over)
        if not low < middle < high:
            middle = 0.5 * (low + high)
        value = log_e(middle) - needed
        if value >= 0.0:
            low, over, best = middle, value, value
            short = 0.5 * short if kept == 1 else short
            kept = 1
        else:
            high, short = middle, value
            over = 0.5 * over if kept == -1 else over
            kept = -1
    return low
