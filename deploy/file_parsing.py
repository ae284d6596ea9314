"""Parsing a file on this machine, without Kafka: its rows come back with their results."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from contracts.errors import PermanentError
from contracts.events import AddressResult
from producer.rows import AddressFile, BadLine, RejectsFile, Row
from producer.tables import (
    RESULT_COLUMNS,
    OutputTable,
    TableFormat,
    added_columns,
    result_cells,
)


class Parser(Protocol):
    """What parses: ``consumer.AddressParser``, or a stand-in."""

    def stream(self, addresses: Iterable[str]) -> Iterator[AddressResult]:
        """Results in the order of the addresses."""
        ...


@dataclass(slots=True)
class ParseCounts:
    """What became of the file's lines.

    Attributes:
        results: rows by ``ok`` or error code.
    """

    results: dict[str, int] = field(default_factory=dict)
    malformed: int = 0

    def add(self, result: AddressResult) -> None:
        """Count one result."""
        outcome = "ok" if result.status == "ok" else str(result.error)
        self.results[outcome] = self.results.get(outcome, 0) + 1


def parsed_rows(
    file: AddressFile, parser: Parser, rejects: RejectsFile, *, strict: bool = False
) -> Iterator[tuple[Row, AddressResult]]:
    """Every row of the file with its result, whose id is the row's.

    Malformed lines go to the rejects. Memory is bounded by what the parser reads ahead.

    Raises:
        PermanentError: ``malformed_line`` with ``strict``.
    """
    waiting: deque[Row] = deque()

    def texts() -> Iterator[str]:
        for row in file:
            if isinstance(row, BadLine):
                if strict:
                    raise PermanentError(
                        f"line {row.line} is malformed ({row.code})",
                        code="malformed_line",
                        hint="without --strict such lines go to a rejects file",
                    )
                rejects.add(row)
                continue
            waiting.append(row)
            yield row.text

    for result in parser.stream(texts()):
        row = waiting.popleft()
        yield row, result.model_copy(update={"id": row.id})


def write_parsed(
    file: AddressFile,
    rows: Iterable[tuple[Row, AddressResult]],
    path: Path,
    *,
    format: TableFormat | None = None,  # noqa: A002  (the word that users know it by)
    spreadsheet_safe: bool = False,
) -> ParseCounts:
    """Write all columns of all rows and the results; complete, or not there at all."""
    counts = ParseCounts()
    with OutputTable(
        path,
        (*file.columns, *added_columns(file.columns)),
        added=len(RESULT_COLUMNS),
        format=format,
        schema=file.schema,
        spreadsheet_safe=spreadsheet_safe,
    ) as table:
        for row, result in rows:
            counts.add(result)
            table.write((*row.values, *result_cells(result)))
    return counts
