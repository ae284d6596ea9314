"""Who leads: the member that has the one partition of the requests topic in its group.

The broker decides it, notices a leader that is gone, and names the next one. It is not trusted
further than that: a member that does not know yet that it lost the partition is stopped by the
fencing of its producer (``writer``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from contracts.logs import get_logger

_log = get_logger(__name__)


class Office:
    """One term: held from an assignment to the next rebalance."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()


class Leadership:
    """Membership in the controllers' group, and the reading of requests that goes with it.

    ``poll`` must be called all the time, as standby too: aiokafka counts a member without
    partitions that does not ask for records as gone and never lets it rejoin (its issues 720
    and 1187), and a standby would then sleep through its leader's death.

    Args:
        topic: the requests topic.
        group: the controllers' group.
        client_options: how Kafka is reached.
        session_timeout_ms: a leader silent for so long is replaced.
    """

    def __init__(
        self, topic: str, group: str, client_options: Mapping[str, Any], session_timeout_ms: int
    ) -> None:
        self._partition = TopicPartition(topic, 0)
        self._consumer = AIOKafkaConsumer(
            group_id=group,
            client_id="mgeo-controller",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=session_timeout_ms,
            heartbeat_interval_ms=session_timeout_ms // 5,
            rebalance_timeout_ms=session_timeout_ms,
            # Joining is one request that lasts as long as the rebalance.
            request_timeout_ms=max(40_000, session_timeout_ms + 5_000),
            **client_options,
        )
        self.office: Office | None = None
        self.settled = False
        """Whether the group has given out its partition since this member joined."""

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
            self._consumer.subscribe([self._partition.topic], listener=_Listener(self))
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.retire()
        await self._stop()

    async def poll(self, timeout_ms: int = 200) -> list[Any]:
        """Requests that have come, as ``ConsumerRecord``; empty when none have, or as standby."""
        if self._partition not in self._consumer.assignment():
            # getmany may return at once when there is nothing to fetch from.
            await asyncio.sleep(timeout_ms / 1000)
        fetched = await self._consumer.getmany(timeout_ms=timeout_ms)
        return [record for records in fetched.values() for record in records]

    async def read_from(self, offset: int) -> int:
        """Read requests from this offset on; the beginning, where the topic was made anew.

        Returns:
            the offset that is really read from.
        """
        end = (await self._consumer.end_offsets([self._partition]))[self._partition]
        beginning = (await self._consumer.beginning_offsets([self._partition]))[self._partition]
        start = beginning if offset > end else max(offset, beginning)
        self._consumer.seek(self._partition, start)
        return int(start)

    def retire(self) -> None:
        """End the term, if there is one."""
        if self.office is not None:
            self.office.lost.set()
            self.office = None

    async def _stop(self) -> None:
        stopping = asyncio.create_task(self._consumer.stop())
        await asyncio.wait([stopping], timeout=10.0)
        if stopping.done() and not stopping.cancelled():
            stopping.exception()

    def assigned(self, partitions: set[TopicPartition]) -> None:
        """The group has settled."""
        self.retire()
        self.settled = True
        if self._partition in partitions:
            self.office = Office()
        _log.info("elected" if self.office is not None else "standby")


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership

    def on_partitions_revoked(self, revoked: Any) -> None:
        del revoked
        self._leadership.retire()

    def on_partitions_assigned(self, assigned: Any) -> None:
        self._leadership.assigned(set(assigned))
