"""Writes the logs that evidence is read from, as publishers and workers do, on a real broker."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import OffsetAndMetadata

from contracts.events import ParsedBatch, ShadowPair
from contracts.fitting import encode_message
from contracts.limits import Limits
from contracts.settings import KafkaSettings, client_options
from contracts.topics import max_request_bytes
from tests.rollouts.pairs import ID


class EvidenceWriter:
    """Plain and transactional producers over one system's topics."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._names = kafka.names
        options = {**client_options(kafka), "max_request_size": max_request_bytes(Limits())}
        self._plain = AIOKafkaProducer(**options)
        self._transactional = AIOKafkaProducer(
            **options, transactional_id=f"evidence-{uuid.uuid4().hex}"
        )
        self._admin = AIOKafkaAdminClient(**client_options(kafka))

    async def __aenter__(self) -> Self:
        await self._plain.start()
        await self._transactional.start()
        await self._admin.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._plain.stop()
        await self._transactional.stop()
        await self._admin.close()

    async def publish(
        self, texts: Sequence[str], *, partition: int = 0, transaction: bool = False
    ) -> int:
        """One input record; returns its offset. A transaction leaves its marker behind it."""
        value = json.dumps(
            {
                "batch_id": "b",
                "addresses": [{"id": str(n), "text": text} for n, text in enumerate(texts)],
            }
        ).encode()
        if not transaction:
            sent = await self._plain.send_and_wait(self._names.events, value, partition=partition)
            return int(sent.offset)
        async with self._transactional.transaction():
            sent = await self._transactional.send_and_wait(
                self._names.events, value, partition=partition
            )
        return int(sent.offset)

    async def begin(self) -> None:
        await self._transactional.begin_transaction()

    async def write_open(
        self, pairs: Iterable[ShadowPair], committed: Mapping[int, int] | None = None
    ) -> None:
        """Pairs and commits in the transaction that was begun."""
        for pair in pairs:
            await self._transactional.send_and_wait(
                self._names.shadow,
                pair.model_dump_json().encode(),
                partition=pair.origin.partition,
            )
        if committed:
            await self._transactional.send_offsets_to_transaction(
                {
                    TopicPartition(self._names.events, p): OffsetAndMetadata(offset, "")
                    for p, offset in committed.items()
                },
                self._names.shadow_group(ID),
            )

    async def commit(self) -> None:
        await self._transactional.commit_transaction()

    async def abort(self) -> None:
        await self._transactional.abort_transaction()

    async def pairs(
        self, pairs: Iterable[ShadowPair], committed: Mapping[int, int] | None = None
    ) -> None:
        """Pairs and commits in one transaction, as shadow workers write them."""
        await self.begin()
        await self.write_open(pairs, committed)
        await self.commit()

    async def raw(self, value: bytes | None, *, partition: int = 0, topic: str = "") -> None:
        """Anything, without a transaction; by default as evidence."""
        await self._plain.send_and_wait(
            topic or self._names.shadow, value, key=b"k", partition=partition
        )

    async def parsed(self, *results: ParsedBatch, transaction: bool = True) -> None:
        """Production's results."""
        producer: Any = self._transactional if transaction else self._plain
        if transaction:
            await producer.begin_transaction()
        for result in results:
            await producer.send_and_wait(
                self._names.parsed, encode_message(result), partition=result.origin.partition
            )
        if transaction:
            await producer.commit_transaction()

    async def delete_before(self, topic: str, offset: int, *, partition: int = 0) -> None:
        """What retention does, at once."""
        await self._admin.delete_records(
            {TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)}
        )

    async def committed(self) -> dict[int, int]:
        """The shadow group's commits, as a controller reads them."""
        found = await self._admin.list_consumer_group_offsets(self._names.shadow_group(ID))
        return {pair.partition: meta.offset for pair, meta in found.items() if meta.offset >= 0}
