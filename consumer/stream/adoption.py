"""How a lane moves to another serving set. Pure.

Forward, the new set holds from the first offset not yet admitted: work in flight is finished
under the old one, for a while. On a rollback, uncommitted work is thrown away and the new set
holds from the commit frontier, so that nothing more of the withdrawn model is published. The
same ends the patience with work that takes too long: a slow device may have minutes of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from consumer.stream.plan import Plan
from contracts.phases import Phase


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
    plan: Plan, *, current_epoch: int, frontier: int, next_admissible: int
) -> Adoption | None:
    """Decide whether and how a lane adopts ``plan``; None when it already has.

    Args:
        plan: a plan whose models are resident and warm.
        current_epoch: the serving epoch the lane admits records under.
        frontier: the lane's commit position.
        next_admissible: one past the highest offset it has admitted.
    """
    if plan.epoch <= current_epoch:
        return None
    if plan.state.phase == Phase.ROLLING_BACK:
        return Adoption(frontier, discard=True)
    return Adoption(next_admissible, discard=False)


def hasten(*, frontier: int, pending_from: int) -> Adoption | None:
    """Decide what becomes of an adoption that the work in hand has held up for long enough.

    Args:
        frontier: the lane's commit position.
        pending_from: the offset from which the new set was to hold.

    Returns:
        None when the lane is there already.
    """
    return Adoption(frontier, discard=True) if frontier < pending_from else None


def same_plan(new: Plan, current: Plan) -> bool:
    """True when a lane may go on under ``new`` without a word: the same epoch, told again.

    It may be a later revision of the control record, or the whole of what was a fallback.
    """
    return (new.state.incarnation, new.group, new.epoch) == (
        current.state.incarnation,
        current.group,
        current.epoch,
    )


def opening_epoch(plan: Plan, metadata_epoch: int) -> int:
    """The epoch that a new owner must have reached before it may serve a partition."""
    return max(plan.least_epoch, metadata_epoch)
