"""Counters that stay small whatever names come: after so many, the rest share one. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Final

OTHERS: Final = "(others)"
"""What all names beyond the limit are counted under."""


class NamedCounts:
    """How often each name came; at most ``limit`` names, then ``OTHERS``."""

    __slots__ = ("_counts", "limit")

    def __init__(self, limit: int = 64) -> None:
        self.limit = limit
        self._counts: Counter[str] = Counter()

    def add(self, name: str) -> None:
        """One more of this name."""
        if name not in self._counts and len(self._counts) >= self.limit:
            name = OTHERS
        self._counts[name] += 1

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def largest(self, most: int | None = None) -> tuple[tuple[str, int], ...]:
        """Name and count, the most frequent first; equal counts by name."""
        ordered = sorted(self._counts.items(), key=lambda one: (-one[1], one[0]))
        return tuple(ordered[:most])
