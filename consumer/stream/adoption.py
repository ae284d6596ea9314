"""How a lane moves to another serving set. Pure.

Forward, the new set holds from the first offset not yet admitted: work in flight is finished
under the old one. On a rollback, uncommitted work is thrown away and the new set holds from
the commit frontier, so that nothing more of the withdrawn model is published.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.control import RolloutState

ROLLING_BACK = "ROLLING_BACK"


@dataclass(frozen=True, slots=True)
class Adoption:
    """What the lane does.

    Attributes:
        from_offset: the first offset served under the new set.
        discard: uncommitted work is dropped and read again.
    """

    from_offset: int
    discard: bool


def adopt(
    state: RolloutState, *, current_epoch: int, frontier: int, next_admissible: int
) -> Adoption | None:
    """Decide whether and how a lane adopts ``state``; None when it already has.

    Args:
        state: the control state whose serving set is resident and warm.
        current_epoch: the serving epoch the lane admits records under.
        frontier: the lane's commit position.
        next_admissible: one past the highest offset it has admitted.
    """
    if state.serving.serving_epoch <= current_epoch:
        return None
    if state.phase == ROLLING_BACK:
        return Adoption(frontier, discard=True)
    return Adoption(next_admissible, discard=False)


def may_open(state_epoch: int, metadata_epoch: int) -> bool:
    """A new owner may serve only when it knows the epoch that the partition has reached."""
    return state_epoch >= metadata_epoch
