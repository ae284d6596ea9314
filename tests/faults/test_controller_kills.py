"""SIGKILL at every point of the controller's writes: one history all the same."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from contracts.control import decode_state
from contracts.settings import KafkaSettings
from tests.brokers.admin import TopicFactory
from tests.oracles.rollout_history import violations
from tests.streams import controller as c
from tests.streams.controller_process import POINTS, ControllerProcess
from tests.streams.eventually import eventually
from tests.streams.topic import everything

pytestmark = [pytest.mark.broker, pytest.mark.fault, pytest.mark.timeout(900)]

PARTITIONS = 2


async def test_killed_at_every_point_of_its_writes_it_leaves_one_legal_history(
    kafka: KafkaSettings, topics: TopicFactory, tmp_path: Path
) -> None:
    names = topics.create_standard(PARTITIONS)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await c.first(stream)
    begin = c.start_of(await c.state_of(stream))
    # Each of the killed is noticed after seconds only: the request must outlive them.
    await c.send(stream, begin.model_copy(update={"expires_at": "2999-01-01T00:00:00Z"}))
    killed: list[tuple[int, str]] = []
    asked: list[str] = []

    async def lead_and_die(number: int) -> None:
        point, write = POINTS[number % 4], 1 + (number // 4) % 5
        doomed = ("--die-at", point, "--die-at-write", str(write))
        with ControllerProcess(
            kafka.kafka_bootstrap_servers, names.prefix, tmp_path, *doomed
        ) as process:

            async def dead_or_done() -> bool:
                phase = (await c.state_of(stream)).phase
                if phase == "PROMOTED" and not asked:
                    asked.append("rollback")
                    await c.ask(stream, "rollback")
                return not process.alive or phase == "ROLLED_BACK"

            await eventually(dead_or_done, f"killed at {point} of write {write}", timeout_s=90)
            if not process.alive:
                assert process.process.returncode == -9, process.tail()
                killed.append((write, point))

    async with c.adopting(stream, PARTITIONS), c.traffic(stream):
        for number in itertools.count():
            await lead_and_die(number)
            if (await c.state_of(stream)).phase == "ROLLED_BACK":
                break
    assert {point for _, point in killed} == set(POINTS)
    states = [decode_state(one.value) for one in await everything(stream, names.control)]
    audit = await c.audit_of(stream)
    assert violations(audit, states) == []
    assert [one.transition.phase for one in audit if one.transition][-1] == "ROLLED_BACK"


async def test_a_history_with_a_repeated_transition_would_be_noticed(
    kafka: KafkaSettings, topics: TopicFactory
) -> None:
    names = topics.create_standard(PARTITIONS)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await c.first(stream)
    async with c.running_controller(stream, c.parts_for(stream, c.Script())) as running:
        await running.leading()
        await c.start(stream)
        await c.until_phase(stream, "WARMING")
    states = [decode_state(one.value) for one in await everything(stream, names.control)]
    audit = await c.audit_of(stream)
    assert violations(audit, states) == []

    moved = [one for one in audit if one.transition is not None][-1]
    assert any("entered 2 times" in one for one in violations([*audit, moved], states))
    (judged,) = [one for one in audit if one.request is not None]
    assert any("judged 2 times" in one for one in violations([judged, *audit], states))
    # The very last state may be one that nothing is told of: who is waited for, and no more.
    before = [one for one in states if one.revision < moved.revision]
    assert any("audit without its state" in one for one in violations(audit, before))
    holed = [one for one in states if one.revision != moved.revision - 1]
    assert any("revisions of the states" in one for one in violations(audit, holed))
