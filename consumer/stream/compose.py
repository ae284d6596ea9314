"""From a finished record to the record that is published. Pure.

Runs in a worker thread: encoding JSON is the engine's largest share of pure Python work.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from consumer.parser.seams import AddressModel
from consumer.stream.in_flight import message_bytes
from consumer.stream.records import DeadLetter, Outgoing, Record
from consumer.stream.sides import Route, Side
from consumer.stream.steps import traced
from contracts.errors import PermanentError
from contracts.events import Origin, ParsedBatch, ServedModel, Timing
from contracts.fitting import fit_results
from contracts.headers import (
    KEY_DROPPED,
    VALUE_DROPPED,
    dead_letter_headers,
    header_bytes,
    result_headers,
)
from contracts.limits import DEAD_LETTER_HEADROOM_BYTES, Limits
from contracts.topics import (
    RECORD_FRAME_BYTES,
    RECORD_OVERHEAD_BYTES,
    TopicNames,
    result_value_bytes,
)


class Composer(Protocol):
    """Makes the record that a role publishes: the only part that knows the role's topics."""

    def compose(self, record: Record, *, finished_at: float, wall: datetime) -> Outgoing:
        """The record to publish; it goes to the partition of its origin. Sets ``outcome``.

        Args:
            record: finished, or with ``dead_letter`` set.
            finished_at: monotonic seconds.
            wall: the time to write into the headers.
        """
        ...


@dataclass(frozen=True, slots=True)
class ParsedComposer:
    """What the stable role publishes: ``address.parsed``, or a dead letter."""

    names: TopicNames
    limits: Limits

    def compose(self, record: Record, *, finished_at: float, wall: datetime) -> Outgoing:
        """See ``Composer.compose``."""
        if record.dead_letter is None and record.batch is not None:
            try:
                return self._result(record, finished_at=finished_at, wall=wall)
            except PermanentError as error:
                record.dead_letter = DeadLetter(error.code, "TASK_PUT", type(error).__name__)
        record.outcome = "dead_letter"
        traced(record, role="stable", finished_at=finished_at, wall=wall)
        return self._dead_letter(record)

    def _result(self, record: Record, *, finished_at: float, wall: datetime) -> Outgoing:
        assert record.batch is not None  # noqa: S101  (the caller looked)
        device_at = record.device_at if record.device_at is not None else finished_at
        (side,), (model,), (results,) = record.route.sides, record.models, record.results
        served = served_model(record.route, side, model)
        message = ParsedBatch(
            batch_id=record.batch.batch_id,
            source=record.batch.source,
            origin=record.origin,
            model=served,
            timing=Timing(
                queue_ms=round(max(0.0, device_at - record.received_at) * 1e3, 3),
                service_ms=round(max(0.0, finished_at - device_at) * 1e3, 3),
                device=model.encoder.device_name,
            ),
            results=tuple(result for result in results if result is not None),
        )
        headers = result_headers(
            record.origin,
            served,
            at=wall,
            traceparent=traced(record, role="stable", finished_at=finished_at, wall=wall),
        )
        room = result_value_bytes(
            self.limits,
            key_bytes=len(record.key or b""),
            header_bytes=sum(header_bytes(*one) for one in headers),
        )
        fitted, value = fit_results(message, room)
        record.results = [list(fitted.results)]
        return outgoing(self.names.parsed, record.origin, record.key, value, headers)

    def _dead_letter(self, record: Record) -> Outgoing:
        letter = record.dead_letter
        assert letter is not None  # noqa: S101  (the caller set it)
        headers = dead_letter_headers(
            record.origin,
            code=letter.code,
            stage=letter.stage,
            error_class=letter.error_class,
            original=record.headers,
        )
        # A producer refuses a record without key and value; an empty value stands for none.
        key, value = record.key, record.value or b""
        room = largest_dead_letter_bytes(self.limits) - RECORD_FRAME_BYTES
        # Only what came compressed, or by a topic that takes more than ours, is so large. Sent
        # as it is, it would be refused, and the lane would read it again without end.
        if message_bytes(key, value, headers) > room:
            headers.append((VALUE_DROPPED, _what_it_was(value)))
            value = b""
        if key is not None and message_bytes(key, value, headers) > room:
            headers.append((KEY_DROPPED, _what_it_was(key)))
            key = None
        return outgoing(self.names.dead_letters, record.origin, key, value, headers)


def largest_dead_letter_bytes(limits: Limits) -> int:
    """The largest dead letter: the largest record, and the headers that say what happened."""
    return limits.max_record_bytes + RECORD_OVERHEAD_BYTES + DEAD_LETTER_HEADROOM_BYTES


def _what_it_was(dropped: bytes) -> bytes:
    return f"{len(dropped)} sha256:{sha256(dropped).hexdigest()}".encode()


def served_model(route: Route, side: Side, model: AddressModel) -> ServedModel:
    """The model of a record, as results name it.

    Its spec is what was really loaded: after an upgrade of this program the fingerprint can
    differ from the one that the control record was written with.
    """
    spec = model.spec
    return ServedModel(
        version=spec.version,
        digest=spec.digest,
        precision=spec.precision,
        fingerprint=spec.fingerprint,
        track=side.track,
        serving_epoch=route.serving_epoch,
    )


def outgoing(
    topic: str, origin: Origin, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
) -> Outgoing:
    """The record for the partition that its origin has."""
    return Outgoing(topic, origin.partition, key, value, tuple(headers))
