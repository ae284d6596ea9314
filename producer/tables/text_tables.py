"""Tables as text: CSV, TSV and JSON lines."""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

# OWASP's list: the full-width forms too, which some spreadsheets take for the narrow ones.
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


class DelimitedTable:
    """CSV with a byte order mark, by which spreadsheets know that it is UTF-8; or TSV.

    Args:
        spreadsheet_safe: put an apostrophe before texts that a spreadsheet would take for a
            formula. Off by default, because it changes the data.
    """

    def __init__(
        self, path: Path, columns: Sequence[str], *, delimiter: str, spreadsheet_safe: bool
    ) -> None:
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file, delimiter=delimiter)
        self._safe = spreadsheet_safe
        self._writer.writerow([self._cell(name) for name in columns])

    def write(self, values: Sequence[Any]) -> None:
        """Add one row."""
        self._writer.writerow([self._cell(value) for value in values])

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def _cell(self, value: Any) -> str:
        return disarmed(value) if self._safe and isinstance(value, str) else cell_text(value)


class JsonLinesTable:
    """One JSON object per line; the values of JSON and Parquet inputs keep their types."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = path.open("wb")
        self._columns = tuple(columns)

    def write(self, values: Sequence[Any]) -> None:
        """Add one row."""
        row = dict(zip(self._columns, values, strict=True))
        self._file.write(_json(row) + b"\n")

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=str)
    except orjson.JSONEncodeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, default=str).encode()


def disarmed(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def cell_text(value: Any) -> str:
    """A value as the text of a cell."""
    match value:
        case None:
            return ""
        case str():
            return value
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case dict() | list():
            return _json(value).decode()
        case _:
            return str(value)
