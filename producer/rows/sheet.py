"""Excel workbooks (.xlsx), one sheet, read row by row."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from contracts.errors import UsageError
from producer.rows.model import BadLine, Record, distinct, joined

# How a workbook writes what XML cannot hold (ECMA-376 part 1, 22.9.2.19). Half of a surrogate
# pair would be no text: it stays as it is written.
_ESCAPE = re.compile("_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")


class SheetReader:
    """One sheet of a workbook. Formulas give the value that was last computed for them.

    Args:
        stream: the file's bytes, seekable.
        sheet: its name; None is the first one.
        header: whether the first row names the columns; if not, they are ``1``, ``2`` …

    Raises:
        UsageError: ``not_xlsx``, ``no_sheet``, ``empty_file``.
    """

    def __init__(self, stream: BinaryIO, *, sheet: str | None, header: bool) -> None:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException

        try:
            self._book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        except ParseError:
            raise _damaged() from None
        except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError):
            raise UsageError(
                "the file is not an .xlsx workbook",
                code="not_xlsx",
                hint="save an old .xls file as .xlsx or .csv; remove a password",
            ) from None
        names = self._book.sheetnames
        if sheet is not None and sheet not in names:
            raise UsageError(
                f"there is no sheet {sheet[:40]!r}",
                code="no_sheet",
                hint=f"the sheets are: {', '.join(names)}",
            )
        self.sheet: str = names[0] if sheet is None else sheet
        page = self._book[self.sheet]
        # The size that a workbook claims for a sheet can be wrong, and rows would be cut to it.
        getattr(page, "reset_dimensions", lambda: None)()
        self._rows = enumerate(page.iter_rows(values_only=True), start=1)
        first = self._next()
        if first is None:
            raise UsageError("the sheet is empty", code="empty_file")
        self._first = None if header else first
        names = [
            ("" if value is None else str(value)) if header else str(place)
            for place, value in enumerate(first.values, start=1)
        ]
        self.columns = distinct(names)

    def __iter__(self) -> Iterator[Record | BadLine]:
        width = len(self.columns)
        record = self._first or self._next()
        while record is not None:
            values = record.values
            if any(value is not None for value in values[width:]):
                yield BadLine(record.line, "too_many_columns", joined(values))
            else:  # cells that are empty at the end of a row are not in the file
                padded = values[:width] + (None,) * (width - len(values))
                yield Record(record.line, padded)
            record = self._next()

    def close(self) -> None:
        """Let go of the workbook."""
        self._book.close()

    def _readable_rows(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        try:
            yield from self._rows
        except (ParseError, zipfile.BadZipFile, zlib.error, EOFError, ValueError):
            raise _damaged() from None

    def _next(self) -> Record | None:
        for line, row in self._readable_rows():
            values: tuple[Any, ...] = tuple(map(_unescaped, row))
            while values and values[-1] is None:
                values = values[:-1]
            if values:
                return Record(line, values)
        return None


def _unescaped(value: Any) -> Any:
    if not isinstance(value, str) or "_x" not in value:
        return value
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), value)


def _damaged() -> UsageError:
    return UsageError(
        "the workbook is damaged: its rows cannot be read",
        code="not_xlsx",
        hint="open it in a spreadsheet program and save it anew",
    )
