"""Turning the bytes of one input record into addresses to parse.

A record that cannot be read at all is a ``PermanentError`` (it becomes a dead letter). A
fault in one address is that address's alone: it comes back as a fault in its place.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, TypeGuard

from contracts.errors import PermanentError
from contracts.limits import Limits
from contracts.strict_json import is_encodable, read_json


@dataclass(frozen=True, slots=True)
class AddressInput:
    """One address to parse, or the code that says why it cannot be.

    Attributes:
        id: the publisher's id, or ``#<position>`` where it gave none that is usable.
        text: the raw text; None where it was not text or cannot be encoded.
        fault: an error code, or None: ``bad_address`` (not an object), ``bad_id``,
            ``bad_text`` (not text), or one of ``text_fault``.
    """

    id: str
    text: str | None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class BatchInput:
    """One decoded record."""

    batch_id: str
    source: str
    addresses: tuple[AddressInput, ...]


def decode_batch(raw: bytes | None, limits: Limits) -> BatchInput:
    """Decode one ``AddressBatch`` record.

    Raises:
        PermanentError: the codes of ``read_json``, and ``empty_record``, ``not_an_object``,
            ``bad_batch_id``, ``bad_source``, ``bad_addresses``, ``empty_batch``,
            ``too_many_addresses``.
    """
    if not raw:
        raise PermanentError("the record has no value", code="empty_record")
    # A lone surrogate in one address is that address's fault alone: looked for below.
    document = read_json(raw, max_bytes=limits.max_record_bytes, allow_lone_surrogates=True)
    if not isinstance(document, dict):
        raise PermanentError("the record is not a JSON object", code="not_an_object")
    batch_id = document.get("batch_id")
    if not _is_name(batch_id, limits):
        raise PermanentError(
            f"batch_id must be text of 1 to {limits.max_id_chars} characters", code="bad_batch_id"
        )
    source = document.get("source", "")
    if not (source == "" or _is_name(source, limits)):
        raise PermanentError(
            f"source must be text of at most {limits.max_id_chars} characters", code="bad_source"
        )
    addresses = document.get("addresses")
    if not isinstance(addresses, list):
        raise PermanentError("addresses must be a list", code="bad_addresses")
    if not addresses:
        raise PermanentError("the batch has no address", code="empty_batch")
    if len(addresses) > limits.max_addresses:
        raise PermanentError(
            f"{len(addresses)} addresses, the limit is {limits.max_addresses}",
            code="too_many_addresses",
        )
    return BatchInput(
        batch_id,
        source,
        tuple(_address(item, position, limits) for position, item in enumerate(addresses)),
    )


def text_fault(text: str, limits: Limits) -> str | None:
    """Why this text cannot be parsed, or None.

    ``text_too_long``, ``empty_text`` (nothing in it can be seen) or ``lone_surrogate``.
    """
    if len(text) > limits.max_address_chars:
        return "text_too_long"
    if all(unicodedata.category(character) in _INVISIBLE_CATEGORIES for character in text):
        return "empty_text"
    return None if is_encodable(text) else "lone_surrogate"


_INVISIBLE_CATEGORIES = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
"""Spaces, line and paragraph separators, controls, and formats: zero-width and bidi marks."""


def _is_name(value: Any, limits: Limits) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= limits.max_id_chars and is_encodable(value)


def _address(item: Any, position: int, limits: Limits) -> AddressInput:
    unnamed = f"#{position}"
    if not isinstance(item, dict):
        return AddressInput(unnamed, None, "bad_address")
    identifier, text = item.get("id"), item.get("text")
    raw_text = text if isinstance(text, str) and is_encodable(text) else None
    if not _is_name(identifier, limits):
        return AddressInput(unnamed, raw_text, "bad_id")
    if not isinstance(text, str):
        return AddressInput(identifier, None, "bad_text")
    return AddressInput(identifier, raw_text, text_fault(text, limits))
