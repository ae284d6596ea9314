"""One question to a gateway and what its answer means. Pure: no connection, no clock."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from contracts.errors import MgeoError
from contracts.events import Address
from contracts.http import (
    EPOCH_HEADER,
    MODEL_HEADER,
    ORIGIN_HEADER,
    REQUEST_ID_HEADER,
    TIMEOUT_HEADER,
    TRACK_HEADER,
    VERSION_HEADER,
    EventsAnswer,
    Problem,
)
from contracts.problems import RETRIABLE
from producer.client.answers import BatchParsed, Parsed, Served
from producer.client.errors import (
    GatewayBusyError,
    GatewayFailedError,
    GatewayRefusedError,
    VersionUnavailableError,
)
from producer.client.retrying import Failure

AddressLike = Address | str | tuple[str, str]
"""An address: a model, a bare text, or (id, text)."""

Answer = TypeVar("Answer", bound=BaseModel)

_SECONDS: Final = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    Attributes:
        path: of the gateway.
        body: the JSON document.
        headers: beside those that every request has.
        idempotent: whether it may be asked again where it is not known what became of it.
    """

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotent: bool = True

    def headers_for(self, left_s: float) -> dict[str, str]:
        """All headers, with what is left of the caller's patience."""
        return {**self.headers, TIMEOUT_HEADER: str(max(1, int(left_s * 1000)))}


def parse_question(address: str, version: str | None) -> Question:
    """``POST /parse``."""
    return Question("/parse", {"address": address}, _asking_for(version))


def batch_question(addresses: Iterable[AddressLike], version: str | None) -> Question:
    """``POST /parse/batch``."""
    return Question("/parse/batch", {"addresses": _items(addresses)}, _asking_for(version))


def events_question(
    addresses: Iterable[AddressLike], *, source: str, key: str | None, batch_id: str | None
) -> Question:
    """``POST /events``. It has a batch id from here on, so that a repeat can be recognised."""
    body: dict[str, Any] = {
        "addresses": _items(addresses),
        "batch_id": batch_id or uuid.uuid4().hex,
    }
    if source:
        body["source"] = source
    if key is not None:
        body["key"] = key
    return Question("/events", body, idempotent=False)


def parsed_of(status: int, headers: Mapping[str, str], body: bytes) -> Parsed:
    """The answer of ``/parse``; raises as ``understood``."""
    found = understood(Parsed, status, headers, body)
    return found.model_copy(update={"served": served_of(headers)})


def batch_of(status: int, headers: Mapping[str, str], body: bytes) -> BatchParsed:
    """The answer of ``/parse/batch``; raises as ``understood``."""
    found = understood(BatchParsed, status, headers, body)
    return found.model_copy(update={"served": served_of(headers)})


def events_of(status: int, headers: Mapping[str, str], body: bytes) -> EventsAnswer:
    """The answer of ``/events``; raises as ``understood``."""
    return understood(EventsAnswer, status, headers, body)


def served_of(headers: Mapping[str, str]) -> Served:
    """Who answered."""
    epoch = headers.get(EPOCH_HEADER.lower(), "")
    return Served(
        model=headers.get(MODEL_HEADER.lower(), ""),
        track=headers.get(TRACK_HEADER.lower(), ""),
        serving_epoch=int(epoch) if epoch.isdecimal() else None,
        origin=headers.get(ORIGIN_HEADER.lower(), ""),
        request_id=headers.get(REQUEST_ID_HEADER.lower(), ""),
    )


def understood(model: type[Answer], status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """A response as the model that it must be.

    Args:
        model: of a good answer.
        status: HTTP status.
        headers: by lower-case name.
        body: as it came.

    Raises:
        GatewayBusyError: asking again can succeed.
        GatewayRefusedError: this request never can.
        VersionUnavailableError: 409.
        GatewayFailedError: anything else.
    """
    if 200 <= status < 300:
        try:
            return model.model_validate_json(body)
        except ValidationError:  # its message would repeat the body
            raise _failed(
                status, headers, "the answer is not of a gateway of this release"
            ) from None
    raise _error(status, headers, body)


def failure_of(error: MgeoError) -> Failure | None:
    """The error of a response as a reason to ask again; None where that never helps."""
    if isinstance(error, GatewayBusyError):
        return Failure(error, begun=error.code not in RETRIABLE)
    if isinstance(error, GatewayFailedError) and error.code == "bad_reply":
        return Failure(error, begun=True)
    return None


def _error(status: int, headers: Mapping[str, str], body: bytes) -> MgeoError:
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        if status in (429, 502, 503, 504):  # something in between, such as a balancer
            return GatewayBusyError(
                f"HTTP status {status}",
                code="overloaded" if status == 429 else "backend_unreachable",
                status=status,
                retry_after_s=_retry_after(headers),
            )
        return _failed(status, headers, f"HTTP status {status}, and no reason that can be read")
    kind: type[
        GatewayBusyError | GatewayRefusedError | VersionUnavailableError | GatewayFailedError
    ]
    match status:
        case 429 | 503 | 504:
            kind = GatewayBusyError
        case 409:
            kind = VersionUnavailableError
        case _ if 400 <= status < 500:
            kind = GatewayRefusedError
        case _:
            kind = GatewayFailedError
    return kind(
        problem.detail,
        code=problem.code,
        problem=problem,
        status=status,
        retry_after_s=_retry_after(headers),
        request_id=headers.get(REQUEST_ID_HEADER.lower(), ""),
    )


def _failed(status: int, headers: Mapping[str, str], message: str) -> GatewayFailedError:
    return GatewayFailedError(
        message,
        code="internal_error",
        hint="check the client's base_url",
        status=status,
        request_id=headers.get(REQUEST_ID_HEADER.lower(), ""),
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    said = headers.get("retry-after", "")
    return float(said) if _SECONDS.fullmatch(said) else None


def _asking_for(version: str | None) -> dict[str, str]:
    return {} if version is None else {VERSION_HEADER: version}


def _items(addresses: Iterable[AddressLike]) -> list[Any]:
    items: list[Any] = []
    for address in addresses:
        match address:
            case str():
                items.append(address)
            case Address():
                items.append({"id": address.id, "text": address.text})
            case (identifier, text):
                items.append({"id": identifier, "text": text})
    return items
