"""Reading the evidence from Kafka, cut by cut, into the fold. Holds no rule of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from pydantic import ValidationError

from contracts.errors import TransientError
from contracts.events import Origin, ShadowPair
from contracts.judgement import Judgement
from contracts.rollout import Cut, Rollout
from contracts.topics import TopicNames
from rollout.evidence.holes import HoleReader
from rollout.evidence.parties import Judging, Observer, Recorder
from rollout.evidence.portions import Portion, portion_of
from rollout.evidence.production import read_production
from rollout.evidence.tail import Tail
from rollout.evidence.trial import Trial
from rollout.logs import Log, Offsets, OpenLog

_SETTLE_S: Final = 2.0
"""How long a cut waits for transactions that were open when it was taken. A partition whose
transaction stays open longer keeps its old commit in this cut, and nothing of it is missing."""

_CLOCK_SLACK: Final = timedelta(minutes=10)
"""Where a rollout does not say where its evidence begins: so much before its start, for the
writers' clocks may differ."""


async def starting_positions(
    open_log: OpenLog,
    names: TopicNames,
    *,
    replay: bool = False,
    replay_since_ms: int | None = None,
) -> dict[str, Offsets]:
    """``Rollout.evidence_from`` of a rollout that is registered now.

    Args:
        open_log: opens a topic.
        names: of the topics.
        replay: production's results of the past are wanted: all that are kept.
        replay_since_ms: those since this moment, where the replay names one.
    """
    async with open_log(names.shadow) as shadow, open_log(names.parsed) as parsed:
        if replay_since_ms is not None:
            found = await parsed.since(datetime.fromtimestamp(replay_since_ms / 1000, UTC))
        else:
            found = await (parsed.beginnings() if replay else parsed.ends())
        return {"shadow": await shadow.ends(), "parsed": found}


