"""Talks to the controller through Kafka alone: sends requests, follows control and audit.

It decides nothing, and never writes the control or audit topic.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from contracts.access import refused_by
from contracts.audit import AuditRecord, RequestEntry, decode_audit
from contracts.control import RolloutState, decode_state, supersedes
from contracts.errors import BackendUnreachableError, MgeoError, PermanentError, TransientError
from contracts.headers import cloud_event
from contracts.offset_metadata import OffsetMetadata
from contracts.requests import RolloutRequest, encode_request
from contracts.settings import KafkaSettings, client_options
from rollout.group_notes import group_notes
from rollout.logs import Log, OpenLog
from rollout.partitions import InputPartition

_ASK_BROKER_EVERY_S = 5.0
_PROBE_S = 10.0


class RolloutClient:
    """What people and pipelines do with rollouts. Holds nothing open between calls.

    Args:
        kafka: how to reach Kafka.
        open_log: opens a topic as a log, read_committed.
        patience_s: how long a broker may be away while the state is followed.
    """

    def __init__(
        self, kafka: KafkaSettings, open_log: OpenLog, *, patience_s: float = 60.0
    ) -> None:
        self._kafka = kafka
        self._names = kafka.names
        self._open_log = open_log
        self._patience_s = patience_s

    async def state(self) -> RolloutState | None:
        """The newest good control record; None on an empty topic.

        Raises:
            BackendUnreachableError: Kafka does not answer.
            UsageError: ``no_topic``.
            PermanentError: ``control_corrupt`` or ``control_from_the_future``, when no record
                can be read at all.
        """
        newest: RolloutState | None = None
        unreadable: PermanentError | None = None
        async with self._open_log(self._names.control) as log:
            async for raw in _whole(log):
                try:
                    state = decode_state(raw)
                except PermanentError as error:
                    unreadable = error
                    continue
                if supersedes(state, newest):
                    newest = state
        if newest is None and unreadable is not None:
            raise unreadable
        return newest

    async def follow(self) -> AsyncGenerator[RolloutState, None]:
        """Every state from the newest good one on, in order, without end.

        Raises:
            BackendUnreachableError: Kafka did not answer for longer than the patience.
        """
        newest: RolloutState | None = None
        async with self._open_log(self._names.control) as log:
            log.seek(await log.beginnings())
            ends = await log.ends()
            caught_up = False
            pending: RolloutState | None = None
            presence = _Presence(log, self._patience_s, self._kafka.kafka_bootstrap_servers)
            while True:
                records = await log.poll()
                for record in records:
                    state = _readable(record.value)
                    if state is None or not supersedes(state, pending or newest):
                        continue
                    pending = state
                    if caught_up:
                        yield state
                caught_up = caught_up or await log.passed(ends)
                if caught_up and pending is not None:
                    if newest is None:
                        yield pending
                    newest, pending = pending, None
                if records:
                    presence.seen()
                else:
                    await presence.check()

    async def ask(self, request: RolloutRequest, *, within_s: float) -> RequestEntry | None:
        """Send a request and wait for what became of it.

        Returns:
            The audit's entry about it; None when nobody answered in time. The request is then
            on the topic all the same, and good until it expires.

        Raises:
            BackendUnreachableError: Kafka does not answer; the request may or may not be there.
        """
        async with self._open_log(self._names.audit) as log:
            log.seek(await log.ends())  # before it is sent: its answer cannot stand earlier
            await self._send(request)
            deadline = time.monotonic() + within_s
            while time.monotonic() < deadline:
                for record in await log.poll():
                    audit = _readable_audit(record.value)
                    if (
                        audit is not None
                        and audit.request is not None
                        and audit.request.request_id == request.request_id
                    ):
                        return audit.request
        return None

    async def audit(self, rollout_id: str | None = None) -> AsyncIterator[AuditRecord]:
        """What stands in the audit topic until now, in order; of one rollout or of all.

        Records that this program cannot read are passed over.
        """
        async with self._open_log(self._names.audit) as log:
            async for raw in _whole(log):
                record = _readable_audit(raw)
                if record is not None and rollout_id in (None, record.rollout_id):
                    yield record

    async def adoption(self) -> dict[InputPartition, OffsetMetadata]:
        """What each stable lane of both inputs has adopted, as its committed offset says.

        Raises:
            BackendUnreachableError: Kafka does not answer.
        """
        return await self._lanes(self._names.stable_group)

    async def shadowing(self, rollout_id: str) -> dict[InputPartition, OffsetMetadata]:
        """The same of the shadow's lanes: they adopt a rollout by its first revision."""
        return await self._lanes(self._names.shadow_group(rollout_id))

    async def controllers(self) -> int:
        """How many controllers are members of the controller's group, the standby ones included.

        Raises:
            BackendUnreachableError: Kafka does not answer.
        """
        group = self._names.controller_group
        admin = await self._admin()
        try:
            response = await admin.describe_consumer_groups([group])
            return sum(len(found[5]) for answer in response for found in answer.groups)
        except (KafkaError, OSError) as error:
            raise await self._failed(error) from error
        finally:
            await admin.close()

    async def _lanes(self, group: str) -> dict[InputPartition, OffsetMetadata]:
        names = self._names
        try:
            found = {topic: await group_notes(self._kafka, group, topic) for topic in names.inputs}
        except (KafkaError, OSError) as error:
            raise await self._failed(error) from error
        return {
            InputPartition(topic == names.interactive, partition): note
            for topic, one in found.items()
            for partition, note in one.notes.items()
        }

    async def _admin(self) -> AIOKafkaAdminClient:
        admin = AIOKafkaAdminClient(**client_options(self._kafka))
        try:
            await admin.start()
        except (KafkaError, OSError) as error:
            await admin.close()
            raise await self._failed(error) from error
        return admin

    async def _send(self, request: RolloutRequest) -> None:
        producer = AIOKafkaProducer(
            **client_options(self._kafka), acks="all", enable_idempotence=True
        )
        try:
            await producer.start()
            await producer.send_and_wait(
                self._names.requests,
                encode_request(request),
                key=request.rollout_id.encode(),
                headers=cloud_event(
                    event_id=request.request_id,
                    source="/mgeo/cli",
                    kind="requests",
                    at=datetime.now(UTC),
                ),
            )
        except (KafkaError, OSError) as error:
            raise await self._failed(error) from error
        finally:
            await producer.stop()

    async def _failed(self, error: Exception) -> MgeoError:
        """Refused, or away."""
        refused = await refused_by(error, self._kafka)
        return refused or _away(self._kafka.kafka_bootstrap_servers)


