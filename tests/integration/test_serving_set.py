"""Which model serves: followed from the control topic, adopted at an offset, named in results."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client import CollectorRegistry

from consumer.parser.seams import AddressModel
from consumer.stream.control import follow_control
from contracts.control import RolloutState, ServingSet
from contracts.errors import PermanentError
from contracts.metrics import WORKER_METRICS, Metrics
from contracts.offset_metadata import OffsetMetadata
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from producer import AddressPublisher
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.oracles.stream import look, violations
from tests.streams.eventually import eventually
from tests.streams.topic import everything
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker

PARTITIONS = 3
NEW = instant.spec("mgeo-instant-v2-20260201")


def state(epoch: int, model: ModelSpec | None = None, **more: object) -> RolloutState:
    return RolloutState(
        incarnation="test",
        revision=epoch,
        serving=ServingSet(stable=model or instant.spec(), serving_epoch=epoch),
        **more,  # type: ignore[arg-type]  # by name
    )


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(PARTITIONS)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def publish(stream: KafkaSettings, records: int) -> None:
    async with AddressPublisher(stream) as publisher:
        for number in range(records):
            await publisher.publish([f"和平路{number}号"], key=f"k{number}")


async def adopted(stream: KafkaSettings) -> dict[TopicPartition, OffsetMetadata]:
    admin = AIOKafkaAdminClient(**client_options(stream))
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(stream.names.stable_group)
    finally:
        await admin.close()
    return {
        partition: OffsetMetadata.decode(found.metadata) or OffsetMetadata()
        for partition, found in offsets.items()
    }


async def until_adopted(stream: KafkaSettings, epoch: int) -> None:
    async def by_all() -> bool:
        found = await adopted(stream)
        return [m.serving_epoch for m in found.values()] == [epoch] * (2 * PARTITIONS)

    await eventually(by_all, f"all partitions at epoch {epoch}")


async def served(stream: KafkaSettings) -> dict[tuple[int, int], tuple[str, int]]:
    """Model version and serving epoch of every result, by origin."""
    found = {}
    for record in await everything(stream, stream.names.parsed):
        message = json.loads(record.value)
        place = (message["origin"]["partition"], message["origin"]["offset"])
        found[place] = (message["model"]["version"], message["model"]["serving_epoch"])
    return found


async def test_a_worker_waits_for_a_first_record_and_is_not_ready(stream: KafkaSettings) -> None:
    async with running_worker(stream) as worker:

        async def waits() -> bool:
            return bool(worker.port) and "control record" in (await worker.get("/readyz")).text

        await eventually(waits, "it says what it waits for")
        assert (await worker.get("/readyz")).status_code == 503
        assert (await worker.get("/livez")).status_code == 200
        await write_state(stream, state(1))
        await worker.ready()


async def test_a_new_model_is_adopted_at_an_offset_on_busy_and_idle_partitions(
    stream: KafkaSettings,
) -> None:
    await write_state(stream, state(1))
    async with running_worker(stream) as worker:
        await worker.ready()
        await until_adopted(stream, 1)  # nothing was published: every lane is idle
        await publish(stream, 20)
        await write_state(stream, state(2, NEW))
        await publish(stream, 20)
        await until_adopted(stream, 2)
        await publish(stream, 20)
        await until_done(stream)
        boundary = await adopted(stream)
        assert await worker.metric("mgeo_serving_epoch") == 2
        assert await worker.metric("mgeo_version_mismatch") == 1, "the record wins, and says so"
    assert violations(await look(stream)) == []
    for (partition, offset), (version, epoch) in (await served(stream)).items():
        new = offset >= boundary[TopicPartition(stream.names.events, partition)].from_offset
        assert (version, epoch) == ((NEW.version, 2) if new else (instant.spec().version, 1))


async def test_unusable_and_older_control_records_change_nothing(stream: KafkaSettings) -> None:
    await write_state(stream, state(5))
    async with running_worker(stream) as worker:
        await worker.ready()
        await write_state(stream, b"{broken")
        await write_state(stream, json.dumps({"schema_version": 99}).encode())
        await write_state(stream, state(4, NEW))  # a late write of a fenced controller

        async def counted() -> bool:
            return await worker.metric("mgeo_control_errors_total") == 2

        await eventually(counted, "both unusable records counted")
        await publish(stream, 10)
        await until_done(stream)
        assert await worker.metric("mgeo_serving_epoch") == 5
    assert set((await served(stream)).values()) == {(instant.spec().version, 5)}


async def test_a_rollback_throws_uncommitted_work_away_and_loses_nothing(
    stream: KafkaSettings,
) -> None:
    await write_state(stream, state(1))

    def load(spec: ModelSpec) -> AddressModel:
        # The new model is so slow that there is work in hand when it is withdrawn.
        return instant.InstantModel(spec, instant.InstantEncoder(0.01 if spec == NEW else 0.0))

    async with running_worker(stream, load=load, token_budget=64) as worker:
        await worker.ready()
        await write_state(stream, state(2, NEW, previous=instant.spec()))
        await until_adopted(stream, 2)
        await publish(stream, 150)
        await asyncio.sleep(1.0)
        await write_state(stream, state(3, phase="ROLLING_BACK"))
        await until_adopted(stream, 3)
        boundary = await adopted(stream)
        await until_done(stream)
    assert violations(await look(stream)) == []
    found = await served(stream)
    assert {epoch for _, epoch in found.values()} == {2, 3}, "it was caught in the middle"
    for (partition, offset), (version, epoch) in found.items():
        if offset >= boundary[TopicPartition(stream.names.events, partition)].from_offset:
            assert (version, epoch) == (instant.spec().version, 3)


async def test_a_model_that_is_refused_leaves_the_one_that_serves_alone(
    stream: KafkaSettings,
) -> None:
    await write_state(stream, state(1))
    refusals: list[ModelSpec] = []

    def load(spec: ModelSpec) -> AddressModel:
        if spec == NEW:
            refusals.append(spec)
            raise PermanentError("the digest is another", code="digest_mismatch")
        return instant.InstantModel(spec)

    async with running_worker(stream, load=load) as worker:
        await worker.ready()
        await write_state(stream, state(2, NEW))

        async def refused() -> bool:
            return bool(refusals)

        await eventually(refused, "the new model was tried")
        await publish(stream, 6)
        await until_done(stream)
        assert (await worker.get("/readyz")).status_code == 200
        await write_state(stream, state(3))  # and back at once, though the other is still tried
        await until_adopted(stream, 3)
    assert {version for version, _ in (await served(stream)).values()} == {instant.spec().version}


async def test_a_new_owner_waits_for_the_epoch_that_the_partition_has_reached(
    stream: KafkaSettings,
) -> None:
    await write_state(stream, state(4))
    async with running_worker(stream) as worker:
        await worker.ready()
        await until_adopted(stream, 4)
    # A controller whose last write this worker cannot see yet: here, a topic made anew.
    await write_state(stream, state(2).model_copy(update={"incarnation": "later"}))
    async with running_worker(stream) as worker:
        await publish(stream, 5)
        await asyncio.sleep(3.0)
        assert (await worker.get("/readyz")).status_code == 503
        assert await worker.metric('mgeo_lanes{state="opening"}') == 2 * PARTITIONS
        assert (await look(stream)).results == []
        newest = state(4).model_copy(update={"incarnation": "later"})
        await write_state(stream, newest)
        await worker.ready()
        await until_done(stream)
    assert violations(await look(stream)) == []


@pytest.mark.parametrize("earlier", [1, 3])
async def test_a_control_topic_that_was_made_anew_is_followed_though_it_is_as_short_or_shorter(
    stream: KafkaSettings, topics: TopicFactory, earlier: int
) -> None:
    """A reader stands at an offset: at the end of the new log, or beyond it, nothing is read."""
    for epoch in range(1, earlier + 1):
        await write_state(stream, state(epoch))
    followed: list[RolloutState] = []
    registry = CollectorRegistry()
    following = asyncio.create_task(
        follow_control(
            stream.names.control,
            client_options(stream),
            Metrics(WORKER_METRICS, registry),
            followed.append,
            look_again_s=0.5,
        )
    )
    try:
        await eventually(lambda: said(followed, "test"), "the old one is followed")
        topics.remake(stream.names.control, config={"cleanup.policy": "compact"})
        later = state(earlier + 1).model_copy(update={"incarnation": "later", "revision": 1})
        await write_state(stream, later)
        await eventually(lambda: said(followed, "later"), "the new one is followed")
        await asyncio.sleep(1.2)  # it is looked at again, and is no news
    finally:
        following.cancel()
        await asyncio.wait({following})
    assert [one.incarnation for one in followed] == ["test", "later"]
    assert followed[-1] == later


async def said(followed: list[RolloutState], incarnation: str) -> bool:
    return bool(followed) and followed[-1].incarnation == incarnation
