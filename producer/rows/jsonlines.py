"""JSON lines: one object per line; a missing key is an empty cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from contracts.errors import PermanentError, UsageError
from contracts.strict_json import read_json
from producer.rows.lines import Line, read_lines, shown
from producer.rows.model import MAX_LINE_CHARS, BadLine, Record

_MAX_BYTES = 4 * MAX_LINE_CHARS


class JsonLinesReader:
    """One JSON lines file.

    Args:
        stream: its bytes.
        encoding: a Python codec.
        whole: True reads the file once beforehand, so that every key of every line is a
            column; the stream has to be seekable. False takes the keys of the first object,
            and only those.

    Raises:
        UsageError: ``no_records``.
    """

    def __init__(self, stream: BinaryIO, encoding: str, *, whole: bool) -> None:
        self._head: list[Line] = []
        if whole:
            start = stream.tell()
            names = _all_keys(read_lines(stream, encoding))
            stream.seek(start)
            self._lines = read_lines(stream, encoding)
        else:
            self._lines = read_lines(stream, encoding)
            names = {}
            for line in self._lines:
                self._head.append(line)
                if isinstance(document := _object(line), dict):
                    names = dict.fromkeys(document)
                    break
        if not names:
            raise UsageError(
                "no line of the file is a JSON object with a key",
                code="no_records",
                hint='each line is an object, like {"id": "1", "address": "…"}',
            )
        self.columns = tuple(names)

    def __iter__(self) -> Iterator[Record | BadLine]:
        yield from self._read(iter(self._head))
        yield from self._read(self._lines)

    def close(self) -> None:
        """Nothing of its own to let go of."""

    def _read(self, lines: Iterator[Line]) -> Iterator[Record | BadLine]:
        for line in lines:
            document = _object(line)
            if isinstance(document, str):
                yield BadLine(line.number, document, shown(line.text))
            elif document is not None:
                yield Record(line.number, tuple(document.get(name) for name in self.columns))


def _all_keys(lines: Iterator[Line]) -> dict[str, None]:
    names: dict[str, None] = {}
    for line in lines:
        if isinstance(document := _object(line), dict):
            names.update(dict.fromkeys(document))
    return names


def _object(line: Line) -> dict[str, Any] | str | None:
    """The object of a line, the code of what is wrong with it, or None for a blank line."""
    if line.fault is not None:
        return line.fault
    if not line.text.strip():
        return None
    try:
        document = read_json(line.text.encode(), max_bytes=_MAX_BYTES)
    except PermanentError as error:
        return error.code
    return document if isinstance(document, dict) else "not_an_object"
