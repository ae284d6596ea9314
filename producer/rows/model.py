"""What reading a file gives: rows, and lines that are none. A bad line is a value, not an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

MAX_LINE_CHARS: Final = 1024 * 1024
"""A longer line is malformed: it bounds the memory that one line can take."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as its format gives it.

    Attributes:
        line: where it begins: a line of the file, a row of the sheet, counted from 1.
        values: one per column.
    """

    line: int
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class BadLine:
    """One line that cannot be read as a record.

    Attributes:
        line: where it begins, counted from 1.
        code: stable reason, e.g. ``too_many_columns``.
        raw: the line as it stands there, undecodable bytes written as ``\\xNN``; or the cells
            of its record with tabs between them.
    """

    line: int
    code: str
    raw: str


@dataclass(frozen=True, slots=True)
class Row:
    """One address with everything that stood beside it.

    Attributes:
        number: the how-many-th row of the file, malformed ones included, from 1.
        line: where it begins in the file, from 1.
        id: from the id column, or the row number.
        text: the address; empty where the cell is.
        values: all columns of the input, in their order.
    """

    number: int
    line: int
    id: str
    text: str
    values: tuple[Any, ...]


class RecordReader(Protocol):
    """One file in one format, read once from its beginning, in bounded memory."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, each one different."""
        ...

    def __iter__(self) -> Iterator[Record | BadLine]:
        """The records in the order of the file."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def joined(values: Sequence[Any]) -> str:
    """The cells of a record as one line, where the format has no line to show."""
    return "\t".join("" if value is None else str(value) for value in values)


def distinct(names: list[str]) -> tuple[str, ...]:
    """Column names made different: a blank becomes ``column_3``, a repeat ``name_2``."""
    taken: set[str] = set()
    result = []
    for place, raw in enumerate(names, start=1):
        stem = raw.strip() or f"column_{place}"
        name, count = stem, 1
        while name in taken:
            count += 1
            name = f"{stem}_{count}"
        taken.add(name)
        result.append(name)
    return tuple(result)
