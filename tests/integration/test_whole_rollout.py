"""One rollout from start to promotion and back, with every part real but the models."""

from __future__ import annotations

import pytest

from contracts.settings import KafkaSettings
from contracts.spec import ModelSpec
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.streams import controller as c
from tests.streams.load import Load
from tests.streams.whole_system import SMALL, watching_adoption, whole_system, wrong
from tests.streams.worker import until_done

pytestmark = pytest.mark.broker

PARTITIONS = 3


async def test_promotion_and_rollback_lose_nothing_and_double_nothing(
    kafka: KafkaSettings, topics: TopicFactory
) -> None:
    names = topics.create_standard(PARTITIONS)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    async with whole_system(stream), watching_adoption(stream, PARTITIONS) as adoption:
        async with Load(stream, partitions=PARTITIONS, per_second=100):
            await c.start(stream, policy=SMALL)
            await c.until_phase(stream, "PROMOTED", timeout_s=120)
            await c.ask(stream, "rollback")
            await c.until_phase(stream, "ROLLED_BACK")
        await until_done(stream)
    print(f"adopted: {adoption}")
    assert await wrong(stream) == []
    # stable alone, candidate at 0, 0.1, 0.5, cut-over, and the way back
    assert len(adoption.seconds) >= 5


def upgraded(spec: ModelSpec) -> ModelSpec:
    """The same weights, as workers of a newer release run them."""
    return spec.model_copy(update={"fingerprint": "f" * 16})


async def test_after_an_upgrade_a_start_that_renews_the_fingerprint_goes_through(
    kafka: KafkaSettings, topics: TopicFactory
) -> None:
    """The record names what no worker makes of the model any more; without a new name a rollout
    would compare with that, and could prove nothing."""
    names = topics.create_standard(PARTITIONS)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    candidate = upgraded(c.CANDIDATE)
    async with whole_system(stream, load=lambda spec: instant.InstantModel(upgraded(spec))):
        async with Load(stream, partitions=PARTITIONS, per_second=100):
            await c.start(stream, "r-old", policy=SMALL, candidate=candidate)
            ended = await c.until_phase(stream, "INCONCLUSIVE", timeout_s=120)
            assert ended.rollout is not None
            assert ended.rollout.code == "runtime_changed"

            renewed = upgraded(c.STABLE)
            await c.start(stream, "r-new", policy=SMALL, candidate=candidate, renewed=renewed)
            await c.until_phase(stream, "PROMOTED", timeout_s=120)
            await c.ask(stream, "rollback")
            await c.until_phase(stream, "ROLLED_BACK")
        await until_done(stream)
    assert (await c.state_of(stream)).serving.stable == renewed
    found = await wrong(stream)
    assert found, "in the first epoch no result is of what the record names"
    assert [one for one in found if " in epoch 1 " not in one] == []
