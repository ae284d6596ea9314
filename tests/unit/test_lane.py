"""The lane: what it commits, what it gives up, and that it always ends."""

from __future__ import annotations

import asyncio

import pytest

from consumer.stream.records import Record
from consumer.stream.sink import SinkLostError
from consumer.stream.traffic import Traffic
from contracts.control import RolloutState, ServingSet
from contracts.offset_metadata import OffsetMetadata
from tests.models import instant
from tests.streams.lanes import Host, Message, message, resident, settle
from tests.streams.memory import MemoryBroker, MemorySink


def published(broker: MemoryBroker, partition: int = 0) -> list[str]:
    return [out.value.decode() for out in broker.partitions[partition].results]


def record_at(host: Host, offset: int) -> Record:
    (record,) = [r for r in host.pipeline.inside if r.origin.offset == offset]
    return record


async def test_results_come_out_in_the_order_of_the_input() -> None:
    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0))
    for offset in (0, 1, 5):
        lane.admit(message(offset))
    await settle()
    for offset in (5, 1, 0):
        host.pipeline.finish(record_at(host, offset))
        await settle()
    assert published(broker) == ["0/0", "0/1", "0/5"]
    assert broker.partitions[0].offset == 6
    assert (host.in_flight.addresses, host.in_flight.bytes) == (0, 0)
    await lane.close(0)


async def test_a_record_is_started_only_after_its_start_was_written_down() -> None:
    broker, host = MemoryBroker(), Host()
    sink = MemorySink(broker, 0)
    lane = await host.open(sink)
    await settle()
    sink.gate.clear()
    lane.admit(message(0))
    await settle()
    assert host.pipeline.started == []
    sink.gate.set()
    await settle()
    assert host.pipeline.started == [0]
    assert "attempt=1" in broker.partitions[0].metadata
    await lane.close(0)


async def test_keys_and_headers_count_among_the_bytes_that_are_taken_in() -> None:
    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0))
    value = message(0).value
    lane.admit(Message(0, value, key=b"k" * 1_000, headers=(("app", b"h" * 2_000),)))
    await settle()
    held = len(value) + 1_000 + len("app") + 2_000
    assert held <= host.in_flight.bytes <= held + 10
    assert record_at(host, 0).size == host.in_flight.bytes
    host.pipeline.finish(record_at(host, 0))
    await settle()
    assert host.in_flight.bytes == 0
    await lane.close(0)


async def test_a_record_seen_twice_is_worked_on_once() -> None:
    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0), position=3)
    for offset in (2, 3, 3, 4, 3):
        lane.admit(message(offset))
    await settle()
    assert host.pipeline.started == [3, 4]
    await lane.close(0)


async def test_a_lost_lane_stays_lost_and_gives_everything_up() -> None:
    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0))
    for offset in range(4):
        lane.admit(message(offset))
    await settle()
    await MemorySink(broker, 0).open()  # another owner
    host.pipeline.finish(record_at(host, 0))
    await settle()
    assert host.lost == [0]
    assert lane.state == "closed"
    assert published(broker) == []
    assert all(record.abandoned for record in host.pipeline.inside)
    assert (host.in_flight.addresses, host.in_flight.bytes) == (0, 0)
    assert host.metric("mgeo_fencings_total") == 1
    for record in [*host.pipeline.inside]:
        host.pipeline.finish(record)
    lane.admit(message(9))
    await settle()
    assert published(broker) == []
    await lane.close(1.0)


async def test_an_error_that_nobody_foresaw_loses_the_lane_too() -> None:
    def fail() -> None:
        if broker.partitions[0].commits:
            raise RuntimeError("unforeseen")

    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0, fail))
    lane.admit(message(0))
    await settle()
    assert host.lost == [0]
    assert host.metric("mgeo_fencings_total") == 0
    await lane.close(1.0)


async def test_closing_waits_for_work_in_hand_and_takes_back_the_note() -> None:
    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0))
    for offset in range(3):
        lane.admit(message(offset))
    await settle()
    closing = asyncio.create_task(lane.close(5.0))
    await settle()
    for record in [*host.pipeline.inside]:
        host.pipeline.finish(record)
    await closing
    assert published(broker) == ["0/0", "0/1", "0/2"]
    assert broker.partitions[0].offset == 3
    assert OffsetMetadata.decode(broker.partitions[0].metadata) == OffsetMetadata(1, 0, 0)


async def test_a_handover_keeps_the_crashes_of_earlier_owners_in_mind() -> None:
    broker, host = MemoryBroker(), Host(name="b")
    broker.partitions[0].offset = 7
    suspect = OffsetMetadata(1, 0, 2, "a")
    lane = await host.open(MemorySink(broker, 0), position=7, metadata=suspect)
    lane.admit(message(7))
    await settle()
    assert "attempt=3" in broker.partitions[0].metadata
    await lane.close(0.0)
    assert OffsetMetadata.decode(broker.partitions[0].metadata) == OffsetMetadata(1, 0, 2)


