"""Publishing addresses from Python: idempotent, in order per key, every record confirmed.

A record whose fate is unknown is an error, never a silence.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from contracts.errors import IllegalTransition, PermanentError, TransientError, UsageError
from contracts.headers import cloud_event
from contracts.settings import KafkaSettings, client_options
from contracts.topics import RECORD_OVERHEAD_BYTES
from contracts.tracing import Step, tracer
from producer.connection import close, connect, require_topic, translated
from producer.encoding import AddressLike, PackedRecord, RejectedAddress, pack
from producer.settings import ProducerSettings

EVENT_SOURCE = "/mgeo/publisher"


@dataclass(frozen=True, slots=True)
class PublishedRecord:
    """One confirmed record and where it is in the log."""

    topic: str
    partition: int
    offset: int
    addresses: int


@dataclass(frozen=True, slots=True)
class PublishedBatch:
    """What became of one call of ``publish``.

    Attributes:
        batch_id: on every record of it, and on its results.
        records: one, or several where the addresses did not fit into one.
        rejected: addresses that no record could carry; all others are in the log.
    """

    batch_id: str
    records: tuple[PublishedRecord, ...]
    rejected: tuple[RejectedAddress, ...] = ()

    @property
    def topic(self) -> str:
        """The topic of the first record."""
        return self.records[0].topic

    @property
    def partition(self) -> int:
        """The partition of the first record."""
        return self.records[0].partition

    @property
    def offset(self) -> int:
        """The offset of the first record."""
        return self.records[0].offset


class AddressPublisher:
    """Publishes address batches; an async context manager.

    Leaving it waits until everything is confirmed, and raises the first failure that nobody
    awaited. Safe to use from many tasks of one event loop.

    Args:
        kafka: how to reach Kafka; default: from the environment.
        settings: sizes and times; default: from the environment.

    Example:
        >>> async with AddressPublisher() as publisher:
        ...     batch = await publisher.publish(["北京市海淀区中关村大街1号"], source="orders")
    """

    def __init__(
        self, kafka: KafkaSettings | None = None, settings: ProducerSettings | None = None
    ) -> None:
        self._kafka = kafka or KafkaSettings()
        self._settings = settings or ProducerSettings()
        self._producer: AIOKafkaProducer | None = None
        self._in_order = asyncio.Lock()
        self._room = asyncio.Semaphore(self._settings.publish_in_flight_records)
        self._unconfirmed: set[asyncio.Task[PublishedRecord]] = set()
        self._unseen: BaseException | None = None

    @property
    def topic(self) -> str:
        """Where this publishes to."""
        return self._kafka.names.events

    async def __aenter__(self) -> Self:
        settings = self._settings
        producer = AIOKafkaProducer(
            **client_options(self._kafka),
            client_id="mgeo-publisher",
            acks="all",
            enable_idempotence=True,
            linger_ms=settings.publish_linger_ms,
            max_batch_size=settings.publish_request_bytes,
            max_request_size=settings.limits.max_record_bytes + RECORD_OVERHEAD_BYTES,
            request_timeout_ms=settings.publish_request_timeout_ms,
        )
        await connect(producer, self._kafka)
        try:
            await require_topic(producer, self.topic)
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        producer, self._producer = self._producer, None
        try:
            outcomes = await asyncio.gather(*self._unconfirmed, return_exceptions=True)
        finally:
            if producer is not None:
                await close(producer)
        failures = [] if self._unseen is None else [self._unseen]
        failures += [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures and error is None:
            raise failures[0]

    async def partitions(self) -> int:
        """How many partitions the topic has.

        Raises:
            UsageError: ``no_topic``.
        """
        with translated(self._kafka):
            return len(await self._open.partitions_for(self.topic))

    async def publish(
        self,
        addresses: Iterable[AddressLike],
        *,
        source: str = "",
        key: str | bytes | None = None,
        batch_id: str | None = None,
        traceparent: bytes | None = None,
    ) -> PublishedBatch:
        """Publish some addresses together and wait until Kafka has them safely.

        Args:
            addresses: texts, (id, text) pairs or ``Address``; a bare text is named by its
                place, counted from 1. More than fit into one record become several.
            source: who publishes; readers of results can filter by it.
            key: batches of one key are parsed and come back in the order of these calls.
            batch_id: comes back with the results; default: a new random one.
            traceparent: W3C trace context to carry through to the results.

        Raises:
            PermanentError: no address could be published; its ``code`` says why.
            UsageError: ``empty_batch``, ``bad_batch_id``, ``bad_source``, ``no_topic``.
            TransientError: Kafka did not confirm. The batch may or may not be in the log.
        """
        limits = self._settings.limits
        batch_id = uuid.uuid4().hex if batch_id is None else batch_id
        if not 0 < len(batch_id) <= limits.max_id_chars:
            raise UsageError("a batch id has 1 to 200 characters", code="bad_batch_id")
        if len(source) > limits.max_id_chars:
            raise UsageError("a source has at most 200 characters", code="bad_source")
        packing = pack(addresses, batch_id=batch_id, source=source, limits=limits)
        if not packing.records:
            if not packing.rejected:
                raise UsageError("a batch needs at least one address", code="empty_batch")
            code = packing.rejected[0].code
            raise PermanentError("none of the addresses can be published", code=code)
        record_key = key.encode() if isinstance(key, str) else key
        confirmations: list[asyncio.Task[PublishedRecord]] = []
        try:
            for record, event_id in zip(
                packing.records, _event_ids(batch_id, len(packing.records)), strict=True
            ):
                confirmations.append(
                    await self.send(
                        record, event_id=event_id, key=record_key, traceparent=traceparent
                    )
                )
            await asyncio.wait(confirmations)
        except BaseException:
            # Nobody awaits them any more. Leaving the context still waits for those on their way.
            for confirmation in confirmations:
                confirmation.add_done_callback(self._given_up)
            raise
        self._unconfirmed.difference_update(confirmations)
        records = tuple(confirmation.result() for confirmation in confirmations)
        return PublishedBatch(batch_id, records, packing.rejected)

    async def send(
        self,
        record: PackedRecord,
        *,
        event_id: str,
        key: bytes | None = None,
        partition: int | None = None,
        traceparent: bytes | None = None,
    ) -> asyncio.Task[PublishedRecord]:
        """Hand over one packed record; returns as soon as there is room for it.

        Returns:
            A task that ends when Kafka has confirmed the record, or raises why it has not.
        """
        producer = self._open
        step = tracer().begin(
            f"{self.topic} send",
            "producer",
            parent=traceparent,
            attributes={
                "messaging.system": "kafka",
                "messaging.destination.name": self.topic,
                "messaging.operation.type": "send",
                "messaging.batch.message_count": len(record.positions),
            },
        )
        headers = cloud_event(
            event_id=event_id,
            source=EVENT_SOURCE,
            kind="events",
            at=datetime.now(UTC),
            traceparent=step.traceparent,
        )
        await self._room.acquire()
        try:
            # One at a time: a full buffer must not let a later record of a key overtake.
            async with self._in_order:
                with translated(self._kafka):
                    confirmation = await producer.send(
                        self.topic, record.value, key=key, partition=partition, headers=headers
                    )
        except BaseException as error:
            self._room.release()
            step.end(error=error)
            raise
        task = asyncio.create_task(self._confirmed(confirmation, len(record.positions)))
        task.add_done_callback(partial(_end_step, step))
        self._unconfirmed.add(task)
        task.add_done_callback(self._settled)
        return task

    async def _confirmed(self, confirmation: Any, addresses: int) -> PublishedRecord:
        patience_s = self._settings.publish_confirm_timeout_ms / 1000
        try:
            # aiokafka itself never gives up on a record of an idempotent producer.
            async with asyncio.timeout(patience_s):
                with translated(self._kafka):
                    metadata = await asyncio.shield(confirmation)
        except TimeoutError:
            confirmation.add_done_callback(_outcome_seen)
            raise TransientError(
                f"Kafka did not confirm a record within {patience_s:g} s; it may or may not be "
                "in the log",
                code="not_confirmed",
                hint="check that the brokers run; a file is gone on with by --resume",
            ) from None
        return PublishedRecord(metadata.topic, metadata.partition, metadata.offset, addresses)

    def _settled(self, task: asyncio.Task[PublishedRecord]) -> None:
        self._room.release()
        if not task.cancelled() and task.exception() is None:
            self._unconfirmed.discard(task)
        # A failed one stays, so that leaving the context raises it.

    def _given_up(self, task: asyncio.Task[PublishedRecord]) -> None:
        """Keep the first failure, and not every task: a publisher may be open for months."""
        self._unconfirmed.discard(task)
        if not task.cancelled() and self._unseen is None:
            self._unseen = task.exception()

    @property
    def _open(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise IllegalTransition(
                "the publisher is not open",
                hint="use it as `async with AddressPublisher() as publisher:`",
            )
        return self._producer


def _end_step(step: Step, task: asyncio.Task[PublishedRecord]) -> None:
    step.end(error=asyncio.CancelledError() if task.cancelled() else task.exception())


def _outcome_seen(confirmation: asyncio.Future[Any]) -> None:
    """Keep asyncio from complaining about a failure that came after its time."""
    if not confirmation.cancelled():
        confirmation.exception()


def _event_ids(batch_id: str, records: int) -> list[str]:
    """The CloudEvents id of each record: the batch's own, numbered from the second on."""
    return [batch_id, *(f"{batch_id}#{number}" for number in range(2, records + 1))]
