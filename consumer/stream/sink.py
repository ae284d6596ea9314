"""Where a lane's results go: one step that publishes and moves the offset, or does neither.

``TransactionalSink`` is one transactional producer per owned input partition. Its id is
shared with the partition's other owners, past and future: starting it fences them out, which
is the only protection there is, for the protocol version that aiokafka speaks carries no
group generation in offset commits (no KIP-447).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    KafkaError,
    ProducerFenced,
)
from aiokafka.structs import OffsetAndMetadata

from consumer.stream.records import Outgoing
from consumer.stream.waiting import let_go
from contracts.access import AccessRefusedError, refusal
from contracts.errors import TransientError
from contracts.logs import get_logger

_log = get_logger(__name__)

_STOP_TIMEOUT_S = 5.0


class SinkLostError(TransientError):
    """The outcome of a commit is unknown or somebody else owns the partition.

    The sink is dead. The records are still in the log; whoever owns the partition next
    continues from what was really committed.
    """

    default_code = "sink_lost"

    def __init__(
        self, message: str, *, fenced: bool = False, refused: AccessRefusedError | None = None
    ) -> None:
        """``fenced``: the broker said that another owner has taken over; ``refused``: that this
        user may not, and that another try would end alike.
        """
        super().__init__(message)
        self.fenced = fenced
        self.refused = refused


class Sink(Protocol):
    """Publishes results together with the offset they bring the lane to."""

    async def open(self) -> None:
        """Get ready; for a transactional sink this fences every earlier owner.

        Raises:
            SinkLostError: the broker refused or did not answer.
        """
        ...

    async def commit(self, outgoing: Sequence[Outgoing], offset: int, metadata: str) -> None:
        """Publish and move the committed offset. Must not be cancelled.

        Args:
            outgoing: may be empty: then only the offset and its metadata are written.
            offset: the next offset to read.
            metadata: stored beside it.

        Raises:
            SinkLostError: it may or may not have happened; never use this sink again.
        """
        ...

    async def close(self) -> None:
        """Release the connections. Never raises."""
        ...


class TransactionalSink:
    """Exactly once: results, dead letters and offset in one transaction."""

    def __init__(
        self,
        source: TopicPartition,
        *,
        group: str,
        transactional_id: str,
        producer_options: Mapping[str, Any],
    ) -> None:
        self._source = source
        self._group = group
        self._transactional_id = transactional_id
        self._options = producer_options
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> None:
        """InitProducerId: the earlier owner's pending transaction is finished by the broker."""
        producer = AIOKafkaProducer(transactional_id=self._transactional_id, **self._options)
        await _start(producer)
        self._producer = producer

    async def commit(self, outgoing: Sequence[Outgoing], offset: int, metadata: str) -> None:
        """One transaction."""
        producer = self._producer
        if producer is None:
            raise SinkLostError("the sink is closed")
        try:
            await producer.begin_transaction()
            await _send(producer, outgoing)
            await producer.send_offsets_to_transaction(
                {self._source: OffsetAndMetadata(offset, metadata)}, self._group
            )
            await producer.commit_transaction()
        except (KafkaError, OSError, AssertionError) as error:
            # Fencing, a time-out and a failed send cannot be told apart reliably. The broker
            # ends the transaction: at its time-out, or when the next owner starts.
            raise SinkLostError(
                f"the transaction failed: {type(error).__name__}",
                fenced=_is_fencing(error),
                refused=refusal(error),
            ) from error

    async def close(self) -> None:
        """An open transaction is left for the broker to abort."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)


class AtLeastOnceSink:
    """At least once: results first, then the offset. A crash in between repeats results."""

    def __init__(
        self,
        source: TopicPartition,
        *,
        consumer: AIOKafkaConsumer,
        producer_options: Mapping[str, Any],
    ) -> None:
        self._source = source
        self._consumer = consumer
        self._options = {**producer_options, "enable_idempotence": True}
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> None:
        """Start an idempotent producer; nobody is fenced."""
        producer = AIOKafkaProducer(**self._options)
        await _start(producer)
        self._producer = producer

    async def commit(self, outgoing: Sequence[Outgoing], offset: int, metadata: str) -> None:
        """Publish, wait for the acknowledgement, then commit the offset in the group."""
        producer = self._producer
        if producer is None:
            raise SinkLostError("the sink is closed")
        try:
            await _send(producer, outgoing)
            await self._consumer.commit({self._source: (offset, metadata)})
        except (KafkaError, OSError, AssertionError) as error:
            raise SinkLostError(
                f"the commit failed: {type(error).__name__}",
                fenced=isinstance(error, CommitFailedError),
                refused=refusal(error),
            ) from error

    async def close(self) -> None:
        """Stop the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)


async def _start(producer: AIOKafkaProducer) -> None:
    try:
        await producer.start()
    except (KafkaError, OSError) as error:
        await _stop(producer)
        raise SinkLostError(
            f"the producer did not start: {type(error).__name__}", refused=refusal(error)
        ) from error
    except asyncio.CancelledError:
        await _stop(producer)
        raise


async def _send(producer: AIOKafkaProducer, outgoing: Sequence[Outgoing]) -> None:
    futures = [
        await producer.send(
            record.topic,
            record.value,
            key=record.key,
            partition=record.partition,
            headers=list(record.headers),
        )
        for record in outgoing
    ]
    # Every future must be looked at: commit_transaction() succeeds even when a send failed.
    failures = [
        result
        for result in await asyncio.gather(*futures, return_exceptions=True)
        if isinstance(result, BaseException)
    ]
    if failures:
        raise failures[0]


def _is_fencing(error: BaseException) -> bool:
    return isinstance(error, ProducerFenced | InvalidProducerEpoch | InvalidProducerIdMapping)


async def _stop(producer: AIOKafkaProducer) -> None:
    if await let_go(producer.stop(), _STOP_TIMEOUT_S):
        return
    _log.info("a producer did not stop in good order")
    # stop() waits for batches that a fenced producer, or one whose broker is away, can never
    # deliver. Given up half-way it leaves its sender running and its sockets open; there is
    # no public way to end them.
    await let_go(producer._sender.close(), _STOP_TIMEOUT_S)
    await let_go(producer.client.close(), _STOP_TIMEOUT_S)
