"""`mgeo results`: parsed addresses out of Kafka."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.durations import moment
from deploy.cli.file_options import OutFormatOption, SafeOption
from deploy.cli.output import Output, note
from deploy.cli.program import example
from deploy.cli.result_sinks import File, Lines, Pages, Sink

if TYPE_CHECKING:
    from producer.results import ResultReader


class Begin(StrEnum):
    """Where reading begins."""

    BEGINNING = "beginning"
    END = "end"


def register(app: typer.Typer) -> None:
    app.command(
        "results",
        epilog=example(
            "mgeo results --source orders --since 1h",
            "mgeo results --follow --output json",
            "mgeo results --group crm --out new.csv",
        ),
    )(results)


def results(
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on and wait for more, until interrupted.")
    ] = False,
    source: Annotated[str | None, typer.Option(help="Only of this publisher.")] = None,
    batch_id: Annotated[str | None, typer.Option(help="Only of this batch.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Written since then: 2h, or 2026-01-31T08:00:00+08:00.")
    ] = None,
    begin: Annotated[
        Begin | None,
        typer.Option("--from", help="Where to begin. Default: beginning, with --follow end."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Consumer group that remembers how far it has read."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a csv, tsv, xlsx, jsonl or parquet file.")
    ] = None,
    out_format: OutFormatOption = None,
    safe_for_spreadsheets: SafeOption = False,
    topic_prefix: PrefixOption = None,
    output: Annotated[
        Output, typer.Option(help="A table for people or one JSON document per record.")
    ] = Output.TABLE,
) -> None:
    """Read results that are committed: to the end and stop, or on and on with --follow.

    Files have one row per address; jsonl and --output json have one message per record, whole.
    With --out and --group the position is stored only once the file is complete.
    """
    from producer.results import ResultReader
    from producer.tables import TableFormat, table_format

    if begin is None and since is None and follow and group is None:
        begin = Begin.END
    form = None
    if out is not None:
        form = table_format(out) if out_format is None else TableFormat(out_format.value)
    reader = ResultReader(
        cluster(topic_prefix),
        source=source,
        batch_id=batch_id,
        since=None if since is None else moment(since, now=datetime.now(UTC)),
        start=None if begin is None else begin.value,
        group=group,
        follow=follow,
        all_or_nothing=out is not None,
    )
    sink: Sink = Lines() if output is Output.JSON else Pages(sys.stdout.isatty())
    if out is not None and form is not None:
        sink = File(out, form, safe_for_spreadsheets)
    asyncio.run(_read(reader, sink, follow))
    if reader.unreadable:
        note(f"{reader.unreadable} records could not be read and were skipped")
    if out is not None:
        print(f"{sink.count} {sink.unit} written to {out}")


async def _read(reader: ResultReader, sink: Sink, follow: bool) -> None:
    # The sink is closed first, and the reader learns of its failure: a position is stored for
    # complete files only.
    async with reader, _closed_beside(sink):
        with _told_to_stop() if follow else nullcontext():
            async for batch in reader:
                sink.take(batch)


@asynccontextmanager
async def _closed_beside(sink: Sink) -> AsyncIterator[None]:
    """A sink that is finished in a thread: a large workbook takes longer to write than a group
    waits for a sign of life of its member.
    """
    with ExitStack() as stack:
        stack.enter_context(sink)
        yield
        await asyncio.to_thread(stack.pop_all().close)


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """SIGINT and SIGTERM are how following ends; what was read so far is finished properly."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: task and task.cancel())
    with suppress(asyncio.CancelledError):
        yield
