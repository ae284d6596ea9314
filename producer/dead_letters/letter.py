"""One dead letter: where it came from, why, and its original bytes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from contracts.headers import (
    CONNECT_CLASS,
    CONNECT_EXCEPTION,
    CONNECT_OFFSET,
    CONNECT_PARTITION,
    CONNECT_STAGE,
    CONNECT_TOPIC,
    ERROR_CODE,
    KEY_DROPPED,
    REPLY_BY,
    REPLY_TO,
    VALUE_DROPPED,
    Header,
    header,
)

REPLAYED_FROM: Final = "mgeo-replayed-from"
"""Header of a replayed record: topic/partition/offset of the dead letter."""

_NOT_REPLAYED: Final = frozenset(
    {
        CONNECT_CLASS,
        CONNECT_EXCEPTION,
        CONNECT_OFFSET,
        CONNECT_PARTITION,
        CONNECT_STAGE,
        CONNECT_TOPIC,
        ERROR_CODE,
        REPLAYED_FROM,
        # Whoever waited for it has long been told.
        REPLY_BY,
        REPLY_TO,
    }
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record of the dead-letter topic.

    Attributes:
        code: our error code, or ``unknown`` where another program wrote the record.
        origin: (topic, partition, offset) of the input record; None where unknown.
        size: bytes of the original value.
    """

    topic: str
    partition: int
    offset: int
    at: datetime
    code: str
    stage: str
    origin: tuple[str, int, int] | None
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]

    @property
    def size(self) -> int:
        """Bytes of the original value."""
        return len(self.value or b"")

    @property
    def whole(self) -> bool:
        """Whether the record can be sent again: a key or value that had no room is not here."""
        return not any(name in (VALUE_DROPPED, KEY_DROPPED) for name, _ in self.headers)

    def replay_headers(self) -> list[Header]:
        """The original headers but those of replies, and where the record was replayed from."""
        kept = [(name, value) for name, value in self.headers if name not in _NOT_REPLAYED]
        return [*kept, (REPLAYED_FROM, f"{self.topic}/{self.partition}/{self.offset}".encode())]


def letter_of(record: Any) -> DeadLetter:
    """Read one record of the dead-letter topic; nothing in it can make this fail."""
    headers = tuple(record.headers)
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=datetime.fromtimestamp(max(0, record.timestamp) / 1000, UTC),
        code=_text(headers, ERROR_CODE) or "unknown",
        stage=_text(headers, CONNECT_STAGE),
        origin=_origin(headers),
        key=record.key,
        value=record.value,
        headers=headers,
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters are meant; an empty one means all.

    Attributes:
        codes: any of these error codes.
        partition: of the dead-letter topic.
        first, last: offsets in that partition, both included.
        since: written at or after this moment.
    """

    codes: frozenset[str] = frozenset()
    partition: int | None = None
    first: int | None = None
    last: int | None = None
    since: datetime | None = None

    def has(self, letter: DeadLetter) -> bool:
        """Whether this letter is meant."""
        return (
            (not self.codes or letter.code in self.codes)
            and self.partition in (None, letter.partition)
            and (self.first is None or letter.offset >= self.first)
            and (self.last is None or letter.offset <= self.last)
            and (self.since is None or letter.at >= self.since)
        )


def _text(headers: tuple[Header, ...], name: str) -> str:
    return (header(headers, name) or b"").decode("utf-8", "replace")


def _origin(headers: tuple[Header, ...]) -> tuple[str, int, int] | None:
    topic = _text(headers, CONNECT_TOPIC)
    try:
        partition = int(_text(headers, CONNECT_PARTITION))
        return (topic, partition, int(_text(headers, CONNECT_OFFSET))) if topic else None
    except ValueError:
        return None
