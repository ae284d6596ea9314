"""`mgeo topics create` never disturbs a control topic that has its first record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from contracts.control import decode_state, encode_state, first_state
from contracts.offset_metadata import OffsetMetadata
from contracts.settings import KafkaSettings, client_options
from contracts.topics import CONTROL_KEY
from deploy.doctor.serving import last_record
from deploy.first_state import ensure_first_state, write_first_state
from deploy.local import LocalBroker
from tests.brokers.admin import TopicFactory
from tests.models.instant import spec
from tests.streams.worker import running_worker

pytestmark = pytest.mark.broker

PARTITIONS = 2


async def test_a_cluster_that_never_had_a_group_gets_its_first_record(
    own_broker: Callable[..., LocalBroker],
    own_topics: Callable[[LocalBroker], TopicFactory],
) -> None:
    """It makes its topic of groups only when it is first asked, and says no until it stands."""
    broker = own_broker()
    names = own_topics(broker).create_standard(1)
    settings = KafkaSettings(
        kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=names.prefix
    )

    assert await write_first_state(settings, spec()) is not None
    assert await last_record(settings) is not None


async def test_a_controller_at_work_is_not_fenced_by_a_repeated_create(
    kafka: KafkaSettings, topics: TopicFactory
) -> None:
    names = topics.create_standard(1)
    settings = kafka.model_copy(update={"topic_prefix": names.prefix})
    state = first_state(spec(), incarnation="i", updated_at="2026-01-01T00:00:00Z")
    controller = AIOKafkaProducer(
        transactional_id=names.transactional_id("controller", names.control, 0),
        **client_options(kafka),
    )
    assert await last_record(settings) is None
    await controller.start()
    try:
        async with controller.transaction():
            await controller.send_and_wait(names.control, encode_state(state), key=CONTROL_KEY)

        # No model of that version is in the empty home either: none is needed any more.
        assert await asyncio.to_thread(ensure_first_state, settings) is None
        assert await last_record(settings) == encode_state(state)

        async with controller.transaction():  # fenced, this would raise
            await controller.send_and_wait(names.control, encode_state(state), key=CONTROL_KEY)
    finally:
        await controller.stop()


async def test_a_control_topic_made_anew_begins_above_what_partitions_have_adopted(
    kafka: KafkaSettings, topics: TopicFactory
) -> None:
    """Lanes never go back to a lower epoch: below it they would wait for ever."""
    names = topics.create_standard(PARTITIONS)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await note_epochs(stream, [7, 3])

    await write_first_state(stream, spec())

    state = decode_state(await last_record(stream))
    assert (state.revision, state.serving.serving_epoch) == (1, 8)
    async with running_worker(stream) as worker:
        await worker.ready()


async def note_epochs(stream: KafkaSettings, epochs: list[int]) -> None:
    """What stable lanes of an earlier life of the control topic left beside their offsets."""
    consumer = AIOKafkaConsumer(
        group_id=stream.names.stable_group, enable_auto_commit=False, **client_options(stream)
    )
    await consumer.start()
    try:
        notes = {
            TopicPartition(stream.names.events, partition): (0, OffsetMetadata(epoch).encode())
            for partition, epoch in enumerate(epochs)
        }
        consumer.assign(list(notes))
        await consumer.commit(notes)
    finally:
        await consumer.stop()
