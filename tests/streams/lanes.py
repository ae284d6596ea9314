"""Real lanes and the real dispatcher without Kafka and without a device."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from consumer.stream.commit_schedule import CommitSchedule
from consumer.stream.dispatcher import Dispatcher
from consumer.stream.in_flight import InFlight
from consumer.stream.lane import Lane
from consumer.stream.records import Outgoing, Record
from consumer.stream.replies import NoReplies
from consumer.stream.residency import ResidentSet
from consumer.stream.roles import route_by_serving_set, serving_plan
from consumer.stream.sink import Sink
from consumer.stream.telemetry import Telemetry
from consumer.stream.traffic import Traffic
from contracts.control import RolloutState
from contracts.offset_metadata import OffsetMetadata
from tests.models import instant

TOPIC = "in"


@dataclass(frozen=True)
class Message:
    """What a lane reads of a Kafka record."""

    offset: int
    value: bytes
    partition: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int | None = None


def message(offset: int, partition: int = 0, addresses: int = 1) -> Message:
    items = [{"id": str(index), "text": "x"} for index in range(addresses)]
    return Message(
        offset, json.dumps({"batch_id": "b", "addresses": items}).encode(), partition=partition
    )


def resident(state: RolloutState | None = None) -> ResidentSet:
    state = state or instant.state()
    return ResidentSet(
        serving_plan(state, "group"),
        {spec.key: instant.InstantModel(spec) for spec in state.serving.specs},
    )


class StubPipeline:
    """Holds records until the test says what becomes of them."""

    def __init__(self) -> None:
        self.inside: list[Record] = []
        self.idle = asyncio.Event()
        self.idle.set()
        self.started: list[int] = []

    def submit(self, record: Record) -> None:
        self.inside.append(record)
        self.started.append(record.origin.offset)
        self.idle.clear()

    def finish(self, record: Record) -> None:
        self.inside.remove(record)
        if not self.inside:
            self.idle.set()
        if not record.abandoned:
            kind = "dlq" if record.dead_letter else "out"
            place = f"{record.origin.partition}/{record.origin.offset}".encode()
            record.outgoing = Outgoing(kind, record.origin.partition, record.key, place, ())
            record.done(record)

    async def publish_dead_letter(self, record: Record) -> None:
        self.submit(record)
        self.started.pop()
        self.finish(record)


class Host:
    """A process's lanes over sinks of the test's choice."""

    def __init__(self, *, max_in_flight: int = 8, name: str = "p", max_addresses: int = 10_000):
        self.pipeline = StubPipeline()
        self.dispatcher = Dispatcher(
            submit=self.pipeline.submit,
            dead_letter=self.pipeline.publish_dead_letter,
            idle=[self.pipeline.idle],
            max_attempts=4,
            crash_code="crashed_worker",
        )
        self.in_flight = InFlight(max_addresses=max_addresses, max_bytes=1 << 30)
        self.telemetry = Telemetry(CollectorRegistry(), token_budget=1024)
        self.lanes: dict[int, Lane] = {}
        self.lost: list[int] = []
        self._name = name
        self._max_in_flight = max_in_flight
        self.dispatching = asyncio.create_task(self.dispatcher.run())

    def on_start(self, lane: Lane, record: Record) -> None:
        self.dispatcher.start(lane, record)

    def on_lost(self, lane: Lane) -> None:
        self.lost.append(lane.partition.partition)

    crashing = False

    def on_room(self) -> None:
        for lane in self.lanes.values():
            lane.pump()

    def make_lane(
        self,
        sink: Sink,
        partition: int = 0,
        *,
        interval_s: float = 0.0,
        traffic: Traffic = Traffic.BULK,
    ) -> Lane:
        lane = Lane(
            TopicPartition(TOPIC, partition),
            traffic=traffic,
            sink=sink,
            schedule=CommitSchedule(interval_s, max_records=100, max_bytes=1 << 20),
            max_in_flight=self._max_in_flight,
            max_bytes=1 << 20,
            max_addresses=1000,
            route=route_by_serving_set,
            in_flight=self.in_flight,
            replies=NoReplies(),
            telemetry=self.telemetry,
            process=self._name,
            host=self,
        )
        self.lanes[partition] = lane
        return lane

    async def open(
        self,
        sink: Sink,
        partition: int = 0,
        *,
        position: int = 0,
        log_end: int = 1000,
        metadata: OffsetMetadata | None = None,
        serving: ResidentSet | None = None,
        interval_s: float = 0.0,
        traffic: Traffic = Traffic.BULK,
    ) -> Lane:
        lane = self.make_lane(sink, partition, interval_s=interval_s, traffic=traffic)
        await lane.fence()
        lane.start(
            position=position,
            log_end=log_end,
            metadata=metadata or OffsetMetadata(),
            serving=serving or resident(),
        )
        return lane

    def metric(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        registry = self.telemetry.metrics.registry
        return registry.get_sample_value(name, dict(labels or {})) or 0.0


async def settle(turns: int = 50) -> None:
    """Let the loop run until everything that can happen at once has happened."""
    for _ in range(turns):
        await asyncio.sleep(0)
