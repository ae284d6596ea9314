"""Where the stable group stands by its committed offsets, and where by what it has published.

Results and dead letters name their origin, and those of one input partition are in its order: one
past the newest of them is where the group stood. `standings` decides and is pure; `OffsetDesk`
reads and, when told to, sets. Nothing here ever moves a group that has members.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from contracts.errors import UsageError
from contracts.headers import ORIGIN, SERVING_EPOCH, header
from contracts.offset_metadata import OffsetMetadata
from contracts.settings import KafkaSettings, client_options
from deploy.ledger import Lane, Place, dead_letter_of
from producer.connection import close_reader, connect, translated
from producer.topic_log import TopicLog
from rollout.group_notes import group_notes

_STEP: Final = 1_000
_STEP_GROWTH: Final = 4

CLOCKS_MS: Final = 60_000
"""By so much the clocks of publishers and workers may differ."""

State = Literal["agrees", "behind", "lost", "never_parsed", "another_log"]


@dataclass(frozen=True, slots=True)
class Shown:
    """The newest thing that was published of an input partition.

    Attributes:
        place: the input record that it came from.
        serving_epoch: under which it was parsed; 0 where it does not say.
        written_ms: its own timestamp.
    """

    place: Place
    serving_epoch: int = 0
    written_ms: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """One input partition.

    Attributes:
        lane: which.
        committed: the group's offset; None where there is none.
        shown: one past the newest input record that has a result or a dead letter; None where
            none has.
        end: one past the newest record.
        serving_epoch: that of the newest result.
        written_ms: when that was written.
        input_ms: timestamp of the input record that it came from; None where nobody has looked, or
            where it is no longer kept.
    """

    lane: Lane
    committed: int | None
    shown: int | None
    end: int
    serving_epoch: int = 0
    written_ms: int = 0
    input_ms: int | None = None

    @property
    def state(self) -> State:
        """What is to be said of it.

        ``lost`` and ``behind`` mean that what was parsed would be parsed again. ``another_log``:
        results speak of records that this log has not had, or has had only after them; nothing can
        be concluded from them.
        """
        if self.shown is None:
            return "never_parsed" if self.committed is None else "agrees"
        if self.shown > self.end or (self.input_ms or 0) > self.written_ms + CLOCKS_MS:
            return "another_log"
        if self.committed is None:
            return "lost"
        return "behind" if self.committed < self.shown else "agrees"

    @property
    def to_set(self) -> int | None:
        """The offset that would be right; None where the committed one is, or none is known."""
        return self.shown if self.state in ("lost", "behind") else None


def standings(
    ends: Mapping[Lane, int],
    committed: Mapping[Lane, int],
    shown: Iterable[Shown],
) -> tuple[Standing, ...]:
    """Compare, partition by partition, in their order. Pure.

    Args:
        ends: one past the newest record of every input partition.
        committed: the group's offsets; a partition without one is missing.
        shown: from the tails of the outputs; of one partition the highest place counts.
    """
    newest: dict[Lane, Shown] = {}
    for one in shown:
        known = newest.get(one.place.lane)
        if known is None or one.place.offset > known.place.offset:
            newest[one.place.lane] = one
    return tuple(
        Standing(
            lane,
            committed.get(lane),
            newest[lane].place.offset + 1 if lane in newest else None,
            end,
            newest[lane].serving_epoch if lane in newest else 0,
            newest[lane].written_ms if lane in newest else 0,
        )
        for lane, end in sorted(ends.items())
    )


class OffsetDesk:
    """Asks Kafka, and sets offsets.

    Args:
        kafka: how to reach it, as a user that may read inputs, outputs and the group.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._group = kafka.names.stable_group

    async def compare(self) -> tuple[Standing, ...]:
        """Where the group stands, partition by partition.

        Outputs are read first: of a group that works meanwhile the offsets are then the newer.
        """
        names = self._kafka.names
        used = {lane for lane, end in (await self._ends()).items() if end > 0}
        shown: list[Shown] = []
        for topic in (names.parsed, names.dead_letters):
            shown += await self._tails(topic, used)
        committed: dict[Lane, int] = {}
        for topic in names.inputs:
            with translated(self._kafka):
                found = await group_notes(self._kafka, self._group, topic)
            committed |= {Lane(topic, at): offset for at, offset in found.offsets.items()}
        compared = standings(await self._ends(), committed, shown)
        return tuple([await self._held_against_input(one) for one in compared])

    async def _held_against_input(self, one: Standing) -> Standing:
        """A topic that was made anew gives the same offsets to other, later records."""
        if one.to_set is None:
            return one
        topic, partition = one.lane
        async with TopicLog(self._kafka, topic) as log:
            beginnings, ends = await log.beginnings(), await log.ends()
            log.seek(ends)  # as in `_tails`
            log.only([partition])
            log.seek({partition: max(beginnings[partition], one.to_set - 1)})
            while not await log.passed({partition: min(ends[partition], one.to_set)}):
                for record in await log.poll(max_records=1):
                    if record.offset == one.to_set - 1:
                        return replace(one, input_ms=record.timestamp)
        return one

    async def _ends(self) -> dict[Lane, int]:
        """One past the newest record of every input partition."""
        ends: dict[Lane, int] = {}
        for topic in self._kafka.names.inputs:
            async with TopicLog(self._kafka, topic) as log:
                ends |= {Lane(topic, at): end for at, end in (await log.ends()).items()}
        return ends

    async def restore(self, found: Iterable[Standing]) -> int:
        """Set what is to be set; how many partitions that was.

        The note of the serving epoch goes with it, so that no partition goes back behind what it
        had adopted.

        Raises:
            UsageError: ``group_not_empty``.
        """
        wanted = {
            TopicPartition(*one.lane): OffsetAndMetadata(
                one.to_set, OffsetMetadata(one.serving_epoch, one.to_set).encode()
            )
            for one in found
            if one.to_set is not None
        }
        if not wanted:
            return 0
        await self._need_empty_group()
        consumer = AIOKafkaConsumer(
            group_id=self._group, enable_auto_commit=False, **client_options(self._kafka)
        )
        await connect(consumer, self._kafka)
        try:
            with translated(self._kafka):
                consumer.assign(list(wanted))
                await consumer.commit(wanted)
        finally:
            await close_reader(consumer)
        return len(wanted)

    async def _need_empty_group(self) -> None:
        admin = AIOKafkaAdminClient(**client_options(self._kafka))
        await connect(admin, self._kafka)
        try:
            with translated(self._kafka):
                answers = await admin.describe_consumer_groups([self._group])
        finally:
            await admin.close()
        members = sum(len(group[5]) for answer in answers for group in answer.groups)
        if members:
            raise UsageError(
                f"the group {self._group} has {members} members: nobody else may move it",
                code="group_not_empty",
                hint="stop the workers, wait for a session to run out, and run this again",
            )

    async def _tails(self, topic: str, used: set[Lane]) -> list[Shown]:
        """The newest of each input partition in every partition of an output."""
        found: list[Shown] = []
        async with TopicLog(self._kafka, topic) as log:
            beginnings, ends = await log.beginnings(), await log.ends()
            log.seek(ends)  # the client has missed a position by now, and would still say so
            for partition in log.partitions:
                wanted = {lane for lane in used if lane.partition == partition}
                found += await _tail(log, partition, beginnings[partition], ends[partition], wanted)
        return found


