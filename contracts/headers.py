"""Record headers: CloudEvents 1.0 (Kafka binding, binary mode), tracing, and our own.

Headers let a reader skip a record without decoding it. They never hold an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from contracts.events import Origin, ServedModel, Track
from contracts.limits import KIB

Header = tuple[str, bytes]
Headers = Sequence[Header]

Stage = Literal["VALUE_CONVERTER", "TASK_PUT"]
"""Kafka Connect's word for where a record failed: reading it, or processing it."""

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/json; charset=utf-8"

EVENT_TYPES: Final = {
    "events": "mgeo.address.batch.v1",
    "interactive": "mgeo.address.batch.v1",
    "parsed": "mgeo.address.parsed.v1",
    "replies": "mgeo.address.parsed.v1",
    "shadow": "mgeo.address.shadow.v1",
    "control": "mgeo.rollout.state.v1",
    "requests": "mgeo.rollout.request.v1",
    "audit": "mgeo.rollout.audit.v1",
}
"""CloudEvents ``type`` of each topic's message."""

ORIGIN: Final = "mgeo-origin"
MODEL: Final = "mgeo-model"
TRACK: Final = "mgeo-track"
SERVING_EPOCH: Final = "mgeo-serving-epoch"
ROLLOUT: Final = "mgeo-rollout"
ERROR_CODE: Final = "mgeo-error-code"
AUDIT_KIND: Final = "mgeo-audit-kind"
REPLY_TO: Final = "mgeo-reply-to"
"""``PARTITION/GATEWAY/REQUEST``: who waits for the result (``contracts.replies``)."""
REPLY_BY: Final = "mgeo-reply-by"
"""Milliseconds since 1970 from which on nobody waits any more."""
TRACEPARENT: Final = "traceparent"

# Kafka Connect's names (org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter),
# so that existing dead-letter tools read ours.
CONNECT_TOPIC: Final = "__connect.errors.topic"
CONNECT_PARTITION: Final = "__connect.errors.partition"
CONNECT_OFFSET: Final = "__connect.errors.offset"
CONNECT_STAGE: Final = "__connect.errors.stage"
CONNECT_CLASS: Final = "__connect.errors.class.name"
CONNECT_EXCEPTION: Final = "__connect.errors.exception.class.name"

CONNECT_NAMES: Final = (
    CONNECT_TOPIC,
    CONNECT_PARTITION,
    CONNECT_OFFSET,
    CONNECT_STAGE,
    CONNECT_CLASS,
    CONNECT_EXCEPTION,
)
HEADERS_DROPPED: Final = "mgeo-headers-dropped"
"""How many of a dead letter's original headers had no room; absent when all are there."""

VALUE_DROPPED: Final = "mgeo-value-dropped"
"""Size and digest of a dead letter's value that had no room; absent where it is there."""

KEY_DROPPED: Final = "mgeo-key-dropped"
"""The same of its key."""

_FAILURE_NAMES: Final = frozenset(
    (*CONNECT_NAMES, ERROR_CODE, HEADERS_DROPPED, VALUE_DROPPED, KEY_DROPPED)
)

ORIGINAL_HEADERS_MAX_BYTES: Final = 32 * KIB
"""How much of a record's own headers its dead letter keeps; ours come on top, and both
together stay within ``DEAD_LETTER_HEADROOM_BYTES``."""

_HEADER_FRAME_BYTES: Final = 10
"""Two lengths of at most five bytes each stand before a header's name and value."""

# W3C Trace Context: version ff and identifiers of zeros alone are invalid.
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


