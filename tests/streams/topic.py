"""Whole topics as lists, for tests that compare what was written with what was meant."""

from __future__ import annotations

from typing import Any

from contracts.settings import KafkaSettings
from producer.topic_log import TopicLog


async def everything(kafka: KafkaSettings, topic: str, *, committed_only: bool = True) -> list[Any]:
    """Every record of a topic, from its beginning to its end as it is now."""
    async with TopicLog(kafka, topic, committed_only=committed_only) as log:
        log.seek(await log.beginnings())
        ends = await log.ends()
        records: list[Any] = []
        while not await log.passed(ends):
            records += await log.poll()
        return records