async def test_a_broken_device_counts_as_a_crash_though_the_lane_still_closes() -> None:
    broker, host = MemoryBroker(), Host(name="b")
    lane = await host.open(MemorySink(broker, 0))
    lane.admit(message(0))
    await settle()
    host.crashing = True
    async with asyncio.timeout(2.0):
        await lane.close(60.0)  # nothing in work will end, so it waits for nothing
    note = OffsetMetadata.decode(broker.partitions[0].metadata)
    assert note is not None
    assert (note.attempt, note.writer) == (1, "b"), "the next owner runs it as a suspect"


async def test_closing_ends_although_the_broker_never_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("consumer.stream.lane._COMMIT_GRACE_S", 0.05)
    broker, host = MemoryBroker(), Host()
    sink = MemorySink(broker, 0)
    lane = await host.open(sink)
    lane.admit(message(0))
    await settle()
    sink.gate.clear()
    host.pipeline.finish(record_at(host, 0))
    async with asyncio.timeout(2.0):
        await lane.close(0.05)
    assert sink.closed
    sink.gate.set()
    await settle()
    assert published(broker) == [], "what nobody waited for did not happen later"


async def test_a_note_that_never_gets_through_stops_no_other_lane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("consumer.stream.lane._COMMIT_GRACE_S", 0.05)
    broker, host = MemoryBroker(), Host()
    stuck = MemorySink(broker, 0)
    lane = await host.open(stuck)
    await settle()
    stuck.gate.clear()
    lane.admit(message(0))  # the dispatcher waits for its note
    await settle()
    await lane.close(0.0)
    assert not host.dispatching.done()
    other = await host.open(MemorySink(broker, 1), 1)
    other.admit(message(0, 1))
    await settle()
    host.pipeline.finish(record_at(host, 0))
    await settle()
    assert published(broker, 1) == ["1/0"]
    await other.close(0)


async def test_work_of_a_withdrawn_model_is_discarded_and_read_again() -> None:
    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0))
    for offset in range(4):
        lane.admit(message(offset))
    await settle()
    host.pipeline.finish(record_at(host, 0))
    await settle()
    back = RolloutState(
        incarnation="test",
        revision=2,
        serving=ServingSet(stable=instant.spec(), serving_epoch=2),
        phase="ROLLING_BACK",
    )
    assert lane.adopt(resident(back)) == 1
    assert lane.adopt(resident(back)) is None
    await settle()
    assert lane.adopted_epoch == 2
    assert OffsetMetadata.decode(broker.partitions[0].metadata).from_offset == 1  # type: ignore[union-attr]  # it is ours
    for record in [*host.pipeline.inside]:
        host.pipeline.finish(record)
    for offset in (1, 2, 3):
        lane.admit(message(offset))
    await settle()
    for record in [*host.pipeline.inside]:
        host.pipeline.finish(record)
    await settle()
    assert published(broker) == ["0/0", "0/1", "0/2", "0/3"]
    assert host.in_flight.addresses == 0
    await lane.close(0)


async def test_what_was_read_before_going_back_leaves_no_gap_among_what_is_read_again() -> None:
    """One poll can bring both: records fetched before the seek, and those fetched after it."""
    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0))
    for offset in (0, 2, 3):
        lane.admit(message(offset))
    await settle()
    host.pipeline.finish(record_at(host, 0))
    await settle()
    back = RolloutState(
        incarnation="test",
        revision=2,
        serving=ServingSet(stable=instant.spec(), serving_epoch=2),
        phase="ROLLING_BACK",
    )
    assert lane.adopt(resident(back)) == 1
    for offset in (4, 5, 2, 3, 4, 5):  # the first two had been fetched already
        lane.admit(message(offset))
    await settle()
    for record in [*host.pipeline.inside]:
        host.pipeline.finish(record)
    await settle()
    assert published(broker) == ["0/0", "0/2", "0/3", "0/4", "0/5"]
    await lane.close(0)


async def test_a_lane_without_work_in_hand_goes_back_without_reading_again() -> None:
    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0))
    back = RolloutState(
        incarnation="test",
        revision=2,
        serving=ServingSet(stable=instant.spec(), serving_epoch=2),
        phase="ROLLING_BACK",
    )
    assert lane.adopt(resident(back)) is None
    lane.admit(message(0))
    await settle()
    assert lane.adopted_epoch == 2
    host.pipeline.finish(record_at(host, 0))
    await settle()
    assert published(broker) == ["0/0"]
    await lane.close(0)


