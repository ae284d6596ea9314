"""Reading Kafka topics as logs: what this package needs of a reader, given to it by its caller.

``producer.topic_log.TopicLog`` is one; ``deploy`` hands it in, since neighbours never import one
another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

Offsets = dict[int, int]
"""Partition to offset."""


class Log(Protocol):
    """All partitions of one topic; see ``producer.topic_log`` for the exact promises."""

    partitions: tuple[int, ...]

    async def beginnings(self) -> Offsets:
        """The first offset that is still there, per partition."""
        ...

    async def ends(self) -> Offsets:
        """One past the last committed offset, per partition."""
        ...

    async def since(self, moment: datetime) -> Offsets:
        """The first offset written at or after a moment; the end where there is none."""
        ...

    def seek(self, positions: Mapping[int, int]) -> None:
        """Read these partitions from these offsets on."""
        ...

    def only(self, partitions: Sequence[int]) -> None:
        """Read no other partitions from now on; positions have to be set again."""
        ...

    async def positions(self) -> Offsets:
        """The next offset to be read, per partition; transaction markers are passed over."""
        ...

    async def passed(self, ends: Mapping[int, int]) -> bool:
        """Whether everything before these ends was read."""
        ...

    async def poll(self) -> Sequence[Any]:
        """What has come, as aiokafka's ``ConsumerRecord``; empty when nothing has."""
        ...


class OpenLog(Protocol):
    """Opens the log of the topic of that full name."""

    def __call__(
        self, topic: str, /, *, committed_only: bool = True
    ) -> AbstractAsyncContextManager[Log]:
        """Open it.

        Args:
            topic: the full name.
            committed_only: False shows what open and aborted transactions wrote too; the end is
                then the end of everything.
        """
        ...