class EvidenceReader:
    """Evidence of one rollout. Use as an async context manager, by one task at a time.

    Args:
        open_log: opens a topic (``producer.topic_log.TopicLog`` is one).
        names: of the topics.
        rollout: whose evidence.
        observer: sees what is folded, in canonical order.
        judge: takes the place of ``rollout.judge.Judge``.
        recorder: writes down what is folded.
    """

    def __init__(
        self,
        open_log: OpenLog,
        names: TopicNames,
        rollout: Rollout,
        *,
        observer: Observer | None = None,
        judge: Judging | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._open_log = open_log
        self._names = names
        self._rollout = rollout
        self._stack = AsyncExitStack()
        self._last: Cut | None = None
        self._peek: Log | None = None
        self.trial = Trial(rollout, judge=judge, observer=observer, recorder=recorder)
        self.corrupt = 0
        """Records on the evidence topics that nobody can read: skipped."""
        self.behind = False
        """Whether the newest cut was made shorter to bound memory: take the next one at once."""

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        rollout, names = self._rollout, self._names
        shadow = await self._enter(names.shadow)
        parsed = await self._enter(names.parsed)
        # Sees what open transactions hold back, to wait for them.
        self._written = await self._enter(names.shadow, committed_only=False)
        self._events = await self._enter(names.events)
        start = datetime.fromisoformat(rollout.started_at) - _CLOCK_SLACK
        begun = rollout.evidence_from
        self._known = frozenset(shadow.partitions) & frozenset(self._events.partitions)
        self._shadow = Tail(shadow, begun.get("shadow") or await shadow.since(start))
        self._parsed = Tail(parsed, begun.get("parsed") or await parsed.since(start))
        await self._shadow.open()
        await self._parsed.open()
        self._holes = HoleReader(await self._enter(names.events), rollout)

    async def _enter(self, topic: str, *, committed_only: bool = True) -> Log:
        opened = self._open_log(topic, committed_only=committed_only)
        return await self._stack.enter_async_context(opened)

    async def take_cut(
        self, number: int, now: datetime, elapsed_ms: int, shadow_committed: Mapping[int, int]
    ) -> Cut:
        """Where the evidence ends at this moment.

        Args:
            number: of the cut, from 1.
            now: with a time zone.
            elapsed_ms: since shadowing began, pauses not counted.
            shadow_committed: the shadow group's commits, read *before* this call; partitions
                without a commit are left out.

        A pair is written in the transaction of its commit, but a commit can be seen before its
        pairs can: so this waits until what was written by now is committed or aborted.

        Raises:
            TransientError: ``evidence_repartitioned``: the shadow has passed records of a
                partition that was not there when this reader was opened. Open another one:
                without that partition's pairs all of them would count as missing.
        """
        if unknown := shadow_committed.keys() - self._known:
            raise TransientError(
                f"partitions {', '.join(map(str, sorted(unknown)))} of the evidence are new",
                code="evidence_repartitioned",
                hint="it is opened again by itself; the evidence needs as many partitions as the "
                "input",
            )
        written = await self._written.ends()
        shadow = await self._settled(written)
        committed = dict(self._last.shadow_committed) if self._last is not None else {}
        for partition, offset in shadow_committed.items():
            if shadow.get(partition, 0) >= written.get(partition, 0):
                committed[partition] = max(offset, committed.get(partition, 0))
        portion = await self._portion(shadow, committed)
        parsed = portion_of(
            await self._parsed.ends(),
            self._parsed.positions,
            1.0,  # every record of it is read, whatever the sample
            addresses_per_record=self.trial.addresses_per_record,
        )
        self.behind = portion.shortened or parsed.shortened
        return Cut(
            number=number,
            at=now.astimezone(UTC).isoformat(),
            elapsed_ms=elapsed_ms,
            shadow=portion.ends,
            parsed=parsed.ends,
            shadow_committed=portion.committed,
            events=await self._events.ends(),
        )

    async def advance(self, cut: Cut) -> Judgement:
        """Read exactly up to the cut's ends, fold, and judge.

        The same cuts in the same order give the same judgements, counts and chain, whoever
        reads, as long as the topics still hold what was read; what they do not is named in the
        look as expired.

        Raises:
            BackendUnreachableError: Kafka stopped answering; this reader is of no use any more.
            ValueError: the cut is not later than the last one.
        """
        trial = self.trial
        for partition in await self._shadow.skip_deleted():
            trial.expire(partition)
        await self._parsed.skip_deleted()
        # Decoding and folding may take seconds, and heartbeats run on this loop: so in a thread.
        async for records in self._shadow.upto(cut.shadow):
            await asyncio.to_thread(self._take_pairs, records, cut)
        async for records in self._parsed.upto(cut.parsed):
            await asyncio.to_thread(self._take_productions, records)
        for partition, committed in sorted(cut.shadow_committed.items()):
            await self._fill_holes(partition, committed)
        self._last = cut
        return await asyncio.to_thread(trial.close, cut)

    async def _settled(self, written: Mapping[int, int]) -> Offsets:
        """The committed ends, once they have reached what was written, or when time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SETTLE_S
        while True:
            ends = await self._shadow.ends()
            done = all(ends.get(partition, end) >= end for partition, end in written.items())
            if done or loop.time() > deadline:
                return ends
            await asyncio.sleep(0.02)

    async def _portion(self, ends: Offsets, committed: Offsets) -> Portion:
        portion = portion_of(
            ends,
            self._shadow.positions,
            self._rollout.share,
            committed,
            addresses_per_record=self.trial.addresses_per_record,
        )
        for partition in portion.cut_short:
            # Pairs are in the order of the input: those before this one are all below its origin.
            origin = await self._origin_after(partition, portion.ends[partition])
            before = self._last.shadow_committed if self._last is not None else {}
            first = self._rollout.from_offsets.get(partition, 0)
            known = max(first, before.get(partition, 0))
            portion.committed[partition] = max(known, min(origin, committed.get(partition, 0)))
        return portion

    async def _origin_after(self, partition: int, position: int) -> int:
        """The input offset of the first readable pair at or after a position of the log."""
        if self._peek is None:
            self._peek = await self._enter(self._names.shadow)
        log = self._peek
        log.only([partition])
        log.seek({partition: position})
        ends = await log.ends()
        while not await log.passed(ends):
            for record in await log.poll():
                try:
                    pair = ShadowPair.model_validate_json(record.value or b"")
                except ValidationError:
                    continue
                if pair.rollout_id == self._rollout.rollout_id:
                    return pair.origin.offset
        return 0

    def _take_pairs(self, records: Sequence[Any], cut: Cut) -> None:
        for record in records:
            try:
                pair = ShadowPair.model_validate_json(record.value or b"")
            except ValidationError:
                self.corrupt += 1
                continue
            if self._is_of(record, pair.origin) and (
                pair.origin.offset < cut.events.get(pair.origin.partition, 0)
            ):
                self.trial.take_pair(pair)
            else:
                self.corrupt += 1

    def _take_productions(self, records: Sequence[Any]) -> None:
        for record in records:
            try:
                topic, result = read_production(record.value or b"")
            except ValueError:
                self.corrupt += 1
                continue
            if topic not in self._names.inputs or result.partition != record.partition:
                self.corrupt += 1
            elif topic == self._names.events:
                self.trial.take_production(result)
            else:
                self.trial.take_interactive(result)

    def _is_of(self, record: Any, origin: Origin) -> bool:
        """Evidence stands in the partition of its input; anything else is not ours."""
        return origin.topic == self._names.events and origin.partition == record.partition

    async def _fill_holes(self, partition: int, committed: int) -> None:
        runs = list(self.trial.holes(partition, committed))
        if not runs:
            return
        async for record in self._holes.records(partition, runs):
            self.trial.take_missing(record)
        if self._holes.expired:
            self.trial.expire(partition)
