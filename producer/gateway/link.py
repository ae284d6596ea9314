"""The gateway's connections to Kafka: a producer, the replies, the control topic, the workers.

Each is kept up by itself: what breaks is opened again, and until then the gateway says so.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, NoReturn

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from contracts.access import AccessRefusedError
from contracts.control import RolloutState, decode_state, supersedes
from contracts.errors import FatalError, MgeoError, PermanentError, TransientError
from contracts.group_offsets import stored_offsets
from contracts.headers import Header
from contracts.limits import Limits
from contracts.logs import get_logger
from contracts.metrics import Metrics
from contracts.settings import KafkaSettings, client_options
from contracts.topics import max_request_bytes
from producer.connection import close, close_reader, connect, require_topic, translated
from producer.gateway.desk import Identity
from producer.gateway.presence import Presence
from producer.topic_log import TopicLog, partitions_of

_log = get_logger(__name__)
_SOON_S = 0.1
_AGAIN_S = 1.0
_REQUEST_TIMEOUT_MS = 10_000
_GRACE_S: Final = {"producer": 3.0, "replies": 3.0, "control": 20.0, "workers": 20.0}
"""A part that has gone keeps requests from being taken only after so long.

A connection that breaks is open again in a moment, and whoever asks meanwhile is better kept
waiting for it, within the deadline, than refused. What was read of the models and seen of the
workers stays true for longer: a broker that is slow to describe a group serves records all the
same.
"""
_ABSENT_LOOKS = 4
"""So many looks in a row must find nobody before the workers count as gone: a worker that a busy
broker has lost is back within seconds, and what was sent meanwhile waits for it."""

OnReply = Callable[[list[Header], bytes | None], str]


class Link:
    """What a gateway knows of Kafka.

    Args:
        kafka: how to reach it.
        topic: where records go for which somebody waits.
        limits: bounds on records.
        metrics: those of the gateway.

    Attributes:
        identity: who this gateway is; None before it reads its partition of the replies.
        state: the newest good control record; None before one was read.
        workers: members of the stable group, when looked at last.
        backlog_records: of ``topic``, not committed by the stable group.
    """

    def __init__(self, kafka: KafkaSettings, topic: str, limits: Limits, metrics: Metrics) -> None:
        self._kafka = kafka
        self._topic = topic
        self._limits = limits
        self._metrics = metrics
        self._name = uuid.uuid4().hex
        self._producer: AIOKafkaProducer | None = None
        self._producer_up = asyncio.Event()
        self._producer_failed = asyncio.Event()
        self._replies_from: dict[TopicPartition, int] = {}
        self._turns = itertools.count(int(self._name[:8], 16))
        self._presence = Presence(_GRACE_S, "backend_unreachable")
        self._absent = 0
        self.identity: Identity | None = None
        self.state: RolloutState | None = None
        self.workers = 0
        self.backlog_records = 0

    @property
    def down(self) -> str | None:
        """The code of what keeps requests from being answered; None when nothing does."""
        missing = self._presence.missing(time.monotonic())
        if missing is not None:
            return missing
        return "no_first_state" if self.state is None else None

    async def run(self, on_reply: Callable[[Identity], OnReply], watch_interval_s: float) -> None:
        """Keep everything up until cancelled.

        Args:
            on_reply: given who we are, gives what takes each reply.
            watch_interval_s: how often the workers are looked at.

        Raises:
            ExceptionGroup: of AccessRefusedError: Kafka is there and refuses.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kept("producer", self._produce))
            group.create_task(self._kept("replies", lambda: self._read_replies(on_reply)))
            group.create_task(self._kept("control", self._follow_control))
            group.create_task(self._kept("workers", lambda: self._watch(watch_interval_s)))

    async def send(self, value: bytes, headers: list[Header]) -> None:
        """Publish one record for which somebody waits; returns once Kafka has it.

        Partitions take turns, so that all lanes share the work.

        Raises:
            TransientError: Kafka is away.
            FatalError: Kafka refused it.
        """
        producer = await self._connected_producer()
        try:
            with translated(self._kafka):
                partitions = sorted(await producer.partitions_for(self._topic))
                future = await producer.send(
                    self._topic,
                    value,
                    partition=partitions[next(self._turns) % len(partitions)],
                    headers=headers,
                )
                await future
        except FatalError:
            self._producer_failed.set()  # an idempotent producer may be unusable from here on
            raise

    async def _connected_producer(self) -> AIOKafkaProducer:
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S["producer"]):
                await self._producer_up.wait()
        if self._producer is None:
            raise TransientError("Kafka is away", code="backend_unreachable")
        return self._producer

    async def _kept(self, part: str, work: Callable[[], Awaitable[NoReturn]]) -> None:
        while True:
            try:
                await work()
            except AccessRefusedError:
                raise  # no waiting mends that
            except (KafkaError, OSError, MgeoError, TimeoutError) as error:
                code = error.code if isinstance(error, MgeoError) else "backend_unreachable"
                before = self._presence.gone(part, code)
                if before != code:
                    _log.warning("not connected", part=part, code=code)
            except Exception as error:  # noqa: BLE001 - a gateway goes on, and says so
                _log.error("connection failed", part=part, error=type(error).__name__)
                before = self._presence.gone(part, "backend_unreachable")
            await asyncio.sleep(_AGAIN_S if before else _SOON_S)

    def _up(self, part: str) -> None:
        if not self._presence.good(part, time.monotonic()):
            _log.info("connected", part=part)

    async def _produce(self) -> NoReturn:
        producer = AIOKafkaProducer(
            **client_options(self._kafka),
            client_id="mgeo-gateway",
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_request_size=max_request_bytes(self._limits),
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        await connect(producer, self._kafka)
        try:
            await require_topic(producer, self._topic)
            self._producer_failed.clear()
            self._producer = producer
            self._producer_up.set()
            self._up("producer")
            await self._producer_failed.wait()
            self._up("producer")  # until now
            raise TransientError("the producer failed", code="backend_unreachable")
        finally:
            self._producer = None
            self._producer_up.clear()
            await close(producer)

    async def _read_replies(self, on_reply: Callable[[Identity], OnReply]) -> NoReturn:
        topic = self._kafka.names.replies
        consumer = AIOKafkaConsumer(
            **client_options(self._kafka),
            client_id="mgeo-gateway",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
        )
        await connect(consumer, self._kafka)
        try:
            with translated(self._kafka):
                partitions = await partitions_of(consumer, topic)
                number = partitions[_spread(self._name) % len(partitions)]
                mine = TopicPartition(topic, number)
                consumer.assign([mine])
                if mine not in self._replies_from:
                    # From here on, and not from wherever a first fetch would find the end: a
                    # reply to the first request may be there before it.
                    self._replies_from[mine] = (await consumer.end_offsets([mine]))[mine]
                consumer.seek(mine, self._replies_from[mine])
            self.identity = Identity(self._name, number)
            take = on_reply(self.identity)
            self._up("replies")
            replies = self._metrics.counter("mgeo_gateway_replies")
            while True:
                with translated(self._kafka):
                    fetched = await consumer.getmany(timeout_ms=500)
                self._up("replies")
                for record in fetched.get(mine, ()):
                    # What comes while the connection is made anew is read then.
                    self._replies_from[mine] = record.offset + 1
                    replies.labels(outcome=take(record.headers, record.value)).inc()
        finally:
            await close_reader(consumer)

    async def _follow_control(self) -> NoReturn:
        async with TopicLog(self._kafka, self._kafka.names.control) as log:
            log.seek(await log.beginnings())
            end = await log.ends()
            pending: RolloutState | None = None
            while True:
                for record in await log.poll(500):
                    state = self._decoded(record.value)
                    if state is not None and supersedes(state, pending or self.state):
                        pending = state
                # Of what was there before, only the newest counts.
                if await log.passed(end):
                    if pending is not None:
                        self.state, pending = pending, None
                    self._up("control")

    def _decoded(self, value: bytes | None) -> RolloutState | None:
        try:
            return decode_state(value)
        except PermanentError as error:
            self._metrics.counter("mgeo_control_errors").labels(code=error.code).inc()
            _log.error("control record not usable", code=error.code)
            return None

    async def _watch(self, interval_s: float) -> NoReturn:
        group = self._kafka.names.stable_group
        admin = AIOKafkaAdminClient(**client_options(self._kafka), client_id="mgeo-gateway")
        await connect(admin, self._kafka)
        try:
            async with TopicLog(self._kafka, self._topic, committed_only=False) as log:
                while True:
                    async with asyncio.timeout(_REQUEST_TIMEOUT_MS / 1000):
                        await self._look(admin, log, group)
                    self._up("workers")
                    await asyncio.sleep(interval_s)
        finally:
            with suppress(KafkaError, OSError):
                await admin.close()

    async def _look(self, admin: Any, log: TopicLog, group: str) -> None:
        with translated(self._kafka):
            answers = await admin.describe_consumer_groups([group])
            members = sum(len(found[5]) for answer in answers for found in answer.groups)
            committed = await stored_offsets(admin, group)
        # One look may fall between a member's leaving and its coming back.
        self._absent = 0 if members else self._absent + 1
        if members or self._absent >= _ABSENT_LOOKS:
            self.workers = members
        ends = await log.ends()
        beginnings = await log.beginnings()
        done = {
            pair.partition: at.offset for pair, at in committed.items() if pair.topic == self._topic
        }
        self.backlog_records = sum(
            max(0, end - max(done.get(number, 0), beginnings[number]))
            for number, end in ends.items()
        )


def _spread(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
