"""The two classes of traffic, and how the one makes room for the other. Pure.

A class is a property of the input topic, given at the edge: the stations of the engine exist
once for each class, and only the device is shared.
"""

from __future__ import annotations

from enum import Enum


class Traffic(Enum):
    """What an input holds."""

    BULK = "bulk"
    """Nobody waits for a single record: throughput counts."""

    INTERACTIVE = "interactive"
    """Somebody waits for each record: its time counts."""


class BulkBatches:
    """How large a device batch of bulk may be.

    A batch that is on the device cannot be interrupted, so whoever waits may have to wait for
    all of it. While there is interactive traffic, batches are therefore kept small.

    Args:
        alone: padded tokens of a batch while nobody waits.
        beside: the same while there is interactive traffic.
        linger_s: for how long after an interactive record there is such traffic.
    """

    def __init__(self, *, alone: int, beside: int, linger_s: float) -> None:
        self._alone = alone
        self._beside = min(alone, beside)
        self._linger_s = linger_s
        self._seen_at = float("-inf")

    def seen(self, traffic: Traffic, now: float) -> None:
        """A record of this class came; ``now`` in monotonic seconds."""
        if traffic is Traffic.INTERACTIVE:
            self._seen_at = max(self._seen_at, now)

    def tokens(self, now: float) -> int:
        """The most padded tokens of a batch that is formed now."""
        return self._beside if now - self._seen_at < self._linger_s else self._alone
