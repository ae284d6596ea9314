"""A partition log with transactions, in memory: what a lane's sink talks to in fast tests."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from consumer.stream.records import Outgoing
from consumer.stream.sink import SinkLostError


@dataclass
class PartitionLog:
    """One input partition's results, offset and current owner."""

    owner: int = 0
    offset: int | None = None
    metadata: str = ""
    results: list[Outgoing] = field(default_factory=list)
    commits: list[tuple[int, str]] = field(default_factory=list)


class MemoryBroker:
    """All partitions. Opening a sink on one fences the owner before."""

    def __init__(self) -> None:
        self.partitions: dict[int, PartitionLog] = defaultdict(PartitionLog)


class MemorySink:
    """Keeps the promises of `consumer.stream.sink.Sink`.

    ``before_commit`` may raise, sleep, or count; once ``dead`` is set nothing gets through.
    """

    def __init__(
        self,
        broker: MemoryBroker,
        partition: int,
        before_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self._log = broker.partitions[partition]
        self._before_commit = before_commit
        self._epoch = -1
        self.gate = asyncio.Event()
        self.gate.set()
        self.dead = False
        self.closed = False

    async def open(self) -> None:
        await asyncio.sleep(0)
        self._log.owner += 1
        self._epoch = self._log.owner

    async def commit(self, outgoing: Sequence[Outgoing], offset: int, metadata: str) -> None:
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.closed or self._epoch < 0:
            raise SinkLostError("the sink is closed")
        self._before_commit()
        if self.dead:
            raise SinkLostError("the process is gone")
        if self._epoch != self._log.owner:
            raise SinkLostError("another owner took over", fenced=True)
        self._log.results.extend(outgoing)
        self._log.offset = offset
        self._log.metadata = metadata
        self._log.commits.append((offset, metadata))

    async def close(self) -> None:
        self.closed = True
