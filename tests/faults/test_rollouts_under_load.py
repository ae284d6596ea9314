"""Promotion and rollback while the stream is loaded, stalls, or loses a worker."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from consumer.parser.seams import AddressModel
from consumer.stream.shadow import shadow_role
from contracts.policy import Policy
from contracts.settings import KafkaSettings
from contracts.spec import ModelSpec
from deploy.rollout_service import controller_parts
from tests.brokers.admin import TopicFactory
from tests.faults.conftest import Spawn
from tests.models import instant
from tests.oracles.adoption import Adoptions, read_adoptions
from tests.streams import controller as c
from tests.streams.concurrent_reader import ConcurrentReader
from tests.streams.judgement import complaints
from tests.streams.load import Load
from tests.streams.whole_system import SMALL, whole_system, wrong
from tests.streams.worker import running_worker, until_done

pytestmark = [pytest.mark.fault, pytest.mark.broker]

PARTITIONS = 6
BUSY = 3
"""Partitions with traffic; the others are idle, and have to adopt all the same."""

ADOPTED_WITHIN_MS = 2000
"""From the decision to the commit in each partition, by the times in the topics."""

SLOW_S_PER_TOKEN = 0.0006
"""The 128 records in work on a busy lane are then two seconds of its device's time and more."""


@pytest.fixture
def loaded(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(PARTITIONS)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def _there_and_back(
    stream: KafkaSettings, seconds_per_token: float, per_second: float, **stable_settings: object
) -> Adoptions:
    """Promote and roll back under load; how long each serving set took to be adopted."""

    def load(spec: ModelSpec) -> AddressModel:
        return instant.InstantModel(spec, instant.InstantEncoder(seconds_per_token))

    async with (
        whole_system(
            stream, load=load, shadow_load=instant.InstantModel, stable_settings=stable_settings
        ),
        ConcurrentReader(stream, partitions=PARTITIONS) as reader,
    ):
        async with Load(stream, partitions=BUSY, per_second=per_second):
            await c.start(stream, policy=SMALL)
            await c.until_phase(stream, "PROMOTED", timeout_s=300)
            await c.ask(stream, "rollback")
            await c.until_phase(stream, "ROLLED_BACK", timeout_s=60)
        await until_done(stream, timeout_s=300)
        assert await complaints(stream, reader) == []
    assert await wrong(stream) == []
    adopted = await read_adoptions(stream)
    print(f"adopted: {adopted}")
    assert adopted.missing(PARTITIONS) == []
    return adopted


async def test_every_partition_adopts_within_two_seconds_under_full_load_idle_ones_too(
    loaded: KafkaSettings,
) -> None:
    """As fast as this process can publish and parse."""
    adopted = await _there_and_back(loaded, 0.0, per_second=2000)
    assert adopted.slowest_ms() < ADOPTED_WITHIN_MS


async def test_a_slow_device_holds_up_no_adoption(loaded: KafkaSettings) -> None:
    adopted = await _there_and_back(loaded, SLOW_S_PER_TOKEN, per_second=200)
    assert adopted.slowest_ms() < ADOPTED_WITHIN_MS


async def test_without_an_end_of_patience_a_slow_device_would(loaded: KafkaSettings) -> None:
    """The negative control: the work in hand alone takes longer than that."""
    adopted = await _there_and_back(
        loaded, SLOW_S_PER_TOKEN, per_second=200, adoption_patience_ms=60_000
    )
    assert adopted.slowest_ms() > ADOPTED_WITHIN_MS


@pytest.mark.parametrize("phase", ["CANARY", "BAKING"])
async def test_without_traffic_nothing_is_promoted(loaded: KafkaSettings, phase: str) -> None:
    steps = SMALL.canary.steps if phase == "BAKING" else SMALL.canary.steps[:1]
    many = 1_000_000
    canary = SMALL.canary.model_copy(
        update={
            "steps": steps
            if phase == "BAKING"
            else tuple(s.model_copy(update={"min_results": many}) for s in steps)
        }
    )
    bake = SMALL.bake.model_copy(update={"min_results": many})
    policy: Policy = SMALL.model_copy(update={"canary": canary, "bake": bake})
    # Given up after sixty times the half second that a step or the bake lasts.
    async with whole_system(loaded, hold_times=60.0):
        async with Load(loaded, partitions=BUSY, per_second=100):
            await c.start(loaded, policy=policy)
            await c.until_phase(loaded, phase, timeout_s=300)
        ended = await c.until_phase(loaded, "INCONCLUSIVE", "PROMOTED", timeout_s=120)
        await until_done(loaded)
    assert ended.phase == "INCONCLUSIVE"
    assert ended.serving.stable == c.STABLE
    assert ended.serving.share == 0.0
    assert await wrong(loaded) == []


async def test_a_worker_that_slept_through_a_promotion_serves_nothing_of_the_old_model(
    loaded: KafkaSettings, spawn: Spawn
) -> None:
    await c.first(loaded)
    sleeper, awake = spawn(loaded, name="sleeper"), spawn(loaded, name="awake")
    await sleeper.ready()
    await awake.ready()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running_worker(loaded, role=shadow_role))
        parts = controller_parts(c.quick_settings(), loaded)
        running = await stack.enter_async_context(c.running_controller(loaded, parts))
        await running.leading()
        reader = await stack.enter_async_context(ConcurrentReader(loaded, partitions=PARTITIONS))
        async with Load(loaded, partitions=PARTITIONS, per_second=100):
            await c.start(loaded, policy=SMALL)
            await c.until_phase(loaded, "SHADOWING", timeout_s=60)
            sleeper.pause()
            await c.until_phase(loaded, "PROMOTED", timeout_s=180)
            sleeper.resume()
            await asyncio.sleep(5)
            spawn(loaded, name="late")
            await asyncio.sleep(10)
        await until_done(loaded, timeout_s=120)
        assert await complaints(loaded, reader) == []
    assert await wrong(loaded) == []
