"""How figures are written into gate results: the same on every machine that recomputes them.

The last bits of a logarithm may differ between processors. What decides is therefore the rounded
figure, which is the one that is printed, frozen in the decision record and recomputed later.
"""

from __future__ import annotations

import math
from typing import Final

_DIGITS: Final = 6
_LOG_E_LIMIT: Final = 700.0


def rounded(value: float) -> float:
    """Six digits after the point; minus zero becomes zero."""
    return round(value, _DIGITS) + 0.0


def shown_log_e(value: float) -> float:
    """ln of an e-value, rounded and kept within ±700."""
    return rounded(max(-_LOG_E_LIMIT, min(_LOG_E_LIMIT, value)))


def needed(alpha: float) -> float:
    """ln(1/α), rounded up: rounding must not make anything easier to prove."""
    return math.ceil(math.log(1.0 / alpha) * 10**_DIGITS) / 10**_DIGITS


def percent(value: float) -> str:
    """A share for people, with as many digits as it takes to tell it from a whole number."""
    return f"{value * 100:.2f}%"


def score(value: float) -> str:
    """A mean F1 for people."""
    return f"{value:.4f}"


def points(value: float) -> str:
    """A difference of two shares for people."""
    return f"{value * 100:+.2f} percentage points"


def ratio(value: float) -> str:
    """How many times as long, for people."""
    return f"{value:.3f}×"
