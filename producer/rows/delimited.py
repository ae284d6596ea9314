"""Comma- and tab-separated files, as people really have them.

A broken quote costs its own line, never the rest of the file.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeVar

from contracts.errors import UsageError
from producer.rows.lines import Line, read_lines, shown
from producer.rows.model import MAX_LINE_CHARS, BadLine, Record, distinct

QUOTE: Final = '"'
DELIMITERS: Final = (",", "\t", ";", "|", "，")
NO_DELIMITER: Final = "\x1f"
"""For a file of one column: its commas are part of the addresses."""

MAX_RECORD_LINES: Final = 1000
"""Lines that one quoted record may span; beyond, the quote that began it counts as broken."""

_SNIFF_LINES: Final = 50

_T = TypeVar("_T")

csv.field_size_limit(MAX_LINE_CHARS)


@dataclass(frozen=True, slots=True)
class Cells:
    """One record split into its cells, none of them judged."""

    line: int
    cells: tuple[str, ...]
    raw: str


def split_records(lines: Iterable[Line], delimiter: str) -> Iterator[Cells | BadLine]:
    """Join lines into records where quotes span them, and split them into cells. Pure.

    Where a quote is never closed, or something follows a closed one, the first line of the
    record is malformed and reading goes on with its second line. Blank lines are no records.
    """
    source = iter(lines)
    waiting: deque[Line] = deque()

    def upcoming() -> Line | None:
        return waiting.popleft() if waiting else next(source, None)

    while (line := upcoming()) is not None:
        if line.fault is not None:
            yield BadLine(line.number, line.fault, shown(line.text))
        elif QUOTE not in line.text:
            if bare := line.text.rstrip("\r\n"):
                yield Cells(line.number, tuple(bare.split(delimiter)), line.text)
        else:
            taken = [line]
            cells = _parse(taken, delimiter)
            while cells is None and len(taken) < MAX_RECORD_LINES and _length(taken):
                if (following := upcoming()) is None or following.fault is not None:
                    if following is not None:
                        waiting.appendleft(following)
                    break
                taken.append(following)
                # Only a quote can close the record: parsing again before it would be in vain.
                if QUOTE in following.text:
                    cells = _parse(taken, delimiter)
            if cells is None or cells == _BROKEN:
                waiting.extendleft(reversed(taken[1:]))
                yield BadLine(line.number, "broken_quotes", shown(line.text))
            else:
                yield Cells(line.number, cells, "".join(one.text for one in taken))


_BROKEN: Final = ("\0broken",)


def _parse(lines: list[Line], delimiter: str) -> tuple[str, ...] | None:
    """The cells; None while a quote is open; ``_BROKEN`` where no further line can mend it."""
    try:
        text = [line.text for line in lines]
        records = list(csv.reader(text, delimiter=delimiter, quotechar=QUOTE, strict=True))
    except csv.Error as error:
        return None if "unexpected end" in str(error) else _BROKEN
    return tuple(records[0]) if len(records) == 1 else _BROKEN


def _length(lines: list[Line]) -> bool:
    return sum(len(line.text) for line in lines) < MAX_LINE_CHARS


class DelimitedReader:
    """One delimited text file.

    Args:
        stream: its bytes.
        encoding: a Python codec.
        delimiter: one character, or None to find out.
        header: whether the first line names the columns; if not, they are ``1``, ``2`` …

    Raises:
        UsageError: ``empty_file``, ``bad_header``.
    """

    def __init__(
        self, stream: BinaryIO, encoding: str, *, delimiter: str | None, header: bool
    ) -> None:
        self._lines = read_lines(stream, encoding)
        head: list[Line] = []
        for line in self._lines:
            head.append(line)
            if delimiter is not None or len(head) == _SNIFF_LINES:
                break
        self.delimiter = delimiter or sniff_delimiter([line for line in head if not line.fault])
        self._records = split_records(_chained(head, self._lines), self.delimiter)
        first = next(self._records, None)
        if first is None:
            raise UsageError("the file is empty", code="empty_file")
        if isinstance(first, BadLine):
            raise UsageError(
                f"the first line cannot be read ({first.code})",
                code="bad_header",
                hint="say how the file is written with --encoding and --delimiter",
            )
        self._first = None if header else first
        names = list(first.cells) if header else [str(n + 1) for n in range(len(first.cells))]
        self.columns = distinct(names)

    def __iter__(self) -> Iterator[Record | BadLine]:
        width = len(self.columns)
        for record in _chained([self._first] if self._first else [], self._records):
            if isinstance(record, BadLine):
                yield record
            elif len(record.cells) == width:
                yield Record(record.line, record.cells)
            else:
                code = "too_many_columns" if len(record.cells) > width else "too_few_columns"
                yield BadLine(record.line, code, shown(record.raw))

    def close(self) -> None:
        """Nothing of its own to let go of: the stream is its owner's."""


def _chained(head: Iterable[_T], rest: Iterable[_T]) -> Iterator[_T]:
    yield from head
    yield from rest


def sniff_delimiter(lines: list[Line]) -> str:
    """The delimiter that splits these lines most evenly; none where none splits the first."""
    best, best_score = NO_DELIMITER, (0.0, 0)
    for candidate in DELIMITERS:
        widths = [
            len(record.cells)
            for record in split_records(lines, candidate)
            if isinstance(record, Cells)
        ]
        if not widths or widths[0] < 2:
            continue
        score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if score > best_score:
            best, best_score = candidate, score
    return best
