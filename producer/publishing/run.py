"""One run of one file: plan, journal, publisher and, after an interruption, the read-back."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from contracts.errors import MgeoError, PermanentError, UsageError
from contracts.limits import Limits
from contracts.settings import KafkaSettings
from producer.publisher import AddressPublisher, PublishedRecord
from producer.publishing.confirmed import Confirmations
from producer.publishing.journal import Journal, read_journal
from producer.publishing.plan import (
    PlannedBatch,
    RefusedRow,
    batch_id,
    check_source,
    plan_batches,
)
from producer.publishing.readback import read_back
from producer.rows import AddressFile, BadLine
from producer.settings import ProducerSettings
from producer.topic_log import Offsets, TopicLog

_PLAN_AHEAD = 16


@dataclass(slots=True)
class Counts:
    """What became of the file's lines."""

    addresses: int = 0
    """Sent by this run of the program and confirmed."""
    batches: int = 0
    already_there: int = 0
    """Addresses that an earlier, interrupted run had brought into the log."""
    malformed: int = 0
    refused: int = 0
    by_code: dict[str, int] = field(default_factory=dict)

    def bad(self, code: str) -> None:
        """Count one malformed line or refused row."""
        self.by_code[code] = self.by_code.get(code, 0) + 1


class Watcher(Protocol):
    """Whoever has to know what becomes of each row while a file is published."""

    def planned(self, batch: PlannedBatch) -> None:
        """These rows are in this batch."""
        ...

    def refused(self, row: RefusedRow) -> None:
        """This row is in none."""
        ...

    def malformed(self, line: BadLine) -> None:
        """This line is no row."""
        ...

    def confirmed(self, addresses: int) -> None:
        """So many more addresses are in the log."""
        ...


