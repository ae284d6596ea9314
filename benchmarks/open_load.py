"""A steady load on the input topic, and the time until each result can be read.

Records are due by the clock, whether or not earlier ones are back, so that a stall shows in every
record that it delays. Nothing here starts a worker or looks into a result.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

import psutil
from aiokafka import AIOKafkaProducer

from contracts.events import Address, AddressBatch
from contracts.settings import KafkaSettings, client_options
from producer.topic_log import TopicLog

SETTLE_S: Final = 3.0
"""Left out at the beginning of a load."""
PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of one load, its first seconds left out.

    Attributes:
        completed_per_s: addresses of which the results could be read, a second.
        seconds: from due to readable, of every record, in the order in which they were due.
        cpu: share of a core that each watched process took while records were due.
    """

    completed_per_s: float
    seconds: tuple[float, ...]
    cpu: Mapping[str, float]


class OpenLoad:
    """Sends records of made-up addresses and waits for their results.

    Args:
        kafka: where to.
        texts: addresses, each to be sent once.
        per_record: addresses in a record.
        partitions: of the input topic; records go to them in turn.
    """

    def __init__(
        self, kafka: KafkaSettings, texts: Iterator[str], *, per_record: int, partitions: int
    ) -> None:
        self._kafka = kafka
        self._texts = texts
        self._per_record = per_record
        self._partitions = partitions
        self._records = 0

    async def backlog(self, addresses: int) -> int:
        """Send at once at most so many addresses, in whole records; how many it were."""
        records = addresses // self._per_record
        async with AIOKafkaProducer(**client_options(self._kafka)) as producer:
            for _ in range(records):
                await self._send(producer)
            await producer.flush()
        return records * self._per_record

    async def run(
        self, addresses_per_s: float, seconds: float, *, watched: Mapping[str, int]
    ) -> Loaded:
        """Keep a load up and wait for the last result.

        Args:
            addresses_per_s: how many are due a second.
            seconds: how long.
            watched: processes whose processor time is told, by name.

        Raises:
            TimeoutError: results were still missing two minutes after the last was due.
        """
        pause = self._per_record / addresses_per_s
        count = int(seconds / pause)
        due: dict[bytes, float] = {}
        seen: dict[bytes, float] = {}
        async with (
            TopicLog(self._kafka, self._kafka.names.parsed) as results,
            AIOKafkaProducer(**client_options(self._kafka)) as producer,
        ):
            results.seek(await results.ends())
            reading = asyncio.create_task(_read(results, seen, count))
            try:
                clock = _ProcessorClock(watched)
                began = time.monotonic() + 0.2
                for number in range(count):
                    moment = began + number * pause
                    await asyncio.sleep(max(0.0, moment - time.monotonic()))
                    due[await self._send(producer)] = moment
                cpu = clock.shares()
                async with asyncio.timeout(PATIENCE_S):
                    await reading
            finally:
                reading.cancel()
        kept = [key for key, moment in due.items() if moment - began >= SETTLE_S]
        ended = sorted(seen[key] for key in kept)
        return Loaded(
            completed_per_s=(len(ended) - 1) * self._per_record / (ended[-1] - ended[0]),
            seconds=tuple(seen[key] - due[key] for key in kept),
            cpu=cpu,
        )

    async def _send(self, producer: AIOKafkaProducer) -> bytes:
        self._records += 1
        key = f"b-{self._records}"
        batch = AddressBatch(
            batch_id=key,
            source="bench",
            addresses=tuple(
                Address(id=str(number), text=text)
                for number, text in enumerate(islice(self._texts, self._per_record))
            ),
        )
        await producer.send(
            self._kafka.names.events,
            batch.model_dump_json().encode(),
            key=key.encode(),
            partition=self._records % self._partitions,
        )
        return key.encode()


async def _read(results: TopicLog, seen: dict[bytes, float], records: int) -> None:
    while len(seen) < records:
        batch = await results.poll()
        now = time.monotonic()
        for record in batch:
            seen[record.key] = now


class _ProcessorClock:
    """Processor time of some processes since it was made."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._began = time.monotonic()
        self._before = self._now()

    def shares(self) -> dict[str, float]:
        """Of one core, by process."""
        passed = time.monotonic() - self._began
        now = self._now()
        return {name: round((now[name] - self._before[name]) / passed, 4) for name in now}

    def _now(self) -> dict[str, float]:
        times = {name: one.cpu_times() for name, one in self._processes.items()}
        return {name: float(one.user + one.system) for name, one in times.items()}
