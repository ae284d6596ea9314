"""How many shadow workers there are to be. Pure."""

from __future__ import annotations

from contracts.control import RolloutState
from contracts.phases import SHADOWED, Phase


def shadow_replicas(state: RolloutState, while_running: int) -> int:
    """Shadow workers that a state asks for.

    They are called when a rollout is registered, for they take their time to come, and are let go
    when nothing is to be shadowed any more: promoted, ended, or on its way back.

    Args:
        state: the newest control record.
        while_running: how many a rollout gets.
    """
    wanted = state.phase == Phase.REGISTERED or state.phase in SHADOWED
    return while_running if wanted else 0
