"""The worker on a real broker: exactly once, whatever comes in."""

from __future__ import annotations

import json

import pytest
from aiokafka import AIOKafkaProducer

from contracts.headers import ERROR_CODE, header
from contracts.settings import KafkaSettings, client_options
from producer import AddressPublisher
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.oracles.stream import look, violations
from tests.streams.topic import everything
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(3)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await write_state(stream, instant.state())
    return stream


async def publish(stream: KafkaSettings, records: int, each: int = 5) -> None:
    async with AddressPublisher(stream) as publisher:
        for record in range(records):
            await publisher.publish(
                [(f"{record}-{index}", f"地址{record}号{index}室") for index in range(each)],
                source="test",
                key=f"k{record % 7}",
                batch_id=f"b-{record}",
            )


async def test_every_address_comes_back_exactly_once_and_in_order(stream: KafkaSettings) -> None:
    await publish(stream, 60)
    async with running_worker(stream) as worker:
        await worker.ready()
        await publish(stream, 60)
        await until_done(stream)
    seen = await look(stream)
    assert len(seen.results) == 120
    assert violations(seen) == []


async def test_an_unreadable_record_becomes_a_dead_letter_with_its_own_bytes(
    stream: KafkaSettings,
) -> None:
    await publish(stream, 3)
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        await producer.send_and_wait(
            stream.names.events, b"{not json", key=b"k", headers=[("app", b"x")]
        )
    await publish(stream, 3)
    async with running_worker(stream):
        await until_done(stream)
    assert violations(await look(stream)) == []
    (letter,) = await everything(stream, stream.names.dead_letters)
    assert letter.value == b"{not json"
    assert letter.key == b"k"
    assert header(letter.headers, "app") == b"x"
    assert header(letter.headers, ERROR_CODE) == b"not_json"


async def test_one_broken_address_in_a_hundred_is_one_error_result(stream: KafkaSettings) -> None:
    texts = [(str(index), f"地址{index}") for index in range(100)]
    texts[41] = ("41", instant.BROKEN_TEXT)
    async with AddressPublisher(stream) as publisher:
        await publisher.publish(texts, batch_id="hundred")
    async with running_worker(stream):
        await until_done(stream)
    (record,) = await everything(stream, stream.names.parsed)
    results = json.loads(record.value)["results"]
    assert [r["id"] for r in results] == [str(index) for index in range(100)]
    assert [r["id"] for r in results if r["status"] == "error"] == ["41"]
    assert results[41]["error"] == "model_error"
