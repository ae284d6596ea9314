"""A worker without a model: it answers every batch, transactionally, with what it is told to.

It lets the near ends of the stream (publishing, waiting, reading) be tested by themselves.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from contracts.decode import decode_batch
from contracts.errors import PermanentError
from contracts.events import AddressResult, Component, Origin, ParsedBatch, ServedModel, Timing
from contracts.fitting import encode_message
from contracts.headers import dead_letter_headers, result_headers
from contracts.limits import Limits
from contracts.settings import KafkaSettings, client_options
from producer.topic_log import TopicLog

MODEL = ServedModel(
    version="mgeo-test-v1-20260101",
    digest="sha256:" + "0" * 64,
    precision="fp32",
    fingerprint="0" * 16,
    track="stable",
    serving_epoch=1,
)

Answer = Callable[[str, str], AddressResult]


def echo(identifier: str, text: str) -> AddressResult:
    """One component: the first character as a province."""
    if not text.strip():
        return AddressResult(id=identifier, text=text, status="error", error="empty_text")
    head = text[0]
    return AddressResult(
        id=identifier,
        text=text,
        status="ok",
        components=(Component(type="prov", text=head, start=0, end=1, confidence=0.5),),
        address={"prov": head},
        adcode="110108",
        confidence=0.5,
    )


def result_of(record: Any, answer: Answer = echo) -> ParsedBatch:
    """The answer to one input record."""
    batch = decode_batch(record.value, Limits())
    return ParsedBatch(
        batch_id=batch.batch_id,
        source=batch.source,
        origin=Origin(topic=record.topic, partition=record.partition, offset=record.offset),
        model=MODEL,
        timing=Timing(queue_ms=1.0, service_ms=1.0, device="none"),
        results=tuple(
            AddressResult(id=one.id, text=one.text, status="error", error=one.fault)
            if one.text is None
            else answer(one.id, one.text)
            for one in batch.addresses
        ),
    )


class StandInWorker:
    """Writes results and dead letters as a worker does: same partition, one transaction."""

    def __init__(self, kafka: KafkaSettings, answer: Answer = echo) -> None:
        self._kafka = kafka
        self._answer = answer
        self._producer = AIOKafkaProducer(
            **client_options(kafka), transactional_id=f"stand-in-{uuid.uuid4().hex}"
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def answer(self, records: Iterable[Any]) -> None:
        """Answer these input records in one transaction."""
        async with self._producer.transaction():
            for record in records:
                try:
                    await self._write_result(record)
                except PermanentError as error:
                    await self._write_dead_letter(record, error)

    async def follow(self, stop_after: int) -> None:
        """Answer the first so many records of the input topic as they come."""
        seen = 0
        async with TopicLog(self._kafka, self._kafka.names.events) as log:
            log.seek(await log.beginnings())
            while seen < stop_after:
                records = await log.poll()
                if records:
                    await self.answer(records)
                    seen += len(records)

    async def _write_result(self, record: Any) -> None:
        result = result_of(record, self._answer)
        headers = result_headers(result.origin, MODEL, at=datetime.now(UTC), traceparent=None)
        await self._producer.send_and_wait(
            self._kafka.names.parsed,
            encode_message(result),
            key=record.key,
            partition=record.partition,
            headers=headers,
        )

    async def _write_dead_letter(self, record: Any, error: PermanentError) -> None:
        origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
        await self._producer.send_and_wait(
            self._kafka.names.dead_letters,
            record.value,
            key=record.key,
            partition=record.partition,
            headers=dead_letter_headers(
                origin,
                code=error.code,
                stage="VALUE_CONVERTER",
                error_class=type(error).__name__,
                original=record.headers,
            ),
        )
