"""How much came when, in few bins whose width grows with the range. Pure; order changes nothing."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

_FINEST_MS: Final = 60_000
_MOST: Final = 96
"""Bins at most; a line of a page has no room for more."""


class Timeline:
    """Addresses and troubled ones by time; bins are whole multiples of their width."""

    __slots__ = ("_bins", "width_ms")

    def __init__(self) -> None:
        self.width_ms = _FINEST_MS
        self._bins: dict[int, list[int]] = defaultdict(lambda: [0, 0])

    def add(self, at_ms: int, addresses: int, troubled: int) -> None:
        """So many addresses at this epoch time in milliseconds, so many of them troubled."""
        kept = self._bins[at_ms // self.width_ms]
        kept[0] += addresses
        kept[1] += troubled
        while max(self._bins) - min(self._bins) >= _MOST:
            self._widen()

    def bins(self) -> tuple[tuple[int, int, int], ...]:
        """Start in epoch milliseconds, addresses, troubled: in order, empty bins left out."""
        return tuple(
            (number * self.width_ms, addresses, troubled)
            for number, (addresses, troubled) in sorted(self._bins.items())
        )

    def _widen(self) -> None:
        finer, self.width_ms = self._bins, self.width_ms * 2
        self._bins = defaultdict(lambda: [0, 0])
        for number, (addresses, troubled) in finer.items():
            kept = self._bins[number // 2]
            kept[0] += addresses
            kept[1] += troubled
