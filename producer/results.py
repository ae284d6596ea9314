"""Reading parsed results back, from Python: only what is committed, filtered, typed.

A record that cannot be read is counted and named, and never ends the reading.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from contracts.errors import IllegalTransition, TransientError, UsageError
from contracts.events import ParsedBatch
from contracts.settings import KafkaSettings
from producer.group_log import GroupLog, Start
from producer.settings import ProducerSettings
from producer.topic_log import TopicLog

logger = logging.getLogger(__name__)


class ResultReader:
    """An async context manager and iterator over ``address.parsed``.

    Within one partition results come in the order of their input. One result record can be
    read again after a crash when a group is given; ``origin`` identifies it for ever.

    Args:
        kafka: how to reach Kafka; default: from the environment.
        source: only results of this publisher.
        batch_id: only results of this batch.
        since: only results written at or after this moment (with a time zone); not together
            with ``group`` or ``start``.
        start: ``beginning`` (the default), ``end``, or a map from partition to offset.
            In a group it counts only where the group has no position yet.
        group: name of a consumer group: its members share the partitions, and a later
            reader goes on where this one stopped. The topic prefix is put before it.
        all_or_nothing: the group's position is stored once, when the context is left without
            an error, and never before. For what counts only as a whole, as a file does. A
            group that is shared out anew after the first result ends the reading.
        follow: True waits for more for ever; False stops at the end as it is at the start.

    Attributes:
        unreadable: records that were skipped because they could not be read.

    Example:
        >>> async with ResultReader(source="orders", follow=True) as results:
        ...     async for batch in results:
        ...         print(batch.results[0].address)
    """

    def __init__(
        self,
        kafka: KafkaSettings | None = None,
        *,
        source: str | None = None,
        batch_id: str | None = None,
        since: datetime | None = None,
        start: Start | Mapping[int, int] | None = None,
        group: str | None = None,
        follow: bool = True,
        all_or_nothing: bool = False,
        settings: ProducerSettings | None = None,
    ) -> None:
        if since is not None and (group is not None or start is not None):
            raise UsageError(
                "since cannot be combined with group or start: each says where to begin",
                code="bad_start",
            )
        if since is not None and since.tzinfo is None:
            raise UsageError("since needs a time zone", code="bad_since")
        if group is not None and isinstance(start, Mapping):
            raise UsageError("a group keeps its own offsets", code="bad_start")
        self._kafka = kafka or KafkaSettings()
        self._settings = settings or ProducerSettings()
        self._source = source
        self._batch_id = batch_id
        self._since = since
        self._start = start or "beginning"
        self._group = group
        self._follow = follow
        self._all_or_nothing = all_or_nothing
        self._log: TopicLog | GroupLog | None = None
        self._handed_out: tuple[int, int] | None = None
        self._began_in: int | None = None
        self._committed_at = 0.0
        self.unreadable = 0

    @property
    def topic(self) -> str:
        """Where this reads from."""
        return self._kafka.names.parsed

    async def __aenter__(self) -> Self:
        if self._group is not None and not isinstance(self._start, Mapping):
            group = f"{self._kafka.topic_prefix}{self._group}"
            log: TopicLog | GroupLog = GroupLog(
                self._kafka,
                self.topic,
                group,
                self._start,
                store_on_revoke=not self._all_or_nothing,
            )
        else:
            log = TopicLog(self._kafka, self.topic)
        await log.__aenter__()
        self._log = log
        self._committed_at = time.monotonic()
        if isinstance(log, TopicLog):
            log.seek(await self._first_offsets(log))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        log, self._log = self._log, None
        if log is None:
            return
        try:
            if isinstance(log, GroupLog):
                await self._store(log, failed=error is not None)
        finally:
            await log.__aexit__(kind, error, trace)

    async def __aiter__(self) -> AsyncIterator[ParsedBatch]:
        if self._log is None:
            raise IllegalTransition(
                "the reader is not open", hint="use it as `async with ResultReader() as results:`"
            )
        log = self._log
        ends: Mapping[int, int] | None = None
        while True:
            if ends is None and not self._follow:
                ends = await log.ends()
            polled = await log.poll()
            generation = _generation(log)
            self._check_whole(generation)
            for record in polled:
                if _generation(log) != generation:
                    break  # the group was shared out anew: the rest comes again, to its owner
                batch = self._read(record)
                self._handed_out = (record.partition, record.offset + 1)
                if batch is not None:
                    if self._began_in is None:
                        self._began_in = generation
                    yield batch
                self._finish(log)
            self._check_whole(_generation(log))
            if isinstance(log, GroupLog):
                # All that was polled is finished. Positions pass over transaction markers: a
                # group that had read everything must not seem to lack what retention removes.
                log.finished.update(await log.positions())
            await self._commit_when_due(log)
            if ends is not None and await log.passed(ends):
                return

    async def _first_offsets(self, log: TopicLog) -> Mapping[int, int]:
        if self._since is not None:
            return await log.since(self._since)
        match self._start:
            case "beginning":
                return await log.beginnings()
            case "end":
                return await log.ends()
            case offsets:
                unknown = sorted(set(offsets) - set(log.partitions))
                if unknown:
                    raise UsageError(
                        f"{self.topic} has no partition {unknown[0]}", code="no_partition"
                    )
                log.only(sorted(offsets))
                return offsets

    def _read(self, record: Any) -> ParsedBatch | None:
        try:
            batch = ParsedBatch.model_validate_json(record.value or b"")
        except ValidationError:  # its message would repeat the text of the address
            self.unreadable += 1
            logger.warning(
                "skipped a result that cannot be read: %s/%d/%d",
                record.topic,
                record.partition,
                record.offset,
            )
            return None
        if self._source is not None and batch.source != self._source:
            return None
        if self._batch_id is not None and batch.batch_id != self._batch_id:
            return None
        return batch

    def _finish(self, log: TopicLog | GroupLog) -> None:
        handed_out, self._handed_out = self._handed_out, None
        if handed_out is not None and isinstance(log, GroupLog):
            partition, following = handed_out
            log.finished[partition] = following

    async def _store(self, log: GroupLog, *, failed: bool) -> None:
        """Store the position at the end, as far as what was handed out was dealt with."""
        if not failed:  # what was handed out last was dealt with too
            self._finish(log)
        if not self._all_or_nothing:
            await log.commit()
        elif not failed:
            self._check_whole(log.generation)
            if not await log.commit() and self._began_in is not None:
                raise _shared_out_anew()

    def _check_whole(self, generation: int) -> None:
        # What was handed out before comes again, here or at another member: it must not
        # stand in one whole with what follows, nor be counted as read.
        if self._all_or_nothing and self._began_in not in (None, generation):
            raise _shared_out_anew()

    async def _commit_when_due(self, log: TopicLog | GroupLog) -> None:
        if self._all_or_nothing:
            return
        due = self._committed_at + self._settings.results_commit_interval_ms / 1000
        if isinstance(log, GroupLog) and time.monotonic() >= due:
            await log.commit()
            self._committed_at = time.monotonic()


def _shared_out_anew() -> TransientError:
    return TransientError(
        "another member joined or left the group while its results were read; "
        "its position was not stored",
        hint="run it again: the same results come once more",
    )


def _generation(log: TopicLog | GroupLog) -> int:
    return log.generation if isinstance(log, GroupLog) else 0
