"""Turning addresses into record values that fit the topic. Pure.

An address that cannot be carried is reported in its place; it never takes others with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from contracts.errors import PermanentError
from contracts.events import Address
from contracts.limits import Limits

AddressLike = Address | str | tuple[str, str]
"""An address to publish: a model, a bare text, or (id, text)."""


@dataclass(frozen=True, slots=True)
class RejectedAddress:
    """One address that cannot be published.

    Attributes:
        position: where it stood among the addresses given, from 0.
        code: ``text_too_long`` (no record could hold it), ``bad_id`` or ``lone_surrogate``.
    """

    position: int
    code: str


@dataclass(frozen=True, slots=True)
class PackedRecord:
    """One record value and the positions of the addresses in it, in their order."""

    value: bytes
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """Addresses as records, and those that fit into none."""

    records: tuple[PackedRecord, ...]
    rejected: tuple[RejectedAddress, ...]


def named(addresses: Iterable[AddressLike]) -> Iterable[tuple[str, str]]:
    """(id, text) of each address; a bare text is named by its place, counted from 1."""
    for number, address in enumerate(addresses, start=1):
        match address:
            case Address():
                yield address.id, address.text
            case str():
                yield str(number), address
            case _:
                yield address


def address_json(identifier: str, text: str, limits: Limits) -> bytes:
    """One element of ``AddressBatch.addresses``.

    A text that only the worker would refuse is carried: the verdict comes back in its place.

    Raises:
        PermanentError: ``bad_id``, or ``lone_surrogate`` where the text is no Unicode.
    """
    if not 0 < len(identifier) <= limits.max_id_chars:
        raise PermanentError(f"an id has 1 to {limits.max_id_chars} characters", code="bad_id")
    try:
        return orjson.dumps({"id": identifier, "text": text})
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        raise PermanentError(
            "the text has half of a surrogate pair", code="lone_surrogate"
        ) from None


def record_json(batch_id: str, source: str, elements: Sequence[bytes]) -> bytes:
    """The value of one record from addresses that are JSON already."""
    head = orjson.dumps({"batch_id": batch_id, "source": source})[:-1]
    return head + b',"addresses":[' + b",".join(elements) + b"]}"


def frame_bytes(batch_id: str, source: str) -> int:
    """Bytes of a record value beside its addresses and the commas between them."""
    return len(record_json(batch_id, source, ()))


def pack(
    addresses: Iterable[AddressLike], *, batch_id: str, source: str, limits: Limits
) -> Packing:
    """Put addresses into as few records as the limits allow, in their order."""
    room = limits.max_record_bytes - frame_bytes(batch_id, source)
    records: list[PackedRecord] = []
    rejected: list[RejectedAddress] = []
    elements: list[bytes] = []
    positions: list[int] = []
    size = 0

    def close() -> None:
        if elements:
            records.append(PackedRecord(record_json(batch_id, source, elements), tuple(positions)))
            elements.clear()
            positions.clear()

    for position, (identifier, text) in enumerate(named(addresses)):
        try:
            element = address_json(identifier, text, limits)
        except PermanentError as error:
            rejected.append(RejectedAddress(position, error.code))
            continue
        if len(element) > room:
            rejected.append(RejectedAddress(position, "text_too_long"))
            continue
        if len(elements) == limits.max_addresses or size + len(element) > room:
            close()
            size = 0
        elements.append(element)
        positions.append(position)
        size += len(element) + 1  # the comma before the next one
    close()
    return Packing(tuple(records), tuple(rejected))