async def test_no_more_addresses_are_in_work_than_allowed() -> None:
    broker, host = MemoryBroker(), Host(max_addresses=10)
    lanes = [await host.open(MemorySink(broker, p), p) for p in range(2)]
    for offset in range(5):
        for partition, lane in enumerate(lanes):
            lane.admit(message(offset, partition, addresses=4))
    done = 0
    while host.pipeline.inside or host.in_flight.addresses:
        assert host.in_flight.addresses <= 10
        await settle()
        for record in host.pipeline.inside[:1]:
            host.pipeline.finish(record)
            done += 1
        await settle()
    assert done == 10, "what waited was started once there was room"
    for lane in lanes:
        await lane.close(0)


async def test_a_record_larger_than_the_bound_runs_alone() -> None:
    broker, host = MemoryBroker(), Host(max_addresses=10)
    lane = await host.open(MemorySink(broker, 0))
    lane.admit(message(0, addresses=50))
    lane.admit(message(1, addresses=1))
    await settle()
    assert host.pipeline.started == [0]
    host.pipeline.finish(record_at(host, 0))
    await settle()
    assert host.pipeline.started == [0, 1]
    await lane.close(0)


async def test_the_sink_in_memory_fences_like_the_real_one() -> None:
    broker = MemoryBroker()
    old, new = MemorySink(broker, 0), MemorySink(broker, 0)
    await old.open()
    await new.open()
    with pytest.raises(SinkLostError) as caught:
        await old.commit([], 1, "")
    assert caught.value.fenced
    await new.commit([], 1, "")


def _forward() -> RolloutState:
    return RolloutState(
        incarnation="test",
        revision=2,
        serving=ServingSet(stable=instant.spec(), serving_epoch=2),
        phase="CUTTING_OVER",
    )


async def test_work_in_hand_is_finished_before_a_lane_moves_forward() -> None:
    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0))
    for offset in range(3):
        lane.admit(message(offset))
    await settle()
    assert lane.adopt(resident(_forward())) is None
    await settle()
    assert lane.adopted_epoch == 1
    for record in [*host.pipeline.inside]:
        host.pipeline.finish(record)
    await settle()
    assert lane.adopted_epoch == 2
    assert OffsetMetadata.decode(broker.partitions[0].metadata).from_offset == 3  # type: ignore[union-attr]  # it is ours
    assert lane.hasten(2) is None, "there is nothing left to hasten"
    assert published(broker) == ["0/0", "0/1", "0/2"]
    await lane.close(0)


async def test_work_that_takes_too_long_is_done_again_under_the_new_serving_set() -> None:
    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0))
    for offset in range(3):
        lane.admit(message(offset))
    await settle()
    host.pipeline.finish(record_at(host, 0))
    await settle()
    lane.adopt(resident(_forward()))
    assert lane.hasten(1) is None, "another epoch is none of its business"
    assert lane.hasten(2) == 1
    assert lane.hasten(2) is None
    await settle()
    assert lane.adopted_epoch == 2
    assert OffsetMetadata.decode(broker.partitions[0].metadata).from_offset == 1  # type: ignore[union-attr]  # it is ours
    late = [*host.pipeline.inside]
    for offset in (1, 2):
        lane.admit(message(offset))
    await settle()
    for record in late:  # what the old work comes to is not wanted any more
        host.pipeline.finish(record)
    await settle()
    assert published(broker) == ["0/0"]
    for record in [*host.pipeline.inside]:
        host.pipeline.finish(record)
    await settle()
    assert published(broker) == ["0/0", "0/1", "0/2"]
    assert host.in_flight.addresses == 0
    await lane.close(0)


async def test_whoever_waits_stands_behind_one_suspect_and_not_behind_all_of_them() -> None:
    broker, host = MemoryBroker(), Host()
    crashed = OffsetMetadata(1, 0, 1, "another")
    suspects = await host.open(MemorySink(broker, 0), metadata=crashed)
    urgent = await host.open(MemorySink(broker, 1), 1, traffic=Traffic.INTERACTIVE)
    for offset in range(3):
        suspects.admit(message(offset))
    await settle()
    assert host.pipeline.started == [0], "a suspect runs alone"
    for offset in (10, 11):
        urgent.admit(message(offset, partition=1))
    await settle()
    assert host.pipeline.started == [0], "and whoever comes meanwhile does not run beside it"

    host.pipeline.finish(record_at(host, 0))
    await settle()
    assert host.pipeline.started == [0, 10, 11]
    for offset in (10, 11):
        host.pipeline.finish(record_at(host, offset))
        await settle()
    assert host.pipeline.started == [0, 10, 11, 1], "nor are the suspects kept waiting"
    for lane in (suspects, urgent):
        await lane.close(0)
