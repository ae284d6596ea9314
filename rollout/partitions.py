"""What partitions are called, now that there are two inputs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class InputPartition(NamedTuple):
    """One partition of one input; those of ``address.events`` sort first.

    Attributes:
        interactive: of ``address.interactive``; else of ``address.events``.
        partition: its number.
    """

    interactive: bool
    partition: int

    def __str__(self) -> str:
        return f"interactive {self.partition}" if self.interactive else str(self.partition)


def of_both(events: Iterable[int], interactive: Iterable[int]) -> tuple[InputPartition, ...]:
    """The partitions of both inputs, in order."""
    return (
        *(InputPartition(False, one) for one in events),
        *(InputPartition(True, one) for one in interactive),
    )
