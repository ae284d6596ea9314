"""The gateway over a real broker: requests become records, replies become answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.decode import decode_batch
from contracts.limits import Limits
from contracts.settings import KafkaSettings, client_options
from contracts.topics import standard_topics
from tests.brokers.admin import TopicFactory
from tests.streams.eventually import eventually
from tests.streams.gateway import RunningGateway, running_gateway
from tests.streams.stand_in_replier import STABLE, Replier, running_replier, stream_with_state

pytestmark = pytest.mark.broker

PATIENT = {"timeout_ms": 30_000, "max_wait_ms": 30_000}
"""A busy machine is slow, not wrong."""


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    return await stream_with_state(kafka, topics, partitions=2)


@pytest.fixture
async def replier(stream: KafkaSettings) -> AsyncIterator[Replier]:
    async with running_replier(stream) as replier:
        yield replier


@pytest.fixture
async def gateway(stream: KafkaSettings, replier: Replier) -> AsyncIterator[RunningGateway]:
    async with running_gateway(stream, **PATIENT) as gateway:
        await gateway.warm()
        replier.records.clear()
        yield gateway


async def test_an_address_is_answered_with_its_flat_view_and_the_model_in_headers(
    gateway: RunningGateway,
) -> None:
    async with gateway.client() as client:
        answer = await client.post("/parse", json={"address": "沪浦东新区"})

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "prov": "沪",
        "components": [{"type": "prov", "text": "沪", "start": 0, "end": 1, "confidence": 0.5}],
        "confidence": 0.5,
        "adcode": "110108",
        "inferred": [],
        "issues": [],
    }
    assert answer.headers["x-mgeo-model"] == STABLE.name
    assert answer.headers["x-mgeo-track"] == "stable"
    assert answer.headers["x-mgeo-origin"].startswith(gateway.gateway._kafka.names.interactive)


async def test_concurrent_requests_share_records_and_each_gets_its_own_answer(
    gateway: RunningGateway, replier: Replier
) -> None:
    texts = [chr(0x4E00 + number % 90) + "路" for number in range(300)]
    async with gateway.client() as client:
        answers = await asyncio.gather(
            *(client.post("/parse", json={"address": text}) for text in texts)
        )

    assert [answer.status_code for answer in answers] == [200] * 300
    assert [answer.json()["prov"] for answer in answers] == [text[0] for text in texts]
    assert len(replier.records) < 300
    for record in replier.records:
        batch = decode_batch(record.value, Limits())
        assert len({one.id for one in batch.addresses}) == len(batch.addresses)


async def test_a_batch_is_one_record_and_a_bad_address_is_its_own_problem(
    gateway: RunningGateway, replier: Replier
) -> None:
    body = {"addresses": ["京", {"id": "b", "text": "沪"}, "   ", 7, {"id": "c", "text": "粤"}]}
    async with gateway.client() as client:
        answer = await client.post("/parse/batch", json=body)

    assert answer.status_code == 200, answer.text
    found = [(one["id"], one["status"], one.get("prov")) for one in answer.json()["results"]]
    assert found == [
        ("1", "ok", "京"),
        ("b", "ok", "沪"),
        ("3", "error", None),
        ("#3", "error", None),
        ("c", "ok", "粤"),
    ]
    assert len(replier.records) == 1


async def test_events_are_acknowledged_with_where_they_are_in_the_log(
    gateway: RunningGateway, stream: KafkaSettings
) -> None:
    async with gateway.client() as client:
        answer = await client.post(
            "/events", json={"addresses": ["京", "", "沪"], "source": "shop", "key": "k"}
        )

    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    (record,) = accepted["records"]
    assert accepted["rejected"] == [{"position": 1, "code": "empty_text"}]
    async with AIOKafkaConsumer(
        stream.names.events, auto_offset_reset="earliest", **client_options(stream)
    ) as consumer:
        found = await asyncio.wait_for(consumer.getone(), 10)
    assert (found.partition, found.offset) == (record["partition"], record["offset"])
    batch = decode_batch(found.value, Limits())
    assert (batch.batch_id, batch.source) == (accepted["batch_id"], "shop")
    assert [one.text for one in batch.addresses] == ["京", "沪"]
    assert found.key == b"k"


async def test_events_go_on_after_kafka_refused_one_for_good(
    gateway: RunningGateway, stream: KafkaSettings
) -> None:
    async def status() -> int:
        async with gateway.client() as client:
            body = {"addresses": ["京"], "key": "k"}  # one key: the same partition each time
            return (await client.post("/events", json=body)).status_code

    async def accepted() -> bool:
        return await status() == 202

    async def refused() -> bool:
        return not await accepted()

    assert await accepted()
    async with bound_on_records(stream, 100):
        await eventually(refused, "a record is larger than the topic takes")

    # What was refused has spent a sequence number: the first to come after that meets the gap.
    await eventually(accepted, "taken again")
    assert [await status() for _ in range(3)] == [202] * 3


@asynccontextmanager
async def bound_on_records(stream: KafkaSettings, size: int) -> AsyncIterator[None]:
    """The topic of events takes no record above this size."""
    topic = stream.names.events
    (spec,) = (one for one in standard_topics(stream.names) if one.name == topic)
    before = dict(spec.config)
    admin = AIOKafkaAdminClient(**client_options(stream))
    await admin.start()

    async def set_config(config: dict[str, str]) -> None:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=config)])

    try:
        await set_config(before | {"max.message.bytes": str(size)})
        yield
        await set_config(before)
    finally:
        await admin.close()


async def test_events_of_which_none_is_an_address_are_refused_by_place(
    gateway: RunningGateway,
) -> None:
    async with gateway.client() as client:
        answer = await client.post("/events", json={"addresses": [7, " ", {"id": "x"}]})

    assert (answer.status_code, answer.json()["code"]) == (422, "bad_body")
    found = [(one["field"], one["code"]) for one in answer.json()["errors"]]
    assert found == [
        ("addresses[0]", "bad_address"),
        ("addresses[1]", "empty_text"),
        ("addresses[2]", "bad_text"),
    ]
