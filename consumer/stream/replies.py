"""Replies: what came of a record goes back at once to the gateway that waits for it. Pure.

Best effort and beside everything else: a reply goes ahead of the transaction that makes its
result last, is repeated when the record is, and may get lost.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from consumer.stream.records import Outgoing, Record
from contracts.headers import ERROR_CODE, ORIGIN, REPLY_TO, cloud_event, traceparent_of
from contracts.replies import ReplyTo


class Replies(Protocol):
    """Tells who waits for a record what came of it."""

    def tell(self, record: Record) -> None:
        """The record is finished. Returns at once, never raises; nobody need be waiting."""
        ...


class NoReplies:
    """For roles whose results nobody waits for."""

    def tell(self, record: Record) -> None:
        """Nobody is told."""


def reply_of(record: Record, to: ReplyTo, topic: str, *, at: datetime) -> Outgoing | None:
    """The reply of a finished record; None where nothing came of it.

    Its value is the result's, byte for byte; that of a dead letter is empty and a header says
    why. It has no key, so that wherever the result fits, it fits with one header more.

    Args:
        record: finished.
        to: who waits for it.
        topic: where replies go.
        at: the time to write into the headers of a dead letter's reply.
    """
    result, letter = record.outgoing, record.dead_letter
    if result is None:
        return None
    echoed = next(one for one in to.headers() if one[0] == REPLY_TO)
    if letter is None:
        return Outgoing(topic, to.partition, None, result.value, (*result.headers, echoed))
    said = cloud_event(
        event_id=record.origin.id,
        source="/mgeo/worker",
        kind="replies",
        at=at,
        traceparent=traceparent_of(record.headers),
    )
    why = ((ORIGIN, record.origin.id.encode()), echoed, (ERROR_CODE, letter.code.encode()))
    return Outgoing(topic, to.partition, None, b"", (*said, *why))
