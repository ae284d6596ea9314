"""What all lanes of one class of traffic have taken in and not yet committed. Pure.

The bound on addresses is strict: a record starts only when it fits, or when nothing else is
in work. The bound on bytes is where reading pauses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.headers import Header, header_bytes


@dataclass(slots=True)
class Ticket:
    """The share of one record.

    Attributes:
        account: where it counts.
        addresses: how many it counts for; 0 before it is started.
        size: its bytes.
        held: False once it was given back.
        finished: True while it only waits to be committed.
    """

    account: InFlight
    addresses: int
    size: int
    held: bool = True
    finished: bool = False

    def count(self, addresses: int) -> None:
        """The record counts for so many addresses from here on; ignored once it left."""
        if self.held:
            self.account.addresses += addresses - self.addresses
            if self.finished:
                self.account.finished += addresses - self.addresses
            self.addresses = addresses

    def finish(self) -> None:
        """The record has been worked on, and waits to be committed."""
        if self.held and not self.finished:
            self.finished = True
            self.account.finished += self.addresses

    def leave(self) -> None:
        """The record is committed or no longer wanted. A second call does nothing."""
        if self.held:
            self.held = False
            if self.finished:
                self.account.finished -= self.addresses
            self.account.addresses -= self.addresses
            self.account.bytes -= self.size


class InFlight:
    """The sums, and the bounds on them.

    Args:
        max_addresses: most addresses in work.
        max_bytes: bytes of input above which nothing more is read.
    """

    def __init__(self, *, max_addresses: int, max_bytes: int) -> None:
        self._max_addresses = max_addresses
        self._max_bytes = max_bytes
        self._overloaded = False
        self.addresses = 0
        self.bytes = 0
        self.finished = 0

    def enter(self, size: int) -> Ticket:
        """A record of ``size`` bytes was read; it does not work yet."""
        self.bytes += size
        return Ticket(self, 0, size)

    def may_start(self, addresses: int) -> bool:
        """True when a record of so many addresses may be worked on now."""
        return self.addresses == 0 or self.addresses + addresses <= self._max_addresses

    def crowded(self) -> bool:
        """True when what only waits to be committed takes half of the room for addresses."""
        return self.finished * 2 >= self._max_addresses

    def overloaded(self) -> bool:
        """True when reading must pause: at a bound, until half of it is reached again."""
        share = 0.5 if self._overloaded else 1.0
        self._overloaded = (
            self.addresses >= self._max_addresses * share or self.bytes >= self._max_bytes * share
        )
        return self._overloaded


def message_bytes(key: bytes | None, value: bytes | None, headers: Iterable[Header]) -> int:
    """What a record holds: a publisher may put as much into a key or a header as into a value."""
    return len(key or b"") + len(value or b"") + sum(header_bytes(*one) for one in headers)


def likely_addresses(value: bytes | None, most: int) -> int:
    """How many addresses a record seems to hold, before it is decoded: its ``"text"`` keys."""
    return max(1, min((value or b"").count(b'"text"'), most))
