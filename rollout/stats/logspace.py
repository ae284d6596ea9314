"""Sums of exponentials and the search for a bound, without ever leaving log space."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

_BISECTIONS: Final = 30
"""Halvings of an interval no longer than 1: bounds are good to 1e-9."""


def log_mean_exp(terms: Sequence[float]) -> float:
    """ln of the mean of exp(terms); minus infinity when every term is.

    Raises:
        ValueError: there are no terms.
    """
    highest = max(terms)
    if highest == -math.inf:
        return -math.inf
    total = math.fsum(math.exp(term - highest) for term in terms)
    return highest + math.log(total / len(terms))


def last_true(test: Callable[[float], bool], low: float, high: float) -> float:
    """The largest x in [low, high] for which ``test`` holds, where it holds up to some x only.

    Taken a hair too small rather than too large; ``low`` where it holds nowhere.
    """
    if test(high):
        return high
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if test(middle):
            low = middle
        else:
            high = middle
    return low