def cloud_event(
    *, event_id: str, source: str, kind: str, at: datetime, traceparent: bytes | None = None
) -> list[Header]:
    """The CloudEvents attributes of one record.

    Args:
        event_id: unique within ``source``.
        source: a URI reference naming the writer, e.g. ``/mgeo/worker``.
        kind: a key of ``EVENT_TYPES``.
        at: when the event happened; written as RFC 3339 in UTC.
        traceparent: W3C trace context to carry on.
    """
    headers: list[Header] = [
        ("ce_specversion", SPEC_VERSION.encode()),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", EVENT_TYPES[kind].encode()),
        ("ce_time", at.astimezone(UTC).isoformat(timespec="milliseconds").encode()),
        ("content-type", CONTENT_TYPE.encode()),
    ]
    if traceparent is not None:
        headers.append((TRACEPARENT, traceparent))
    return headers


def result_headers(
    origin: Origin, model: ServedModel, *, at: datetime, traceparent: bytes | None
) -> list[Header]:
    """Headers of one parsed result; ``ce_id`` is the origin, so a repeat has the same id."""
    return [
        *cloud_event(
            event_id=origin.id, source="/mgeo/worker", kind="parsed", at=at, traceparent=traceparent
        ),
        (ORIGIN, origin.id.encode()),
        (MODEL, f"{model.version}@{model.precision}".encode()),
        (TRACK, model.track.encode()),
        (SERVING_EPOCH, str(model.serving_epoch).encode()),
    ]


def shadow_headers(
    origin: Origin, *, rollout_id: str, at: datetime, traceparent: bytes | None
) -> list[Header]:
    """Headers of one shadow pair; ``ce_id`` is the origin, so a repeat has the same id."""
    return [
        *cloud_event(
            event_id=origin.id, source="/mgeo/shadow", kind="shadow", at=at, traceparent=traceparent
        ),
        (ORIGIN, origin.id.encode()),
        (ROLLOUT, rollout_id.encode()),
    ]


def dead_letter_headers(
    origin: Origin,
    *,
    code: str,
    stage: Stage,
    error_class: str,
    original: Iterable[Header],
) -> list[Header]:
    """Headers of one dead letter: the original ones, then why and where from.

    Args:
        origin: where the record came from.
        code: our error code; never an exception's message, which may echo the input.
        stage: where it failed.
        error_class: the name of the error's class.
        original: the record's own headers, kept in their order as far as there is room;
            ``mgeo-headers-dropped`` counts those without. What an earlier failure of the
            same record had left is replaced.
    """
    kept: list[Header] = []
    room = ORIGINAL_HEADERS_MAX_BYTES
    dropped = 0
    for key, value in original:
        if key in _FAILURE_NAMES:
            continue
        size = header_bytes(key, value)
        if size > room:
            dropped += 1
            continue
        room -= size
        kept.append((key, value))
    if dropped:
        kept.append((HEADERS_DROPPED, str(dropped).encode()))
    return [
        *kept,
        (CONNECT_TOPIC, origin.topic.encode()),
        (CONNECT_PARTITION, str(origin.partition).encode()),
        (CONNECT_OFFSET, str(origin.offset).encode()),
        (CONNECT_STAGE, stage.encode()),
        (CONNECT_CLASS, b"mgeo.worker"),
        (CONNECT_EXCEPTION, error_class.encode()),
        (ERROR_CODE, code.encode()),
    ]


def header_bytes(key: str, value: bytes | None) -> int:
    """The most that one header takes in a record."""
    return len(key.encode()) + len(value or b"") + _HEADER_FRAME_BYTES


def header(headers: Iterable[Header], name: str) -> bytes | None:
    """The last value of a header, as Kafka's own ``lastHeader``; None when absent."""
    found = None
    for key, value in headers:
        if key == name:
            found = value
    return found


def traceparent_of(headers: Iterable[Header]) -> bytes | None:
    """The W3C ``traceparent`` if there is a well-formed one; anything else is dropped."""
    value = header(headers, TRACEPARENT)
    return value if value is not None and _TRACEPARENT.fullmatch(value) else None


def track_of(headers: Iterable[Header]) -> Track | None:
    """The track that the publisher asked for, if it is one we know."""
    match header(headers, TRACK):
        case b"canary":
            return "canary"
        case b"stable":
            return "stable"
        case _:
            return None
