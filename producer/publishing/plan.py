"""Putting the rows of a file into batches. Pure, and the same for the same file and options.

That sameness is what a resumed run stands on: batch 17 holds the same rows every time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from contracts.errors import PermanentError, UsageError
from contracts.limits import Limits
from producer.encoding import PackedRecord, address_json, frame_bytes, record_json
from producer.rows import BadLine, Row, joined

MAX_OPEN_KEYS: Final = 1000
"""Keys whose batches are filled at the same time; the one waiting longest gives way."""

_INDEX_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """One record to publish.

    Attributes:
        index: its place in the file's plan, from 0.
        key: the ordering key; None leaves the choice of partition to the index.
        record: value, with the numbers of its rows as positions.
    """

    index: int
    key: bytes | None
    record: PackedRecord


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row that no record can carry.

    Attributes:
        raw: its cells with tabs between them.
    """

    number: int
    line: int
    code: str
    raw: str = ""


def check_source(source: str, limits: Limits) -> None:
    """Refuse a name that would make every record of the plan a dead letter.

    Raises:
        UsageError: ``bad_source``.
    """
    if len(source) > limits.max_id_chars:
        raise UsageError(
            f"a source has at most {limits.max_id_chars} characters", code="bad_source"
        )
    try:
        source.encode()
    except UnicodeEncodeError:
        raise UsageError("the source is not readable text", code="bad_source") from None


def batch_id(run_id: str, index: int) -> str:
    """The id of one batch of a run; also its CloudEvents id."""
    return f"{run_id}-{index:0{_INDEX_DIGITS}d}"


def batch_index(run_id: str, identifier: str) -> int | None:
    """The place in the plan that an id stands for; None where it is not of this run."""
    head, _, tail = identifier.rpartition("-")
    ours = head == run_id and len(tail) <= 18 and tail.isascii() and tail.isdigit()
    return int(tail) if ours else None


@dataclass(slots=True)
class _Open:
    elements: list[bytes] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    size: int = 0


def plan_batches(
    rows: Iterable[Row | BadLine],
    *,
    run_id: str,
    source: str,
    batch_addresses: int,
    key_column: int | None,
    limits: Limits,
) -> Iterator[PlannedBatch | RefusedRow | BadLine]:
    """Batches in the order in which they fill; bad lines and refused rows pass through.

    Rows of one key stay in their order, in batches of that key alone. Memory is bounded by
    MAX_OPEN_KEYS batches.
    """
    most = min(batch_addresses, limits.max_addresses)
    room = limits.max_record_bytes - frame_bytes(batch_id(run_id, 0), source)
    filling: OrderedDict[bytes | None, _Open] = OrderedDict()
    index = 0

    def close(key: bytes | None) -> PlannedBatch:
        nonlocal index
        batch = filling.pop(key)
        value = record_json(batch_id(run_id, index), source, batch.elements)
        planned = PlannedBatch(index, key, PackedRecord(value, tuple(batch.rows)))
        index += 1
        return planned

    for row in rows:
        if isinstance(row, BadLine):
            yield row
            continue
        try:
            element = address_json(row.id, row.text, limits)
            if len(element) > room:
                raise PermanentError("no record can hold this address", code="text_too_long")
        except PermanentError as error:
            yield RefusedRow(row.number, row.line, error.code, joined(row.values))
            continue
        key = None if key_column is None else _key(row.values[key_column])
        batch = filling.get(key)
        if batch is not None and batch.size + len(element) > room:
            yield close(key)
            batch = None
        if batch is None:
            if len(filling) == MAX_OPEN_KEYS:
                yield close(next(iter(filling)))
            batch = filling[key] = _Open()
        batch.elements.append(element)
        batch.rows.append(row.number)
        batch.size += len(element) + 1
        if len(batch.elements) == most:
            yield close(key)
    while filling:
        yield close(next(iter(filling)))


def _key(cell: object) -> bytes | None:
    return None if cell in (None, "") else str(cell).encode()
