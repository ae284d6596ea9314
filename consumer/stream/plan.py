"""What a worker does under one control state, as a value. Pure.

Roles make it (``roles.py``, ``shadow.py``); membership, lanes and residency go by it and know
of no role.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from contracts.control import RolloutState
from contracts.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """Read where, with which models, under which number.

    Attributes:
        state: the control state that it follows from.
        group: the consumer group. Another group is another membership.
        epoch: what lanes commit beside their offset once they work under this plan; plans of
            one group never go back.
        models: the specs that must be in memory, by what each is for.
        keeps: specs that stay in memory if they are there: the way back.
        first_offsets: where a partition begins that nothing was ever committed for; one that
            is not named begins with its oldest record.
        joins_gated: True: the worker joins first and its lanes wait for the models, so that
            each can say why it waits. False: it joins when it has what it needs.
        least_epoch: lanes open only under a plan of at least this epoch.
        stands_at_losses: True: a partition whose records are gone stays shut and says so.
            False: the process ends.
        fallback: the same with fewer models, for partitions that have already come this far
            and must not stand still for want of a candidate.
    """

    state: RolloutState
    group: str
    epoch: int
    models: Mapping[str, ModelSpec]
    keeps: tuple[ModelSpec, ...] = ()
    first_offsets: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    joins_gated: bool = False
    least_epoch: int = 0
    stands_at_losses: bool = False
    fallback: Self | None = None

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        """Every spec that must be resident."""
        return tuple(self.models.values())


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why this worker cannot go on to a plan.

    Attributes:
        epoch: the plan's.
        code: a stable error code.
    """

    epoch: int
    code: str
