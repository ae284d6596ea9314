"""What a worker does not go on from: it says which, and stops with an error."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from contracts.errors import FatalError
from contracts.settings import KafkaSettings, client_options
from tests.brokers.admin import TopicFactory
from tests.integration.test_worker import publish
from tests.models import instant
from tests.oracles.stream import look
from tests.streams.eventually import eventually
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker


async def _refusal(stream: KafkaSettings) -> FatalError:
    with pytest.raises(FatalError) as caught:
        async with running_worker(stream) as worker:
            await asyncio.wait({worker.task}, timeout=30)
    return caught.value


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(2)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await write_state(stream, instant.state())
    return stream


async def test_fewer_partitions_for_results_than_for_the_input(stream: KafkaSettings) -> None:
    admin = AIOKafkaAdminClient(**client_options(stream))
    await admin.start()
    try:
        await admin.create_partitions({stream.names.events: NewPartitions(total_count=4)})

        async def told() -> bool:  # as for settings, see alter()
            (topic,) = await admin.describe_topics([stream.names.events])
            return len(topic["partitions"]) == 4

        await eventually(told, "the input has four partitions")
    finally:
        await admin.close()
    error = await _refusal(stream)
    assert error.code == "too_few_partitions"
    assert stream.names.parsed in str(error)


async def test_missing_topics(kafka: KafkaSettings, topics: TopicFactory) -> None:
    nothing = kafka.model_copy(update={"topic_prefix": f"{topics.unique('none')}."})
    error = await _refusal(nothing)
    assert error.code == "topic_missing"
    assert nothing.names.events in str(error)


async def test_a_topic_that_takes_only_small_records(stream: KafkaSettings) -> None:
    small = stream.names.dead_letters
    await alter(stream, small, {"max.message.bytes": "100000"})
    error = await _refusal(stream)
    assert error.code == "topic_too_small"
    assert small in str(error)


async def test_an_input_whose_records_do_not_fit_the_dead_letters(stream: KafkaSettings) -> None:
    await alter(stream, stream.names.interactive, {"max.message.bytes": "10000000"})
    error = await _refusal(stream)
    assert error.code == "topic_too_large"
    assert stream.names.interactive in str(error)
    assert stream.names.dead_letters in str(error)


async def alter(stream: KafkaSettings, topic: str, config: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(**client_options(stream))
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=config)])

        async def told() -> bool:
            # The controller answers before the broker, which is asked next, has heard of it.
            asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
            (answer,) = await admin.describe_configs(asked)
            said = {entry[0]: entry[1] for one in answer.resources for entry in one[4]}
            return config.items() <= said.items()

        await eventually(told, f"{topic} has {config}")
    finally:
        await admin.close()


async def _delete_before(stream: KafkaSettings, partition: int, offset: int) -> None:
    admin = AIOKafkaAdminClient(**client_options(stream))
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(stream.names.events, partition): RecordsToDelete(before_offset=offset)}
        )
    finally:
        await admin.close()


async def test_records_that_were_deleted_before_they_were_parsed_are_named(
    stream: KafkaSettings,
) -> None:
    await publish(stream, 40, each=1)
    async with running_worker(stream):
        await until_done(stream)
    await publish(stream, 40, each=1)
    seen = await look(stream)
    lane = max(seen.log_end, key=lambda one: seen.log_end[one] - seen.committed[one])
    committed = seen.committed[lane]
    await _delete_before(stream, lane.partition, committed + 3)
    error = await _refusal(stream)
    assert error.code == "records_lost"
    assert f"/{lane.partition}: offsets {committed} to {committed + 2} were deleted" in str(error)


async def test_without_a_commit_the_oldest_record_that_is_kept_is_the_first(
    stream: KafkaSettings,
) -> None:
    await publish(stream, 40, each=1)
    before = await look(stream)
    lane = max(before.log_end, key=lambda one: before.log_end[one])
    await _delete_before(stream, lane.partition, 2)
    async with running_worker(stream):
        await until_done(stream)
    offsets = [out.place.offset for out in (await look(stream)).results if out.place.lane == lane]
    assert offsets == list(range(2, before.log_end[lane]))


async def test_a_log_that_ends_before_the_commit_is_not_read_from_anywhere(
    stream: KafkaSettings,
) -> None:
    await publish(stream, 4, each=1)
    consumer = AIOKafkaConsumer(
        group_id=stream.names.stable_group, enable_auto_commit=False, **client_options(stream)
    )
    await consumer.start()
    try:
        partition = TopicPartition(stream.names.events, 0)
        consumer.assign([partition])
        await consumer.commit({partition: 1_000})
    finally:
        await consumer.stop()
    assert (await _refusal(stream)).code == "log_shrank"
