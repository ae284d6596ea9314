"""What the suite's own fixtures promise to every other integration test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from contracts.settings import KafkaSettings, client_options
from deploy.local import LocalBroker
from tests.brokers.admin import TopicFactory

pytestmark = pytest.mark.broker


async def test_transactions_commit_and_abort(kafka: KafkaSettings, topics: TopicFactory) -> None:
    topic = topics.create(2)
    producer = AIOKafkaProducer(**client_options(kafka), transactional_id=topics.unique("tx"))
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"kept", partition=1)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"dropped", partition=1)
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait(topic, b"last", partition=1)
    finally:
        await producer.stop()

    reader = AIOKafkaConsumer(
        **client_options(kafka), isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await reader.start()
    try:
        reader.assign([TopicPartition(topic, 1)])
        values: list[bytes] = []
        while not values or values[-1] != b"last":
            values += [record.value async for record in _next(reader)]
    finally:
        await reader.stop()
    assert values == [b"kept", b"last"]


async def _next(reader: AIOKafkaConsumer):  # type: ignore[no-untyped-def]  # aiokafka is untyped
    batches = await reader.getmany(timeout_ms=500)
    for records in batches.values():
        for record in records:
            yield record


def test_standard_topics_have_the_partitions_asked_for(topics: TopicFactory) -> None:
    first, second = topics.create_standard(3), topics.create_standard(1)
    assert first.events != second.events
    assert topics.partitions(first.events) == 3
    assert topics.partitions(first.control) == 1
    assert topics.partitions(second.parsed) == 1


async def test_the_log_of_a_running_broker_can_be_read_with_kafkas_own_tool(
    own_broker: Callable[..., LocalBroker], own_topics: Callable[[LocalBroker], TopicFactory]
) -> None:
    broker = own_broker()
    topic = own_topics(broker).create()
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, transactional_id=TopicFactory.unique("tx")
    )
    await producer.start()
    async with producer.transaction():
        await producer.send_and_wait(topic, b"value")
    await producer.stop()
    segment = broker.data_dir / f"{topic}-0" / "00000000000000000000.log"
    dump = broker.run_tool("kafka.tools.DumpLogSegments", "--files", str(segment))
    assert "isTransactional: true" in dump


async def test_a_killed_broker_keeps_its_records(
    own_broker: Callable[..., LocalBroker], own_topics: Callable[[LocalBroker], TopicFactory]
) -> None:
    broker = own_broker()
    address = broker.bootstrap_servers
    topic = own_topics(broker).create()
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all")
    await producer.start()
    await producer.send_and_wait(topic, b"before")
    await producer.stop()

    broker.kill()
    assert not broker.is_running
    broker.start()

    assert broker.bootstrap_servers == address
    reader = AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest")
    await reader.start()
    try:
        assert (await reader.getone()).value == b"before"
    finally:
        await reader.stop()
