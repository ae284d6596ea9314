"""One membership in the consumer group: from joining to leaving, with the lanes in between.

A membership ends because the worker drains, or because a lane was lost: then the worker
leaves the group and joins again, and the lost partition is opened only on assignment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from consumer.stream.adoption import may_open
from consumer.stream.lane import Lane
from consumer.stream.residency import Residency
from consumer.stream.sink import SinkLostError
from consumer.stream.telemetry import Telemetry
from contracts.control import RolloutState
from contracts.errors import FatalError
from contracts.logs import get_logger
from contracts.offset_metadata import OffsetMetadata

_log = get_logger(__name__)

Ending = Literal["drained", "lane_lost"]


@dataclass(frozen=True, slots=True)
class MembershipLimits:
    """The bounds of one membership.

    Attributes:
        max_addresses: addresses in flight above which all partitions are paused.
        max_bytes: bytes in flight above which all partitions are paused.
        poll_records: most records taken from the client at a time.
        revoke_budget_s: time that work in hand gets when partitions are taken away.
        drain_budget_s: the same when the worker stops.
    """

    max_addresses: int
    max_bytes: int
    poll_records: int
    revoke_budget_s: float
    drain_budget_s: float


def first_position(
    partition: TopicPartition, committed: int | None, beginning: int, end: int
) -> int:
    """Where a lane starts. Nothing committed means the oldest record that is kept.

    Raises:
        FatalError: ``records_lost`` when committed records' successors are gone from the log;
            ``log_shrank`` when the log ends before the committed offset.
    """
    if committed is None:
        return beginning
    name = f"{partition.topic}/{partition.partition}"
    if committed < beginning:
        raise FatalError(
            f"{name}: offsets {committed} to {beginning - 1} were deleted before they were parsed",
            code="records_lost",
            hint="publish them again, then set the group's offset to the log's beginning; give "
            "the input topic a longer retention",
        )
    if committed > end:
        raise FatalError(
            f"{name}: the committed offset {committed} lies beyond the log's end {end}",
            code="log_shrank",
            hint="was the topic made anew? reset the group's offsets when that is intended",
        )
    return committed


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Joins, works, leaves.

    Args:
        topic: the input topic.
        group: the consumer group.
        consumer: not yet started; ``auto_offset_reset`` must be ``none``.
        admin: started; reads committed offsets with their metadata.
        make_lane: makes the lane of a partition.
        residency: the control state that lanes open under.
        limits: bounds.
        telemetry: told what happens.
    """

    def __init__(
        self,
        *,
        topic: str,
        group: str,
        consumer: AIOKafkaConsumer,
        admin: AIOKafkaAdminClient,
        make_lane: Callable[[TopicPartition, Callable[[Lane], None]], Lane],
        residency: Residency,
        limits: MembershipLimits,
        telemetry: Telemetry,
    ) -> None:
        self._topic = topic
        self._group = group
        self._consumer = consumer
        self._admin = admin
        self._make_lane = make_lane
        self._residency = residency
        self._limits = limits
        self._telemetry = telemetry
        self._lanes: dict[TopicPartition, Lane] = {}
        self._openings: dict[TopicPartition, asyncio.Task[None]] = {}
        self._paused_by_us: set[TopicPartition] = set()
        self._overloaded = False
        self._leave = asyncio.Event()
        self._failure: BaseException | None = None

    @property
    def joined(self) -> bool:
        """True once the group has answered and every assigned lane is open."""
        return self._assigned and not self._openings

    _assigned = False

    # --- the life of the membership -------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> Ending:
        """Work until ``stop`` is set or a lane is lost.

        Raises:
            FatalError: the process must not go on; see ``first_position``.
            KafkaError: the broker could not be reached to begin with.
        """
        await self._consumer.start()
        self._consumer.subscribe([self._topic], listener=self)
        try:
            await self._take_in(stop)
        finally:
            drained = stop.is_set() and self._failure is None
            await self._close_lanes(
                self._limits.drain_budget_s if drained else self._limits.revoke_budget_s
            )
            await _bounded(self._consumer.stop(), 10.0)
        if self._failure is not None:
            raise self._failure
        return "drained" if stop.is_set() else "lane_lost"

    async def _take_in(self, stop: asyncio.Event) -> None:
        leaving = asyncio.create_task(_first(stop, self._leave))
        polling: asyncio.Task[Mapping[TopicPartition, list[Any]]] | None = None
        try:
            while not leaving.done():
                self._balance_load()
                # Never cancelled while the consumer lives: a cancelled getmany() leaks a
                # counter that switches the poll-interval check off.
                polling = asyncio.create_task(self._poll())
                await asyncio.wait({polling, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if polling.done():
                    self._admit(polling.result())
                    polling = None
        finally:
            leaving.cancel()
            if polling is not None:
                await asyncio.wait({polling}, timeout=1.0)

    async def _poll(self) -> Mapping[TopicPartition, list[Any]]:
        try:
            batch: Mapping[TopicPartition, list[Any]] = await self._consumer.getmany(
                timeout_ms=200, max_records=self._limits.poll_records
            )
        except NoOffsetForPartitionError:
            # A partition without a commit, before its lane told the client where to start.
            await asyncio.sleep(0.05)
            return {}
        except OffsetOutOfRangeError as error:
            # Reading stopped at a hole: either the lane has not yet told the client where to
            # start, or retention overtook it; opening it again finds out and says which.
            if self._any_open(error):
                self._leave.set()
            await asyncio.sleep(0.05)
            return {}
        return batch

    def _any_open(self, error: OffsetOutOfRangeError) -> bool:
        partitions = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        return (
            any(lane.state == "open" for tp, lane in self._lanes.items() if tp in partitions)
            or not partitions
        )

    def _admit(self, batch: Mapping[TopicPartition, list[Any]]) -> None:
        for partition, messages in batch.items():
            lane = self._lanes.get(partition)
            if lane is None:
                continue
            for message in messages:
                lane.admit(message)
        self._tell_lag()

    # --- backpressure ---------------------------------------------------------------------------

    def _balance_load(self) -> None:
        """Pause what is full, resume what has room; never drop."""
        telemetry, limits = self._telemetry, self._limits
        # Stop at the bound, go on at half of it: no flapping.
        share = 0.5 if self._overloaded else 1.0
        self._overloaded = (
            telemetry.addresses_in_flight >= limits.max_addresses * share
            or telemetry.bytes_in_flight >= limits.max_bytes * share
        )
        open_lanes = {tp: lane for tp, lane in self._lanes.items() if lane.state == "open"}
        full = {tp for tp, lane in open_lanes.items() if self._overloaded or lane.full}
        assigned = self._consumer.assignment()
        pause = (full - self._paused_by_us) & assigned
        resume = ((self._paused_by_us & set(open_lanes)) - full) & assigned
        if pause:
            self._consumer.pause(*pause)
        if resume:
            self._consumer.resume(*resume)
        self._paused_by_us = full
        telemetry.paused(len(full))

    def _tell_lag(self) -> None:
        for partition, lane in self._lanes.items():
            highwater = (
                self._consumer.highwater(partition)
                if partition in self._consumer.assignment()
                else None
            )
            if highwater is not None and lane.state == "open":
                self._telemetry.lag(partition.partition, max(0, highwater - lane.position))

    # --- rebalances -------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """The group takes all partitions back; what is finished is committed first."""
        del revoked  # eager assignors revoke everything
        self._assigned = False
        await self._close_lanes(self._limits.revoke_budget_s)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Gate every partition; each opens in a task of its own.

        aiokafka only logs what a callback raises, so nothing here may fail silently.
        """
        partitions = sorted(assigned)
        self._telemetry.rebalanced(len(partitions))
        if partitions:
            self._consumer.pause(*partitions)
        for partition in partitions:
            lane = self._make_lane(partition, self._on_lost)
            self._lanes[partition] = lane
            task = asyncio.create_task(self._open(partition, lane))
            self._openings[partition] = task
        self._assigned = True

    async def _open(self, partition: TopicPartition, lane: Lane) -> None:
        try:
            await lane.fence()
            committed, metadata = await self._read_committed(partition)
            beginning = (await self._consumer.beginning_offsets([partition]))[partition]
            end = (await self._consumer.end_offsets([partition]))[partition]
            position = first_position(partition, committed, beginning, end)
            state = await self._residency.wait_for_epoch(metadata.serving_epoch)
            assert may_open(state.serving.serving_epoch, metadata.serving_epoch)  # noqa: S101
            if self._lanes.get(partition) is not lane or lane.state != "opening":
                return
            # No await from here on: nobody may admit a record between seek and start.
            self._consumer.seek(partition, position)
            lane.start(position=position, log_end=end, metadata=metadata, serving=state)
            self._consumer.resume(partition)
        except SinkLostError as error:
            _log.warning("lane did not open", partition=partition.partition, reason=str(error))
            self._leave.set()
        except FatalError as error:
            self._fail(error)
        except KafkaError as error:
            _log.warning(
                "lane did not open", partition=partition.partition, reason=type(error).__name__
            )
            self._leave.set()
        finally:
            if self._openings.get(partition) is asyncio.current_task():
                del self._openings[partition]
            self._count_lanes()

    async def _read_committed(self, partition: TopicPartition) -> tuple[int | None, OffsetMetadata]:
        offsets = await self._admin.list_consumer_group_offsets(self._group, partitions=[partition])
        found = offsets.get(partition)
        if found is None or found.offset < 0:
            return None, OffsetMetadata()
        return found.offset, OffsetMetadata.decode(found.metadata) or OffsetMetadata()

    def _on_lost(self, lane: Lane) -> None:
        _log.warning("lane lost", partition=lane.partition.partition)
        self._leave.set()

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._leave.set()

    async def _close_lanes(self, budget_s: float) -> None:
        lanes, self._lanes = self._lanes, {}
        openings, self._openings = self._openings, {}
        if openings:
            # An opening lane holds nothing; it sees that it is no longer wanted.
            for task in openings.values():
                task.cancel()
            await asyncio.gather(*openings.values(), return_exceptions=True)
        await asyncio.gather(*(lane.close(budget_s) for lane in lanes.values()))
        self._paused_by_us = set()
        self._count_lanes()

    # --- serving ------------------------------------------------------------------------------

    def adopt(self, state: RolloutState) -> None:
        """A newer serving set is resident: every open lane moves to it."""
        for partition, lane in self._lanes.items():
            reread_from = lane.adopt(state)
            if reread_from is not None:
                self._consumer.seek(partition, reread_from)

    def _count_lanes(self) -> None:
        open_ = sum(lane.state == "open" for lane in self._lanes.values())
        self._telemetry.lanes(opening=len(self._openings), open_=open_)


async def _first(*events: asyncio.Event) -> None:
    tasks = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _bounded(awaitable: Any, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await awaitable
    except (TimeoutError, KafkaError, OSError):
        _log.warning("leaving the group took too long or failed")
