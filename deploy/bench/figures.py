"""Arithmetic of measurements: medians, spreads, steady rates. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np


@dataclass(frozen=True, slots=True)
class Figure:
    """The middle of some repetitions and how far they lie apart.

    Attributes:
        median: of all repetitions.
        low: the smallest.
        high: the largest.
    """

    median: float
    low: float
    high: float


def figure(values: Sequence[float]) -> Figure:
    """Sum up repetitions of one measurement; at least one."""
    return Figure(median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all values do not exceed, interpolated."""
    return float(np.quantile(np.asarray(values), share))


@dataclass(frozen=True, slots=True)
class Commit:
    """Addresses that became results together.

    Attributes:
        at_ms: when the broker was given them, milliseconds since the epoch.
        addresses: how many.
    """

    at_ms: int
    addresses: int


def drain_rate(began_ms: float, commits: Sequence[Commit]) -> float:
    """Addresses per second from the first record's arrival at the worker to the last commit.

    Raises:
        ValueError: without a commit there is no rate.
    """
    if not commits:
        raise ValueError("nothing was committed")
    seconds = (max(commit.at_ms for commit in commits) - began_ms) / 1e3
    return sum(commit.addresses for commit in commits) / max(seconds, 1e-3)


def slope_per_minute(times_s: Sequence[float], values: Sequence[float]) -> float:
    """How fast a series grows, by least squares, in its unit per minute; 0 for short series."""
    if len(times_s) < 3:
        return 0.0
    return float(np.polyfit(np.asarray(times_s), np.asarray(values), 1)[0]) * 60.0
