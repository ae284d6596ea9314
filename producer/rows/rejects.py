"""The file of lines that could not be read: number, reason and the line itself."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from contracts.errors import UsageError
from producer.rows.model import BadLine
from producer.tables.text_tables import disarmed

HEADER = ("line", "code", "raw")


class RejectsFile:
    """A CSV file that comes into being with the first reject. Holds address text: it lies
    where the person asked for it, and nothing of it is printed.

    Args:
        spreadsheet_safe: see DelimitedTable.
    """

    def __init__(self, path: Path, *, spreadsheet_safe: bool = False) -> None:
        self.path = path
        self._safe = spreadsheet_safe
        self.count = 0
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, bad: BadLine) -> None:
        """Write down one line.

        Raises:
            UsageError: ``cannot_write``.
        """
        if self._file is None:
            try:
                # What is no Unicode may be just why a line is set aside.
                self._file = self.path.open(
                    "w", encoding="utf-8-sig", errors="backslashreplace", newline=""
                )
            except OSError as error:
                raise UsageError(
                    f"the rejects file {self.path} cannot be written: {error.strerror}",
                    code="cannot_write",
                    hint="say where it may be with --rejects",
                ) from None
            self._writer = csv.writer(self._file)
            self._writer.writerow(HEADER)
        raw = disarmed(bad.raw) if self._safe else bad.raw
        self._writer.writerow((bad.line, bad.code, raw))
        self.count += 1


def rejects_path(source: Path | None) -> Path:
    """Where rejects go when nobody said: beside the input, ``stdin.rejects.csv`` for a pipe."""
    if source is None:
        return Path("stdin.rejects.csv")
    return source.with_name(f"{source.name}.rejects.csv")