class _Presence:
    """Notices that a broker is away: a reader alone would wait for it without end."""

    def __init__(self, log: Log, patience_s: float, address: str) -> None:
        self._log = log
        self._patience_s = patience_s
        self._address = address
        self._answered_at = self._asked_at = time.monotonic()

    def seen(self) -> None:
        """A record came."""
        self._answered_at = self._asked_at = time.monotonic()

    async def check(self) -> None:
        """Ask now and then.

        Raises:
            BackendUnreachableError: no answer for longer than the patience.
        """
        now = time.monotonic()
        if now - self._asked_at < min(_ASK_BROKER_EVERY_S, self._patience_s / 4):
            return
        self._asked_at = now
        try:
            async with asyncio.timeout(min(_PROBE_S, self._patience_s)):
                await self._log.ends()
        except (TransientError, TimeoutError, OSError) as error:
            if time.monotonic() - self._answered_at >= self._patience_s:
                raise _away(self._address) from error
        else:
            self._answered_at = time.monotonic()


async def _whole(log: Log) -> AsyncIterator[bytes | None]:
    """The values of everything that stands in a log now."""
    log.seek(await log.beginnings())
    ends = await log.ends()
    while not await log.passed(ends):
        for record in await log.poll():
            yield record.value


def _readable(raw: bytes | None) -> RolloutState | None:
    try:
        return decode_state(raw)
    except PermanentError:
        return None


def _readable_audit(raw: bytes | None) -> AuditRecord | None:
    try:
        return decode_audit(raw)
    except PermanentError:
        return None


def _away(address: str) -> BackendUnreachableError:
    return BackendUnreachableError(
        f"Kafka does not answer at {address}",
        hint="start one with `mgeo up`, or set MGEO_KAFKA_BOOTSTRAP_SERVERS",
    )
