"""What is known to be in the log, and from where on one has to look for the rest. Pure.

Everything rests on one fact: within one session, records of a partition are in the log in
the order in which they were sent (the broker refuses anything else from an idempotent
producer). So what is sent after batch k has a greater offset, in its partition, than k.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """A claim that stays true whatever happens next.

    Attributes:
        prefix: all batches below this index are in the log.
        beyond: these, at or above it, are too.
        floors: per partition, an offset at or above which every other batch of the run lies,
            if it is in the log at all.
    """

    prefix: int
    beyond: tuple[int, ...]
    floors: Mapping[int, int]

    def holds(self, index: int) -> bool:
        """Whether this batch is known to be in the log."""
        return index < self.prefix or index in self.beyond


class Confirmations:
    """Follows one session: the batches it sends, and the confirmations as they come.

    Args:
        before: the batches that are in the log already.
        floors: the ends of the log, read after ``before`` was complete and before this
            session sent anything.
    """

    def __init__(self, before: Iterable[int], floors: Mapping[int, int]) -> None:
        self._before = set(before)
        self._floors = dict(floors)
        self._prefix = 0
        self._waiting: dict[int, tuple[int, int]] = {}
        self._advance()

    def is_there(self, index: int) -> bool:
        """Whether an earlier session brought this batch into the log: not to be sent."""
        return index < self._prefix or index in self._before

    def confirm(self, index: int, partition: int, offset: int) -> None:
        """One batch of this session is in the log."""
        self._waiting[index] = (partition, offset)
        self._advance()

    def known(self) -> Known:
        """What may be written down now."""
        return Known(self._prefix, tuple(sorted(self._before)), dict(self._floors))

    def _advance(self) -> None:
        # Floors follow the contiguous prefix alone. A confirmed batch beyond it says nothing
        # about those before it in the plan: they may lie below it, unconfirmed.
        while True:
            if self._prefix in self._before:
                self._before.discard(self._prefix)
            elif self._prefix in self._waiting:
                partition, offset = self._waiting.pop(self._prefix)
                self._floors[partition] = max(self._floors.get(partition, 0), offset + 1)
            else:
                return
            self._prefix += 1
