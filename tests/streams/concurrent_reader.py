"""A read_committed reader that watches the results all the time a test hurts the stream."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.settings import KafkaSettings, client_options
from deploy.ledger import Output, dead_letter_of, result_of


class ConcurrentReader:
    """Collects what a downstream user sees, record by record, as it appears."""

    def __init__(self, kafka: KafkaSettings, *, partitions: int) -> None:
        self._names = kafka.names
        self._partitions = [
            TopicPartition(topic, partition)
            for topic in (kafka.names.parsed, kafka.names.dead_letters)
            for partition in range(partitions)
        ]
        self._consumer = AIOKafkaConsumer(
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **client_options(kafka),
        )
        self._task: asyncio.Task[None] | None = None
        self._ends: dict[TopicPartition, int] | None = None
        self.results: list[Output] = []
        self.dead_letters: list[Output] = []

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._ends = self._ends or {}
            await asyncio.wait({self._task}, timeout=30)
            self._task.cancel()
        await self._consumer.stop()

    async def finish(self) -> None:
        """Read on to the topics' present ends, and no further."""
        self._ends = await self._consumer.end_offsets(self._partitions)
        assert self._task is not None
        await asyncio.wait_for(self._task, 60)

    async def _run(self) -> None:
        while self._ends is None or not await self._passed(self._ends):
            for partition, records in (await self._consumer.getmany(timeout_ms=200)).items():
                self._take(partition.topic, records)

    async def _passed(self, ends: dict[TopicPartition, int]) -> bool:
        for partition, end in ends.items():
            if await self._consumer.position(partition) < end:
                return False
        return True

    def _take(self, topic: str, records: list[Any]) -> None:
        if topic == self._names.parsed:
            self.results += map(result_of, records)
        else:
            self.dead_letters += map(dead_letter_of, records)
