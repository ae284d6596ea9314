"""Gathering single requests into records: a window of time, addresses and bytes. Pure.

A record goes to one model, so requests that ask for different tracks never share one. Equal
texts share a place in it: whoever asked gets that place's result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from contracts.events import Track

Ticket = int
"""Names one waiting request."""


@dataclass(frozen=True, slots=True)
class Group:
    """Texts that become one record, and who waits for which.

    Attributes:
        track: asked of the worker; None leaves it to the rollout's share.
        texts: each once.
        places: ticket to the place of its text.
    """

    track: Track | None
    texts: tuple[str, ...]
    places: Mapping[Ticket, int]


@dataclass(slots=True)
class _Open:
    since: float
    places: dict[Ticket, str] = field(default_factory=dict)
    bytes_of: dict[str, int] = field(default_factory=dict)
    size: int = 0

    def close(self, track: Track | None) -> Group:
        # Only what somebody still waits for: whoever left costs nothing.
        place_of: dict[str, int] = {}
        for text in self.places.values():
            place_of.setdefault(text, len(place_of))
        places = {ticket: place_of[text] for ticket, text in self.places.items()}
        return Group(track, tuple(place_of), places)


class Coalescer:
    """The open windows, one per track.

    Args:
        window_s: how long the first request of a window waits for others.
        max_addresses: distinct texts at which a window closes early.
        max_bytes: bytes at which it does; one text may be larger, alone.
        size_of: how many bytes a text takes in a record.
    """

    def __init__(
        self,
        *,
        window_s: float,
        max_addresses: int,
        max_bytes: int,
        size_of: Callable[[str], int],
    ) -> None:
        self._window_s = window_s
        self._max_addresses = max_addresses
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._open: dict[Track | None, _Open] = {}
        self._track_of: dict[Ticket, Track | None] = {}

    def add(self, track: Track | None, ticket: Ticket, text: str, now: float) -> list[Group]:
        """Put a request into its track's window; returns the windows that this closes."""
        closed: list[Group] = []
        window = self._open.get(track)
        new = self._size_of(text) if window is None or text not in window.bytes_of else 0
        if window is not None and window.size + new > self._max_bytes:
            closed += self._close(track)
            window = None
        if window is None:
            window = self._open[track] = _Open(now)
        window.places[ticket] = text
        window.bytes_of.setdefault(text, new)
        window.size += new
        self._track_of[ticket] = track
        full = len(window.bytes_of) >= self._max_addresses or window.size >= self._max_bytes
        if full or self._window_s == 0:
            closed += self._close(track)
        return closed

    def withdraw(self, ticket: Ticket) -> bool:
        """Forget a request that still waits in a window; False when it is in none."""
        if ticket not in self._track_of:
            return False
        track = self._track_of.pop(ticket)
        window = self._open[track]
        text = window.places.pop(ticket)
        if not window.places:
            del self._open[track]
        elif text not in window.places.values():
            window.size -= window.bytes_of.pop(text)
        return True

    def due(self, now: float) -> list[Group]:
        """Close the windows whose time is up."""
        tracks = [
            track for track, window in self._open.items() if window.since + self._window_s <= now
        ]
        return [group for track in tracks for group in self._close(track)]

    def flush(self) -> list[Group]:
        """Close all windows."""
        return [group for track in list(self._open) for group in self._close(track)]

    @property
    def next_due(self) -> float | None:
        """When the oldest window's time is up; None when none is open."""
        sinces = [window.since for window in self._open.values()]
        return min(sinces) + self._window_s if sinces else None

    @property
    def addresses(self) -> int:
        """Distinct texts in open windows."""
        return sum(len(window.bytes_of) for window in self._open.values())

    def _close(self, track: Track | None) -> list[Group]:
        window = self._open.pop(track)
        for ticket in window.places:
            del self._track_of[ticket]
        return [window.close(track)]
