"""Which published records are not answered yet, and for whom. Pure.

A record counts as waiting until its reply or its deadline, also when everybody has left: the
workers are busy with it all the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

from producer.gateway.coalescer import Ticket

Places = Mapping[Ticket, tuple[int, ...]]
"""Ticket to the places of its addresses in the record, in the order of its request."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One record that is not answered.

    Attributes:
        record: its name among those of this gateway.
        places: who waits for what.
        addresses: in it.
        since: when it was published.
    """

    record: str
    places: Places
    addresses: int
    since: float


class Register:
    """The records that are not answered, each until its deadline."""

    def __init__(self) -> None:
        self._records: dict[str, Waiting] = {}
        self._deadlines: list[tuple[float, str]] = []
        self._addresses = 0

    def enter(self, waiting: Waiting, deadline: float) -> None:
        """A record is on its way."""
        self._records[waiting.record] = waiting
        heapq.heappush(self._deadlines, (deadline, waiting.record))
        self._addresses += waiting.addresses

    def answered(self, record: str) -> Waiting | None:
        """A reply came. The first takes the record out; None for any other."""
        found = self._records.pop(record, None)
        if found is not None:
            self._addresses -= found.addresses
        return found

    def expire(self, now: float) -> list[Waiting]:
        """Take out the records whose deadline has passed."""
        gone = []
        while self._deadlines and self._deadlines[0][0] <= now:
            found = self.answered(heapq.heappop(self._deadlines)[1])
            if found is not None:
                gone.append(found)
        return gone

    @property
    def addresses(self) -> int:
        """Addresses that wait."""
        return self._addresses

    @property
    def oldest_since(self) -> float | None:
        """When the oldest waiting record was published."""
        return next(iter(self._records.values())).since if self._records else None
