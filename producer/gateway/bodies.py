"""Request bodies: bytes to what is asked. Pure.

What is wrong with a request is its caller's problem; what is wrong with one address of a
batch is that address's alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.decode import text_fault
from contracts.errors import PermanentError
from contracts.limits import Limits
from contracts.strict_json import is_encodable, read_json
from producer.gateway.problem import ProblemError, field_fault


@dataclass(frozen=True, slots=True)
class AskedAddress:
    """One address of a batch, or the code that says why it cannot be parsed.

    Attributes:
        id: the caller's, or its place counted from 1; ``#PLACE`` counted from 0 where the
            caller gave one that is unusable.
        text: None where it was no text that can be carried.
        fault: an error code of ``contracts.decode``, or None.
    """

    id: str
    text: str | None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class AskedEvents:
    """Addresses to publish and leave."""

    addresses: tuple[AskedAddress, ...]
    source: str
    key: str | None
    batch_id: str | None


def parse_request(raw: bytes, limits: Limits) -> str:
    """The address of ``POST /parse``.

    Raises:
        ProblemError: 400, 413 or 422.
    """
    fields = _object(raw, limits, {"address"})
    text = fields["address"]
    if not isinstance(text, str):
        raise field_fault("address", "bad_text", "must be text")
    fault = text_fault(text, limits)
    if fault == "text_too_long":
        raise ProblemError(
            f"address: {len(text)} characters, the limit is {limits.max_address_chars}",
            code="text_too_long",
        )
    if fault == "empty_text":
        raise field_fault("address", fault, "nothing in it can be seen", code=fault)
    if fault is not None:
        raise field_fault("address", fault, "has half of a surrogate pair", code=fault)
    return text


def batch_request(raw: bytes, limits: Limits) -> tuple[AskedAddress, ...]:
    """The addresses of ``POST /parse/batch``, in their order.

    Raises:
        ProblemError: 400, 413 or 422.
    """
    return _addresses(_object(raw, limits, {"addresses"})["addresses"], limits)


def events_request(raw: bytes, limits: Limits) -> AskedEvents:
    """What ``POST /events`` is to publish.

    Raises:
        ProblemError: 400, 413 or 422.
    """
    fields = _object(raw, limits, {"addresses"}, {"source", "key", "batch_id"})
    addresses = _addresses(fields["addresses"], limits)
    source = fields.get("source", "")
    if source != "":
        source = _name(source, "source", "bad_source", limits)
    key, batch_id = fields.get("key"), fields.get("batch_id")
    if key is not None and key != "":
        key = _name(key, "key", "bad_key", limits)
    if batch_id is not None:
        batch_id = _name(batch_id, "batch_id", "bad_batch_id", limits)
    return AskedEvents(addresses, source, key, batch_id)


def _object(
    raw: bytes, limits: Limits, needed: set[str], optional: frozenset[str] | set[str] = frozenset()
) -> Mapping[str, Any]:
    try:
        document = read_json(
            raw, max_bytes=max(len(raw), 1), allow_lone_surrogates=True
        )  # whoever read the body has bounded it
    except PermanentError as error:
        raise ProblemError(str(error), code=error.code, hint=error.hint) from None
    if not isinstance(document, dict):
        raise field_fault("", "not_an_object", "the body must be a JSON object")
    for name in sorted(needed - document.keys()):
        raise field_fault(name, "missing_field", "is missing")
    if len(document) > len(needed) and (document.keys() - needed - optional):
        known = ", ".join(sorted(needed | optional))
        # Not by its name: a name can be anything, an address too.
        raise field_fault("", "unknown_field", f"a field is not known; known are {known}")
    del limits
    return document


def _addresses(value: Any, limits: Limits) -> tuple[AskedAddress, ...]:
    if not isinstance(value, list):
        raise field_fault("addresses", "bad_addresses", "must be a list")
    if not value:
        raise field_fault("addresses", "empty_batch", "must have at least one address")
    if len(value) > limits.max_addresses:
        raise ProblemError(
            f"{len(value)} addresses, the limit is {limits.max_addresses}",
            code="too_many_addresses",
        )
    return tuple(_address(item, position, limits) for position, item in enumerate(value))


def _address(item: Any, position: int, limits: Limits) -> AskedAddress:
    match item:
        case str():
            return _asked(str(position + 1), item, limits)
        case {"id": str(identifier), "text": str(text)} if len(item) == 2:
            if 0 < len(identifier) <= limits.max_id_chars and is_encodable(identifier):
                return _asked(identifier, text, limits)
            return AskedAddress(f"#{position}", None, "bad_id")
        case {"id": str(identifier)} if 0 < len(identifier) <= limits.max_id_chars and is_encodable(
            identifier
        ):
            return AskedAddress(identifier, None, "bad_text")
        case _:
            return AskedAddress(f"#{position}", None, "bad_address")


def _asked(identifier: str, text: str, limits: Limits) -> AskedAddress:
    fault = text_fault(text, limits)
    return AskedAddress(identifier, None if fault else text, fault)


def _name(value: Any, field: str, reason: str, limits: Limits) -> str:
    if isinstance(value, str) and 0 < len(value) <= limits.max_id_chars and is_encodable(value):
        return value
    raise field_fault(field, reason, f"must be text of 1 to {limits.max_id_chars} characters")
