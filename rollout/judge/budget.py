"""How the error probabilities of a policy are shared out among gates and tries. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from contracts.policy import AlphaPolicy

NAMED_GUARDS: Final = (
    "harm_exact_match",
    "harm_span_f1",
    "error_rate",
    "latency_p99",
    "latency_ratio",
)

SLICE_PLACES: Final = 35
"""Slices that can become guards: 34 provinces, and addresses without one. Fixed before any is
seen, for a share of α that depended on the data would be no bound."""

GUARDS: Final = len(NAMED_GUARDS) + SLICE_PLACES
"""G: every guard tests at ``alpha.abort`` / G, whether or not all of them are ever in use."""


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """The error probabilities that gates test at.

    Attributes:
        promote: of each proof and of the instrument check. All proofs are needed, so each may
            have the whole; the k-th try of the same pair has α / (k(k+1)), and the sum over all
            tries is α.
        guard: of each guard. One is enough to stop, so they share ``alpha.abort``. It is the
            same at every try: making harm harder to prove would protect nobody.
    """

    promote: float
    guard: float

    @classmethod
    def of(cls, alpha: AlphaPolicy, attempt: int) -> ErrorBudget:
        """The budget of one try, counted from 1.

        Raises:
            ValueError: ``attempt`` is below 1.
        """
        if attempt < 1:
            raise ValueError("tries are counted from 1")
        return cls(alpha.promote / (attempt * (attempt + 1)), alpha.abort / GUARDS)


def log_needed(alpha: float) -> float:
    """ln(1/α): what the logarithm of an e-value has to reach."""
    return math.log(1.0 / alpha)
