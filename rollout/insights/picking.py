"""Keeping the few lowest of many: a sample or the worst, in whatever order they come. Pure."""

from __future__ import annotations

from bisect import insort
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Lowest(Generic[Item]):
    """At most ``most`` items, each key once: those of the lowest ranks.

    With ranks that are hashes of the key it is a uniform sample of the distinct keys
    (bottom-k; Cohen and Kaplan, 2007), and the same one in every order.
    """

    __slots__ = ("_items", "_kept", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: list[tuple[float, int]] = []
        self._items: dict[int, Item] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def wants(self, rank: float, key: int) -> bool:
        """Whether an item of this rank and key would be kept: making it may be dear."""
        if key in self._items or self.most <= 0:
            return False
        return len(self._kept) < self.most or (rank, key) < self._kept[-1]

    def offer(self, rank: float, key: int, item: Item) -> None:
        """Keep it if it is wanted; the highest goes when there are too many."""
        if not self.wants(rank, key):
            return
        insort(self._kept, (rank, key))
        self._items[key] = item
        if len(self._kept) > self.most:
            _, gone = self._kept.pop()
            del self._items[gone]

    def items(self) -> tuple[Item, ...]:
        """The lowest first."""
        return tuple(self._items[key] for _, key in self._kept)
