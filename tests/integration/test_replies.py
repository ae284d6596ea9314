"""Replies on a real broker: whoever waits is told, and what lasts is as if nobody waited."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from consumer.stream.records import Outgoing
from consumer.stream.sink import Sink, SinkLostError, TransactionalSink
from contracts.events import ParsedBatch
from contracts.headers import ERROR_CODE, REPLY_BY, REPLY_TO, Header, header
from contracts.replies import ReplyTo
from contracts.settings import KafkaSettings, client_options
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.streams.eventually import eventually
from tests.streams.topic import everything
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(2)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await write_state(stream, instant.state())
    return stream


def batch(identifier: str, text: str = "地址1号") -> bytes:
    return json.dumps(
        {"batch_id": identifier, "addresses": [{"id": identifier, "text": text}]}
    ).encode()


async def send(
    stream: KafkaSettings, topic: str, value: bytes, headers: list[Header], partition: int = 0
) -> None:
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        await producer.send_and_wait(topic, value, partition=partition, headers=headers)


def asked(request: str, partition: int = 1, by_ms: int | None = None) -> list[Header]:
    return ReplyTo(partition, "gateway1", request, by_ms).headers()


async def replies(stream: KafkaSettings, count: int) -> list[Any]:
    found: list[Any] = []

    async def enough() -> bool:
        found[:] = await everything(stream, stream.names.replies)
        return len(found) >= count

    await eventually(enough, f"{count} replies")
    return found


async def test_who_asked_gets_the_result_that_lasts_byte_for_byte(stream: KafkaSettings) -> None:
    names = stream.names
    async with running_worker(stream) as worker:
        await worker.ready()
        await send(stream, names.interactive, batch("a"), [*asked("r1"), ("mgeo-track", b"stable")])
        await send(stream, names.events, batch("b"), asked("r2", partition=0))
        await send(stream, names.events, batch("c"), [])
        found = {header(one.headers, REPLY_TO): one for one in await replies(stream, 2)}
        await until_done(stream)
    durable = {
        ParsedBatch.model_validate_json(one.value).batch_id: one
        for one in await everything(stream, names.parsed)
    }
    assert set(durable) == {"a", "b", "c"}
    assert set(found) == {b"1/gateway1/r1", b"0/gateway1/r2"}
    for asker, identifier, partition in ((b"1/gateway1/r1", "a", 1), (b"0/gateway1/r2", "b", 0)):
        reply, result = found[asker], durable[identifier]
        assert (reply.partition, reply.key, reply.value) == (partition, None, result.value)
        assert reply.headers[:-1] == result.headers
        assert header(result.headers, REPLY_TO) is None


async def test_a_record_that_nobody_can_read_is_answered_with_the_reason(
    stream: KafkaSettings,
) -> None:
    async with running_worker(stream) as worker:
        await worker.ready()
        await send(stream, stream.names.interactive, b"{not json", asked("r1"))
        (reply,) = await replies(stream, 1)
        await until_done(stream)
    assert (reply.value, header(reply.headers, ERROR_CODE)) == (b"", b"not_json")
    assert header(reply.headers, REPLY_TO) == b"1/gateway1/r1"
    (letter,) = await everything(stream, stream.names.dead_letters)
    assert letter.value == b"{not json"


async def test_nobody_is_told_who_waits_no_more_or_cannot_be_reached(
    stream: KafkaSettings,
) -> None:
    now_ms = round(time.time() * 1000)
    hopeless: list[list[Header]] = [
        asked("late", by_ms=now_ms - 1),
        asked("nowhere", partition=7),
        [(REPLY_TO, b"1/gateway1")],
        [(REPLY_TO, b"-1/gateway1/r1")],
        [(REPLY_TO, b"\xff\xfe")],
        [(REPLY_TO, b"99999999999999999999/gateway1/r1")],
    ]
    async with running_worker(stream) as worker:
        await worker.ready()
        for number, headers in enumerate(hopeless):
            await send(stream, stream.names.interactive, batch(f"h{number}"), headers)
        # A deadline that cannot be read is none.
        unclear = [*asked("good"), (REPLY_BY, b"soon")]
        await send(stream, stream.names.interactive, batch("last"), unclear)
        (reply,) = await replies(stream, 1)
        await until_done(stream)
        assert await worker.metric("mgeo_replies_total") == 3  # late, no partition, sent
    assert header(reply.headers, REPLY_TO) == b"1/gateway1/good"
    assert len(await everything(stream, stream.names.parsed)) == len(hopeless) + 1


async def test_a_record_that_is_read_again_is_answered_again(stream: KafkaSettings) -> None:
    lost: list[int] = []

    class LosesTheFirst(TransactionalSink):
        """The first transaction with a result in it never comes about."""

        async def commit(self, outgoing: Sequence[Outgoing], offset: int, metadata: str) -> None:
            if outgoing and not lost:
                lost.append(offset)
                raise SinkLostError("the broker went away")
            await super().commit(outgoing, offset, metadata)

    def make(partition: TopicPartition, consumer: object, group: str) -> Sink:
        del consumer
        return LosesTheFirst(
            partition,
            group=group,
            transactional_id=stream.names.transactional_id(
                "stable", partition.topic, partition.partition
            ),
            producer_options=client_options(stream),
        )

    await send(stream, stream.names.interactive, batch("a"), asked("r1"))
    async with running_worker(stream, sink_factory=make):
        found = await replies(stream, 2)
        await until_done(stream)
    assert lost
    assert [header(one.headers, REPLY_TO) for one in found] == [b"1/gateway1/r1"] * 2
    assert len(await everything(stream, stream.names.parsed)) == 1
