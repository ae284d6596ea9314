"""What AddressPublisher promises, on a real broker."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from contracts.decode import decode_batch
from contracts.errors import BackendUnreachableError, IllegalTransition, PermanentError, UsageError
from contracts.headers import header
from contracts.limits import Limits
from contracts.settings import KafkaSettings
from producer import AddressPublisher, ProducerSettings, RejectedAddress
from tests.brokers.admin import TopicFactory
from tests.streams.topic import everything

pytestmark = pytest.mark.broker


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(3)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def test_a_published_batch_is_where_it_was_said_to_be(stream: KafkaSettings) -> None:
    async with AddressPublisher(stream) as publisher:
        sent = await publisher.publish(
            ["北京市海淀区中关村大街1号", ("a-7", "上海市浦东新区")],
            source="orders",
            key="customer-1",
            batch_id="b-1",
            traceparent=b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01",
        )
    (record,) = await everything(stream, stream.names.events)
    assert (record.topic, record.partition, record.offset) == (
        sent.topic,
        sent.partition,
        sent.offset,
    )
    assert record.key == b"customer-1"
    assert orjson.loads(record.value) == {
        "batch_id": "b-1",
        "source": "orders",
        "addresses": [
            {"id": "1", "text": "北京市海淀区中关村大街1号"},
            {"id": "a-7", "text": "上海市浦东新区"},
        ],
    }
    assert header(record.headers, "ce_id") == b"b-1"
    assert header(record.headers, "ce_type") == b"mgeo.address.batch.v1"
    assert header(record.headers, "traceparent") is not None


async def test_batches_of_one_key_keep_the_order_of_the_calls(stream: KafkaSettings) -> None:
    async with AddressPublisher(stream) as publisher:
        await asyncio.gather(
            *(
                publisher.publish(["某路1号"], key=f"k{number % 3}", batch_id=f"{number:04d}")
                for number in range(300)
            )
        )
    records = await everything(stream, stream.names.events)
    assert len(records) == 300
    for key in (b"k0", b"k1", b"k2"):
        ids = [orjson.loads(r.value)["batch_id"] for r in records if r.key == key]
        assert ids == sorted(ids)
        assert len(ids) == 100


async def test_too_much_for_one_record_becomes_several_and_nothing_is_lost(
    stream: KafkaSettings,
) -> None:
    limits = Limits(max_record_bytes=2048, max_addresses=5)
    settings = ProducerSettings(limits=limits)
    texts = [f"某市某区某路{number}号" for number in range(12)]
    texts[4] = "长" * 2000
    async with AddressPublisher(stream, settings) as publisher:
        sent = await publisher.publish(texts, key="k", batch_id="big")
    assert sent.rejected == (RejectedAddress(4, "text_too_long"),)
    records = await everything(stream, stream.names.events)
    decoded = [decode_batch(record.value, limits) for record in records]
    assert [a.text for batch in decoded for a in batch.addresses] == texts[:4] + texts[5:]
    assert [a.id for batch in decoded for a in batch.addresses][3:5] == ["4", "6"]
    assert [r.addresses for r in sent.records] == [5, 5, 1]
    assert [header(r.headers, "ce_id") for r in records] == [b"big", b"big#2", b"big#3"]


async def test_nothing_to_publish_is_said_at_once(stream: KafkaSettings) -> None:
    async with AddressPublisher(stream) as publisher:
        with pytest.raises(UsageError, match="at least one address"):
            await publisher.publish([])
        with pytest.raises(PermanentError) as caught:
            await publisher.publish(["\ud800"])
        assert caught.value.code == "lone_surrogate"
    assert await everything(stream, stream.names.events) == []


async def test_a_closed_publisher_says_how_to_open_it(stream: KafkaSettings) -> None:
    with pytest.raises(IllegalTransition, match="not open"):
        await AddressPublisher(stream).publish(["某路1号"])


async def test_a_missing_topic_is_named(kafka: KafkaSettings) -> None:
    lost = kafka.model_copy(update={"topic_prefix": "nowhere."})
    with pytest.raises(UsageError, match=r"nowhere\.address\.events does not exist"):
        async with AddressPublisher(lost):
            pass


async def test_a_broker_that_is_away_is_named() -> None:
    away = KafkaSettings(kafka_bootstrap_servers="127.0.0.1:1")
    with pytest.raises(BackendUnreachableError, match=r"127\.0\.0\.1:1"):
        async with AddressPublisher(away):
            pass
