"""A group's offsets that were lost are found again in what it published, and set exactly."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka.admin import AdminClient

from contracts.settings import KafkaSettings, client_options
from tests.brokers.admin import TopicFactory
from tests.integration.test_worker import publish
from tests.models import instant
from tests.oracles.stream import look, violations
from tests.streams.command import Mgeo, MgeoOn
from tests.streams.rollouts import memory_of
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker

EPOCH = 4


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    """A stream of which half is parsed, dead letters among it."""
    names = topics.create_standard(3)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    first = instant.state()
    serving = first.serving.model_copy(update={"serving_epoch": EPOCH})
    await write_state(stream, first.model_copy(update={"serving": serving}))
    await publish(stream, 12)
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        await producer.send_and_wait(names.events, b"{not json", partition=1)
        await producer.send_and_wait(names.interactive, b"{not json", partition=2)
    async with running_worker(stream):
        await until_done(stream)
    await publish(stream, 12)
    return stream


@pytest.fixture
def mgeo(stream: KafkaSettings, mgeo_on: MgeoOn) -> Mgeo:
    return mgeo_on(stream)


def forget(stream: KafkaSettings) -> None:
    """Delete the group, as `kafka-consumer-groups.sh --delete` does."""
    admin = AdminClient({"bootstrap.servers": stream.kafka_bootstrap_servers})
    for gone in admin.delete_consumer_groups([stream.names.stable_group]).values():
        gone.result(30)


async def test_restored_offsets_leave_exactly_what_was_not_parsed(
    stream: KafkaSettings, mgeo: Mgeo
) -> None:
    before = await look(stream)
    code, out, err = await mgeo("topics", "offsets", "--output", "json")
    assert code == 0, f"nothing is wrong yet: {out}{err}"
    assert {one["state"] for one in json.loads(out)["partitions"]} <= {"agrees", "never_parsed"}
    forget(stream)
    code, out, err = await mgeo("topics", "offsets")
    assert code == 1
    assert "would be parsed again" in out
    assert "--restore" in err

    code, _, err = await mgeo("topics", "offsets", "--restore")

    assert code == 0, err
    parsed = {lane: at for lane, at in before.committed.items() if at}  # the others are new
    assert (await look(stream)).committed == parsed
    notes = await memory_of(stream, stream.names.stable_group)
    assert EPOCH in {note.serving_epoch for _, note in notes.values()}
    async with running_worker(stream):
        await until_done(stream)
    assert violations(await look(stream)) == []


async def test_without_that_everything_comes_twice(stream: KafkaSettings) -> None:
    """What the command is for; and that the judge above could have said no."""
    forget(stream)
    async with running_worker(stream):
        await until_done(stream)
    found = violations(await look(stream))
    assert any(one.startswith("doubled") for one in found)


async def test_an_input_that_was_made_anew_is_not_taken_for_the_old_one(
    stream: KafkaSettings, mgeo: Mgeo, topics: TopicFactory
) -> None:
    """Its offsets begin again: at those of old results stand other records, written later."""
    await asyncio.to_thread(topics.remake, stream.names.events, 3)
    forget(stream)
    later = (time.time() + 3600) * 1000
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        for number in range(60):
            await producer.send_and_wait(
                stream.names.events, b"{}", partition=number % 3, timestamp_ms=int(later)
            )
    code, out, _ = await mgeo("topics", "offsets", "--output", "json")
    found = [one for one in json.loads(out)["partitions"] if one["topic"] == stream.names.events]
    assert {one["state"] for one in found} == {"another_log"}
    code, _, _ = await mgeo("topics", "offsets", "--restore")
    assert code == 0
    assert not [lane for lane in (await look(stream)).committed if lane.topic == found[0]["topic"]]


async def test_a_group_that_has_members_is_not_moved(stream: KafkaSettings, mgeo: Mgeo) -> None:
    forget(stream)
    member = AIOKafkaConsumer(
        stream.names.events,
        group_id=stream.names.stable_group,
        enable_auto_commit=False,
        **client_options(stream),
    )
    async with member:
        code, _, err = await mgeo("topics", "offsets", "--restore")
    assert code == 2, err
    assert "has 1 members" in err
    assert "stop the workers" in err
    assert (await look(stream)).committed == {}
