"""The messages on the topics, one frozen model each.

Field order is the order on the wire. Adding an optional field is compatible; anything else
needs a new event type. ``contracts/schemas`` holds the same as JSON Schema and AsyncAPI.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from contracts.frozen import Frozen
from contracts.spec import Digest, Precision, VersionStr

Track = Literal["stable", "canary"]
Status = Literal["ok", "error"]

_SHORT = 200

SINCE_1_1: Final[dict[str, Any]] = {"x-since": "1.1.0"}
"""Marks a field that messages of contract version 1.0 lack: schemas do not require it."""


class Address(Frozen):
    """One address as its publisher wrote it."""

    id: str = Field(min_length=1, max_length=_SHORT, examples=["1"])
    text: str = Field(examples=["北京市海淀区中关村大街1号"])


class AddressBatch(Frozen):
    """``address.events``: addresses that were published together."""

    batch_id: str = Field(min_length=1, max_length=_SHORT, examples=["b-1"])
    source: str = Field(default="", max_length=_SHORT, examples=["orders"])
    addresses: tuple[Address, ...] = Field(min_length=1)


class Origin(Frozen):
    """Where in the log an input record is. It identifies the record for ever."""

    topic: str
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)

    @property
    def id(self) -> str:
        """``topic/partition/offset``: the deterministic id of everything made from it."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class ServedModel(Frozen):
    """The spec that produced a result, and under which decision it was serving."""

    version: VersionStr
    digest: Digest
    precision: Precision
    fingerprint: str
    track: Track
    serving_epoch: int = Field(ge=0)


class Timing(Frozen):
    """How long one record took."""

    queue_ms: float = Field(ge=0)
    """From the record's arrival at the worker to its first device batch, in milliseconds."""
    service_ms: float = Field(ge=0)
    """From the first device batch to the finished result, in milliseconds."""
    device: str


class Component(Frozen):
    """One span of the text: ``text[start:end]`` of the address is this ``text``."""

    type: str
    text: str
    start: int = Field(ge=0)
    """First code point, counted from 0."""
    end: int = Field(gt=0)
    """One past the last code point."""
    confidence: float = Field(ge=0, le=1)
    """Calibrated probability that exactly this span with this type is right."""


class AddressResult(Frozen):
    """What became of one address."""

    id: str
    text: str | None
    """The address as it came; null when it was not text or could not be carried back."""
    status: Status
    error: str | None = None
    """A stable error code where ``status`` is ``error``."""
    components: tuple[Component, ...] = ()
    """What the model said, in reading order."""
    address: dict[str, str] = Field(default_factory=dict)
    """One string per component type: the first span of it, completed by the gazetteer."""
    inferred: tuple[str, ...] = ()
    """The keys of ``address`` that the gazetteer completed."""
    adcode: str | None = None
    """The six-digit administrative division code, as far down as it is certain."""
    issues: tuple[str, ...] = ()
    """Stable codes of contradictions that were found and left as they are."""
    confidence: float | None = Field(default=None, ge=0, le=1)
    """Calibrated probability that all components are right."""


class ParsedBatch(Frozen):
    """``address.parsed``: one result for each address of one input record, in its order."""

    batch_id: str
    source: str = ""
    origin: Origin
    model: ServedModel
    timing: Timing
    results: tuple[AddressResult, ...]


class ShadowBatch(Frozen):
    """The device batch on which both models were timed."""

    id: str
    rows: int = Field(ge=1)
    tokens: int = Field(ge=1)
    order: Literal["candidate_first", "reference_first"]


class ShadowSide(Frozen):
    """One model's half of a shadow pair."""

    model: ServedModel
    device_ms: Annotated[float, Field(ge=0)]
    """Time of the whole device batch on this model, in milliseconds; on the CPU processor time,
    so that what else ran on the machine is not in it."""
    results: tuple[AddressResult, ...]
    """One for each address of the record; empty where ``error`` is set."""
    error: str | None = None
    """A stable code where this side has no results at all: ``candidate_crashed``, or why the
    record cannot be read (then both sides have it)."""


class ShadowPair(Frozen):
    """``address.shadow``: candidate and reference on the same device batch."""

    batch_id: str
    source: str = ""
    origin: Origin
    batch: ShadowBatch | None
    """The device batch that finished the record; null when nothing of it ran on a device. Many
    records share one: whoever times batches counts each id once."""
    candidate: ShadowSide
    reference: ShadowSide
    rollout_id: str = Field(default="", json_schema_extra=SINCE_1_1)
    """The rollout that it is evidence for."""
    input_ms: int | None = Field(default=None, json_schema_extra=SINCE_1_1)
    """Timestamp of the input record, milliseconds since 1970."""
