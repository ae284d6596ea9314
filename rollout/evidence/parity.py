"""A/A: the reference in the shadow against production, joined by origin. Pure, bounded.

Whichever comes first waits for the other. Both logs are in the order of the input, so what the
other log has passed will never be met and is let go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rollout.evidence.outcomes import ParityOutcome
from rollout.evidence.pairing import AddressEvidence
from rollout.evidence.production import ProductionEvidence

WAITING_MAX: Final = 200_000
"""Addresses (a record counts as one at least) that wait, on both sides together: at about 250
bytes each for records of one address, 50 MB at the very most."""


class PartitionJoin:
    """The join within one partition of the input.

    Every address is compared at most once, at its first occurrence in the shadow: so the
    comparisons are of distinct addresses, without a memory of their own.
    """

    __slots__ = ("_from_production", "_from_shadow", "evicted", "passed")

    def __init__(self) -> None:
        self._from_production: dict[int, bytes] = {}
        self._from_shadow: dict[int, tuple[tuple[int, int, int], ...]] = {}
        self.passed = 0
        """Production's results below this offset of the input were seen."""
        self.evicted = 0
        """Records that had to give way before their other half came."""

    @property
    def waiting(self) -> int:
        """What waits, in the unit of ``WAITING_MAX``."""
        return sum(max(1, len(flats) // 8) for flats in self._from_production.values()) + sum(
            len(addresses) for addresses in self._from_shadow.values()
        )

    def awaits(self, offset: int) -> bool:
        """Whether the shadow's half of this record is here."""
        return offset in self._from_shadow

    def take_production(self, result: ProductionEvidence) -> None:
        """A result of the reference for a record that the sample holds."""
        self._from_production.setdefault(result.offset, result.flats)

    def take_shadow(self, offset: int, addresses: Sequence[AddressEvidence]) -> None:
        """First occurrences in one record of the shadow."""
        if addresses:
            self._from_shadow[offset] = tuple((one.index, one.unit, one.flat) for one in addresses)

    def join(self) -> Iterator[tuple[int, ParityOutcome]]:
        """Offset and comparison of all that can be joined now, in order of the input."""
        for offset in sorted(self._from_shadow.keys() & self._from_production.keys()):
            flats = self._from_production.pop(offset)
            for index, unit, flat in self._from_shadow.pop(offset):
                theirs = flats[8 * index : 8 * index + 8]
                if theirs:
                    agrees = int.from_bytes(theirs, "big") == flat
                    yield offset, ParityOutcome(unit, agrees)

    def let_go(self, *, shadow_passed: int, limit: int) -> None:
        """Drop what cannot be joined any more, and beyond ``limit`` what is farthest ahead."""
        for offset in [one for one in self._from_production if one < shadow_passed]:
            del self._from_production[offset]
        for offset in [one for one in self._from_shadow if one < self.passed]:
            del self._from_shadow[offset]
        excess = self.waiting - limit
        if excess <= 0:
            return
        # The nearest will be needed next; what is farthest ahead waits longest.
        for offset in sorted(self._from_production.keys() | self._from_shadow.keys(), reverse=True):
            flats = self._from_production.pop(offset, None)
            addresses = self._from_shadow.pop(offset, ())
            excess -= len(addresses) + (0 if flats is None else max(1, len(flats) // 8))
            self.evicted += 1
            if excess <= 0:
                return
