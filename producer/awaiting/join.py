"""Giving people their own rows back: every row of the file, in order, with its result."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import UsageError
from producer.awaiting.spill import Spill, outcome_of
from producer.rows import AddressFile, Row
from producer.tables import (
    NO_RESULT,
    RESULT_COLUMNS,
    OutputTable,
    TableFormat,
    added_columns,
    error_cells,
)


def write_joined(
    file: AddressFile,
    spill: Spill,
    path: Path,
    *,
    digest: str = "",
    format: TableFormat | None = None,  # noqa: A002  (the word that users know it by)
    spreadsheet_safe: bool = False,
) -> dict[str, int]:
    """Write the table; rows whose result is missing have the error code ``no_result``.

    Args:
        digest: of the content that was published; empty where only this process can have
            changed it.

    Returns:
        How many rows have each status: ``ok``, or the error code.

    Raises:
        UsageError: ``file_changed``; no table appears.
    """
    counts: dict[str, int] = {}
    columns = (*file.columns, *added_columns(file.columns))
    answers = spill.by_row()
    with OutputTable(
        path,
        columns,
        added=len(RESULT_COLUMNS),
        format=format,
        schema=file.schema,
        spreadsheet_safe=spreadsheet_safe,
    ) as table:
        for row in file:
            if not isinstance(row, Row):
                continue
            number, cells, code = next(answers, (0, None, None))
            if number != row.number:
                raise _changed(file)
            found = error_cells(code or NO_RESULT) if cells is None else cells
            outcome = outcome_of(cells, code)
            counts[outcome] = counts.get(outcome, 0) + 1
            table.write((*row.values, *found))
        # Numbers alone would not tell: rows that changed places have the same ones.
        if next(answers, None) is not None or (digest and file.digest() != digest):
            raise _changed(file)
    return counts


def _changed(file: AddressFile) -> UsageError:
    return UsageError(f"{file.path} changed while its results were awaited", code="file_changed")