class FilePublication:
    """Publishes one file, or goes on with an interrupted run of it.

    Args:
        file: the open file.
        source: who publishes; on every batch and result.
        key_column: the place of the column with the ordering key, or None.
        batch_addresses: most addresses in one record.
        rate: most addresses per second, or None.
        journal: where the journal is, or None for a stream that cannot be read again.

    Raises:
        UsageError: ``bad_source``.
    """

    def __init__(
        self,
        file: AddressFile,
        *,
        kafka: KafkaSettings,
        settings: ProducerSettings,
        source: str = "",
        key_column: int | None = None,
        batch_addresses: int | None = None,
        rate: float | None = None,
        journal: Path | None = None,
    ) -> None:
        check_source(source, settings.limits)
        self._file = file
        self._kafka = kafka
        self._settings = settings
        self._source = source
        self._key_column = key_column
        self._batch_addresses = batch_addresses or settings.publish_batch_addresses
        self._rate = rate
        self._journal_path = journal
        self._journal: Journal | None = None
        self._confirmations = Confirmations((), {})
        self.counts = Counts()

    @property
    def journal(self) -> Journal:
        """The run: its id and where its results can be found."""
        if self._journal is None:
            raise UsageError("the publication was not prepared", code="not_open")
        return self._journal

    async def prepare(self, *, resume: bool, again: bool, read_log: bool = True) -> None:
        """Start a new run or take up an interrupted one; nothing is sent yet.

        Args:
            resume: go on with the interrupted run if there is one.
            again: begin anew even if there is one.
            read_log: False trusts the journal alone, which lags behind the log.

        Raises:
            UsageError: ``interrupted_run``, ``file_changed``, ``options_changed``,
                ``resume_expired``, ``another_topic``.
        """
        path = self._journal_path
        earlier = None if path is None or again else read_journal(path)
        if earlier is not None and not resume:
            if not earlier.complete:
                raise UsageError(
                    "an earlier run of this file was interrupted",
                    code="interrupted_run",
                    hint="--resume goes on with it; --again sends the whole file anew",
                )
            earlier = None  # a finished run: this one publishes the file once more
        if earlier is None:
            self._journal = await self._new_run()
            self._confirmations = Confirmations((), self._journal.floors)
        else:
            self._check_same(earlier)
            self._journal = earlier
            known = earlier.known
            if not earlier.complete and read_log:
                await self._settle(earlier)
                arrived = await read_back(self._kafka, earlier.topic, earlier.run_id, known)
                self._confirmations = Confirmations(arrived.indexes, arrived.ends)
            else:
                before = (*range(known.prefix), *known.beyond)
                self._confirmations = Confirmations(before, known.floors)
        self._checkpoint()

    async def publish(self, watcher: Watcher) -> Counts:
        """Send every batch that is not in the log yet; returns when all are confirmed."""
        run_id = self.journal.run_id
        began = checkpointed = time.monotonic()
        every = self._settings.publish_checkpoint_ms / 1000
        sent = 0
        on_their_way: set[asyncio.Task[None]] = set()
        failures: list[MgeoError] = []
        confirmations = self._confirmations

        async def confirm(batch: PlannedBatch, record: asyncio.Task[PublishedRecord]) -> None:
            try:
                published = await record
            except MgeoError as error:
                failures.append(error)
                return
            confirmations.confirm(batch.index, published.partition, published.offset)
            self.counts.addresses += published.addresses
            self.counts.batches += 1
            watcher.confirmed(published.addresses)

        async with AddressPublisher(self._kafka, self._settings) as publisher:
            partitions = await publisher.partitions()
            async for item in self._plan():
                if failures:
                    break
                if not isinstance(item, PlannedBatch):
                    self._count(item, watcher)
                    continue
                watcher.planned(item)
                if confirmations.is_there(item.index):
                    self.counts.already_there += len(item.record.positions)
                    watcher.confirmed(len(item.record.positions))
                    continue
                record = await publisher.send(
                    item.record,
                    event_id=batch_id(run_id, item.index),
                    key=item.key,
                    partition=item.index % partitions if item.key is None else None,
                )
                task = asyncio.create_task(confirm(item, record))
                on_their_way.add(task)
                task.add_done_callback(on_their_way.discard)
                sent += len(item.record.positions)
                if time.monotonic() - checkpointed >= every:
                    self._checkpoint()
                    checkpointed = time.monotonic()
                if self._rate is not None:
                    await asyncio.sleep(max(0.0, began + sent / self._rate - time.monotonic()))
            if on_their_way:
                await asyncio.wait(set(on_their_way))
            self._checkpoint(complete=not failures)
            if failures:
                raise failures[0]
        return self.counts

    async def _plan(self) -> AsyncIterator[PlannedBatch | RefusedRow | BadLine]:
        plan = iter(self._batches())
        # A pipe's batch is sent as soon as it is full, whatever comes after it.
        most = 1 if self._file.path is None else _PLAN_AHEAD
        while True:
            # In a thread: reading a pipe waits for its writer.
            some = await asyncio.to_thread(_take, plan, most)
            for item in some:
                yield item
            if len(some) < most:
                return

    def _batches(self) -> Iterator[PlannedBatch | RefusedRow | BadLine]:
        return plan_batches(
            self._file,
            run_id=self.journal.run_id,
            source=self._source,
            batch_addresses=self._batch_addresses,
            key_column=self._key_column,
            limits=self._settings.limits,
        )

    def check_all_lines(self) -> None:
        """Read the whole file once and send nothing.

        Raises:
            PermanentError: ``malformed_line`` naming the first one.
        """
        for row in self._file:
            if isinstance(row, BadLine):
                raise PermanentError(
                    f"line {row.line} is malformed ({row.code}); nothing was published",
                    code="malformed_line",
                    hint="without --strict such lines go to a rejects file",
                )

    def _count(self, item: RefusedRow | BadLine, watcher: Watcher) -> None:
        self.counts.bad(item.code)
        if isinstance(item, BadLine):
            self.counts.malformed += 1
            watcher.malformed(item)
        else:
            self.counts.refused += 1
            watcher.refused(item)

    def _checkpoint(self, *, complete: bool = False) -> None:
        self._journal = self.journal.at(self._confirmations.known(), complete=complete)
        if self._journal_path is not None:
            self._journal.write(self._journal_path)

    async def _settle(self, earlier: Journal) -> None:
        # A request that the killed process had handed to the network can arrive after it.
        settings = self._settings
        quiet = timedelta(milliseconds=settings.publish_checkpoint_ms + settings.resume_settle_ms)
        wait = min(quiet, max(timedelta(0), earlier.written_at + quiet - datetime.now(UTC)))
        await asyncio.sleep(wait.total_seconds())

    async def _new_run(self) -> Journal:
        names = self._kafka.names
        path = self._file.path
        now = datetime.now(UTC)
        digest = "" if path is None else await asyncio.to_thread(self._file.digest)
        return Journal(
            run_id=f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:12]}",
            digest=digest,
            plan=self._plan_options(),
            topic=names.events,
            floors=await _ends(self._kafka, names.events, committed_only=False),
            result_floors=await _ends(self._kafka, names.parsed),
            dead_letter_floors=await _ends(self._kafka, names.dead_letters),
            written_at=now,
        )

    def _plan_options(self) -> dict[str, str | int | None]:
        return {
            "format": self._file.format.value,
            "encoding": self._file.encoding,
            "delimiter": self._file.delimiter,
            "sheet": self._file.sheet,
            "header": int(self._file.options.header),
            "text_column": self._file.text_column,
            "id_column": self._file.id_column,
            "key_column": self._key_column,
            "source": self._source,
            "batch_addresses": self._batch_addresses,
            "max_addresses": self._settings.limits.max_addresses,
            "max_record_bytes": self._settings.limits.max_record_bytes,
            "max_id_chars": self._settings.limits.max_id_chars,
        }

    def _left_open(self) -> frozenset[str]:
        """The options that have their default, of those that journals did not always hold."""
        read = self._file.options
        is_default = {
            "delimiter": read.delimiter is None,
            "sheet": read.sheet is None,
            "header": read.header,
            "max_id_chars": self._settings.limits.max_id_chars == Limits().max_id_chars,
        }
        return frozenset(name for name, default in is_default.items() if default)

    def _check_same(self, earlier: Journal) -> None:
        path = self._file.path
        if path is not None and self._file.digest() != earlier.digest:
            raise UsageError(
                "the file has changed since the interrupted run",
                code="file_changed",
                hint="bring the old content back, or send the whole file anew with --again",
            )
        changed = earlier.other_options(self._plan_options(), self._left_open())
        if changed:
            raise UsageError(
                f"the interrupted run had another {', '.join(changed)}",
                code="options_changed",
                hint="resume with the options of the first run: batches are cut by them",
            )


def _take(
    plan: Iterator[PlannedBatch | RefusedRow | BadLine], count: int
) -> list[PlannedBatch | RefusedRow | BadLine]:
    return [item for _, item in zip(range(count), plan, strict=False)]


async def _ends(kafka: KafkaSettings, topic: str, *, committed_only: bool = True) -> Offsets:
    async with TopicLog(kafka, topic, committed_only=committed_only) as log:
        return await log.ends()
