"""Publishing a file from the command line: rejects, progress, and the waiting for results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from contracts.settings import KafkaSettings
from producer.awaiting import Collector, Spill, write_joined
from producer.publishing import (
    Counts,
    FilePublication,
    PlannedBatch,
    RefusedRow,
    journal_path,
)
from producer.publishing.journal import held
from producer.publishing.plan import batch_id
from producer.rows import AddressFile, BadLine, ReadOptions, RejectsFile, rejects_path
from producer.settings import ProducerSettings
from producer.tables import TableFormat


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for."""

    path: str
    read: ReadOptions
    source: str = ""
    key_column: str | None = None
    batch_addresses: int | None = None
    rate: float | None = None
    resume: bool = False
    again: bool = False
    read_log: bool = True
    strict: bool = False
    rejects: str | None = None
    wait: bool = False
    patience_s: float = 120.0
    out: Path | None = None
    out_format: TableFormat | None = None
    spreadsheet_safe: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it.

    Attributes:
        results: rows by ``ok`` or error code, where results were awaited.
        missing: ids of the first batches without a result.
    """

    run_id: str
    topic: str
    encoding: str | None
    text_column: str
    counts: Counts
    rejects: Path | None
    results: dict[str, int] | None = None
    missing: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Watching:
    """Tells the rejects file, the spill and the progress bars what becomes of each row."""

    rejects: RejectsFile
    spill: Spill | None
    on_confirmed: Callable[[int], None]

    def planned(self, batch: PlannedBatch) -> None:
        """These rows wait for this batch."""
        if self.spill is not None:
            self.spill.plan(batch)

    def refused(self, row: RefusedRow) -> None:
        """This row is in no batch."""
        self.rejects.add(BadLine(row.line, row.code, row.raw))
        if self.spill is not None:
            self.spill.refuse(row.number, row.code)

    def malformed(self, line: BadLine) -> None:
        """This line is no row."""
        self.rejects.add(line)

    def confirmed(self, addresses: int) -> None:
        """So many more addresses are in the log."""
        self.on_confirmed(addresses)


async def publish_file(
    order: Order,
    kafka: KafkaSettings,
    settings: ProducerSettings,
    *,
    on_confirmed: Callable[[int], None] = lambda _: None,
    on_answer: Callable[[int], None] = lambda _: None,
) -> Report:
    """Publish one file; with ``order.wait`` wait for its results and write them.

    Raises:
        UsageError, PermanentError, TransientError, BackendUnreachableError: see
            FilePublication and AddressFile.
    """
    with ExitStack() as stack:
        file = stack.enter_context(
            AddressFile(
                order.path,
                order.read,
                # Waiting writes the rows at the end, and strictness checks them beforehand.
                spool=order.wait or order.strict,
                limits=settings.limits,
            )
        )
        journal = None
        if file.path is not None:
            journal = journal_path(
                settings.publish_journal_dir,
                file.path,
                kafka.names.events,
                kafka.kafka_bootstrap_servers,
            )
            stack.enter_context(held(journal))
        key = order.key_column
        publication = FilePublication(
            file,
            kafka=kafka,
            settings=settings,
            source=order.source,
            key_column=None if key is None else file.column(key, "--key-column"),
            batch_addresses=order.batch_addresses,
            rate=order.rate,
            journal=journal,
        )
        if order.strict:
            publication.check_all_lines()
        await publication.prepare(resume=order.resume, again=order.again, read_log=order.read_log)
        rejects = stack.enter_context(
            RejectsFile(
                Path(order.rejects) if order.rejects else rejects_path(file.path),
                spreadsheet_safe=order.spreadsheet_safe,
            )
        )
        spill = stack.enter_context(Spill()) if order.wait else None
        watching = Watching(rejects, spill, on_confirmed)
        results: dict[str, int] | None = None
        missing: list[str] = []
        if spill is None:
            await publication.publish(watching)
        else:
            complete = await _publish_and_collect(
                publication, watching, spill, kafka, order.patience_s, on_answer
            )
            run_id = publication.journal.run_id
            if not complete:
                missing = [batch_id(run_id, index) for index in spill.missing_batches(5)]
            if order.out is not None:
                results = write_joined(
                    file,
                    spill,
                    order.out,
                    digest=publication.journal.digest,
                    format=order.out_format,
                    spreadsheet_safe=order.spreadsheet_safe,
                )
            else:
                results = spill.tally()
        return Report(
            run_id=publication.journal.run_id,
            topic=kafka.names.events,
            encoding=file.encoding,
            text_column=file.columns[file.text_column],
            counts=publication.counts,
            rejects=rejects.path if rejects.count else None,
            results=results,
            missing=missing,
        )


async def _publish_and_collect(
    publication: FilePublication,
    watching: Watching,
    spill: Spill,
    kafka: KafkaSettings,
    patience_s: float,
    on_answer: Callable[[int], None],
) -> bool:
    collector = Collector(kafka, publication.journal, spill, on_answer)

    async def publish() -> None:
        await publication.publish(watching)
        collector.all_planned()

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(publish())
            collecting = group.create_task(collector.collect(patience_s))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None  # one sentence for people, not a tree
    return collecting.result()
