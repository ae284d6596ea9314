"""The commit frontier of one lane: which finished records may be committed. Pure.

Invariants: records are taken in the order they were admitted; a record is taken only when
it and all before it are finished; a taken record is never taken again. A record that was passed
over counts as finished; a run of them takes the room of one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class _Entry:
    offset: int
    size: int = 0
    finished: bool = False
    passed_over: bool = False


class Frontier:
    """The contiguous prefix of finished offsets.

    Offsets may have holes (transaction markers, compaction): contiguous means "without an
    unfinished admitted record in between".
    """

    def __init__(self, position: int) -> None:
        """Start at ``position``, the first offset that is not yet committed."""
        self._position = position
        self._next = position
        self._entries: deque[_Entry] = deque()
        self._by_offset: dict[int, _Entry] = {}

    @property
    def position(self) -> int:
        """The offset to commit: one past the last taken record."""
        return self._position

    @property
    def next_admissible(self) -> int:
        """The lowest offset that ``admit`` accepts: one past the highest admitted."""
        return self._next

    @property
    def in_flight(self) -> int:
        """Records admitted and not yet taken."""
        return len(self._entries)

    def admit(self, offset: int) -> None:
        """A record has come in.

        Raises:
            ValueError: the offset was admitted before, or lies below the position.
        """
        if offset < self._next:
            raise ValueError(f"offset {offset} is below {self._next}")
        entry = _Entry(offset)
        self._entries.append(entry)
        self._by_offset[offset] = entry
        self._next = offset + 1

    def pass_over(self, offset: int) -> None:
        """A record has come in that nothing is to be done about: it only moves the frontier.

        Raises:
            ValueError: as ``admit``.
        """
        if self._entries and self._entries[-1].passed_over and offset >= self._next:
            del self._by_offset[self._entries.pop().offset]
        self.admit(offset)
        self._entries[-1].finished = self._entries[-1].passed_over = True

    def finish(self, offset: int, size: int = 0) -> None:
        """The record's outcome is known.

        Args:
            offset: which record.
            size: bytes of what is to be published for it, for ``take``.

        Raises:
            KeyError: the record is not in flight.
        """
        entry = self._by_offset[offset]
        entry.finished = True
        entry.size = size

    def ready(self) -> tuple[int, int]:
        """How many records could be taken now, and their total size."""
        count = size = 0
        for entry in self._entries:
            if not entry.finished:
                break
            count += 1
            size += entry.size
        return count, size

    def take(self, max_records: int, max_bytes: int) -> tuple[int, ...]:
        """Take finished records from the front, at least one if there is one.

        Args:
            max_records: at most this many.
            max_bytes: stop before this total size is passed, but never before the first.

        Returns:
            Their offsets, ascending. ``position`` is then one past the last of them.
        """
        taken: list[int] = []
        size = 0
        while self._entries and self._entries[0].finished and len(taken) < max_records:
            if taken and size + self._entries[0].size > max_bytes:
                break
            entry = self._entries.popleft()
            del self._by_offset[entry.offset]
            size += entry.size
            taken.append(entry.offset)
            self._position = entry.offset + 1
        return tuple(taken)
