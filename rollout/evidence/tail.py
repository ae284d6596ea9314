"""Reading one log from cut to cut: exactly up to the ends that a cut names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from rollout.logs import Log, Offsets

_HELD_RECORDS: Final = 1000
_HELD_BYTES: Final = 32 * 1024 * 1024


class Tail:
    """One log and how far it was read.

    Args:
        log: opened, and used by nobody else.
        start: the first offset to read, by partition; the beginning where one is missing.
    """

    def __init__(self, log: Log, start: Mapping[int, int]) -> None:
        self._log = log
        self._partitions = log.partitions
        self._start = dict(start)
        self._held: list[Any] = []
        self._held_bytes = 0
        self._narrowed = False
        self.positions: Offsets = {}
        """The next offset to be read, by partition."""

    async def open(self) -> None:
        """Set the log to where reading begins."""
        self.positions = {**await self._log.beginnings(), **self._start}
        self._log.seek(self.positions)

    async def ends(self) -> Offsets:
        """One past the last committed offset, of every partition."""
        self._widen()
        return await self._log.ends()

    async def skip_deleted(self) -> frozenset[int]:
        """Partitions of which retention has deleted what was not read; it is passed over."""
        self._widen()
        beginnings = await self._log.beginnings()
        lost = {p: first for p, first in beginnings.items() if self.positions.get(p, 0) < first}
        if lost:
            self.positions.update(lost)
            self._log.seek(lost)
            self._held = [one for one in self._held if one.partition not in lost]
        return frozenset(lost)

    async def upto(self, ends: Mapping[int, int]) -> AsyncIterator[list[Any]]:
        """Everything before these ends that was not read yet, in portions.

        Raises:
            BackendUnreachableError: Kafka stopped answering.
        """
        self._widen()
        ends = {p: end for p, end in ends.items() if end > self.positions.get(p, end)}
        held, self._held, self._held_bytes = self._held, [], 0
        if portion := self._sort_out(held, ends):
            yield portion
        while not await self._log.passed(ends):
            if portion := self._sort_out(await self._log.poll(), ends):
                yield portion
            if len(self._held) > _HELD_RECORDS or self._held_bytes > _HELD_BYTES:
                await self._narrow(ends)
        self.positions.update(ends)

    def _sort_out(self, records: Any, ends: Mapping[int, int]) -> list[Any]:
        """Those before the ends; the others are held for the next cut."""
        portion = []
        for record in records:
            if record.offset < ends.get(record.partition, 0):
                portion.append(record)
            else:
                self._held.append(record)
                self._held_bytes += len(record.value or b"")
        return portion

    async def _narrow(self, ends: Mapping[int, int]) -> None:
        """Read on only where the end is not reached: the rest would pile up here."""
        positions = await self._log.positions()
        behind = {p: positions[p] for p, end in ends.items() if positions.get(p, end) < end}
        self._held, self._held_bytes, self._narrowed = [], 0, True
        if behind:
            self._log.only(sorted(behind))
            self._log.seek(behind)

    def _widen(self) -> None:
        if self._narrowed:
            self._narrowed = False
            self._log.only(self._partitions)
            self._log.seek(self.positions)
