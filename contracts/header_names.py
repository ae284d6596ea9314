"""Names of headers that are not UTF-8: what makes aiokafka read past them, and what they become.

Kafka takes any bytes for a name and aiokafka decodes strictly, in the middle of ``getmany()``: the
records of that call are lost to the caller, its position has moved on, and every reader of the
partition ends alike. So such names are read with ``surrogateescape``. A name of a good record
never holds a lone surrogate, so the lane still sees which record it was.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from contracts.headers import Header

_FRAME_BYTES: Final = 12
"""Before a batch's own bytes: its first offset and its length."""
_MAGIC_AT: Final = 16
_COUNT_AT: Final = 57
_RECORDS_AT: Final = 61
_LOG_APPEND_TIME: Final = 1

_UNPACK: Final = {1: "gzip_decode", 2: "snappy_decode", 3: "lz4_decode", 4: "zstd_decode"}
"""Of ``aiokafka.codec``, by the number of the compression."""


def read_any_header_name() -> None:
    """Make every consumer of this process read such records. A second call changes nothing.

    aiokafka has no place to hand a reader in: its fetcher looks this name up in its module.
    """
    from aiokafka.consumer import fetcher

    fetcher.MemoryRecords = _Records


def readable(headers: Iterable[Header]) -> tuple[tuple[Header, ...], bool]:
    r"""The headers with names that can be written again, and whether all were UTF-8.

    A byte that was not stands as ``\xNN``.
    """
    found = tuple(headers)
    mended = tuple((_escaped(name), value) for name, value in found)
    return mended, mended == found


def _escaped(name: str) -> str:
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class _Record:
    """One record, as aiokafka's fetcher asks for it."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


class _Records:
    """The batches of one partition's answer: aiokafka's own, each with its bytes at hand."""

    def __init__(self, data: bytes) -> None:
        from aiokafka.record.memory_records import MemoryRecords

        self._batches = MemoryRecords(data)
        self._data = data
        self._at = 0

    def size_in_bytes(self) -> int:
        return len(self._data)

    def has_next(self) -> bool:
        return bool(self._batches.has_next())

    def next_batch(self) -> Any:
        batch, begin = self._batches.next_batch(), self._at
        if batch is None:
            return None
        (length,) = struct.unpack_from(">i", self._data, begin + 8)
        self._at += _FRAME_BYTES + length
        if self._data[begin + _MAGIC_AT] < 2 or batch.is_control_batch:  # without headers
            return batch
        return _Batch(batch, memoryview(self._data)[begin : self._at])


class _Batch:
    """aiokafka's batch; read by us from the first record on that it cannot read."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        from aiokafka.errors import CorruptRecordException

        taken = 0
        try:
            for record in self._batch:
                yield record
                taken += 1
        except (UnicodeDecodeError, CorruptRecordException) as error:
            # The part that is written in Python wraps the one in the other.
            if isinstance(error, CorruptRecordException) and not isinstance(
                error.__cause__, UnicodeDecodeError
            ):
                raise
        else:
            return
        yield from islice(_records(self._batch, self._data), taken, None)


def _records(batch: Any, data: memoryview) -> Iterator[_Record]:
    from aiokafka import codec

    (count,) = struct.unpack_from(">i", data, _COUNT_AT)
    packed = bytes(data[_RECORDS_AT:])
    unpack = _UNPACK.get(batch.compression_type)
    body = _Body(packed if unpack is None else bytes(getattr(codec, unpack)(packed)))
    for _ in range(count):
        yield _record(batch, body)


def _record(batch: Any, body: _Body) -> _Record:
    body.number()  # its length
    body.number()  # attributes, of which there are none yet
    age, place = body.number(), body.number()
    key, value = body.text(), body.text()
    headers = [
        ((body.text() or b"").decode("utf-8", "surrogateescape"), body.text())
        for _ in range(body.number())
    ]
    appended = batch.timestamp_type == _LOG_APPEND_TIME
    return _Record(
        offset=batch.base_offset + place,
        timestamp=batch.max_timestamp if appended else batch.first_timestamp + age,
        timestamp_type=batch.timestamp_type,
        key=key,
        value=value,
        headers=headers,
    )


class _Body:
    """The records of a batch, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        from aiokafka.errors import CorruptRecordException
        from aiokafka.record.util import decode_varint_py

        try:
            # Its twin in Cython looks at no bounds.
            number, self._at = decode_varint_py(self._data, self._at)
        except (IndexError, ValueError) as error:
            raise CorruptRecordException(f"a record's numbers: {error!r}") from error
        return int(number)

    def text(self) -> bytes | None:
        from aiokafka.errors import CorruptRecordException

        length = self.number()
        if length < 0:
            return None
        begin, self._at = self._at, self._at + length
        if self._at > len(self._data):
            raise CorruptRecordException("a record ends behind its batch")
        return self._data[begin : self._at]
