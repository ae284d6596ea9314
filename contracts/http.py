"""What the gateway takes and gives over HTTP: bodies and headers, shared with the client.

A body never holds an id, a time or a model that we made up: for equal text and model it is the
same bytes. What differs between two equal requests stands in response headers.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from contracts.components import COMPONENT_TYPES
from contracts.events import Component, Status
from contracts.frozen import Frozen

CONFIDENCE_DECIMALS: Final = 3
"""Confidences over HTTP are rounded to so many decimals: beyond, they depend on which other
addresses shared the device batch, and bodies would differ for nothing."""

VERSION_HEADER: Final = "X-MGeo-Version"
TIMEOUT_HEADER: Final = "X-MGeo-Timeout-Ms"
REQUEST_ID_HEADER: Final = "X-Request-Id"
MODEL_HEADER: Final = "X-MGeo-Model"
TRACK_HEADER: Final = "X-MGeo-Track"
EPOCH_HEADER: Final = "X-MGeo-Serving-Epoch"
ORIGIN_HEADER: Final = "X-MGeo-Origin"

PROBLEM_TYPE: Final = "application/problem+json"

_EXAMPLE: Final = "上海市浦东新区张江高科技园区"


class _Asked(BaseModel):
    """A body that strangers write: a field that is not known is a mistake, and told."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class AddressItem(_Asked):
    """An address with the caller's own id."""

    id: str = Field(min_length=1, max_length=200, examples=["1"])
    text: str = Field(max_length=1000, examples=[_EXAMPLE])


class ParseRequest(_Asked):
    """One address."""

    address: str = Field(min_length=1, max_length=1000, examples=[_EXAMPLE])
    """Something in it must be visible."""


class BatchRequest(_Asked):
    """Several addresses; bare texts get their place, counted from 1, as id."""

    addresses: tuple[AddressItem | Annotated[str, Field(max_length=1000)], ...] = Field(
        min_length=1,
        max_length=1000,
        examples=[[_EXAMPLE, {"id": "b", "text": "杭州西湖区文三路"}]],
    )


class EventsRequest(BatchRequest):
    """Addresses to be parsed some time; nobody waits for the results."""

    source: str = Field(default="", max_length=200, examples=["orders"])
    """Who publishes; readers of results can filter by it."""
    key: str | None = Field(default=None, max_length=200, examples=["shop-7"])
    """Batches of one key are parsed in the order in which they were acknowledged."""
    batch_id: str | None = Field(default=None, min_length=1, max_length=200)
    """Comes back with the results; default: a new random one."""


class ParsedAddress(BaseModel):
    """What a model found in one address: the flat view, then how it came about.

    A level that is not in the address has no key. A model with component types of its own
    brings further keys.
    """

    model_config = ConfigDict(
        frozen=True, extra="allow", use_attribute_docstrings=True, allow_inf_nan=False
    )

    prov: str | None = Field(default=None, examples=["上海市"])
    city: str | None = Field(default=None, examples=["上海市"])
    district: str | None = Field(default=None, examples=["浦东新区"])
    devzone: str | None = Field(default=None, examples=["张江高科技园区"])
    town: str | None = None
    community: str | None = None
    village_group: str | None = None
    road: str | None = None
    roadno: str | None = None
    intersection: str | None = None
    poi: str | None = None
    subpoi: str | None = None
    houseno: str | None = None
    cellno: str | None = None
    floorno: str | None = None
    roomno: str | None = None
    distance: str | None = None
    assist: str | None = None
    components: tuple[Component, ...] = ()
    """What the model said, in reading order."""
    confidence: float | None = Field(default=None, ge=0, le=1)
    """Calibrated probability that all components are right."""
    adcode: str | None = Field(default=None, examples=["310115"])
    """The six-digit administrative division code, as far down as it is certain."""
    inferred: tuple[str, ...] = ()
    """The levels that the gazetteer completed."""
    issues: tuple[str, ...] = ()
    """Stable codes of contradictions that were found and left as they are."""

    @property
    def levels(self) -> dict[str, str]:
        """The flat view alone: level to text, in canonical order."""
        named = {name: getattr(self, name) for name in COMPONENT_TYPES}
        extra: dict[str, Any] = self.model_extra or {}
        known = {name: text for name, text in named.items() if text is not None}
        return known | {name: text for name, text in extra.items() if isinstance(text, str)}


class BatchedAddress(ParsedAddress):
    """One address of a batch."""

    id: str
    """As the caller named it."""
    status: Status
    error: str | None = None
    """A stable error code where ``status`` is ``error``; the rest of the batch is parsed."""


class BatchAnswer(Frozen):
    """One result for each address, in the order of the request, all of one model."""

    results: tuple[BatchedAddress, ...]


class AcceptedRecord(Frozen):
    """One record that Kafka has safely."""

    topic: str = Field(examples=["address.events"])
    partition: int = Field(ge=0, examples=[3])
    offset: int = Field(ge=0, examples=[1234])
    origin: str = Field(examples=["address.events/3/1234"])
    """The origin that its result will name."""
    addresses: int = Field(ge=1, examples=[2])


class RejectedItem(Frozen):
    """One address that no record can carry; all others are accepted."""

    position: int = Field(ge=0)
    """Where it stood in the request, from 0."""
    code: str


class EventsAnswer(Frozen):
    """Where the accepted addresses are in the log."""

    batch_id: str
    records: tuple[AcceptedRecord, ...]
    rejected: tuple[RejectedItem, ...] = ()


class FieldFault(Frozen):
    """One thing in a request that is not as it must be. It never repeats the value."""

    field: str = Field(examples=["address"])
    """A path into the body, like ``addresses[3].text``, or the name of a header."""
    code: str = Field(examples=["missing_field"])
    detail: str


class Problem(Frozen):
    """RFC 9457: why a request was not done. It never holds an address."""

    type: str = Field(examples=["urn:mgeo:problem:bad_body"])
    """``urn:mgeo:problem:`` and the code: stable, to compare with and not to open."""
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    """What is wrong this time, and what to do."""
    code: str = Field(examples=["bad_body"])
    """See ``docs/reference/errors.md``."""
    errors: tuple[FieldFault, ...] = ()
    """With 422: each faulty field."""
