"""Where the reply to an interactive record goes. Pure.

A gateway puts a ``ReplyTo`` into the headers of what it publishes; the worker sends the result
to that partition of ``address.replies`` and echoes the header, so that the gateway knows its
own. A reply is best effort: what counts is the record on ``address.parsed``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from contracts.headers import REPLY_BY, REPLY_TO, Header, header

_PATTERN: Final = re.compile(rb"([0-9]{1,9})/([0-9a-z]{1,32})/([0-9a-z]{1,32})")
_MILLISECONDS: Final = re.compile(rb"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Who waits for the result of a record.

    Attributes:
        partition: of ``address.replies``, the one that the gateway reads.
        gateway: names the gateway instance, lower-case letters and digits: instances may
            share a partition.
        request: names the record among those of that instance.
        by_ms: nobody waits any more from then on, milliseconds since 1970; None: not said.
    """

    partition: int
    gateway: str
    request: str
    by_ms: int | None = None

    def headers(self) -> list[Header]:
        """The record headers that say it."""
        said = [(REPLY_TO, f"{self.partition}/{self.gateway}/{self.request}".encode())]
        return said if self.by_ms is None else [*said, (REPLY_BY, str(self.by_ms).encode())]

    @classmethod
    def of(cls, headers: Iterable[Header]) -> Self | None:
        """What a record's headers say; None where nobody waits, or nobody can be told."""
        headers = tuple(headers)
        match = _PATTERN.fullmatch(header(headers, REPLY_TO) or b"")
        if match is None:
            return None
        by = header(headers, REPLY_BY) or b""
        return cls(
            int(match[1]),
            match[2].decode(),
            match[3].decode(),
            int(by) if _MILLISECONDS.fullmatch(by) else None,
        )

    def in_time(self, now_ms: int) -> bool:
        """Whether a reply that is sent now still finds somebody waiting."""
        return self.by_ms is None or now_ms < self.by_ms
