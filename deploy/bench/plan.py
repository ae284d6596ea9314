"""How much is measured: sizes of a full run and of a quick one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Section = Literal["throughput", "broker", "latency", "engine-memory", "memory", "modelscope"]
SECTIONS: Final[tuple[Section, ...]] = (
    "throughput",
    "broker",
    "latency",
    "engine-memory",
    "memory",
    "modelscope",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of a run.

    Attributes:
        repetitions: of every measurement that is compared, alternating.
        seconds: about how long one pass of one repetition should take; the number of
            addresses follows from the speed of the model on this machine.
        instant_addresses: of one drain with the model that answers at once.
        latency_s: length of the load.
        small_backlog: addresses of the small backlog.
        large_backlog: of the large one.
        default_addresses: for modelscope's pipeline as it comes.
        tuned_addresses: for the tuned one, and for ours beside it.
    """

    repetitions: int
    seconds: float
    instant_addresses: int
    latency_s: float
    small_backlog: int
    large_backlog: int
    default_addresses: int
    tuned_addresses: int


FULL: Final = Plan(
    repetitions=5,
    seconds=10.0,
    instant_addresses=60_000,
    latency_s=45.0,
    small_backlog=50_000,
    large_backlog=500_000,
    default_addresses=8,
    tuned_addresses=64,
)

QUICK: Final = Plan(
    repetitions=2,
    seconds=4.0,
    instant_addresses=10_000,
    latency_s=10.0,
    small_backlog=20_000,
    large_backlog=60_000,
    default_addresses=2,
    tuned_addresses=32,
)
