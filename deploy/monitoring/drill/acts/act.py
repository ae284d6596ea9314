"""What an act of the drill is: a real cause, and the alerts that it must bring and end. Data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from deploy.monitoring.drill.stage import Stage

TIMES: Final = 20
"""By what durations in rules and panels are divided, where an act says nothing else."""

Settings = Mapping[str, str]
"""Environment variables of one process."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act. It begins with a system of its own and leaves nothing behind.

    Attributes:
        name: as it is asked for.
        meaning: what happens, in a line.
        play: brings the cause about, mends it, and waits for the alerts in between.
        alerts: each must be told of, and told of as over.
        services: what runs, and is ready, before the watchers look: ``worker``, ``shadow``,
            ``controller``, ``gateway``; ``worker-b`` is another worker.
        settings: of a service, beside what all share; ``{folder}`` is the act's own.
        prepare: done before the services start.
        panels: panels (``dashboard: title``) that show something here and in few other acts.
        partitions: of the input.
        broker_settings: of its broker, by Kafka's names.
        times: by what durations are divided.
        secure: whether the broker has TLS and users.
        broker: whether there is one at all.
    """

    name: str
    meaning: str
    play: Callable[[Stage], Awaitable[None]]
    alerts: tuple[str, ...] = ()
    services: tuple[str, ...] = ("worker",)
    settings: Mapping[str, Settings] = field(default_factory=dict)
    prepare: Callable[[Stage], Awaitable[None]] | None = None
    panels: tuple[str, ...] = ()
    partitions: int = 4
    broker_settings: Settings = field(default_factory=dict)
    times: int = TIMES
    secure: bool = False
    broker: bool = True
