"""One rollout from start to promotion and back, with every part real but the models."""

from __future__ import annotations

import pytest

from contracts.settings import KafkaSettings
from tests.brokers.admin import TopicFactory
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
