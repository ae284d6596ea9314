"""Tables as Excel workbooks. Texts stay texts: none becomes a formula."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from contracts.errors import UsageError
from producer.tables.text_tables import cell_text

MAX_ROWS: Final = 1_048_576
MAX_CELL_CHARS: Final = 32_767

EXACT_BELOW: Final = 10**15
"""Excel keeps 15 digits of a number; ids and card numbers have more."""

# What XML cannot hold, or reads back as another (a carriage return); workbooks write it as
# _xHHHH_ (ECMA-376 part 1, 22.9.2.19), and so the first character of a text like that, too.
_ESCAPED = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


class SheetTable:
    """One sheet, written row by row.

    Raises:
        UsageError: ``too_many_rows`` or ``cell_too_long``, where Excel itself would cut.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        from openpyxl import Workbook

        self._path = path
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("results")
        self._rows = 0
        self.write(columns)

    def write(self, values: Sequence[Any]) -> None:
        """Add one row."""
        self._rows += 1
        if self._rows > MAX_ROWS:
            raise UsageError(
                f"an Excel sheet ends at row {MAX_ROWS}",
                code="too_many_rows",
                hint="write csv, jsonl or parquet instead",
            )
        self._sheet.append([self._cell(value) for value in values])

    def close(self) -> None:
        """Finish the file."""
        self._book.save(self._path)

    def _cell(self, value: Any) -> Any:
        from openpyxl.cell import WriteOnlyCell

        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and abs(value) < EXACT_BELOW:
            return value
        if isinstance(value, float) and math.isfinite(value):
            return self._exact(value)
        if isinstance(value, datetime.date) and getattr(value, "tzinfo", None) is None:
            return value
        text = _ESCAPED.sub(lambda m: f"_x{ord(m[0]):04X}_", cell_text(value))
        if len(text) > MAX_CELL_CHARS:
            raise UsageError(
                f"row {self._rows}: a cell of {len(text)} characters; Excel holds {MAX_CELL_CHARS}",
                code="cell_too_long",
                hint="write csv, jsonl or parquet instead",
            )
        cell = WriteOnlyCell(self._sheet, value=text)
        cell.data_type = "s"  # a text that begins with = would become a formula
        return cell

    def _exact(self, value: float) -> Any:
        from openpyxl.cell import WriteOnlyCell

        if float(f"{value:.16g}") == value:
            return value
        # openpyxl writes 16 digits of any number, and a text in a number's place as it is.
        cell = WriteOnlyCell(self._sheet, value=value)
        cell._value = repr(value)  # type: ignore[attr-defined]
        return cell
