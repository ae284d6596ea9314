"""The models that a record runs on: one in a stable worker, two side by side in a shadow. Pure.

A side is never told of the other: what one raises, returns or takes is its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass

from contracts.events import Track
from contracts.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Side:
    """One model of a route.

    Attributes:
        spec: the model.
        track: what results say it served as.
    """

    spec: ModelSpec
    track: Track


@dataclass(frozen=True, slots=True)
class Route:
    """Which models a record goes to, and under which decision.

    Attributes:
        sides: at least one; a role's composer knows their order.
        serving_epoch: of the control state that chose them.
        rollout_id: the rollout that this is evidence for; empty in production.
    """

    sides: tuple[Side, ...]
    serving_epoch: int
    rollout_id: str = ""

    @property
    def key(self) -> Hashable:
        """Equal exactly when the same models run: rows of one key share device batches."""
        return tuple(side.spec.key for side in self.sides)


def run_order(batch_id: str, sides: int) -> tuple[int, ...]:
    """The order in which the sides of a device batch run, by the hash of its id.

    Whoever runs second finds caches and clocks warmed by the first. Over many batches each
    side is first as often as the other, and nothing in the batch has a say in it.

    Returns:
        The indices of the sides, a rotation of ``0 … sides - 1``.
    """
    if sides == 1:
        return (0,)
    first = hashlib.sha256(batch_id.encode()).digest()[0] % sides
    return tuple((first + step) % sides for step in range(sides))
