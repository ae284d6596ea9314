"""Shadow workers: pairs for the sample, nothing anywhere else, from one rollout to the next."""

from __future__ import annotations

import json

import pytest

from consumer.stream.shadow import shadow_role
from contracts.events import ShadowPair
from contracts.phases import Phase
from contracts.rollout import Rollout
from contracts.routing import in_shadow
from contracts.settings import KafkaSettings
from producer import AddressPublisher
from producer.topic_log import TopicLog
from tests.brokers.admin import TopicFactory
from tests.streams.eventually import eventually
from tests.streams.rollouts import CANDIDATE, memory_of, pairs_of, rollout_of, state_of
from tests.streams.topic import everything
from tests.streams.worker import RunningWorker, running_worker, write_state

pytestmark = pytest.mark.broker

PARTITIONS = 3


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(PARTITIONS)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def publish(stream: KafkaSettings, records: int, *texts: str) -> None:
    async with AddressPublisher(stream) as publisher:
        for number in range(records):
            await publisher.publish([f"和平路{number}号", *texts], key=f"k{number}")


async def ends(stream: KafkaSettings) -> dict[int, int]:
    async with TopicLog(stream, stream.names.events) as log:
        return await log.ends()


async def until_shadowed(stream: KafkaSettings, rollout: Rollout) -> None:
    """Wait until the shadow group has passed everything that is in the input now."""
    wanted = await ends(stream)

    async def passed() -> bool:
        memory = await memory_of(stream, stream.names.shadow_group(rollout.rollout_id))
        return all(memory.get(p, (-1, None))[0] >= end for p, end in wanted.items() if end > 0)

    await eventually(passed, "the shadow has seen everything")


async def until_warm(stream: KafkaSettings, rollout: Rollout) -> None:
    async def warm() -> bool:
        memory = await memory_of(stream, stream.names.shadow_group(rollout.rollout_id))
        return [one.serving_epoch for _, one in memory.values()] == (
            [rollout.started_revision] * PARTITIONS
        )

    await eventually(warm, "every partition says that the shadow is warm")


async def reason(worker: RunningWorker) -> str:
    return str(json.loads((await worker.get("/readyz")).text).get("reason", ""))


async def until_reason(worker: RunningWorker, text: str) -> None:
    async def says() -> bool:
        return bool(worker.port) and text in await reason(worker)

    await eventually(says, f"/readyz says: {text}")


def places(pairs: list[ShadowPair]) -> list[tuple[int, int]]:
    return sorted((pair.origin.partition, pair.origin.offset) for pair in pairs)


async def inputs(stream: KafkaSettings) -> list[tuple[int, int]]:
    return sorted((r.partition, r.offset) for r in await everything(stream, stream.names.events))


@pytest.mark.parametrize("share", [1.0, 0.3])
async def test_every_record_of_the_sample_becomes_one_pair_and_all_offsets_are_passed(
    stream: KafkaSettings, share: float
) -> None:
    rollout = rollout_of(share=share)
    async with running_worker(stream, role=shadow_role) as worker:
        await until_reason(worker, "waiting for a rollout")
        await write_state(stream, state_of(rollout, Phase.WARMING, revision=2))
        await until_warm(stream, rollout)
        await worker.ready()
        await publish(stream, 60)
        await until_shadowed(stream, rollout)
        assert (await worker.get("/livez")).status_code == 200
    pairs = await pairs_of(stream)
    sampled = [one for one in await inputs(stream) if in_shadow(rollout.rollout_id, *one, share)]
    assert places(pairs) == sampled
    assert 0 < len(sampled) <= 60
    for pair in pairs:
        assert pair.rollout_id == rollout.rollout_id
        assert pair.input_ms is not None
        assert pair.batch is not None
        assert pair.candidate.model.version == CANDIDATE.version
        assert (pair.candidate.model.track, pair.reference.model.track) == ("canary", "stable")
        assert pair.candidate.results == pair.reference.results
        assert pair.candidate.device_ms > 0 < pair.reference.device_ms
    assert {pair.batch.order for pair in pairs if pair.batch} == {
        "candidate_first",
        "reference_first",
    }
    assert await everything(stream, stream.names.parsed) == []
    assert await everything(stream, stream.names.dead_letters) == []
    assert await memory_of(stream, stream.names.stable_group) == {}
