"""A worker without a model that answers whoever waits: member of the stable group, real topics.

It lets the gateway be tested by itself, and misbehave on demand as no real worker would.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.control import first_state
from contracts.fitting import encode_message
from contracts.headers import ERROR_CODE, REPLY_TO, header, result_headers, track_of
from contracts.replies import ReplyTo
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from tests.brokers.admin import TopicFactory
from tests.streams.stand_in_worker import MODEL, Answer, echo, result_of
from tests.streams.worker import write_state

STABLE = ModelSpec.model_validate(MODEL.model_dump(exclude={"track", "serving_epoch"}))
FIRST_STATE = first_state(STABLE, incarnation="test", updated_at="2026-01-01T00:00:00Z")
"""Names what the stand-in answers as."""


async def stream_with_state(
    kafka: KafkaSettings, topics: TopicFactory, *, partitions: int
) -> KafkaSettings:
    """Topics of its own, on which the stand-in's model serves."""
    stream = kafka.model_copy(update={"topic_prefix": topics.create_standard(partitions).prefix})
    await write_state(stream, FIRST_STATE)
    return stream


class Replier:
    """Counts what it read."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.paused = asyncio.Event()
        self.paused.set()
        self.refuse_with: str | None = None
        self.twice = False
        self.candidate: Any = None


@asynccontextmanager
async def running_replier(
    kafka: KafkaSettings, answer: Answer = echo, *, model: Any = None
) -> AsyncIterator[Replier]:
    """Answer everything on the interactive topic, and on the events topic where asked to."""
    replier = Replier()
    names = kafka.names
    consumer = AIOKafkaConsumer(
        *names.inputs,
        **client_options(kafka),
        group_id=names.stable_group,
        auto_offset_reset="earliest",
        enable_auto_commit=True,
        auto_commit_interval_ms=100,
    )
    producer = AIOKafkaProducer(**client_options(kafka))

    async def run() -> None:
        while True:
            fetched = await consumer.getmany(timeout_ms=200)
            for records in fetched.values():
                for record in records:
                    replier.records.append(record)
                    await replier.paused.wait()
                    await reply(record)

    async def reply(record: Any) -> None:
        to = ReplyTo.of(record.headers)
        result = result_of(record, answer)
        if model is not None:
            result = result.model_copy(update={"model": model})
        if track_of(record.headers) == "canary" and replier.candidate is not None:
            result = result.model_copy(update={"model": replier.candidate})
        headers = result_headers(
            result.origin, result.model, at=datetime.now(UTC), traceparent=None
        )
        await producer.send_and_wait(
            names.parsed, encode_message(result), partition=record.partition, headers=headers
        )
        if to is None:
            return
        echoed = (REPLY_TO, header(record.headers, REPLY_TO) or b"")
        value = encode_message(result)
        if replier.refuse_with is not None:
            value = b""
            headers = [(ERROR_CODE, replier.refuse_with.encode())]
        for _ in range(2 if replier.twice else 1):
            await producer.send_and_wait(
                names.replies, value, partition=to.partition, headers=[*headers, echoed]
            )

    await producer.start()
    await consumer.start()
    task = asyncio.create_task(run())
    try:
        yield replier
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
        await consumer.stop()
        await producer.stop()
