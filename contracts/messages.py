"""The catalogue of messages, as data: topic, key, value, headers and an example of each.

The JSON Schemas, the AsyncAPI document and the topics page are generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from contracts import examples, headers
from contracts.audit import AuditRecord
from contracts.control import RolloutState
from contracts.events import AddressBatch, ParsedBatch, ShadowPair
from contracts.headers import Header
from contracts.requests import RolloutRequest


@dataclass(frozen=True, slots=True)
class HeaderSpec:
    """One record header.

    Attributes:
        name: as it stands in the record.
        meaning: one line for people.
        required: whether every record that we write has it.
        schema: what the UTF-8 text of its value must look like, in JSON Schema.
    """

    name: str
    meaning: str
    required: bool
    schema: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """One kind of message.

    Attributes:
        kind: the attribute of ``TopicNames`` that names its topic.
        title: what people call it.
        summary: one line: what it says and who writes it.
        key: what the record's key is.
        model: the shape of the value; None where the value is bytes that we do not read.
        headers: every header that a writer of ours sets or a reader of ours looks at.
        example: a value and the headers that go with it; None where ``model`` is.
        strict: True where strangers write it, so its schema says what is accepted; False
            where only we do, so its schema says what is always there.
    """

    kind: str
    title: str
    summary: str
    key: str
    headers: tuple[HeaderSpec, ...]
    model: type[BaseModel] | None = None
    example: BaseModel | None = None
    example_headers: tuple[Header, ...] = ()
    strict: bool = False


def _text(pattern: str) -> Mapping[str, Any]:
    return MappingProxyType({"type": "string", "pattern": pattern})


def _one_of(*values: str) -> Mapping[str, Any]:
    return MappingProxyType({"type": "string", "enum": list(values)})


_RFC3339 = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"
_ORIGIN = r"^[A-Za-z0-9._-]+/[0-9]+/[0-9]+$"
_NUMBER = r"^[0-9]+$"
_DROPPED = r"^[0-9]+ sha256:[0-9a-f]{64}$"
_CODE = r"^[a-z0-9_]+$"


def _cloud_event(kind: str, *, event_id: str, required: bool) -> tuple[HeaderSpec, ...]:
    return (
        HeaderSpec("ce_specversion", "CloudEvents version", required, _one_of("1.0")),
        HeaderSpec("ce_id", event_id, required, _text(r"^.+$")),
        HeaderSpec("ce_source", "who wrote it, a URI reference", required, _text(r"^.+$")),
        HeaderSpec("ce_type", "kind of event", required, _one_of(headers.EVENT_TYPES[kind])),
        HeaderSpec("ce_time", "when it happened, RFC 3339", required, _text(_RFC3339)),
        HeaderSpec(
            "content-type", "media type of the value", required, _text(r"^application/json")
        ),
        HeaderSpec(
            headers.TRACEPARENT,
            "W3C trace context; carried from input to result",
            False,
            _text(r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"),
        ),
    )


_EVENTS = MessageSpec(
    kind="events",
    title="AddressBatch",
    summary="Addresses to parse, as their publisher wrote them. No header is needed.",
    key="the publisher's ordering key, or none; records of one key stay in order",
    model=AddressBatch,
    headers=(
        *_cloud_event("events", event_id="unique within ce_source", required=False),
        HeaderSpec(
            headers.TRACK,
            "asks for a track; anything else is ignored",
            False,
            _one_of("stable", "canary"),
        ),
    ),
    example=examples.ADDRESS_BATCH,
    example_headers=(
        *headers.cloud_event(
            event_id="b-1",
            source="/orders",
            kind="events",
            at=examples.AT,
            traceparent=examples.TRACEPARENT,
        ),
        (headers.TRACK, b"stable"),
    ),
    strict=True,
)

_REPLY_TO = HeaderSpec(
    headers.REPLY_TO,
    "who waits for the result: PARTITION/GATEWAY/REQUEST, the first of `address.replies`",
    False,
    _text(r"^[0-9]{1,9}/[0-9a-z]{1,32}/[0-9a-z]{1,32}$"),
)

_INTERACTIVE = MessageSpec(
    kind="interactive",
    title="InteractiveBatch",
    summary="Addresses for which somebody waits: served ahead of `address.events`.",
    key="none, or as on `address.events`",
    model=AddressBatch,
    headers=(
        *_EVENTS.headers,
        _REPLY_TO,
        HeaderSpec(
            headers.REPLY_BY,
            "from when on nobody waits any more, milliseconds since 1970",
            False,
            _text(_NUMBER),
        ),
    ),
    example=examples.ADDRESS_BATCH,
    example_headers=(*_EVENTS.example_headers, *examples.REPLY_TO.headers()),
    strict=True,
)

_ORIGIN_HEADER = HeaderSpec(
    headers.ORIGIN, "input record: topic/partition/offset", True, _text(_ORIGIN)
)

_PARSED = MessageSpec(
    kind="parsed",
    title="ParsedBatch",
    summary="One result for each address of one input record, in its order. Read read_committed.",
    key="the input record's key",
    model=ParsedBatch,
    headers=(
        *_cloud_event(
            "parsed", event_id="the origin: the same for a repeat of the record", required=True
        ),
        _ORIGIN_HEADER,
        HeaderSpec(
            headers.MODEL, "VERSION@precision that parsed it", True, _text(r"^.+@[a-z0-9]+$")
        ),
        HeaderSpec(headers.TRACK, "track that served it", True, _one_of("stable", "canary")),
        HeaderSpec(headers.SERVING_EPOCH, "serving epoch of the lane", True, _text(_NUMBER)),
    ),
    example=examples.PARSED_BATCH,
    example_headers=tuple(
        headers.result_headers(
            examples.PARSED_BATCH.origin,
            examples.PARSED_BATCH.model,
            at=examples.AT,
            traceparent=examples.TRACEPARENT,
        )
    ),
)

_REPLIES = MessageSpec(
    kind="replies",
    title="Reply",
    summary=(
        "A result on its way back to the gateway that waits for it, best effort and ahead of its "
        "transaction; what lasts is the record on `address.parsed`. Empty where there is none."
    ),
    key="none",
    model=ParsedBatch,
    headers=(
        *(replace(spec, required=False) for spec in _PARSED.headers),
        replace(_REPLY_TO, meaning="as the input had it: whose reply this is", required=True),
        HeaderSpec(
            headers.ERROR_CODE,
            "why there is no result; the value is empty then",
            False,
            _text(_CODE),
        ),
    ),
    example=examples.PARSED_BATCH,
    example_headers=(*_PARSED.example_headers, examples.REPLY_TO.headers()[0]),
)

_DEAD_LETTERS = MessageSpec(
    kind="dead_letters",
    title="DeadLetter",
    summary="The bytes of a record that could not be processed, untouched where they have room; "
    "headers say why.",
    key="the input record's key",
    headers=(
        HeaderSpec(headers.ERROR_CODE, "why; see the table of error codes", True, _text(_CODE)),
        HeaderSpec(headers.CONNECT_TOPIC, "topic it came from", True, _text(r"^[A-Za-z0-9._-]+$")),
        HeaderSpec(headers.CONNECT_PARTITION, "partition it came from", True, _text(_NUMBER)),
        HeaderSpec(headers.CONNECT_OFFSET, "offset it had there", True, _text(_NUMBER)),
        HeaderSpec(
            headers.CONNECT_STAGE,
            "where it failed: while being read, or while being processed",
            True,
            _one_of("VALUE_CONVERTER", "TASK_PUT"),
        ),
        HeaderSpec(headers.CONNECT_CLASS, "which program gave up on it", True, _text(r"^.+$")),
        HeaderSpec(headers.CONNECT_EXCEPTION, "class of the error", True, _text(r"^[A-Za-z]+$")),
        HeaderSpec(
            headers.HEADERS_DROPPED,
            "how many of its own headers had no room; absent when all are here",
            False,
            _text(_NUMBER),
        ),
        HeaderSpec(
            headers.VALUE_DROPPED,
            "bytes and digest of a value that had no room: the value is empty then",
            False,
            _text(_DROPPED),
        ),
        HeaderSpec(headers.KEY_DROPPED, "the same of the key", False, _text(_DROPPED)),
    ),
    example_headers=tuple(
        headers.dead_letter_headers(
            examples.PARSED_BATCH.origin,
            code="not_json",
            stage="VALUE_CONVERTER",
            error_class="PermanentError",
            original=(),
        )
    ),
)

_SHADOW = MessageSpec(
    kind="shadow",
    title="ShadowPair",
    summary="Candidate and reference on the same device batch: the unit of evidence.",
    key="the input record's key",
    model=ShadowPair,
    headers=(
        *_cloud_event("shadow", event_id="the origin", required=False),
        HeaderSpec(headers.ORIGIN, "input record: topic/partition/offset", False, _text(_ORIGIN)),
    ),
    example=examples.SHADOW_PAIR,
    example_headers=(
        *headers.cloud_event(
            event_id=examples.SHADOW_PAIR.origin.id,
            source="/mgeo/worker",
            kind="shadow",
            at=examples.AT,
        ),
        (headers.ORIGIN, examples.SHADOW_PAIR.origin.id.encode()),
    ),
)

_CONTROL = MessageSpec(
    kind="control",
    title="RolloutState",
    summary="Which model serves, and where the rollout stands: the whole state in one record.",
    key="always `rollout`",
    model=RolloutState,
    headers=_cloud_event("control", event_id="incarnation and revision", required=False),
    example=examples.ROLLOUT_STATE,
    example_headers=tuple(
        headers.cloud_event(
            event_id=f"{examples.ROLLOUT_STATE.incarnation}/{examples.ROLLOUT_STATE.revision}",
            source="/mgeo/controller",
            kind="control",
            at=examples.AT,
        )
    ),
)

_REQUESTS = MessageSpec(
    kind="requests",
    title="RolloutRequest",
    summary="What people and pipelines ask of the controller; judged once, when consumed.",
    key="the rollout's id",
    model=RolloutRequest,
    headers=_cloud_event("requests", event_id="the request's id", required=False),
    example=examples.ROLLOUT_REQUEST,
    example_headers=tuple(
        headers.cloud_event(
            event_id=examples.ROLLOUT_REQUEST.request_id,
            source="/mgeo/cli",
            kind="requests",
            at=examples.AT,
        )
    ),
    strict=True,
)

_AUDIT = MessageSpec(
    kind="audit",
    title="AuditRecord",
    summary="What the controller did and why: every transition, judged cut, request and decision.",
    key="the rollout's id; none where it is about no rollout",
    model=AuditRecord,
    headers=(
        *_cloud_event(
            "audit", event_id="incarnation, revision, number in the transaction", required=True
        ),
        HeaderSpec(
            headers.AUDIT_KIND,
            "kind of the record, so that cuts can be passed over unread",
            True,
            _one_of("transition", "cut", "request", "decision", "alert"),
        ),
    ),
    example=examples.AUDIT_RECORD,
    example_headers=(
        *headers.cloud_event(
            event_id=f"{examples.AUDIT_RECORD.incarnation}/{examples.AUDIT_RECORD.revision}/0",
            source="/mgeo/controller",
            kind="audit",
            at=examples.AT,
        ),
        (headers.AUDIT_KIND, examples.AUDIT_RECORD.kind.encode()),
    ),
)

MESSAGES: Final = (
    _EVENTS,
    _INTERACTIVE,
    _PARSED,
    _REPLIES,
    _DEAD_LETTERS,
    _SHADOW,
    _CONTROL,
    _REQUESTS,
    _AUDIT,
)
"""Every message, in the order of a record's way through the system."""
