"""One input record on its way through the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from consumer.parser.seams import AddressModel
from consumer.stream.in_flight import Ticket
from consumer.stream.sides import Route
from consumer.stream.traffic import Traffic
from contracts.decode import BatchInput
from contracts.events import AddressResult, Origin
from contracts.headers import Header, Stage

Outcome = Literal["parsed", "dead_letter", "pair", "unreadable", "crashed"]
"""What a finished record became: a label of ``mgeo_records``."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why a record has no results: it cannot be read, or must not be run."""

    code: str
    stage: Stage
    error_class: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to publish."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True)
class DeviceBatch:
    """One device batch, as evidence names it.

    Attributes:
        id: unique across processes and time.
        rows: token sequences in it.
        tokens: padded tokens of it, of its larger side.
        order: the indices of the sides as they ran.
        seconds: what each side took, by its encoder's own clock.
    """

    id: str
    rows: int
    tokens: int
    order: tuple[int, ...]
    seconds: tuple[float, ...]


@dataclass(slots=True, eq=False)
class Record:
    """One input record and what has become of it so far. Owned by the event loop.

    Attributes:
        origin: where it is in the log.
        key: the publisher's key.
        value: the raw bytes; dropped once they are no longer needed.
        headers: the publisher's headers.
        timestamp_ms: Kafka's, milliseconds since 1970; None where there is none.
        route: the models it goes to, by name.
        models: the same, loaded: held here, they outlive their eviction.
        ticket: its share of what is in flight.
        received_at: monotonic seconds.
        done: called in the event loop once ``outgoing`` is set.
        earlier_starts: how often it was started before this process took it in.
        batch: what was decoded; None before, or when it could not be.
        results: for each side one per address, None while unknown.
        pending: addresses without a result.
        device_at: when its first device batch began, monotonic seconds.
        device_batch: the last device batch that all sides ran; None when there was none.
        dead_letter: set where it has no results.
        outgoing: the record to publish, once finished.
        outcome: what it became, once finished.
        started_at: when it went into the pipeline, monotonic seconds.
        traffic: its class.
        abandoned: its lane no longer wants it; whatever comes of it is dropped.
    """

    origin: Origin
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    route: Route
    models: tuple[AddressModel, ...]
    ticket: Ticket
    received_at: float
    done: Callable[[Record], None]
    earlier_starts: int = 0
    batch: BatchInput | None = None
    results: list[list[AddressResult | None]] = field(default_factory=list)
    pending: int = 0
    device_at: float | None = None
    device_batch: DeviceBatch | None = None
    dead_letter: DeadLetter | None = None
    outgoing: Outgoing | None = None
    outcome: Outcome = "parsed"
    started_at: float | None = None
    abandoned: bool = False
    size: int = 0
    timestamp_ms: int | None = None
    traffic: Traffic = Traffic.BULK
