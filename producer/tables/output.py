"""Opening a table to write to. It appears under its name only when it is complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from contracts.errors import UsageError
from producer.tables.atomic import appearing
from producer.tables.columnar_table import ParquetTable
from producer.tables.sheet_table import SheetTable
from producer.tables.text_tables import DelimitedTable, JsonLinesTable


class TableFormat(StrEnum):
    """The formats that tables can be written in."""

    CSV = "csv"
    TSV = "tsv"
    XLSX = "xlsx"
    JSONL = "jsonl"
    PARQUET = "parquet"


_BY_SUFFIX: Final = {
    ".csv": TableFormat.CSV,
    ".tsv": TableFormat.TSV,
    ".xlsx": TableFormat.XLSX,
    ".jsonl": TableFormat.JSONL,
    ".ndjson": TableFormat.JSONL,
    ".parquet": TableFormat.PARQUET,
}


class _Table(Protocol):
    def write(self, values: Sequence[Any]) -> None: ...

    def close(self) -> None: ...


@contextmanager
def _finished(table: _Table) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(Exception):  # the first error is the one to tell
            table.close()
        raise
    table.close()


class OutputTable:
    """One table; a context manager. A failure inside leaves an existing file as it was.

    Args:
        path: where it will be.
        columns: all names, in order.
        added: how many of them, at the end, are this project's result columns.
        format: default: by the path's suffix.
        schema: the Arrow schema of the input's columns, where it has one.
        spreadsheet_safe: see DelimitedTable.

    Raises (on construction and entering):
        UsageError: ``unknown_format``, ``cannot_write``.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        *,
        added: int = 0,
        format: TableFormat | None = None,  # noqa: A002  (the word that users know it by)
        schema: Any = None,
        spreadsheet_safe: bool = False,
    ) -> None:
        self.path = path
        self.rows = 0
        self._columns = tuple(columns)
        self._added = added
        self._format = format or table_format(path)
        self._schema = schema
        self._safe = spreadsheet_safe
        self._stack = ExitStack()
        self._table: _Table | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            partial = stack.enter_context(appearing(self.path))
            self._table = self._make(partial)
            stack.enter_context(_finished(self._table))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._table = None
        self._stack.__exit__(kind, error, trace)

    def write(self, values: Sequence[Any]) -> None:
        """Add one row."""
        if self._table is None:
            raise UsageError("the table is not open", code="not_open")
        self._table.write(values)
        self.rows += 1

    def _make(self, partial: Path) -> _Table:
        match self._format:
            case TableFormat.CSV | TableFormat.TSV:
                return DelimitedTable(
                    partial,
                    self._columns,
                    delimiter="," if self._format is TableFormat.CSV else "\t",
                    spreadsheet_safe=self._safe,
                )
            case TableFormat.JSONL:
                return JsonLinesTable(partial, self._columns)
            case TableFormat.XLSX:
                return SheetTable(partial, self._columns)
            case TableFormat.PARQUET:
                return ParquetTable(partial, self._columns, added=self._added, schema=self._schema)


def table_format(path: Path) -> TableFormat:
    """The format that a file's name says.

    Raises:
        UsageError: ``unknown_format``.
    """
    suffix = path.suffix.lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    raise UsageError(
        f"the format of {path.name} is not known",
        code="unknown_format",
        hint=f"say it with --out-format: {', '.join(TableFormat)}",
    )
