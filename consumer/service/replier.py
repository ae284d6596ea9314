"""Sends replies, with a plain producer of its own.

It must never block, delay or fail a lane: what it cannot send soon it gives up.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumer.stream.in_flight import message_bytes
from consumer.stream.records import Outgoing, Record
from consumer.stream.replies import reply_of
from consumer.stream.waiting import let_go
from contracts.logs import get_logger
from contracts.metrics import Metrics
from contracts.replies import ReplyTo

_log = get_logger(__name__)

Fate = Literal["sent", "late", "no_partition", "crowded_out", "failed"]
"""What became of a reply: a label of ``mgeo_replies``."""

_MOST_WAITING_BYTES: Final = 32 * 1024 * 1024
"""So much may wait for the producer; beyond it the oldest, whose askers have waited longest, go."""
_RETRY_S: Final = 1.0
_STOP_S: Final = 2.0


class Replier:
    """``consumer.stream.replies.Replies`` over Kafka. ``tell`` belongs to the event loop.

    Args:
        topic: where replies go.
        producer_options: how Kafka is reached, and how large a reply may be.
        metrics: told what becomes of replies.
    """

    def __init__(self, topic: str, producer_options: Mapping[str, Any], metrics: Metrics) -> None:
        self._topic = topic
        self._options = {**producer_options, "acks": 1, "linger_ms": 0}
        self._fates = metrics.counter("mgeo_replies")
        for fate in get_args(Fate):
            self._fates.labels(outcome=fate)  # what begins with its first event has no increase
        self._waiting: deque[tuple[Outgoing, ReplyTo]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()

    def tell(self, record: Record) -> None:
        """See ``Replies``."""
        to = ReplyTo.of(record.headers)
        if to is None:
            return
        if not to.in_time(_now_ms()):
            self._count("late")
            return
        reply = reply_of(record, to, self._topic, at=datetime.now(UTC))
        if reply is None:
            return
        self._waiting.append((reply, to))
        self._bytes += _size(reply)
        while self._bytes > _MOST_WAITING_BYTES:
            self._next()
            self._count("crowded_out")
        self._filled.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            producer = AIOKafkaProducer(**self._options)
            try:
                await producer.start()
                await self._send_all(producer)
            except (KafkaError, OSError) as error:
                _log.warning("replies are not sent", error=type(error).__name__)
                await asyncio.sleep(_RETRY_S)
            finally:
                await let_go(producer.stop(), _STOP_S)

    async def _send_all(self, producer: AIOKafkaProducer) -> None:
        partitions = await producer.partitions_for(self._topic)
        while True:
            await self._filled.wait()
            while self._waiting:
                reply, to = self._next()
                if not to.in_time(_now_ms()):
                    self._count("late")
                elif to.partition not in partitions and to.partition not in (
                    partitions := await producer.partitions_for(self._topic)
                ):
                    # aiokafka asserts on a partition that the topic lacks.
                    self._count("no_partition")
                else:
                    await self._send(producer, reply)
            self._filled.clear()

    async def _send(self, producer: AIOKafkaProducer, reply: Outgoing) -> None:
        try:
            sending = await producer.send(
                reply.topic, reply.value, partition=reply.partition, headers=list(reply.headers)
            )
        except KafkaError:
            self._count("failed")
            raise
        sending.add_done_callback(self._sent)

    def _sent(self, sending: asyncio.Future[Any]) -> None:
        failed = sending.cancelled() or sending.exception() is not None
        self._count("failed" if failed else "sent")

    def _next(self) -> tuple[Outgoing, ReplyTo]:
        reply, to = self._waiting.popleft()
        self._bytes -= _size(reply)
        return reply, to

    def _count(self, fate: Fate) -> None:
        self._fates.labels(outcome=fate).inc()


def _size(reply: Outgoing) -> int:
    # That of a dead letter is headers alone.
    return message_bytes(reply.key, reply.value, reply.headers)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
