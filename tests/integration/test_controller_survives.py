"""An error of our own in one rollout stops neither the controller nor the way out of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.judgement import Judgement
from contracts.rollout import Cut
from contracts.settings import KafkaSettings
from tests.brokers.admin import TopicFactory
from tests.streams import controller as c
from tests.streams.eventually import eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(1)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def test_a_judge_that_breaks_leaves_the_controller_leading_and_the_rollout_abortable(
    stream: KafkaSettings,
) -> None:
    def broken(_: Cut) -> Judgement:
        raise ZeroDivisionError

    await c.first(stream)
    parts = c.parts_for(stream, c.Script(judge=broken))
    async with c.adopting(stream, 1), c.running_controller(stream, parts) as running:
        await running.leading()
        await c.start(stream)
        await c.until_phase(stream, "SHADOWING")

        async def failed() -> bool:
            return running.metric("mgeo_controller_evidence_errors_total") >= 1

        await eventually(failed, "the judge has broken")
        await c.ask(stream, "abort")
        state = await c.until_phase(stream, "ABORTED")
    assert state.rollout is not None
    assert state.rollout.code == "aborted"


async def test_a_start_that_breaks_its_judge_is_refused_and_the_next_request_is_judged(
    stream: KafkaSettings,
) -> None:
    breaks = True

    async def positions(_: object) -> dict[Any, Any]:
        if breaks:
            raise OverflowError
        return {}

    await c.first(stream)
    parts = replace(c.parts_for(stream, c.Script()), positions=positions)
    async with c.running_controller(stream, parts) as running:
        await running.leading()
        await c.start(stream, "r-1")
        refused = (await c.outcome(stream, "start r-1")).request
        breaks = False
        await c.start(stream, "r-2")
        accepted = (await c.outcome(stream, "start r-2")).request
    assert refused is not None
    assert (refused.accepted, refused.code) == (False, "request_not_judged")
    assert "OverflowError" in refused.message
    assert accepted is not None
    assert accepted.accepted
