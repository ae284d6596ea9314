"""Which dead letters of a partition were replayed, as text small enough for an offset commit.

The text is committed in the same transaction as the replayed records: neither can be there
without the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from contracts.errors import UsageError
from contracts.limits import OFFSET_METADATA_MAX_BYTES

_VERSION: Final = "v1;"


@dataclass(frozen=True, slots=True)
class Ledger:
    """The replayed offsets of one partition, as closed ranges that neither meet nor overlap."""

    ranges: tuple[tuple[int, int], ...] = ()

    def __contains__(self, offset: object) -> bool:
        return isinstance(offset, int) and any(a <= offset <= b for a, b in self.ranges)

    def with_offsets(self, offsets: Iterable[int], *, log_start: int = 0) -> Ledger:
        """The ledger with these too, and without what the log no longer has."""
        points = [*self.ranges, *((offset, offset) for offset in offsets)]
        merged: list[tuple[int, int]] = []
        for first, last in sorted(points):
            if last < log_start:
                continue
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        return Ledger(tuple(merged))

    def encode(self) -> str:
        """``v1;0-41,57``.

        Raises:
            UsageError: ``ledger_full`` when Kafka could not hold it.
        """
        text = _VERSION + ",".join(
            str(first) if first == last else f"{first}-{last}" for first, last in self.ranges
        )
        if len(text) > OFFSET_METADATA_MAX_BYTES:
            raise UsageError(
                f"{len(self.ranges)} separate ranges were replayed, more than can be remembered",
                code="ledger_full",
                hint="replay whole ranges of offsets (--first, --last) instead of single codes",
            )
        return text

    @classmethod
    def decode(cls, text: str | None) -> Self:
        """Read it back; empty where there is none.

        Raises:
            UsageError: ``bad_ledger`` where another program wrote it: replaying without
                knowing what was replayed could double records.
        """
        if not text:
            return cls()
        try:
            if not text.startswith(_VERSION):
                raise ValueError("another version")
            spans = [span for span in text[len(_VERSION) :].split(",") if span]
            return cls(tuple(_range(span) for span in spans))
        except ValueError:
            raise UsageError(
                "the group that remembers replays was used by another program",
                code="bad_ledger",
                hint="replay with --again, which does not ask what was replayed before",
            ) from None


def _range(span: str) -> tuple[int, int]:
    first, dash, last = span.partition("-")
    return int(first), int(last if dash else first)
