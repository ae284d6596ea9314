"""One membership in the consumer group: from joining to leaving, with the lanes in between.

A membership ends because the worker drains, or because a lane was lost: then the worker
leaves the group and joins again, and the lost partition is opened only on assignment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from consumer.stream.adoption import opening_epoch
from consumer.stream.lane import Lane, LaneHost
from consumer.stream.plan import Plan, Refusal
from consumer.stream.reading import Readers
from consumer.stream.records import Record
from consumer.stream.residency import Residency, ResidentSet
from consumer.stream.sink import SinkLostError
from consumer.stream.telemetry import Telemetry
from consumer.stream.waiting import first_of, let_go, or_event
from contracts.access import refusal
from contracts.errors import FatalError
from contracts.group_offsets import stored_offsets
from contracts.logs import get_logger
from contracts.offset_metadata import OffsetMetadata

_log = get_logger(__name__)

_COORDINATOR_WITHIN_S: Final = 10.0
"""For a partition to open: brokers that restart hand the group on within seconds."""

_LEAVE_S = 10.0

Ending = Literal["drained", "lane_lost"]


@dataclass(frozen=True, slots=True)
class MembershipLimits:
    """The bounds of one membership.

    Attributes:
        poll_records: most records taken from the client at a time.
        revoke_budget_s: time that work in hand gets when partitions are taken away.
        drain_budget_s: the same when the worker stops.
        adoption_patience_s: the same when the serving set changes.
    """

    poll_records: int
    revoke_budget_s: float
    drain_budget_s: float
    adoption_patience_s: float


def first_position(
    partition: TopicPartition,
    committed: int | None,
    beginning: int,
    end: int,
    first: int | None = None,
) -> int:
    """Where a lane starts.

    Args:
        partition: the input partition.
        committed: the committed offset; None means that there is none.
        beginning: the oldest record that is kept.
        end: the log's end.
        first: where to start without a commit; None: at the oldest record that is kept.

    Raises:
        FatalError: ``records_lost`` when records from there on are gone from the log;
            ``log_shrank`` when the log ends before it.
    """
    position = committed if committed is not None else first
    if position is None:
        return beginning
    name = f"{partition.topic}/{partition.partition}"
    if position < beginning:
        raise FatalError(
            f"{name}: offsets {position} to {beginning - 1} were deleted before they were parsed",
            code="records_lost",
            hint="publish them again, then set the group's offset to the log's beginning; give "
            "the input topic a longer retention",
        )
    if position > end:
        raise FatalError(
            f"{name}: the committed offset {position} lies beyond the log's end {end}",
            code="log_shrank",
            hint="was the topic made anew? reset the group's offsets when that is intended",
        )
    return position


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Joins, works, leaves.

    Args:
        readers: not yet started; ``auto_offset_reset`` must be ``none``.
        plan: the group, and how its lanes open.
        admin: started; reads committed offsets with their metadata.
        make_lane: makes the lane of a partition, for its host.
        start: hands a record to the dispatcher.
        crashing: whether what is in work has broken the device.
        residency: the models that lanes open with.
        limits: bounds.
        telemetry: told what happens.
    """

    def __init__(
        self,
        *,
        readers: Readers,
        plan: Plan,
        admin: AIOKafkaAdminClient,
        make_lane: Callable[[TopicPartition, LaneHost], Lane],
        start: Callable[[Lane, Record], None],
        crashing: Callable[[], bool],
        residency: Residency,
        limits: MembershipLimits,
        telemetry: Telemetry,
    ) -> None:
        self._readers = readers
        self._group = readers.group
        self._plan = plan
        self._admin = admin
        self._make_lane = make_lane
        self._start = start
        self._crashing = crashing
        self._residency = residency
        self._limits = limits
        self._telemetry = telemetry
        self._lanes: dict[TopicPartition, Lane] = {}
        self._openings: dict[TopicPartition, asyncio.Task[None]] = {}
        self._shut: dict[TopicPartition, str] = {}  # why these stay gated for good
        self._paused_by_us: set[TopicPartition] = set()
        self._turn = 0
        self._assigned = False
        self._leaving = False
        self._closing: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._failure: BaseException | None = None

    @property
    def waits_for(self) -> str:
        """What is missing until every assigned lane is open, for people; empty when none is."""
        if not self._assigned:
            return "the consumer group"
        if self._shut:
            numbers = ", ".join(str(one.partition) for one in sorted(self._shut))
            return f"partitions {numbers}: {', '.join(sorted(set(self._shut.values())))}"
        if not self._openings:
            return ""
        refusal = self._residency.refusal
        return "lanes to open" if refusal is None else f"a model: {refusal.code}"

    # --- the life of the membership -------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> Ending:
        """Work until ``stop`` is set or a lane is lost. A membership runs once.

        Raises:
            FatalError: the process must not go on; see ``first_position``.
            AccessRefusedError: Kafka says that this user may not do what is needed.
            KafkaError: the broker could not be reached to begin with.
        """
        try:
            for client in self._readers.all:
                if not await or_event(stop, client.start()):
                    return "drained"
            self._group.subscribe(list(self._readers.topics), listener=self)
            await self._take_in(stop)
        finally:
            self._leaving = True
            drained = stop.is_set() and self._failure is None
            await self._close_lanes(
                self._limits.drain_budget_s if drained else self._limits.revoke_budget_s
            )
            stopped = await asyncio.gather(
                *(let_go(client.stop(), _LEAVE_S) for client in self._readers.all)
            )
            if not all(stopped):
                _log.warning("the group was not left in good order")
        if self._failure is not None:
            raise self._failure
        return "drained" if stop.is_set() else "lane_lost"

    async def _take_in(self, stop: asyncio.Event) -> None:
        leaving = asyncio.create_task(first_of(stop, self._leave))
        reading = [asyncio.create_task(self._read(client, leaving)) for client in self._readers.all]
        try:
            await asyncio.wait(reading, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            leaving.cancel()  # which ends those that still read
            await asyncio.wait(reading)
        for ended in reading:
            ended.result()

    async def _read(self, client: AIOKafkaConsumer, leaving: asyncio.Task[None]) -> None:
        polling: asyncio.Task[Mapping[TopicPartition, list[Any]]] | None = None
        try:
            while not leaving.done():
                self._balance_load()
                # Never cancelled while the consumer lives: a cancelled getmany() leaks a
                # counter that switches the poll-interval check off.
                polling = asyncio.create_task(self._poll(client))
                await asyncio.wait({polling, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if polling.done():
                    self._admit(polling.result())
                    polling = None
        finally:
            if polling is not None:
                await asyncio.wait({polling}, timeout=1.0)
                polling.add_done_callback(_look_at)  # its records were never admitted

    async def _poll(self, client: AIOKafkaConsumer) -> Mapping[TopicPartition, list[Any]]:
        if client is not self._group and not client.assignment():
            await asyncio.sleep(0.2)  # it would wait for an assignment, however long that takes
            return {}
        try:
            batch: Mapping[TopicPartition, list[Any]] = await client.getmany(
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
        self.on_room()
        open_lanes = {tp: lane for tp, lane in self._lanes.items() if lane.state == "open"}
        full = {tp for tp, lane in open_lanes.items() if lane.full}
        assigned = self._group.assignment()
        for partition in (full - self._paused_by_us) & assigned:
            self._readers.of(partition).pause(partition)
        for partition in ((self._paused_by_us & set(open_lanes)) - full) & assigned:
            self._readers.of(partition).resume(partition)
        self._paused_by_us = full
        self._telemetry.paused(len(full))

    def on_room(self) -> None:
        """Start what waits in the lanes, beginning with another lane each time."""
        partitions = list(self._lanes)
        if not partitions:
            return
        self._turn = (self._turn + 1) % len(partitions)
        for partition in (*partitions[self._turn :], *partitions[: self._turn]):
            lane = self._lanes.get(partition)
            if lane is not None:
                lane.pump()

    def _tell_lag(self) -> None:
        assigned = self._group.assignment()
        lag: dict[TopicPartition, int] = {}
        for partition, lane in self._lanes.items():
            if partition in assigned and lane.state == "open":
                highwater = self._readers.of(partition).highwater(partition)
                if highwater is not None:
                    lag[partition] = max(0, highwater - lane.position)
        self._telemetry.lag(lag)

    # --- rebalances -------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """The group takes all partitions back; what is finished is committed first."""
        del revoked  # eager assignors revoke everything
        self._assigned = False
        await self._close_lanes(self._limits.revoke_budget_s)
        if self._closing is not None:
            # The worker is leaving and its lanes have the drain budget: the group waits.
            await asyncio.wait({self._closing}, timeout=self._limits.drain_budget_s)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Gate every partition; each opens in a task of its own.

        aiokafka only logs what a callback raises, so nothing here may fail silently.
        """
        if self._leaving:
            return  # a producer opened now would fence whoever is assigned next
        partitions = sorted(assigned)
        self._telemetry.rebalanced(len(partitions))
        self._readers.assigned(partitions)
        for partition in partitions:
            lane = self._make_lane(partition, self)
            self._lanes[partition] = lane
            task = asyncio.create_task(self._open(partition, lane))
            self._openings[partition] = task
        self._assigned = True

    async def _open(self, partition: TopicPartition, lane: Lane) -> None:
        try:
            await lane.fence()
            committed, metadata = await self._read_committed(partition)
            beginning = (await self._group.beginning_offsets([partition]))[partition]
            end = (await self._group.end_offsets([partition]))[partition]
            try:
                position = first_position(
                    partition,
                    committed,
                    beginning,
                    end,
                    self._plan.first_offsets.get(partition.partition),
                )
            except FatalError as error:
                if not self._plan.stands_at_losses:
                    raise
                first = self._plan.first_offsets.get(partition.partition, beginning)
                position = first if committed is None else committed
                await self._stay_shut(partition, lane, position, end, metadata, error)
                return
            self._readers.seek(partition, position)  # still gated: the client needs a position
            serving = await self._serving_at(partition, lane, position, metadata)
            if self._lanes.get(partition) is not lane or lane.state != "opening":
                return
            # No await from here on: nobody may admit a record between seek and start.
            self._readers.seek(partition, position)
            lane.start(
                position=position,
                log_end=end,
                metadata=metadata,
                serving=serving,
                refusal=self._residency.refusal,
            )
            self._readers.of(partition).resume(partition)
        except SinkLostError as error:
            _log.warning(
                "lane did not open",
                topic=partition.topic,
                partition=partition.partition,
                reason=str(error),
            )
            if error.refused is not None:
                self._fail(error.refused)
            self._leave.set()
        except FatalError as error:
            self._fail(error)
        except KafkaError as error:
            if (refused := refusal(error)) is not None:
                self._fail(refused)
            _log.warning(
                "lane did not open",
                topic=partition.topic,
                partition=partition.partition,
                reason=type(error).__name__,
            )
            self._leave.set()
        except Exception as error:  # noqa: BLE001  (a task of its own: unseen, it would gate the lane for ever)
            _log.exception("lane did not open", **partition._asdict())
            self._fail(error)
        finally:
            if self._openings.get(partition) is asyncio.current_task():
                del self._openings[partition]
            self._count_lanes()

    async def _stay_shut(
        self,
        partition: TopicPartition,
        lane: Lane,
        position: int,
        end: int,
        metadata: OffsetMetadata,
        error: FatalError,
    ) -> None:
        """Keep the partition, work on nothing of it, and say why where the controller reads."""
        _log.error("lane stays shut", **partition._asdict(), code=error.code)
        self._shut[partition] = error.code
        self._telemetry.refused(error.code)
        self._readers.seek(partition, end)  # a position that exists; it stays paused
        await lane.stay_shut(position, metadata, Refusal(self._plan.epoch, error.code))

    async def _serving_at(
        self, partition: TopicPartition, lane: Lane, position: int, metadata: OffsetMetadata
    ) -> ResidentSet:
        epoch = opening_epoch(self._plan, metadata.serving_epoch)
        if self._residency.opening(epoch) is None:
            _log.info(
                "gate closed",
                topic=partition.topic,
                partition=partition.partition,
                needs_epoch=epoch,
            )
        while (serving := self._residency.opening(epoch)) is None:
            refusal = self._residency.refusal
            said = (metadata.refused_epoch, metadata.refusal)
            if refusal is not None and said != (refusal.epoch, refusal.code):
                metadata = await lane.stay_shut(position, metadata, refusal)
            else:
                await self._residency.changed()
        return serving

    async def _read_committed(self, partition: TopicPartition) -> tuple[int | None, OffsetMetadata]:
        offsets = await stored_offsets(
            self._admin, self._plan.group, [partition], within_s=_COORDINATOR_WITHIN_S
        )
        found = offsets.get(partition)
        if found is None:
            return None, OffsetMetadata()
        return found.offset, OffsetMetadata.decode(found.metadata) or OffsetMetadata()

    def on_start(self, lane: Lane, record: Record) -> None:
        """A lane starts a record."""
        self._start(lane, record)

    @property
    def crashing(self) -> bool:
        """True when what is in work has broken the device."""
        return self._crashing()

    def on_lost(self, lane: Lane) -> None:
        """A lane is gone: leave the group, so that all of it is assigned anew."""
        if lane.refused is not None:
            self._fail(lane.refused)
        self._leave.set()

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._leave.set()

    async def _close_lanes(self, budget_s: float) -> None:
        if not self._lanes and not self._openings:
            return
        closing = asyncio.create_task(self._close_all(budget_s))
        self._closing = closing
        try:
            await asyncio.shield(closing)
        finally:
            if self._closing is closing and closing.done():
                self._closing = None

    async def _close_all(self, budget_s: float) -> None:
        lanes, self._lanes = self._lanes, {}
        openings, self._openings = self._openings, {}
        self._shut = {}
        if openings:
            # An opening lane holds nothing; it sees that it is no longer wanted.
            for task in openings.values():
                task.cancel()
            await asyncio.gather(*openings.values(), return_exceptions=True)
        outcomes = await asyncio.gather(
            *(lane.close(budget_s) for lane in lanes.values()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                self._fail(outcome)
        self._paused_by_us = set()
        self._tell_lag()
        self._count_lanes()

    # --- serving ------------------------------------------------------------------------------

    def adopt(self, serving: ResidentSet) -> None:
        """A newer plan of this group is resident: every open lane moves to it."""
        if serving.plan.group != self._plan.group:
            return
        for partition, lane in self._lanes.items():
            self._read_again(partition, lane.adopt(serving))
        # Lanes that were opened meanwhile have nothing to hasten: they opened under this plan.
        asyncio.get_running_loop().call_later(
            self._limits.adoption_patience_s, self._hasten, serving.epoch
        )

    def _hasten(self, epoch: int) -> None:
        for partition, lane in self._lanes.items():
            self._read_again(partition, lane.hasten(epoch))

    def _read_again(self, partition: TopicPartition, offset: int | None) -> None:
        if offset is not None:
            self._readers.seek(partition, offset)

    def refuse(self, refusal: Refusal | None) -> None:
        """This worker cannot go on to a plan, or can again: every open lane says so."""
        for lane in self._lanes.values():
            lane.refuse(refusal)

    def _count_lanes(self) -> None:
        open_ = sum(lane.state == "open" for lane in self._lanes.values())
        self._telemetry.lanes(opening=len(self._openings), open_=open_)


def _look_at(task: asyncio.Task[Mapping[TopicPartition, list[Any]]]) -> None:
    if not task.cancelled():
        task.exception()
