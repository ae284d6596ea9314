"""The phases of a rollout, and what others may conclude from them.

Which move is legal and why stands in ``rollout.stages``; here is only what workers and
readers need to know of a phase.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """Where a rollout stands."""

    REGISTERED = "REGISTERED"
    WARMING = "WARMING"
    SHADOWING = "SHADOWING"
    PASSED = "PASSED"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    STAGING = "STAGING"
    CANARY = "CANARY"
    CUTTING_OVER = "CUTTING_OVER"
    BAKING = "BAKING"
    PROMOTED = "PROMOTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    ABORTED = "ABORTED"
    ROLLING_BACK = "ROLLING_BACK"
    ROLLED_BACK = "ROLLED_BACK"


ENDED: Final = frozenset({Phase.PROMOTED, Phase.INCONCLUSIVE, Phase.ABORTED, Phase.ROLLED_BACK})
"""Phases in which another rollout may start. ``PROMOTED`` can still be rolled back."""

SHADOWED: Final = frozenset(
    {
        Phase.WARMING,
        Phase.SHADOWING,
        Phase.PASSED,
        Phase.AWAITING_APPROVAL,
        Phase.STAGING,
        Phase.CANARY,
        Phase.CUTTING_OVER,
        Phase.BAKING,
    }
)
"""Phases in which shadow workers run: until the end, so that canary and bake keep a control arm."""
