"""The controller on a real broker: one history, whoever leads."""

from __future__ import annotations

import pytest

from contracts.phases import Phase
from contracts.settings import KafkaSettings
from tests.brokers.admin import TopicFactory
from tests.streams import controller as c

pytestmark = pytest.mark.broker

PARTITIONS = 2


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(PARTITIONS)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def test_a_candidate_goes_all_the_way_and_can_be_taken_back(stream: KafkaSettings) -> None:
    await c.first(stream)
    script = c.Script()
    async with (
        c.running_controller(stream, c.parts_for(stream, script)) as running,
        c.adopting(stream, PARTITIONS),
        c.traffic(stream),
    ):
        await running.leading()
        await c.start(stream)
        promoted = await c.until_phase(stream, "PROMOTED")
        assert promoted.serving.stable == c.CANDIDATE
        assert (promoted.serving.candidate, promoted.serving.share) == (None, 0.0)
        assert promoted.previous == c.STABLE
        await c.ask(stream, "rollback")
        back = await c.until_phase(stream, "ROLLED_BACK")
    assert back.serving.stable == c.STABLE
    assert back.previous is None
    phases = [one.transition.phase for one in await c.audit_of(stream) if one.transition]
    assert phases == [
        Phase.REGISTERED,
        Phase.WARMING,
        Phase.SHADOWING,
        Phase.PASSED,
        Phase.STAGING,
        Phase.CANARY,
        Phase.CANARY,
        Phase.CUTTING_OVER,
        Phase.BAKING,
        Phase.PROMOTED,
        Phase.ROLLING_BACK,
        Phase.ROLLED_BACK,
    ]
