"""One owned input partition: its producer, its frontier, its commits.

The order of its results is the order of its input. A lane that loses its sink closes for
good; only a new assignment opens the partition again, because a producer that a zombie
re-opens would fence the rightful owner.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from aiokafka import ConsumerRecord, TopicPartition

from consumer.stream.adoption import adopt
from consumer.stream.attempts import Suspects
from consumer.stream.commit_schedule import CommitLater, CommitNow, CommitSchedule
from consumer.stream.frontier import Frontier
from consumer.stream.records import Outgoing, Record, Route
from consumer.stream.sink import Sink, SinkLostError
from consumer.stream.telemetry import Telemetry
from contracts.control import RolloutState
from contracts.events import Origin
from contracts.offset_metadata import OffsetMetadata

State = Literal["opening", "open", "closing", "closed"]


class Router(Protocol):
    """Chooses the model of a record; it is part of the role."""

    def __call__(self, state: RolloutState, message: ConsumerRecord) -> Route:
        """The route of this record under this state's serving set."""
        ...


class Lane:
    """The life of one partition in this worker.

    ``start`` → ``admit`` many records → ``close``. All methods belong to the event loop.

    Args:
        partition: the input partition.
        sink: publishes and commits.
        schedule: when to commit.
        max_in_flight: most records in work; the rest waits in the backlog.
        max_bytes: most bytes of one transaction.
        route: chooses the model of a record.
        telemetry: told about commits.
        on_start: hands a record to the dispatcher.
        on_lost: called once when the sink is lost.
    """

    def __init__(
        self,
        partition: TopicPartition,
        *,
        sink: Sink,
        schedule: CommitSchedule,
        max_in_flight: int,
        max_bytes: int,
        route: Router,
        telemetry: Telemetry,
        on_start: Callable[[Lane, Record], None],
        on_lost: Callable[[Lane], None],
    ) -> None:
        self.partition = partition
        self.state: State = "opening"
        self._sink = sink
        self._schedule = schedule
        self._max_in_flight = max_in_flight
        self._max_bytes = max_bytes
        self._route = route
        self._telemetry = telemetry
        self._on_start = on_start
        self._on_lost = on_lost
        self._frontier = Frontier(0)
        self._suspects = Suspects(earlier_starts=0, position=0, log_end=0, max_in_flight=0)
        self._records: dict[int, Record] = {}
        self._backlog: deque[ConsumerRecord] = deque()
        self._serving: RolloutState | None = None
        self._adopted = OffsetMetadata()  # what the committed metadata says
        self._pending_adoption: OffsetMetadata | None = None
        self._noted_starts = 0  # of the record at the frontier, as committed
        self._last_commit_at = float("-inf")
        self._committing = False
        self._moved = asyncio.Event()  # replaced each time it is set: wakes all who wait
        self._sink_lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._committer: asyncio.Task[None] | None = None

    # --- opening ----------------------------------------------------------------------------

    async def fence(self) -> None:
        """Open the sink: from here on no earlier owner can commit.

        Only what is read after this is the partition's true state.

        Raises:
            SinkLostError: the broker refused.
        """
        await self._sink.open()

    def start(
        self, *, position: int, log_end: int, metadata: OffsetMetadata, serving: RolloutState
    ) -> None:
        """Open the gate.

        Args:
            position: the first offset to work on.
            log_end: the partition's end offset now.
            metadata: what the last owner left beside the committed offset.
            serving: the state whose serving set is resident.
        """
        self._frontier = Frontier(position)
        self._suspects = Suspects(
            earlier_starts=metadata.attempt,
            position=position,
            log_end=log_end,
            max_in_flight=self._max_in_flight,
        )
        self._adopted = metadata
        self._noted_starts = metadata.attempt
        self._serving = serving
        epoch = serving.serving.serving_epoch
        if epoch != metadata.serving_epoch:
            self._pending_adoption = OffsetMetadata(epoch, position)
        self.state = "open"
        self._committer = asyncio.create_task(self._commit_loop())
        self._changed.set()

    # --- in ---------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """The committed offset, or the offset of the commit that is under way."""
        return self._frontier.position

    @property
    def in_flight(self) -> int:
        """Records in work or waiting to be."""
        return len(self._records) + len(self._backlog)

    @property
    def full(self) -> bool:
        """True when more records would only wait here."""
        return self.in_flight >= self._max_in_flight

    @property
    def adopted_epoch(self) -> int:
        """The serving epoch that is committed in the offset metadata."""
        return self._adopted.serving_epoch

    def admit(self, message: ConsumerRecord) -> None:
        """A record came from Kafka; one that was seen before is dropped."""
        if self.state != "open":
            return
        newest = self._backlog[-1].offset + 1 if self._backlog else self._frontier.next_admissible
        if message.offset < newest:
            return
        self._backlog.append(message)
        self._pump()

    def _pump(self) -> None:
        while self._backlog and len(self._records) < self._max_in_flight and self.state == "open":
            record = self._record(self._backlog.popleft())
            self._frontier.admit(record.origin.offset, record.size)
            self._records[record.origin.offset] = record
            self._telemetry.taken_in(record)
            self._on_start(self, record)

    def _record(self, message: ConsumerRecord) -> Record:
        assert self._serving is not None  # noqa: S101  (set before the gate opened)
        value: bytes | None = message.value
        return Record(
            origin=Origin(
                topic=self.partition.topic,
                partition=self.partition.partition,
                offset=message.offset,
            ),
            key=message.key,
            value=value,
            headers=tuple(message.headers),
            route=self._route(self._serving, message),
            received_at=time.monotonic(),
            done=self._finished,
            earlier_starts=self._suspects.earlier_starts(message.offset),
            size=len(value or b""),
        )

    # --- starting a record ------------------------------------------------------------------

    def needs_note(self, attempt: int) -> bool:
        """True when the start must be written down before the record may run."""
        return attempt > self._noted_starts

    async def reaches(self, offset: int) -> None:
        """Wait until the record at ``offset`` is the first uncommitted one, or the lane ends."""
        while self.state in ("open", "closing") and self._committing_before(offset):
            await self._moved.wait()

    def _committing_before(self, offset: int) -> bool:
        return self._committing or any(earlier < offset for earlier in self._records)

    async def note_start(self, attempt: int) -> bool:
        """Write down that the record at the frontier is started for the ``attempt``-th time.

        Returns:
            False when the lane was lost meanwhile; the record must not run.
        """
        if await self._commit([], self._frontier.position, attempt):
            self._noted_starts = attempt
            return True
        return False

    # --- out --------------------------------------------------------------------------------

    def _finished(self, record: Record) -> None:
        """The record's outgoing record is ready."""
        if self._records.get(record.origin.offset) is record:
            self._frontier.finish(record.origin.offset)
            self._changed.set()

    def adopt(self, state: RolloutState) -> int | None:
        """Move to another serving set.

        Returns:
            The offset to read again from, when work was thrown away; else None.
        """
        if self.state != "open" or self._serving is None:
            return None
        decision = adopt(
            state,
            current_epoch=self._serving.serving.serving_epoch,
            frontier=self._frontier.position,
            next_admissible=self._frontier.next_admissible,
        )
        if decision is None:
            return None
        self._serving = state
        self._pending_adoption = OffsetMetadata(state.serving.serving_epoch, decision.from_offset)
        self._changed.set()
        if not decision.discard:
            return None
        self._abandon()
        self._frontier = Frontier(decision.from_offset)
        return decision.from_offset

    async def _commit_loop(self) -> None:
        while self.state in ("open", "closing"):
            self._changed.clear()
            records, size = self._frontier.ready()
            decision = self._schedule.decide(
                time.monotonic(),
                last_commit_at=self._last_commit_at,
                ready_records=records,
                ready_bytes=size,
                in_flight_records=self._frontier.in_flight,
                closing=self.state == "closing",
            )
            if isinstance(decision, CommitNow):
                if not await self._commit_ready():
                    return
            elif isinstance(decision, CommitLater):
                await _wait(self._changed, decision.at - time.monotonic())
            elif self._adoptable():
                if not await self._commit([], self._frontier.position, self._noted_starts):
                    return
            elif self.state == "closing":
                return
            else:
                await self._changed.wait()

    async def _commit_ready(self) -> bool:
        offsets = self._frontier.take(self._schedule.max_records, self._max_bytes)
        records = [self._records.pop(offset) for offset in offsets]
        began = time.monotonic()
        outgoing = [record.outgoing for record in records if record.outgoing is not None]
        # The next record in line may already be running.
        if not await self._commit(outgoing, self._frontier.position, 1):
            for record in records:
                self._telemetry.let_go(record)
            return False
        self._noted_starts = 1
        self._last_commit_at = time.monotonic()
        self._telemetry.committed(records, self._last_commit_at - began)
        self._pump()
        return True

    def _adoptable(self) -> bool:
        pending = self._pending_adoption
        return pending is not None and self._frontier.position >= pending.from_offset

    async def _commit(self, outgoing: Sequence[Outgoing], offset: int, attempt: int) -> bool:
        pending = self._pending_adoption if self._adoptable() else None
        base = pending or self._adopted
        metadata = OffsetMetadata(base.serving_epoch, base.from_offset, attempt)
        async with self._sink_lock:
            if self.state == "closed":
                return False
            self._committing = True
            try:
                await self._sink.commit(outgoing, offset, metadata.encode())
            except SinkLostError:
                self._lose()
                return False
            finally:
                self._committing = False
                self._announce()
        self._adopted = metadata
        if pending is not None and self._pending_adoption is pending:
            self._pending_adoption = None
        return True

    # --- closing ----------------------------------------------------------------------------

    def _lose(self) -> None:
        if self.state != "closed":
            self.state = "closed"
            self._telemetry.commit_failed()
            self._abandon()
            self._changed.set()
            self._on_lost(self)

    def _abandon(self) -> None:
        for record in self._records.values():
            record.abandoned = True
            self._telemetry.let_go(record)
        self._records.clear()
        self._backlog.clear()
        self._announce()

    def _announce(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def close(self, budget_s: float) -> None:
        """Commit what gets finished within the budget, leave the rest to the next owner.

        Args:
            budget_s: seconds that work in hand may still take.

        What is left was not at fault, so the note that it was started is taken back.
        """
        self._backlog.clear()
        if self.state == "open":
            deadline = time.monotonic() + budget_s
            while self._records and self.state == "open" and time.monotonic() < deadline:
                await _wait(self._moved, deadline - time.monotonic())
        if self.state == "open":
            self.state = "closing"
            self._changed.set()
        if self._committer is not None:
            await self._committer
        if self.state == "closing":
            if self._noted_starts > 0:
                await self._commit([], self._frontier.position, 0)
            self._abandon()
        self.state = "closed"
        await self._sink.close()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
