"""Plain text: one address per line, blank lines are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from producer.rows.lines import read_lines, shown
from producer.rows.model import BadLine, Record


class PlainReader:
    """One text file with an address on each line; its only column is ``text``."""

    columns: tuple[str, ...] = ("text",)

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._lines = read_lines(stream, encoding)

    def __iter__(self) -> Iterator[Record | BadLine]:
        for line in self._lines:
            if line.fault is not None:
                yield BadLine(line.number, line.fault, shown(line.text))
            elif text := line.text.rstrip("\r\n"):
                yield Record(line.number, (text,))

    def close(self) -> None:
        """Nothing of its own to let go of."""
