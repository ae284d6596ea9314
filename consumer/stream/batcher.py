"""Forms device batches from the windows of all lanes. Pure.

A batch holds one model and costs ``longest row × rows`` tokens, which the token budget
bounds. It is built around the oldest window that waits, so that none is passed over for
ever, and filled with the windows closest in length, so that little is padding.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Batch(Generic[Item]):
    """Rows for one device call.

    Attributes:
        model: the key of the one model they run on.
        items: the rows, longest first.
        lengths: tokens of each row.
    """

    model: Hashable
    items: tuple[Item, ...]
    lengths: tuple[int, ...]

    @property
    def padded_tokens(self) -> int:
        """Tokens the device computes: rows times the longest."""
        return len(self.lengths) * self.lengths[0]

    @property
    def padding_waste(self) -> float:
        """Share of the padded tokens that is padding, in [0, 1)."""
        return 1.0 - sum(self.lengths) / self.padded_tokens


@dataclass(slots=True)
class _Waiting(Generic[Item]):
    item: Item
    length: int
    arrived: int
    taken: bool = False


class _Queue(Generic[Item]):
    """What waits for one model: by age, and by length."""

    def __init__(self, max_padding_waste: float) -> None:
        self.max_padding_waste = max_padding_waste
        self.by_age: deque[_Waiting[Item]] = deque()
        self.by_length: dict[int, deque[_Waiting[Item]]] = {}
        self.lengths: list[int] = []
        self.tokens = 0
        self.rows = 0

    def add(self, waiting: _Waiting[Item]) -> None:
        self.by_age.append(waiting)
        bucket = self.by_length.get(waiting.length)
        if bucket is None:
            bucket = self.by_length[waiting.length] = deque()
            insort(self.lengths, waiting.length)
        bucket.append(waiting)
        self.tokens += waiting.length
        self.rows += 1

    def oldest(self) -> _Waiting[Item] | None:
        while self.by_age and self.by_age[0].taken:
            self.by_age.popleft()
        return self.by_age[0] if self.by_age else None

    def take(self, length: int, limit: int) -> list[_Waiting[Item]]:
        bucket = self.by_length[length]
        taken = [bucket.popleft() for _ in range(min(limit, len(bucket)))]
        for waiting in taken:
            waiting.taken = True
        self.tokens -= length * len(taken)
        self.rows -= len(taken)
        if not bucket:
            del self.by_length[length]
            self.lengths.pop(bisect_left(self.lengths, length))
        return taken


class Batcher(Generic[Item]):
    """The waiting windows of every model.

    Args:
        token_budget: most padded tokens of a batch, asked for each time. A single row longer
            than that still runs, alone.
        batch_size: most rows of a batch.
    """

    def __init__(self, *, token_budget: Callable[[], int], batch_size: int) -> None:
        self._token_budget = token_budget
        self._batch_size = batch_size
        self._queues: dict[Hashable, _Queue[Item]] = {}
        self._arrivals = 0

    def __len__(self) -> int:
        return sum(queue.rows for queue in self._queues.values())

    def add(self, model: Hashable, item: Item, length: int, *, max_padding_waste: float) -> None:
        """A window waits.

        Args:
            model: for which one.
            item: the window.
            length: its tokens.
            max_padding_waste: windows of another length join it only while the share of padding
                stays at or below this; of one model always the same.
        """
        self._arrivals += 1
        queue = self._queues.get(model)
        if queue is None:
            queue = self._queues[model] = _Queue(max_padding_waste)
        queue.add(_Waiting(item, length, self._arrivals))

    def has_full_batch(self) -> bool:
        """True when some model has enough waiting to fill a batch."""
        budget = self._token_budget()
        return any(
            queue.tokens >= budget or queue.rows >= self._batch_size
            for queue in self._queues.values()
        )

    def next(self) -> Batch[Item] | None:
        """The next batch, around the oldest waiting window; None when nothing waits."""
        model, queue, oldest = None, None, None
        for key, candidate in self._queues.items():
            first = candidate.oldest()
            if first is not None and (oldest is None or first.arrived < oldest.arrived):
                model, queue, oldest = key, candidate, first
        if queue is None or oldest is None:
            return None
        rows = self._fill(queue, oldest.length, self._token_budget())
        rows.sort(key=lambda row: -row.length)
        if not queue.lengths:
            del self._queues[model]
        return Batch(model, tuple(r.item for r in rows), tuple(r.length for r in rows))

    def _fill(self, queue: _Queue[Item], length: int, budget: int) -> list[_Waiting[Item]]:
        # The oldest is the first of its own length's bucket, so taking that bucket takes it.
        longest = length
        rows = queue.take(length, max(1, self._room(0, longest, budget)))
        tokens = length * len(rows)
        while queue.lengths:
            near = _nearest(queue.lengths, length)
            longest_with = max(longest, near)
            most = min(self._room(len(rows), longest_with, budget), len(queue.by_length[near]))
            count = self._within_waste(
                queue.max_padding_waste, len(rows), tokens, near, longest_with, most
            )
            if count <= 0:
                break
            rows += queue.take(near, count)
            tokens += near * count
            longest = longest_with
        return rows

    def _room(self, rows: int, longest: int, budget: int) -> int:
        return min(self._batch_size, budget // longest) - rows

    @staticmethod
    def _within_waste(
        waste: float, rows: int, tokens: int, length: int, longest: int, most: int
    ) -> int:
        """How many rows of ``length`` may join, so that padding stays within its share."""
        useful = (1.0 - waste) * longest
        spare = tokens - useful * rows  # tokens above what the present rows need
        gain = length - useful  # what each new row adds to that
        if gain >= 0:
            return most if spare + gain * most >= 0 else 0
        return min(most, int(spare / -gain)) if spare > 0 else 0


def _nearest(lengths: list[int], length: int) -> int:
    """The value closest to ``length`` in an ascending, non-empty list."""
    index = bisect_left(lengths, length)
    return min(lengths[max(index - 1, 0) : index + 1], key=lambda value: abs(value - length))
