"""One owned input partition: its producer, its frontier, its commits.

The order of its results is the order of its input. A lane that loses its sink closes for
good; only a new assignment opens the partition again, because a producer that a zombie
re-opens would fence the rightful owner.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

from aiokafka import ConsumerRecord, TopicPartition

from consumer.stream.adoption import Adoption, adopt, hasten, same_plan
from consumer.stream.attempts import Note, Suspects, note_for_next, note_to_leave
from consumer.stream.commit_schedule import CommitLater, CommitNow, CommitSchedule
from consumer.stream.frontier import Frontier
from consumer.stream.in_flight import InFlight, Ticket, likely_addresses, message_bytes
from consumer.stream.plan import Refusal
from consumer.stream.records import DeadLetter, Outgoing, Record
from consumer.stream.replies import Replies
from consumer.stream.residency import ResidentSet
from consumer.stream.sides import Route
from consumer.stream.sink import Sink, SinkLostError
from consumer.stream.telemetry import Telemetry
from consumer.stream.traffic import Traffic
from contracts.access import AccessRefusedError
from contracts.control import RolloutState
from contracts.events import Origin
from contracts.header_names import readable
from contracts.logs import get_logger
from contracts.offset_metadata import OffsetMetadata

_log = get_logger(__name__)

State = Literal["opening", "open", "closing", "closed"]

# A suspect that runs alone for so long, and has not ended when the lane must close, may hang.
_SUSPICIOUS_S = 10.0
# What a commit may still take once the budget for work in hand is spent.
_COMMIT_GRACE_S = 5.0
_BAD_HEADERS = DeadLetter("bad_headers", "VALUE_CONVERTER", "UnicodeDecodeError")


class Router(Protocol):
    """Chooses the models of a record; it is part of the role."""

    def __call__(self, state: RolloutState, message: ConsumerRecord) -> Route | None:
        """The route of this record under this state; None when it is to be passed over."""
        ...


class LaneHost(Protocol):
    """Whoever owns the lane."""

    def on_start(self, lane: Lane, record: Record) -> None:
        """This record is to be started."""
        ...

    def on_lost(self, lane: Lane) -> None:
        """The sink is lost; called once."""
        ...

    def on_room(self) -> None:
        """Records have left: others may start."""
        ...

    @property
    def crashing(self) -> bool:
        """True when what is in work has broken the process, though it still turns."""
        ...


class Lane:
    """The life of one partition in this worker.

    ``fence`` → ``start`` → ``admit`` many records → ``close``. All methods belong to the
    event loop. Between ``start`` and ``close`` one task commits; nothing else moves the
    frontier.

    Args:
        partition: the input partition.
        traffic: the class of what is on it.
        sink: publishes and commits.
        schedule: when to commit.
        max_in_flight: most records in work; the rest waits in the backlog.
        max_bytes: most bytes published in one transaction.
        max_addresses: most addresses that one record can hold.
        route: chooses the models of a record.
        in_flight: what all lanes of its class together have in work.
        replies: told about every record that is finished.
        telemetry: told about commits.
        process: names this process in the offset metadata.
        host: who owns the lane.
    """

    def __init__(
        self,
        partition: TopicPartition,
        *,
        traffic: Traffic,
        sink: Sink,
        schedule: CommitSchedule,
        max_in_flight: int,
        max_bytes: int,
        max_addresses: int,
        route: Router,
        in_flight: InFlight,
        replies: Replies,
        telemetry: Telemetry,
        process: str,
        host: LaneHost,
    ) -> None:
        self.partition = partition
        self.state: State = "opening"
        self._traffic = traffic
        self._sink = sink
        self._schedule = schedule
        self._max_in_flight = max_in_flight
        self._max_bytes = max_bytes
        self._max_addresses = max_addresses
        self._route = route
        self._in_flight = in_flight
        self._replies = replies
        self._telemetry = telemetry
        self._process = process
        self._host = host
        self._frontier = Frontier(0)
        self._suspects = Suspects(earlier_starts=0, position=0, log_end=0, max_in_flight=0)
        self._records: dict[int, Record] = {}
        self._backlog: deque[tuple[ConsumerRecord, Ticket]] = deque()
        self._serving: ResidentSet | None = None
        self._adopted = OffsetMetadata()  # what the committed metadata says
        self._refusal: Refusal | None = None  # what it is to say
        self._pending_adoption: OffsetMetadata | None = None
        self._reread: int | None = None  # the first record that was thrown away and comes again
        self._noted = Note()  # about the record at the frontier, as committed
        self.refused: AccessRefusedError | None = None
        """Why it was lost, where that will not pass by itself."""
        self._last_commit_at = float("-inf")
        self._sink_lock = asyncio.Lock()
        self._commit_task: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()  # replaced each time it is set: wakes all who wait
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

    async def stay_shut(
        self, position: int, metadata: OffsetMetadata, refusal: Refusal
    ) -> OffsetMetadata:
        """Say beside the committed offset why the gate does not open; change nothing else.

        Args:
            position: where the lane would start.
            metadata: what the last owner left there.
            refusal: what keeps it shut.

        Returns:
            What stands there now.

        Raises:
            SinkLostError: the broker refused.
        """
        said = replace(metadata, refused_epoch=refusal.epoch, refusal=refusal.code)
        async with self._sink_lock:
            self._commit_task = asyncio.create_task(self._sink.commit([], position, said.encode()))
            await asyncio.shield(self._commit_task)
        return said

    def start(
        self,
        *,
        position: int,
        log_end: int,
        metadata: OffsetMetadata,
        serving: ResidentSet,
        refusal: Refusal | None = None,
    ) -> None:
        """Open the gate.

        Args:
            position: the first offset to work on.
            log_end: the partition's end offset now.
            metadata: what the last owner left beside the committed offset.
            serving: what lanes serve under now.
            refusal: a newer plan that this worker cannot go on to.
        """
        self._noted = Note(metadata.attempt, own=metadata.writer == self._process)
        earlier = self._noted.crashed_starts
        self._frontier = Frontier(position)
        self._suspects = Suspects(
            earlier_starts=earlier,
            position=position,
            log_end=log_end,
            max_in_flight=self._max_in_flight,
        )
        self._adopted = metadata
        self._refusal = refusal
        self._serving = serving
        if serving.epoch != metadata.serving_epoch:
            self._pending_adoption = OffsetMetadata(serving.epoch, position)
        self.state = "open"
        self._committer = asyncio.create_task(self._commit_until_closed())
        _log.info(
            "lane open",
            **self.partition._asdict(),
            position=position,
            behind=log_end - position,
            serving_epoch=serving.epoch,
            earlier_starts=earlier,
        )

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
        overloaded = self._in_flight.overloaded()
        return overloaded or self.in_flight >= self._max_in_flight

    @property
    def adopted_epoch(self) -> int:
        """The serving epoch that is committed in the offset metadata."""
        return self._adopted.serving_epoch

    def admit(self, message: ConsumerRecord) -> None:
        """A record came from Kafka; one that was seen before is dropped."""
        if self.state != "open":
            return
        if self._reread is not None:
            # What was read before the lane went back may come before and among what is read
            # again; between such a record and the last one committed there is a gap.
            if message.offset > self._reread:
                return
            self._reread = None
        newest = (
            self._backlog[-1][0].offset + 1 if self._backlog else self._frontier.next_admissible
        )
        if message.offset < newest:
            return
        headers, _ = readable(message.headers)
        size = message_bytes(message.key, message.value, headers)
        self._backlog.append((message, self._in_flight.enter(size)))
        self.pump()

    def pump(self) -> None:
        """Start what may be started of the backlog."""
        while self._backlog and len(self._records) < self._max_in_flight and self.state == "open":
            message, ticket = self._backlog[0]
            assert self._serving is not None  # noqa: S101  (set before the gate opened)
            route = self._route(self._serving.state, message)
            if route is None:
                self._backlog.popleft()
                self._pass_over(message.offset, ticket)
                continue
            addresses = likely_addresses(message.value, self._max_addresses)
            if not self._in_flight.may_start(addresses):
                return
            self._backlog.popleft()
            ticket.count(addresses)
            record = self._record(message, ticket, route, self._serving)
            self._frontier.admit(record.origin.offset)
            self._records[record.origin.offset] = record
            self._host.on_start(self, record)

    def _pass_over(self, offset: int, ticket: Ticket) -> None:
        ticket.leave()
        self._frontier.pass_over(offset)
        self._telemetry.passed_over()
        self._changed.set()

    def _record(
        self, message: ConsumerRecord, ticket: Ticket, route: Route, serving: ResidentSet
    ) -> Record:
        headers, well_named = readable(message.headers)
        return Record(
            origin=Origin(
                topic=self.partition.topic,
                partition=self.partition.partition,
                offset=message.offset,
            ),
            key=message.key,
            value=message.value,
            headers=headers,
            route=route,
            models=tuple(serving.models[side.spec.key] for side in route.sides),
            ticket=ticket,
            received_at=time.monotonic(),
            done=self._finished,
            earlier_starts=self._suspects.earlier_starts(message.offset),
            size=ticket.size,
            timestamp_ms=message.timestamp,
            traffic=self._traffic,
            dead_letter=None if well_named else _BAD_HEADERS,
        )

    # --- starting a record ------------------------------------------------------------------

    def needs_note(self, attempt: int) -> bool:
        """True when the start must be written down before the record may run."""
        return attempt > self._noted.starts

    async def reaches(self, offset: int) -> None:
        """Wait until the record at ``offset`` is the first uncommitted one, or the lane ends."""
        while self.state in ("open", "closing") and (
            self._sink_lock.locked() or any(earlier < offset for earlier in self._records)
        ):
            await self._moved.wait()

    async def note_start(self, attempt: int) -> bool:
        """Write down that the record at the frontier is started for the ``attempt``-th time.

        Returns:
            False when the lane is lost or closing; the record must not run.
        """
        if not self._is_open() or not await self._commit([], Note(attempt, own=True)):
            return False
        return self._is_open()  # it may have begun to close meanwhile

    def _is_open(self) -> bool:
        return self.state == "open"

    # --- out --------------------------------------------------------------------------------

    def _finished(self, record: Record) -> None:
        """The record's outgoing record is ready."""
        if self._records.get(record.origin.offset) is record:
            self._replies.tell(record)  # now: it need not wait for the commit
            size = len(record.outgoing.value) if record.outgoing is not None else 0
            self._frontier.finish(record.origin.offset, size)
            record.ticket.finish()
            self._changed.set()

    def adopt(self, serving: ResidentSet) -> int | None:
        """Move to another serving set.

        Returns:
            The offset to read again from, when work was thrown away; else None. Until the
            first of that work has come again, nothing that lies behind it is admitted.
        """
        if self.state != "open" or self._serving is None:
            return None
        if same_plan(serving.plan, self._serving.plan):
            self._serving = serving
            return None
        decision = adopt(
            serving.plan,
            current_epoch=self._serving.epoch,
            frontier=self._frontier.position,
            next_admissible=self._frontier.next_admissible,
        )
        if decision is None:
            return None
        self._serving = serving
        return self._adopt_from(decision, serving.epoch)

    def hasten(self, epoch: int) -> int | None:
        """Adopt this epoch now, though work in hand was to be finished before.

        Returns:
            As ``adopt`` does; also None when the epoch is adopted, or is not the newest.
        """
        pending = self._pending_adoption
        if self.state != "open" or pending is None or pending.serving_epoch != epoch:
            return None
        decision = hasten(frontier=self._frontier.position, pending_from=pending.from_offset)
        return None if decision is None else self._adopt_from(decision, epoch)

    def _adopt_from(self, decision: Adoption, epoch: int) -> int | None:
        self._pending_adoption = OffsetMetadata(epoch, decision.from_offset)
        self._changed.set()
        if not decision.discard or not self.in_flight:
            return None
        _log.info(
            "uncommitted work discarded",
            **self.partition._asdict(),
            records=self.in_flight,
            serving_epoch=epoch,
        )
        self._reread = min([*self._records, *(message.offset for message, _ in self._backlog)])
        self._abandon()
        self._frontier = Frontier(decision.from_offset)
        return decision.from_offset

    def refuse(self, refusal: Refusal | None) -> None:
        """Say beside the committed offset that the lane cannot go on to a plan; None: it can."""
        self._refusal = refusal
        self._changed.set()

    async def _commit_until_closed(self) -> None:
        try:
            await self._commit_loop()
        except Exception as error:
            # A lane that silently stops committing would hold its partition for ever.
            self._lose(f"{type(error).__name__} in the commit loop")
            raise

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
                nothing_to_publish=not self._records,
                closing=self.state == "closing",
                crowded=self._in_flight.crowded(),
            )
            if isinstance(decision, CommitNow):
                if not await self._commit_ready():
                    return
            elif isinstance(decision, CommitLater):
                await _wait(self._changed, decision.at - time.monotonic())
            elif self._has_news():
                if not await self._commit([], self._noted):
                    return
            elif self.state == "closing":
                return
            else:
                await self._changed.wait()

    async def _commit_ready(self) -> bool:
        offsets = self._frontier.take(self._schedule.max_records, self._max_bytes)
        records = [self._records.pop(offset) for offset in offsets if offset in self._records]
        outgoing = [record.outgoing for record in records if record.outgoing is not None]
        began = time.monotonic()
        earlier = self._suspects.starts_at(self._frontier.position)
        committed = await self._commit(outgoing, note_for_next(earlier))
        for record in records:
            record.ticket.leave()
        if committed:
            self._last_commit_at = time.monotonic()
            self._telemetry.committed(records, self._last_commit_at - began)
            self.pump()
        self._host.on_room()
        return committed

    def _adoptable(self) -> bool:
        pending = self._pending_adoption
        return pending is not None and self._frontier.position >= pending.from_offset

    def _has_news(self) -> bool:
        """True when the committed metadata does not say what is so."""
        said = (self._adopted.refused_epoch, self._adopted.refusal)
        return self._adoptable() or said != self._refused()

    def _refused(self) -> tuple[int, str]:
        refusal = self._refusal
        return (0, "") if refusal is None else (refusal.epoch, refusal.code)

    async def _commit(self, outgoing: Sequence[Outgoing], note: Note) -> bool:
        """Publish and move the offset to the frontier; False when the lane is lost."""
        committed = False
        async with self._sink_lock:
            if self.state == "closed":
                return False
            pending = self._pending_adoption if self._adoptable() else None
            base = pending or self._adopted
            writer = self._process if note.own else ""
            metadata = OffsetMetadata(
                base.serving_epoch, base.from_offset, note.starts, writer, *self._refused()
            )
            # A task of its own: a commit that is cancelled half-way goes on all the same.
            self._commit_task = asyncio.create_task(
                self._sink.commit(outgoing, self._frontier.position, metadata.encode())
            )
            try:
                await asyncio.shield(self._commit_task)
            except SinkLostError as error:
                self.refused = error.refused
                self._lose(str(error), fenced=error.fenced)
            except asyncio.CancelledError:
                self._lose("cancelled while committing")
                # Given up by close(), it is the commit that was cancelled. Whoever waits for
                # it, the dispatcher for one, has other lanes to go on with, unless it is to
                # end itself: swallowing that would leave a task that nobody can stop.
                waiting = asyncio.current_task()
                if waiting is None or waiting.cancelling():
                    raise
            except Exception as error:  # noqa: BLE001  (whatever it is, its outcome is unknown)
                _log.error("commit failed unexpectedly", error=type(error).__name__)
                self._lose(type(error).__name__)
            else:
                committed = True
                self._adopted = metadata
                self._noted = note
                if pending is not None and self._pending_adoption is pending:
                    self._pending_adoption = None
        self._announce()
        return committed

    # --- closing ----------------------------------------------------------------------------

    def _lose(self, reason: str, *, fenced: bool = False) -> None:
        if self.state != "closed":
            self.state = "closed"
            _log.warning(
                "lane lost",
                **self.partition._asdict(),
                reason=reason,
                fenced=fenced,
            )
            self._telemetry.lane_lost(fenced=fenced)
            self._abandon()
            self._changed.set()
            self._host.on_lost(self)

    def _abandon(self) -> None:
        for record in self._records.values():
            record.abandoned = True
            record.ticket.leave()
        self._records.clear()
        self._drop_backlog()
        self._announce()
        self._host.on_room()

    def _drop_backlog(self) -> None:
        for _, ticket in self._backlog:
            ticket.leave()
        self._backlog.clear()

    def _announce(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def close(self, budget_s: float) -> None:
        """Commit what gets finished within the budget, leave the rest to the next owner.

        Ends within the budget and a fixed grace, whatever the broker does. Never raises.

        Args:
            budget_s: seconds that work in hand may still take.
        """
        self._drop_backlog()
        deadline = time.monotonic() + budget_s
        while (
            self._records
            and self.state == "open"
            and time.monotonic() < deadline
            and not self._host.crashing  # then nothing in work will ever end
        ):
            await _wait(self._moved, deadline - time.monotonic())
        if self.state == "open":
            self.state = "closing"
            self._changed.set()
        left = len(self._records)
        ending = asyncio.create_task(self._end())
        await asyncio.wait(
            {ending}, timeout=max(0.0, deadline - time.monotonic()) + _COMMIT_GRACE_S
        )
        if not ending.done():
            self._lose("the broker did not answer while closing")
        self._abandon()
        self.state = "closed"
        await self._sink.close()
        for task in (ending, self._committer, self._commit_task):
            if task is not None:
                task.cancel()  # only what is still waiting for a sink that is gone
                await asyncio.wait({task})
        _log.info(
            "lane closed",
            **self.partition._asdict(),
            position=self._frontier.position,
            left_to_the_next_owner=left,
        )

    async def _end(self) -> None:
        if self._committer is not None:
            await self._committer
        async with self._sink_lock:
            pass  # a note that was under way is part of what is left
        if self.state != "closing":
            return
        note = note_to_leave(
            earlier=self._suspects.starts_at(self._frontier.position),
            noted=self._noted,
            crashed=self._host.crashing or self._first_hangs(),
        )
        if note != self._noted:
            await self._commit([], note)

    def _first_hangs(self) -> bool:
        if not self._records:
            return False
        first = self._records[min(self._records)]
        return (
            first.earlier_starts > 0
            and first.started_at is not None
            and time.monotonic() - first.started_at > _SUSPICIOUS_S
        )


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
