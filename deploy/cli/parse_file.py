"""`mgeo parse FILE`: the file half of the command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.cli.output import Output, note, print_json_line
from deploy.cli.progress import address_bars

if TYPE_CHECKING:
    from contracts.events import AddressResult
    from deploy.file_parsing import ParseCounts, Parser
    from producer.rows import ReadOptions, Row
    from producer.tables import TableFormat

PAGE_ROWS = 50

Printer = Callable[[list["AddressResult"], Output], None]

# Those of producer.rows.source, which is not imported before a command runs; a test compares.
FILE_SUFFIXES = frozenset(
    {
        *(".csv", ".tsv", ".tab", ".txt", ".text", ".jsonl", ".ndjson"),
        *(".xlsx", ".xlsm", ".parquet", ".pq"),
    }
)


def means_a_file(arguments: list[str], said_format: bool) -> bool:
    """Whether these arguments are one file, and not addresses."""
    if len(arguments) != 1:
        return False
    (name,) = arguments
    if name == "-" or said_format or Path(name).suffix.lower() in FILE_SUFFIXES:
        return True
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # an address can be longer than any path may be
        return False


@dataclass(frozen=True, slots=True)
class FileOrder:
    """What was asked for.

    Attributes:
        out: the table to write; None prints the results.
    """

    path: str
    read: ReadOptions
    rejects: str | None
    strict: bool
    out: Path | None
    out_format: TableFormat | None
    spreadsheet_safe: bool


def parse_file(
    order: FileOrder, open_parser: Callable[[], Parser], output: Output, show: Printer
) -> None:
    """Parse a file row by row; write a table, or print the results as they come."""
    from contracts.settings import LimitSettings
    from deploy.file_parsing import parsed_rows, write_parsed
    from producer.rows import AddressFile, RejectsFile, rejects_path
    from producer.tables import table_format

    if order.out is not None and order.out_format is None:
        table_format(order.out)  # a wrong name is said before the model is loaded
    limits = LimitSettings().limits
    with (
        AddressFile(order.path, order.read, spool=order.out is not None, limits=limits) as file,
        RejectsFile(
            Path(order.rejects) if order.rejects else rejects_path(file.path),
            spreadsheet_safe=order.spreadsheet_safe,
        ) as rejects,
        address_bars() as bars,
    ):
        rows = parsed_rows(file, open_parser(), rejects, strict=order.strict)
        if order.out is None:
            counts = _print(rows, output, show)
        else:
            bar = bars.add("parsed")
            counts = write_parsed(
                file,
                _counting(rows, bar.advance),
                order.out,
                format=order.out_format,
                spreadsheet_safe=order.spreadsheet_safe,
            )
        counts.malformed = rejects.count
        _report(counts, order, rejects.path)


def _print(rows: Iterable[tuple[Row, AddressResult]], output: Output, show: Printer) -> ParseCounts:
    from deploy.file_parsing import ParseCounts

    counts = ParseCounts()
    source = iter(rows)
    while page := [result for _, result in islice(source, PAGE_ROWS)]:
        for result in page:
            counts.add(result)
        if output is Output.JSON:  # lines even for one address: a file has many
            for result in page:
                print_json_line(result.model_dump(mode="json"))
            sys.stdout.flush()
        else:
            show(page, output)
    return counts


def _counting(
    rows: Iterable[tuple[Row, AddressResult]], advance: Callable[[int], None]
) -> Iterator[tuple[Row, AddressResult]]:
    for pair in rows:
        advance(1)
        yield pair


def _report(counts: ParseCounts, order: FileOrder, rejects: Path) -> None:
    codes = ", ".join(f"{number} {code}" for code, number in counts.results.items()) or "none"
    note(f"results: {codes}" + (f"; written to {order.out}" if order.out else ""))
    if counts.malformed:
        note(f"{counts.malformed} malformed lines set aside: {rejects}")
