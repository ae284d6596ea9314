"""End to end at a steady load: from the moment an address is due to the moment it is readable.

Open loop: records are due by the clock, whether or not earlier ones are back, so that a
stall shows in every record that it delays.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer

from contracts.settings import KafkaSettings, client_options
from deploy.bench.stream import ADDRESSES_PER_RECORD, PARTITIONS, batch_of
from deploy.bench.workers import Setup, running
from producer.topic_log import TopicLog

_SETTLE_S: Final = 3.0
_PATIENCE_S: Final = 60.0


async def latencies(
    kafka: KafkaSettings,
    setup: Setup,
    texts: list[str],
    *,
    addresses_per_s: float,
    log: Path,
) -> list[float]:
    """Seconds from due to read, per record of twenty, in the order in which they were due.

    The first three seconds of load are left out.
    """
    async with running(setup, kafka, log):
        return await _measure(kafka, texts, addresses_per_s)


async def _measure(kafka: KafkaSettings, texts: list[str], addresses_per_s: float) -> list[float]:
    records = [
        batch_of(texts[start : start + ADDRESSES_PER_RECORD], start // ADDRESSES_PER_RECORD)
        for start in range(0, len(texts) - ADDRESSES_PER_RECORD + 1, ADDRESSES_PER_RECORD)
    ]
    pause = ADDRESSES_PER_RECORD / addresses_per_s
    seen: dict[str, float] = {}
    async with (
        TopicLog(kafka, kafka.names.parsed) as results,
        AIOKafkaProducer(**client_options(kafka)) as producer,
    ):
        results.seek(await results.beginnings())
        reader = asyncio.create_task(_read(results, seen, len(records)))
        try:
            began = time.monotonic() + 0.5
            for number, value in enumerate(records):
                await asyncio.sleep(max(0.0, began + number * pause - time.monotonic()))
                await producer.send(kafka.names.events, value, partition=number % PARTITIONS)
            async with asyncio.timeout(_PATIENCE_S):
                await reader
        finally:
            reader.cancel()
    due = {f"b-{number}": began + number * pause for number in range(len(records))}
    return [seen[name] - moment for name, moment in due.items() if moment - began >= _SETTLE_S]


async def _read(results: TopicLog, seen: dict[str, float], records: int) -> None:
    while len(seen) < records:
        batch = await results.poll()
        now = time.monotonic()
        for record in batch:
            seen[json.loads(record.value)["batch_id"]] = now
