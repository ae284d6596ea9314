"""One input record on its way through the engine."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from consumer.parser.seams import AddressModel
from consumer.stream.in_flight import Ticket
from contracts.decode import BatchInput
from contracts.events import AddressResult, Origin, Track
from contracts.headers import Header, Stage
from contracts.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Route:
    """Which model a record goes to, and under which decision."""

    spec: ModelSpec
    track: Track
    serving_epoch: int

    @property
    def key(self) -> Hashable:
        """The key under which the model is resident."""
        return self.spec.key


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why a record goes to the dead-letter topic."""

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


@dataclass(slots=True, eq=False)
class Record:
    """One input record and what has become of it so far. Owned by the event loop.

    Attributes:
        origin: where it is in the log.
        key: the publisher's key.
        value: the raw bytes; dropped once they are no longer needed.
        headers: the publisher's headers.
        route: the model it goes to, by name.
        model: the same, loaded: held here, it outlives its eviction.
        ticket: its share of what is in flight.
        received_at: monotonic seconds.
        done: called in the event loop once ``outgoing`` is set.
        earlier_starts: how often it was started before this process took it in.
        batch: what was decoded; None before, or when it could not be.
        results: one per address, None while unknown.
        pending: addresses without a result.
        outgoing: the record to publish, once finished.
        started_at: when it went into the pipeline, monotonic seconds.
        abandoned: its lane no longer wants it; whatever comes of it is dropped.
    """

    origin: Origin
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    route: Route
    model: AddressModel
    ticket: Ticket
    received_at: float
    done: Callable[[Record], None]
    earlier_starts: int = 0
    batch: BatchInput | None = None
    results: list[AddressResult | None] = field(default_factory=list)
    pending: int = 0
    device_at: float | None = None
    dead_letter: DeadLetter | None = None
    outgoing: Outgoing | None = None
    started_at: float | None = None
    abandoned: bool = False
    size: int = 0
