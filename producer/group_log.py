"""Reading one topic as a member of a consumer group that remembers its position.

Only what was handed out and finished is stored: after a crash it comes again, never less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from contracts.errors import FatalError
from contracts.settings import KafkaSettings, client_options
from producer.connection import close_reader, connect, translated
from producer.topic_log import Offsets, poll, require_topic

Start = Literal["beginning", "end"]


class GroupLog:
    """The partitions that the group gives this member.

    Args:
        kafka: how to reach Kafka.
        topic: the full name.
        group: the group's full name.
        start: where a partition is begun on which the group has stored no position.
        store_on_revoke: whether what is finished is stored before a partition goes to
            another member; False where only the reader's end decides that.

    Attributes:
        finished: per partition, the offset before which everything was dealt with; kept by
            the reader, stored by ``commit`` and on a revoke.
        generation: grows when partitions are taken away: what was polled before and is not
            finished belongs to whoever gets them, and comes again.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        group: str,
        start: Start,
        *,
        store_on_revoke: bool = True,
    ) -> None:
        self._kafka = kafka
        self._store_on_revoke = store_on_revoke
        self.topic = topic
        self._lost: FatalError | None = None
        self._joined = asyncio.Event()
        self.finished: Offsets = {}
        self.generation = 0
        self._consumer = AIOKafkaConsumer(
            **client_options(kafka),
            client_id="mgeo-reader",
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest" if start == "beginning" else "latest",
            isolation_level="read_committed",
        )

    async def __aenter__(self) -> Self:
        await connect(self._consumer, self._kafka)
        try:
            with translated(self._kafka):
                await require_topic(self._consumer, self.topic)
                self._consumer.subscribe([self.topic], listener=_Listener(self))
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

    async def poll(self, timeout_ms: int = 200, max_records: int = 500) -> list[Any]:
        """The next records; empty when there were none in that time.

        Raises:
            FatalError: ``records_lost`` when the group's position is no longer in the log.
        """
        if self._lost is not None:
            raise self._lost
        return await poll(self._consumer, self._kafka, timeout_ms, max_records)

    async def ends(self) -> Offsets | None:
        """The ends of the partitions held now; None before the group has settled."""
        if not self._joined.is_set():
            return None
        with translated(self._kafka):
            ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        return {pair.partition: offset for pair, offset in ends.items()}

    async def passed(self, ends: Mapping[int, int]) -> bool:
        """Whether all held partitions were read up to these ends."""
        positions = await self.positions()
        return all(
            position >= ends.get(partition, position) for partition, position in positions.items()
        )

    async def positions(self) -> Offsets:
        """The next offset to be read of each held partition, markers passed over."""
        found = {}
        for pair in self._consumer.assignment():
            # Suppressed: it went to another member between two of these questions.
            with translated(self._kafka), suppress(IllegalStateError):
                found[pair.partition] = await self._consumer.position(pair)
        return found

    async def commit(self) -> bool:
        """Store what is finished, as far as the partitions are still held.

        Returns:
            False when the group was shared out anew meanwhile: nothing was stored, and
            whoever has the partitions now reads these records again.
        """
        pairs = {TopicPartition(self.topic, number): at for number, at in self.finished.items()}
        held = self._consumer.assignment()
        mine = {pair: offset for pair, offset in pairs.items() if pair in held}
        if not mine:
            return not pairs
        # Suppressed: the partitions went to another member, who reads these records again.
        with translated(self._kafka), suppress(CommitFailedError, IllegalStateError):
            await self._consumer.commit(mine)
            return True
        return False

    async def revoke(self, revoked: Iterable[TopicPartition]) -> None:
        """These partitions go to another member, or come back in a moment."""
        # What is in work now was not finished: it comes again, at the new owner.
        if self._store_on_revoke:
            await self.commit()
        self.generation += 1
        for pair in revoked:
            self.finished.pop(pair.partition, None)

    async def check_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Notice stored positions whose records are gone: aiokafka would skip them in silence."""
        pairs = list(assigned)
        beginnings = await self._consumer.beginning_offsets(pairs) if pairs else {}
        for pair in pairs:
            stored = await self._consumer.committed(pair)
            if stored is not None and stored < beginnings[pair]:
                self._lost = FatalError(
                    f"{pair.topic}/{pair.partition}: the group's next record is {stored}, "
                    f"but the log begins at {beginnings[pair]}",
                    code="records_lost",
                    hint="the topic's retention removed them; read on with another --group",
                )
        self._joined.set()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, log: GroupLog) -> None:
        self._log = log

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self._log.revoke(revoked)

    async def on_partitions_assigned(self, assigned: Any) -> None:
        await self._log.check_assigned(assigned)
