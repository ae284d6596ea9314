"""Figures for people, each good for one look: intervals and tests that no gate may decide by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

_CHUNK: Final = 1_000_000
"""Resampled values held at a time."""


def wilson_interval(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a proportion (1927), 95% by default.

    Looked at again and again it is wrong far more often than it says: ``benchmarks`` shows it.
    """
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def clopper_pearson_interval(successes: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """The exact interval of a proportion (Clopper and Pearson, 1934) at 1 − α."""
    from scipy.stats import beta

    low = 0.0 if successes == 0 else float(beta.ppf(alpha / 2, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - alpha / 2, successes + 1, n - successes))
    return low, high


def mcnemar_p(only_first: int, only_second: int) -> float | None:
    """Exact two-sided p of McNemar's test (1947): is a discordant pair as likely either way.

    Returns:
        None where no pair is discordant: there is nothing to test.
    """
    from scipy.stats import binomtest

    if only_first + only_second == 0:
        return None
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def paired_bootstrap_interval(
    differences: Sequence[float], *, seed: int, resamples: int = 10_000, alpha: float = 0.05
) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron, 1979) of the mean of paired differences.

    Args:
        differences: one for each labelled address.
        seed: the same seed gives the same interval.
        resamples: how many.
        alpha: 1 − α is the coverage.

    Raises:
        ValueError: there are no differences.
    """
    import numpy as np

    if not len(differences):
        raise ValueError("no differences to resample")
    values = np.asarray(differences, dtype=np.float64)
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK // len(values))
    means: list[float] = []
    while len(means) < resamples:
        take = min(rows, resamples - len(means))
        picks = rng.integers(0, len(values), size=(take, len(values)))
        means.extend(values[picks].mean(axis=1).tolist())
    low, high = np.quantile(np.array(means), [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)