async def _tail(
    log: TopicLog, partition: int, beginning: int, end: int, wanted: set[Lane]
) -> list[Shown]:
    """Read a partition backwards, in longer and longer steps, until each lane was met."""
    log.only([partition])
    newest: dict[Lane, Shown] = {}
    step, upper = _STEP, end
    while upper > beginning and wanted - newest.keys():
        lower = max(beginning, upper - step)
        log.seek({partition: lower})
        met: dict[Lane, Shown] = {}
        while not await log.passed({partition: upper}):
            for record in await log.poll():
                one = shown_by(record)
                if one is not None and record.offset < upper:
                    met[one.place.lane] = one
        newest = met | newest
        step, upper = step * _STEP_GROWTH, lower
    return list(newest.values())


def shown_by(record: Any) -> Shown | None:
    """What a record of the results or the dead letters says of its input; None: nothing."""
    origin = header(record.headers, ORIGIN)
    if origin is not None:
        parts = origin.decode(errors="replace").rsplit("/", 2)
        if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
            return None
        epoch = (header(record.headers, SERVING_EPOCH) or b"").decode(errors="replace")
        place = Place(parts[0], int(parts[1]), int(parts[2]))
        return Shown(place, int(epoch) if epoch.isdecimal() else 0, record.timestamp)
    place = dead_letter_of(record).place
    if not place.topic or place.offset < 0:
        return None
    return Shown(place, written_ms=record.timestamp)
