"""Reading one topic as the log that it is: positions, ends, records. No group.

Every reader of this package stands on it, so that "the end" means the same everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.protocol.metadata import MetadataRequest

from contracts.access import not_authorized
from contracts.errors import BackendUnreachableError
from contracts.settings import KafkaSettings, client_options
from producer.connection import close_reader, connect, no_topic, translated

Offsets = dict[int, int]
"""Partition to offset."""


class TopicLog:
    """All partitions of one topic, read from positions that the caller sets.

    Args:
        kafka: how to reach Kafka.
        topic: the full name.
        committed_only: True hides what open and aborted transactions wrote. The end is then
            the last stable offset: what an open transaction holds back does not exist yet.
        stall_s: how long nothing may come that is known to be there.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        *,
        committed_only: bool = True,
        stall_s: float = 60.0,
    ) -> None:
        self._kafka = kafka
        self._stall_s = stall_s
        self._last_positions: Offsets = {}
        self._advanced_at = time.monotonic()
        self._isolation = "read_committed" if committed_only else "read_uncommitted"
        self._consumer = self._client("none")
        self._asking: AIOKafkaConsumer | None = None
        self._fetching = False
        self.topic = topic
        self.partitions: tuple[int, ...] = ()

    async def __aenter__(self) -> Self:
        await connect(self._consumer, self._kafka)
        try:
            with translated(self._kafka):
                self.partitions = tuple(await partitions_of(self._consumer, self.topic))
                self._consumer.assign(self._pairs(self.partitions))
        except BaseException:
            await close_reader(self._consumer)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await close_reader(self._consumer)
        if self._asking is not None:
            await close_reader(self._asking)

    async def beginnings(self) -> Offsets:
        """The first offset that is still there, per partition."""
        asked = await self._asked()
        with translated(self._kafka):
            return _by_number(await asked.beginning_offsets(self._pairs(self.partitions)))

    async def ends(self) -> Offsets:
        """One past the last offset that can be read now, per partition."""
        asked = await self._asked()
        with translated(self._kafka):
            return _by_number(await asked.end_offsets(self._pairs(self.partitions)))

    async def since(self, moment: datetime) -> Offsets:
        """The first offset written at or after a moment; the end where there is none."""
        at_ms = int(moment.timestamp() * 1000)
        asked = await self._asked()
        with translated(self._kafka):
            return await offsets_since(asked, self._pairs(self.partitions), at_ms)

    def seek(self, positions: Mapping[int, int]) -> None:
        """Read these partitions from these offsets on."""
        self._fetching = True
        for partition, offset in positions.items():
            self._consumer.seek(TopicPartition(self.topic, partition), offset)

    def only(self, partitions: Sequence[int]) -> None:
        """Read no other partitions from now on; positions have to be set again."""
        self.partitions = tuple(partitions)
        self._consumer.assign(self._pairs(self.partitions))

    async def positions(self) -> Offsets:
        """The next offset to be read, per partition; transaction markers are passed over."""
        with translated(self._kafka):
            return {
                pair.partition: await self._consumer.position(pair)
                for pair in self._pairs(self.partitions)
            }

    async def passed(self, ends: Mapping[int, int]) -> bool:
        """Whether everything before these ends was read.

        Raises:
            BackendUnreachableError: it was not, and nothing came for ``stall_s``. aiokafka
                itself would wait for a broker that is away without end.
        """
        positions = await self.positions()
        if all(positions.get(partition, end) >= end for partition, end in ends.items()):
            return True
        if positions != self._last_positions:
            self._last_positions, self._advanced_at = positions, time.monotonic()
        elif time.monotonic() - self._advanced_at > self._stall_s:
            raise BackendUnreachableError(
                f"Kafka stopped answering while {self.topic} was read",
                hint="check that the brokers run; `mgeo doctor` says more",
            )
        return False

    async def poll(self, timeout_ms: int = 200, max_records: int = 500) -> list[Any]:
        """The next records of all partitions; empty when there were none in that time.

        Raises:
            FatalError: ``records_lost`` when a position is no longer in the log.
        """
        return await poll(self._consumer, self._kafka, timeout_ms, max_records)

    async def _asked(self) -> AIOKafkaConsumer:
        """Who asks for offsets: never a consumer that fetches.

        A broker answers the requests of one connection in turn, and a fetch at the end of a log
        is answered only after its longest wait: a question behind it would take half a second.
        """
        if not self._fetching:
            return self._consumer
        if self._asking is None:
            asking = self._client("latest")
            await connect(asking, self._kafka)
            first = TopicPartition(self.topic, 0)
            asking.assign([first])  # makes it follow the topic's leaders …
            asking.pause(first)  # … and fetch nothing
            self._asking = asking
        return self._asking

    def _client(self, reset: str) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **client_options(self._kafka),
            client_id="mgeo-reader",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset=reset,
            isolation_level=self._isolation,
        )

    def _pairs(self, partitions: Sequence[int]) -> list[TopicPartition]:
        return [TopicPartition(self.topic, partition) for partition in partitions]


async def poll(consumer: Any, kafka: KafkaSettings, timeout_ms: int, max_records: int) -> list[Any]:
    """Records of one ``getmany``, in order within each partition."""
    with translated(kafka):
        fetched = await consumer.getmany(timeout_ms=timeout_ms, max_records=max_records)
    return [record for records in fetched.values() for record in records]


async def require_topic(consumer: Any, topic: str) -> None:
    """Check that a topic exists.

    Raises:
        UsageError: ``no_topic``.
        AccessRefusedError: this user may not see it.
    """
    if topic in await consumer.topics():
        return
    # Asked for everything, Kafka leaves out what may not be seen; asked by name, it says so.
    client = consumer._client
    request = MetadataRequest([topic], allow_auto_topic_creation=False)
    answer = await client.send(client.get_random_node(), request)
    if any(found[0] == TopicAuthorizationFailedError.errno for found in answer.topics):
        raise not_authorized("topic", topic)
    raise no_topic(topic)


async def partitions_of(consumer: Any, topic: str) -> list[int]:
    """The partitions of a topic; leaves the consumer with the first one assigned.

    Raises:
        UsageError: ``no_topic``.
    """
    await require_topic(consumer, topic)
    first = TopicPartition(topic, 0)
    consumer.assign([first])
    await consumer.end_offsets([first])  # aiokafka learns a topic's partitions on first use
    return sorted(consumer.partitions_for_topic(topic) or ())


async def offsets_since(consumer: Any, pairs: Sequence[TopicPartition], at_ms: int) -> Offsets:
    """The first offset at or after a time in epoch milliseconds; the end where none is."""
    ends = await consumer.end_offsets(pairs)
    found = await consumer.offsets_for_times(dict.fromkeys(pairs, at_ms))
    return {pair.partition: found[pair].offset if found.get(pair) else ends[pair] for pair in pairs}


def _by_number(offsets: Mapping[TopicPartition, int]) -> Offsets:
    return {pair.partition: offset for pair, offset in offsets.items()}
