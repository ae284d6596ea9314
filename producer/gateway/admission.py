"""Whether one more request is taken in. Pure.

Everything that waits is bounded, by number and by time: what cannot be answered by its deadline
is refused at once, while refusing is still cheap, so that what is taken in gets its answer.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

_QUEUEING_SHARE: Final = 0.25
"""Answers queue up once the oldest request has waited this part of the longest wait: before,
how fast workers are is not known, only how little was asked of them."""

_PATIENCE_SHARE: Final = 0.5
"""An answer is expected within this part of a caller's patience. How fast workers are is known
to one batch of theirs, and a batch is answered as one: where a few take seconds, an expectation
up to the deadline is wrong half of the time, and what is parsed too late was parsed for nobody."""

_PACE_WINDOW_S: Final = 3.0
_RETRY_MOST_S: Final = 30


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, and for how long.

    Attributes:
        max_pending_addresses: taken in and not answered.
        max_wait_s: for a place in a queue.
        max_backlog_records: of all gateways, not committed by workers.
        few_addresses: so many are no queue: only their callers' patience counts.
    """

    max_pending_addresses: int
    max_wait_s: float
    max_backlog_records: int
    few_addresses: int = 64


@dataclass(frozen=True, slots=True)
class Load:
    """What waits now.

    Attributes:
        pending_addresses: taken in here and not answered.
        oldest_wait_s: how long the oldest of them has waited; 0 when there is none.
        answered_per_s: addresses that were answered lately; 0 when none was.
        backlog_records: of all gateways, not committed by workers.
    """

    pending_addresses: int
    oldest_wait_s: float
    answered_per_s: float
    backlog_records: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """It is not taken in."""

    reason: str
    retry_after_s: int


def refusal(load: Load, bounds: Bounds, addresses: int, patience_s: float) -> Refusal | None:
    """Why so many more addresses are not taken in; None when they are.

    Args:
        load: what waits now.
        bounds: how much may.
        addresses: that are asked for.
        patience_s: until their deadline.
    """
    after = load.pending_addresses + addresses
    # One request alone is taken in whatever its size: request bodies have bounds of their own.
    if load.pending_addresses and after > bounds.max_pending_addresses:
        return Refusal("too many addresses wait here", _retry_after(load))
    if load.backlog_records > bounds.max_backlog_records:
        return Refusal("too many records wait for workers", _retry_after(load))
    few = after <= bounds.few_addresses
    expected_by_s = patience_s * _PATIENCE_SHARE
    longest_s = expected_by_s if few else min(bounds.max_wait_s, expected_by_s)
    if load.oldest_wait_s <= longest_s * _QUEUEING_SHARE:
        return None
    if load.answered_per_s > 0:
        if after / load.answered_per_s <= longest_s:
            return None
    elif load.oldest_wait_s <= longest_s:
        return None
    return Refusal("the answer would come too late", _retry_after(load))


def _retry_after(load: Load) -> int:
    if load.answered_per_s > 0:
        seconds = load.pending_addresses / load.answered_per_s
    else:
        seconds = load.oldest_wait_s
    return math.ceil(min(max(seconds, 1.0), _RETRY_MOST_S))


class Pace:
    """How many addresses a second were answered lately, while any waited."""

    def __init__(self, window_s: float = _PACE_WINDOW_S) -> None:
        self._window_s = window_s
        self._answers: deque[tuple[float, int]] = deque()
        self._total = 0
        self._busy_since = 0.0

    def busy(self, now: float) -> None:
        """Something waits again after a time in which nothing did."""
        self._busy_since = now
        self._answers.clear()
        self._total = 0

    def answered(self, addresses: int, now: float) -> None:
        """So many were answered just now."""
        self._answers.append((now, addresses))
        self._total += addresses
        self._forget(now)

    def per_s(self, now: float) -> float:
        """Addresses a second; 0 when none was answered."""
        self._forget(now)
        seconds = now - max(self._busy_since, now - self._window_s)
        return self._total / seconds if self._total and seconds > 0 else 0.0

    def _forget(self, now: float) -> None:
        while self._answers and self._answers[0][0] <= now - self._window_s:
            self._total -= self._answers.popleft()[1]
