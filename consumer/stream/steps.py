"""A record's way through the worker, as one step of its trace. It holds no rule."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from consumer.stream.records import Record
from contracts.headers import traceparent_of
from contracts.tracing import tracer

_NS: Final = 1_000_000_000


def traced(record: Record, *, role: str, finished_at: float, wall: datetime) -> bytes | None:
    """Write down the step of a record that is finished.

    Args:
        record: its ``outcome`` says what it became.
        role: of the worker.
        finished_at: monotonic seconds.
        wall: the same moment by the clock on the wall.

    Returns:
        The ``traceparent`` for what is published: of this step, or as it came where there is
        no tracing.
    """
    parent = traceparent_of(record.headers)
    if not tracer().writes:
        return parent
    side = record.route.sides[0]
    ended_ns = int(wall.timestamp() * _NS)
    device_at = record.device_at if record.device_at is not None else finished_at
    step = tracer().begin(
        f"{record.origin.topic} process",
        "consumer",
        parent=parent,
        at_ns=ended_ns - int((finished_at - record.received_at) * _NS),
        attributes={
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": record.origin.topic,
            "messaging.destination.partition.id": str(record.origin.partition),
            "messaging.kafka.offset": record.origin.offset,
            "messaging.batch.message_count": 0
            if record.batch is None
            else len(record.batch.addresses),
            "mgeo.role": role,
            "mgeo.model": side.spec.name,
            "mgeo.track": side.track,
            "mgeo.serving_epoch": record.route.serving_epoch,
            "mgeo.outcome": record.outcome,
            "mgeo.queue_ms": round(max(0.0, device_at - record.received_at) * 1e3, 3),
        },
    )
    letter = record.dead_letter
    step.end(error=None if letter is None else letter.code, at_ns=ended_ns)
    return step.traceparent


def trace_id(record: Record) -> str | None:
    """The id of the trace that the record belongs to, 32 hexadecimal digits."""
    traceparent = traceparent_of(record.headers)
    return None if traceparent is None else traceparent.decode("ascii").split("-")[1]
