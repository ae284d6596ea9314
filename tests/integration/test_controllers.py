"""More than one controller, and controllers that were away: one history, whoever leads."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from contracts.control import decode_state, first_state
from contracts.settings import KafkaSettings, client_options
from contracts.topics import TopicNames, standard_topics
from rollout.guardrails import load_guardrails
from tests.brokers.admin import TopicFactory
from tests.oracles.rollout_history import violations
from tests.streams import controller as c
from tests.streams.controller_process import ControllerProcess
from tests.streams.eventually import eventually
from tests.streams.topic import everything
from tests.streams.worker import write_state

pytestmark = pytest.mark.broker

PARTITIONS = 2


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(PARTITIONS)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def assert_one_history(stream: KafkaSettings) -> None:
    states = [
        decode_state(record.value) for record in await everything(stream, stream.names.control)
    ]
    assert violations(await c.audit_of(stream), states) == []


async def test_of_two_one_leads_and_the_other_takes_over_when_it_stops(
    stream: KafkaSettings,
) -> None:
    await c.first(stream)
    script = c.Script(judge=lambda _: c.judgement("continue", "still_collecting"))
    parts = c.parts_for(stream, script)
    async with (
        c.adopting(stream, PARTITIONS),
        c.traffic(stream),
        c.running_controller(stream, parts) as one,
        c.running_controller(stream, parts) as two,
    ):

        async def settled() -> bool:
            return one.leads != two.leads and not (one.probe.waits_for or two.probe.waits_for)

        await eventually(settled, "exactly one leads, and both are ready")
        await c.start(stream)
        await c.until_phase(stream, "SHADOWING")
        leader, standby = (one, two) if one.leads else (two, one)
        leader.stop.set()
        await standby.leading()
        script.judge = lambda _: c.judgement()
        await c.until_phase(stream, "PROMOTED")
    await assert_one_history(stream)


async def test_a_standby_takes_over_from_a_leader_that_is_killed(
    stream: KafkaSettings, tmp_path: Path
) -> None:
    await c.first(stream)
    script = c.Script(judge=lambda _: c.judgement("continue", "still_collecting"))
    with ControllerProcess(stream.kafka_bootstrap_servers, stream.topic_prefix, tmp_path) as leader:

        async def leads() -> bool:
            return leader.leads

        await eventually(leads, "the process leads")
        async with c.running_controller(stream, c.parts_for(stream, script)) as standby:

            async def joined() -> bool:
                return not standby.probe.waits_for

            await eventually(joined, "the standby is in the group")
            await c.start(stream)
            await c.until_phase(stream, "WARMING")
            leader.kill()
            await standby.leading()
            async with c.adopting(stream, PARTITIONS), c.traffic(stream):
                await c.until_phase(stream, "SHADOWING")
    await assert_one_history(stream)


async def test_a_leader_that_was_frozen_writes_nothing_more(
    stream: KafkaSettings, tmp_path: Path
) -> None:
    await c.first(stream)
    with ControllerProcess(
        stream.kafka_bootstrap_servers, stream.topic_prefix, tmp_path, "--undecided"
    ) as frozen:

        async def leads() -> bool:
            return frozen.leads

        await eventually(leads, "the process leads")
        frozen.signal(signal.SIGSTOP)
        script = c.Script(judge=lambda _: c.judgement("continue", "still_collecting"))
        async with (
            c.running_controller(stream, c.parts_for(stream, script)) as running,
            c.adopting(stream, PARTITIONS),
            c.traffic(stream),
        ):
            await running.leading()
            await c.start(stream)
            frozen.signal(signal.SIGCONT)
            await c.until_phase(stream, "SHADOWING")
            await asyncio.sleep(3.0)
            await c.ask(stream, "abort")
            await c.until_phase(stream, "ABORTED")
            assert frozen.alive, frozen.tail()
    await assert_one_history(stream)


async def test_a_fenced_leader_stands_by_and_can_lead_again(stream: KafkaSettings) -> None:
    await c.first(stream)
    async with c.running_controller(stream, c.parts_for(stream, c.Script())) as running:
        await running.leading()
        other = AIOKafkaProducer(
            transactional_id=stream.names.transactional_id("controller", stream.names.control, 0),
            **client_options(stream),
        )
        await other.start()
        await other.stop()
        await c.start(stream)  # its next write is refused
        await c.outcome(stream, "start r-1")
        await running.leading()
    await assert_one_history(stream)
    answers = [one for one in await c.audit_of(stream) if one.request]
    assert len(answers) == 1


async def test_requests_of_a_time_without_any_controller_are_judged_when_one_comes(
    stream: KafkaSettings,
) -> None:
    await c.first(stream)
    begin = await c.state_of(stream)
    await c.send(stream, c.start_of(begin, "r-1"))
    await c.send(stream, b"{no request")
    late = c.start_of(begin, "r-2").model_copy(
        update={"request_id": "late", "expires_at": "2026-01-01T00:00:00Z"}
    )
    await c.send(stream, late)
    async with c.running_controller(stream, c.parts_for(stream, c.Script())):
        assert (await c.outcome(stream, "start r-1")).request.accepted  # type: ignore[union-attr]  # a request's record
        refused = (await c.outcome(stream, "late")).request
        assert refused is not None
        assert (refused.accepted, refused.code) == (False, "request_expired")
    codes = [one.request.code for one in await c.audit_of(stream) if one.request]
    assert codes == ["", "request_unreadable", "request_expired"]
    await assert_one_history(stream)


async def test_a_successor_stands_where_its_predecessor_stood(stream: KafkaSettings) -> None:
    await c.first(stream)
    script = c.Script(judge=lambda _: c.judgement("continue", "still_collecting"))
    async with c.adopting(stream, PARTITIONS), c.traffic(stream):
        async with c.running_controller(stream, c.parts_for(stream, script)):
            await c.start(stream)

            async def judged() -> bool:
                return len(script.advanced) >= 5

            await c.until_phase(stream, "SHADOWING")
            await eventually(judged, "five cuts")
        recorded = [one.cut for one in await c.audit_of(stream) if one.cut]
        again = c.Script(judge=lambda _: c.judgement("continue", "still_collecting"))
        async with c.running_controller(stream, c.parts_for(stream, again)) as second:
            await second.leading()

            async def further() -> bool:
                return len([one for one in await c.audit_of(stream) if one.cut]) > len(recorded)

            await eventually(further, "another cut")
            assert second.metric("mgeo_controller_refolds_differing_total") == 0
    assert again.advanced[: len(recorded)] == [one.cut.number for one in recorded]
    await assert_one_history(stream)


async def test_a_verdict_that_comes_out_otherwise_is_told(stream: KafkaSettings) -> None:
    await c.first(stream)
    script = c.Script(judge=lambda _: c.judgement("continue", "still_collecting"))
    other = c.Script(judge=lambda _: c.judgement("no_data", "no_traffic"))
    async with c.adopting(stream, PARTITIONS), c.traffic(stream):
        async with c.running_controller(stream, c.parts_for(stream, script)):
            await c.start(stream)

            async def judged() -> bool:
                return any(one.cut for one in await c.audit_of(stream))

            await eventually(judged, "a cut")
        async with c.running_controller(stream, c.parts_for(stream, other)) as second:

            async def told() -> bool:
                return second.metric("mgeo_controller_refolds_differing_total") > 0

            await eventually(told, "the difference is counted")


async def test_a_broken_control_record_is_written_over_and_counted(
    stream: KafkaSettings,
) -> None:
    await c.first(stream)
    await write_state(stream, b"{broken")
    async with c.running_controller(stream, c.parts_for(stream, c.Script())) as running:
        await running.leading()

        async def mended() -> bool:
            newest = (await everything(stream, stream.names.control))[-1].value
            return newest != b"{broken"

        await eventually(mended, "the good state is written again")
        assert running.metric("mgeo_control_errors_total", {"code": "control_corrupt"}) == 1
    assert decode_state((await everything(stream, stream.names.control))[-1].value).revision == 2
    assert [one.kind for one in await c.audit_of(stream)] == ["alert"]


async def test_nothing_is_written_over_a_record_of_a_later_release(
    stream: KafkaSettings,
) -> None:
    await c.first(stream)
    begin = await c.state_of(stream)
    await write_state(stream, b'{"schema_version": 99}')
    async with c.running_controller(stream, c.parts_for(stream, c.Script())) as running:

        async def stands_by() -> bool:
            return "upgrade" in running.probe.waits_for

        await eventually(stands_by, "it says that it must be upgraded")
        await c.send(stream, c.start_of(begin))
        await asyncio.sleep(2.0)
        assert not running.leads
    newest = (await everything(stream, stream.names.control))[-1].value
    assert newest == b'{"schema_version": 99}'
    assert await c.audit_of(stream) == []


async def test_an_empty_control_topic_is_waited_for_or_begun(stream: KafkaSettings) -> None:
    async with c.running_controller(stream, c.parts_for(stream, c.Script())) as running:

        async def waits() -> bool:
            return "first control record" in running.probe.waits_for

        await eventually(waits, "it says what it waits for")
        await c.first(stream)
        await running.leading()


async def test_the_first_record_is_written_by_the_one_who_leads(stream: KafkaSettings) -> None:
    from deploy.first_state import write_first_state

    async def begin() -> str | None:
        return await write_first_state(stream, c.STABLE)

    parts = c.parts_for(stream, c.Script(), first_state=begin)
    async with c.running_controller(stream, parts) as running:
        await running.leading()
    state = await c.state_of(stream)
    assert (state.serving.stable, state.revision) == (c.STABLE, 1)


async def test_a_control_topic_of_another_incarnation_is_read_anew(
    stream: KafkaSettings,
) -> None:
    await c.first(stream)
    async with c.running_controller(stream, c.parts_for(stream, c.Script())) as running:
        await running.leading()
        begin = await c.state_of(stream)
        later = first_state(c.CANDIDATE, incarnation="later", updated_at="2026-02-01T00:00:00Z")
        await write_state(stream, later)
        # The old state's revision is the higher one: it must not be what counts.
        await c.send(stream, c.start_of(begin, candidate=c.STABLE))
        assert (await c.outcome(stream, "start r-1")).incarnation == "later"
        await running.leading()
    assert (await c.state_of(stream)).serving.stable == c.CANDIDATE


@pytest.mark.parametrize("which", ["shadow", "events"])
async def test_a_start_is_refused_where_evidence_would_expire_and_says_what_to_raise(
    kafka: KafkaSettings, topics: TopicFactory, which: str
) -> None:
    """Pairs are evidence, and so are the records that a late shadow has yet to read."""
    prefix = f"{topics.unique('sys')}."
    names = TopicNames(prefix)
    for spec in standard_topics(names, partitions=PARTITIONS):
        config = dict(spec.config)
        if spec.name == getattr(names, which):
            config["retention.ms"] = "3600000"
        topics.create(spec.partitions, name=spec.name, config=config)
    stream = kafka.model_copy(update={"topic_prefix": prefix})
    await c.first(stream)
    async with c.running_controller(stream, c.parts_for(stream, c.Script())):
        await c.start(stream)
        refused = (await c.outcome(stream, "start r-1")).request
    assert refused is not None
    assert (refused.accepted, refused.code) == (False, "retention_too_short")
    assert f"raise retention.ms of {getattr(names, which)} to " in refused.message


async def test_a_start_looser_than_the_guardrails_is_refused_with_the_fields_name(
    stream: KafkaSettings, tmp_path: Path
) -> None:
    file = tmp_path / "guardrails.yaml"
    file.write_text("alpha: {promote: 0.01}\n")
    await c.first(stream)
    parts = c.parts_for(stream, c.Script(), guardrails=load_guardrails(file))
    async with c.running_controller(stream, parts):
        await c.start(stream)
        refused = (await c.outcome(stream, "start r-1")).request
    assert refused is not None
    assert (refused.accepted, refused.code) == (False, "looser_than_guardrails")
    assert "alpha.promote" in refused.message
