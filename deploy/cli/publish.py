"""`mgeo publish`: addresses from a file or a pipe into Kafka, and their results back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.durations import seconds
from deploy.cli.file_options import (
    DelimiterOption,
    EncodingOption,
    FormatOption,
    HeaderOption,
    IdColumnOption,
    OutFormatOption,
    RejectsOption,
    SafeOption,
    SheetOption,
    StrictOption,
    TextColumnOption,
    read_options,
)
from deploy.cli.output import Output, OutputOption, note, print_json
from deploy.cli.program import example

if TYPE_CHECKING:
    from deploy.file_publishing import Report

TIMED_OUT = 124


def register(app: typer.Typer) -> None:
    app.command(
        "publish",
        epilog=example(
            "mgeo publish orders.csv --source orders",
            "mgeo publish orders.xlsx --wait --out parsed.xlsx",
            "mgeo publish orders.csv --resume",
            "cat list.txt | mgeo publish - --format text",
        ),
    )(publish)


def publish(
    file: Annotated[str, typer.Argument(help="csv, tsv, xlsx, jsonl, parquet, txt, or - .")],
    source: Annotated[str, typer.Option(help="Who publishes; results can be filtered by it.")] = "",
    format: FormatOption = None,  # noqa: A002  (the option's name)
    text_column: TextColumnOption = None,
    id_column: IdColumnOption = None,
    key_column: Annotated[
        str | None,
        typer.Option(help="Rows with the same value here are parsed in their order."),
    ] = None,
    encoding: EncodingOption = None,
    delimiter: DelimiterOption = None,
    sheet: SheetOption = None,
    header: HeaderOption = True,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Addresses in one record. Default: 100.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Most addresses per second.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run: no loss, no repeat.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Send the whole file, interrupted before or not.")
    ] = False,
    strict: StrictOption = False,
    rejects: RejectsOption = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until every row has its result.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="With --wait: all rows, all columns, and the results.")
    ] = None,
    out_format: OutFormatOption = None,
    safe_for_spreadsheets: SafeOption = False,
    timeout: Annotated[
        str, typer.Option(help="With --wait: give up when no result came for this long.")
    ] = "5m",
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Publish the addresses of a file, each exactly once, and say how many there were.

    Malformed lines are set aside with their numbers. With --wait --out you get your own rows
    back. Leaves with 124 when results are missing after --timeout.
    """
    from contracts.errors import TransientError
    from contracts.tracing import traces
    from deploy.cli.progress import address_bars
    from deploy.file_publishing import Order, publish_file
    from producer.settings import ProducerSettings
    from producer.tables import TableFormat, table_format

    if resume and again:
        raise typer.BadParameter("--resume and --again contradict each other")
    if resume and file == "-":
        raise typer.BadParameter("a pipe cannot be read again: save it to a file for --resume")
    if out is not None and not wait:
        raise typer.BadParameter("--out needs --wait")
    chosen = None if out_format is None else TableFormat(out_format.value)
    if out is not None and chosen is None:
        table_format(out)  # a wrong name is said before anything is sent
    order = Order(
        path=file,
        read=read_options(format, text_column, id_column, encoding, delimiter, sheet, header),
        source=source,
        key_column=key_column,
        batch_addresses=batch_size,
        rate=rate,
        resume=resume,
        again=again,
        strict=strict,
        rejects=rejects,
        wait=wait,
        patience_s=seconds(timeout),
        out=out,
        out_format=chosen,
        spreadsheet_safe=safe_for_spreadsheets,
    )
    with traces("mgeo-publisher"), address_bars() as bars:
        published = bars.add("published")
        answered = bars.add("parsed") if wait else None
        try:
            report = asyncio.run(
                publish_file(
                    order,
                    cluster(topic_prefix),
                    ProducerSettings(),
                    on_confirmed=published.advance,
                    on_answer=(lambda _: None) if answered is None else answered.advance,
                )
            )
        except (KeyboardInterrupt, TransientError):
            if file != "-":
                note("Go on later with the same command and --resume.")
            raise
    if output is Output.JSON:
        _print_json(report)
    else:
        _print_counts(report, out)
    if report.missing:
        note(
            f"Error: no result came for {timeout}; missing are batch {', '.join(report.missing)}"
            " … Is a worker running? Fetch them later with the same command and --resume."
        )
        raise typer.Exit(TIMED_OUT)


def _print_json(report: Report) -> None:
    counts = report.counts
    print_json(
        {
            "run_id": report.run_id,
            "topic": report.topic,
            "encoding": report.encoding,
            "text_column": report.text_column,
            "published": counts.addresses,
            "batches": counts.batches,
            "already_published": counts.already_there,
            "malformed": counts.malformed,
            "refused": counts.refused,
            "by_code": counts.by_code,
            "rejects": report.rejects,
            "results": report.results,
        }
    )


def _print_counts(report: Report, out: Path | None) -> None:
    counts = report.counts
    how = "" if report.encoding is None else f" as {report.encoding}"
    note(f"read{how}, addresses from column {report.text_column}")
    print(
        f"{counts.addresses} addresses published to {report.topic} "
        f"in {counts.batches} batches (run {report.run_id})"
    )
    if counts.already_there:
        print(f"{counts.already_there} were there already")
    if report.rejects is not None:
        codes = ", ".join(f"{number} {code}" for code, number in counts.by_code.items())
        print(f"{counts.malformed + counts.refused} lines set aside ({codes}): {report.rejects}")
    if report.results is not None:
        codes = ", ".join(f"{number} {code}" for code, number in report.results.items())
        print(f"results: {codes or 'none'}")
        if out is not None:
            print(f"written to {out}")
