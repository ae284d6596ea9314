"""The controller on a real broker: one history, whoever leads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.phases import Phase
from contracts.settings import KafkaSettings
from rollout.asking import verb_request
from rollout.partitions import InputPartition
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.streams import controller as c
from tests.streams.eventually import eventually

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


async def test_a_promotion_waits_for_interactive_partitions_though_nobody_uses_them(
    stream: KafkaSettings,
) -> None:
    await c.first(stream)
    last = InputPartition(interactive=True, partition=PARTITIONS - 1)
    async with (
        c.running_controller(stream, c.parts_for(stream, c.Script())) as running,
        c.adopting(stream, PARTITIONS) as holding_out,
        c.traffic(stream),
    ):
        holding_out.add(last)
        await running.leading()
        await c.start(stream)

        async def waits_for_it() -> bool:
            rollout = (await c.state_of(stream)).rollout
            return rollout is not None and rollout.waiting_interactive == (last.partition,)

        await eventually(waits_for_it, "it waits for the interactive partition")
        assert (await c.state_of(stream)).phase == Phase.STAGING
        holding_out.clear()
        await c.until_phase(stream, "PROMOTED")


async def test_a_promotion_is_taken_back_by_a_successor_after_another_candidate_failed(
    stream: KafkaSettings,
) -> None:
    await c.first(stream)
    script = c.Script()
    other = instant.spec("mgeo-instant-v3-20260301")
    async with c.adopting(stream, PARTITIONS), c.traffic(stream):
        async with c.running_controller(stream, c.parts_for(stream, script)) as running:
            await running.leading()
            await c.start(stream)
            await c.until_phase(stream, "PROMOTED")
            script.judge = lambda _: c.judgement("fail", "gate_failed")
            await c.start(stream, "r-2", candidate=other)
            failed = await c.until_phase(stream, "ABORTED")
        assert failed.promoted is not None
        assert (failed.promoted.rollout_id, failed.previous) == ("r-1", c.STABLE)
        # Another controller: what it knows of the promoted one's cuts is what it reads.
        async with c.running_controller(stream, c.parts_for(stream, script)) as running:
            await running.leading()
            back = verb_request(
                "rollback", failed.promoted, request_id="back", requested_by="a test",
                now=datetime.now(UTC),
            )  # fmt: skip
            await c.send(stream, back)
            ended = await c.until_phase(stream, "ROLLED_BACK")
    assert ended.rollout is not None
    assert ended.rollout.rollout_id == "r-1"
    assert (ended.serving.stable, ended.previous, ended.promoted) == (c.STABLE, None, None)
    assert ended.serving.serving_epoch == failed.serving.serving_epoch + 1
    audit = await c.audit_of(stream)
    cuts = [one for one in audit if one.cut is not None and one.rollout_id == "r-1"]
    (decided,) = [
        one.decision
        for one in audit
        if one.decision is not None and one.decision["phase"] == "ROLLED_BACK"
    ]
    assert cuts[-1].cut is not None
    assert (decided["rollout_id"], decided["cuts"]) == ("r-1", len(cuts))
    assert decided["chain"] == cuts[-1].cut.chain
