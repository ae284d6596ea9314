"""Whole topics as lists, for tests that compare what was written with what was meant."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from contracts.settings import KafkaSettings
from producer.topic_log import TopicLog

MARKERS_WITHIN_S = 5


async def everything(kafka: KafkaSettings, topic: str, *, committed_only: bool = True) -> list[Any]:
    """Every record of a topic, from its beginning to its end as it is now.

    A commit answers before its markers are in the log, so what was just committed is waited for;
    a transaction that stays open is waited for only a while.
    """
    async with TopicLog(kafka, topic, committed_only=False) as log:
        written = await log.ends()
    async with TopicLog(kafka, topic, committed_only=committed_only) as log:
        log.seek(await log.beginnings())
        ends = await log.ends()
        deadline = time.monotonic() + MARKERS_WITHIN_S
        while any(ends[p] < end for p, end in written.items()) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
            ends = await log.ends()
        records: list[Any] = []
        while not await log.passed(ends):
            records += await log.poll()
        return records
