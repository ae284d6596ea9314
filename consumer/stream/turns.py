"""Whose batch the device runs next. Pure.

A batch that somebody waits for goes first. While others are kept waiting by that, they are owed
a share of the device's work, and once what is owed pays for the first of them, it goes.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from consumer.stream.traffic import Traffic

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """What waits for the device.

    While bulk waits, it gets at least ``bulk_share`` of the work, less one batch. While
    interactive waits, bulk gets no more than that.

    Args:
        bulk_share: of the padded tokens, in [0, 1).
    """

    def __init__(self, *, bulk_share: float) -> None:
        self._per_interactive = bulk_share / (1.0 - bulk_share)
        self._waiting: dict[Traffic, deque[tuple[Item, int]]] = {one: deque() for one in Traffic}
        self._owed = 0.0  # to bulk, in tokens

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, item: Item, traffic: Traffic, tokens: int) -> None:
        """A batch of so many padded tokens waits."""
        self._waiting[traffic].append((item, tokens))

    def next(self) -> Item | None:
        """The batch to run now; None when nothing waits. Within a class: the oldest."""
        bulk, interactive = self._waiting[Traffic.BULK], self._waiting[Traffic.INTERACTIVE]
        if bulk and (not interactive or self._owed >= bulk[0][1]):
            item, tokens = bulk.popleft()
            self._owed = max(0.0, self._owed - tokens)
            return item
        if not interactive:
            return None
        item, tokens = interactive.popleft()
        if bulk:
            self._owed += tokens * self._per_interactive
        return item
