"""Where `mgeo results` puts results: lines, tables on the terminal, files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from deploy.cli.output import print_table

if TYPE_CHECKING:
    from contracts.events import ParsedBatch
    from producer.tables import TableFormat

PAGE_ROWS = 50


class Sink:
    """Where results go."""

    unit = "results"

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        return None

    def take(self, batch: ParsedBatch) -> None:
        """One more record."""
        raise NotImplementedError


class Lines(Sink):
    """One JSON message per line."""

    def take(self, batch: ParsedBatch) -> None:
        sys.stdout.write(batch.model_dump_json() + "\n")
        sys.stdout.flush()


class Pages(Sink):
    """A table; page by page, because following has no end."""

    def __init__(self, watched: bool) -> None:
        super().__init__()
        self._rows: list[list[str]] = []
        self._watched = watched

    def __exit__(self, *failure: object) -> None:
        if self._rows or (not self.count and failure[0] is None):
            self._print()

    def take(self, batch: ParsedBatch) -> None:
        for result in batch.results:
            self.count += 1
            parts = " ".join(f"{kind}={text}" for kind, text in result.address.items())
            confidence = "" if result.confidence is None else f"{result.confidence:.2f}"
            self._rows.append(
                [
                    batch.source,
                    batch.batch_id,
                    result.id,
                    result.text or "",
                    parts,
                    result.adcode or "",
                    confidence,
                    result.error or result.status,
                ]
            )
        if len(self._rows) >= PAGE_ROWS or self._watched:
            self._print()

    def _print(self) -> None:
        columns = ("source", "batch", "id", "text", "address", "adcode", "conf.", "status")
        print_table(columns, self._rows)
        self._rows = []


class File(Sink):
    """One row per address, or for jsonl one message per record."""

    def __init__(self, path: Path, form: TableFormat, safe: bool) -> None:
        from producer.tables import RESULT_COLUMNS, OutputTable, TableFormat
        from producer.tables.messages import ORIGIN_COLUMNS, MessageFile

        super().__init__()
        self._messages = form is TableFormat.JSONL
        self._table: Any
        if self._messages:
            self.unit = "records"
            self._table = MessageFile(path)
        else:
            self._table = OutputTable(
                path,
                (*ORIGIN_COLUMNS, *RESULT_COLUMNS),
                added=len(RESULT_COLUMNS),
                format=form,
                spreadsheet_safe=safe,
            )

    def __enter__(self) -> Self:
        self._table.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self._table.__exit__(*failure)

    def take(self, batch: ParsedBatch) -> None:
        from producer.tables.messages import result_rows

        if self._messages:
            self._table.write(batch)
            self.count += 1
            return
        for row in result_rows(batch):
            self._table.write(row)
            self.count += 1
