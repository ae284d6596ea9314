"""Where one rollout stands, from the control record or, for older ones, from the audit. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.audit import AuditRecord
from contracts.control import RolloutState, ServingSet
from contracts.judgement import Judgement
from contracts.phases import ENDED, Phase
from contracts.rollout import Rollout


@dataclass(frozen=True, slots=True)
class Standing:
    """One rollout at one moment.

    Attributes:
        rollout: its facts and figures.
        phase: where it is.
        paused: no forward move and no timer runs.
        serving: the serving set of that moment; for an older rollout the one it ended with.
        revision: of the state that says so.
        current: whether the control record speaks of it; else it is history.
        judgement: the newest, or None while there was none.
        way_back: the promoted rollout that can be rolled back, this one or an earlier; None
            when there is none.
    """

    rollout: Rollout
    phase: Phase
    paused: bool
    serving: ServingSet
    revision: int
    current: bool
    judgement: Judgement | None
    way_back: Rollout | None = None

    @property
    def rollout_id(self) -> str:
        """Its id."""
        return self.rollout.rollout_id

    @property
    def ended(self) -> bool:
        """Whether nothing happens any more by itself."""
        return self.phase in ENDED


def standing_of(state: RolloutState | None) -> Standing | None:
    """The rollout of the control record; None when none has ever run."""
    if state is None or state.rollout is None or state.phase is None:
        return None
    return Standing(
        rollout=state.rollout,
        phase=Phase(state.phase),
        paused=state.paused,
        serving=state.serving,
        revision=state.revision,
        current=True,
        judgement=state.rollout.judgement,
        way_back=way_back(state),
    )


def way_back(state: RolloutState) -> Rollout | None:
    """The promoted rollout whose candidate serves and whose reference is still kept.

    While a later rollout runs it has to wait: that one is to be aborted first.
    """
    if state.rollout is not None and state.phase == Phase.PROMOTED:
        return state.rollout
    one = state.promoted
    if one is None or state.previous is None:
        return None
    kept = (state.serving.stable.weights, state.previous.weights)
    return one if kept == (one.candidate.weights, one.reference.weights) else None


def promoted_standing(state: RolloutState) -> Standing | None:
    """The same rollout as ``way_back`` says, where it stands; None when there is none."""
    one = way_back(state)
    if one is None:
        return None
    return Standing(
        rollout=one,
        phase=Phase.PROMOTED,
        paused=False,
        serving=state.serving,
        revision=state.revision,
        current=one == state.rollout,
        judgement=one.judgement,
        way_back=one,
    )


def standing_from_audit(records: Iterable[AuditRecord]) -> Standing | None:
    """The last known standing of the rollout that these records are about; None without any."""
    last: AuditRecord | None = None
    judgement: Judgement | None = None
    for record in records:
        if record.transition is not None and record.rollout is not None:
            last = record
        if record.cut is not None:
            judgement = record.cut.judgement
    if last is None or last.transition is None or last.rollout is None:
        return None
    return Standing(
        rollout=last.rollout,
        phase=last.transition.phase,
        paused=last.rollout.paused_since is not None,
        serving=last.transition.serving,
        revision=last.revision,
        current=False,
        judgement=judgement or last.rollout.judgement,
    )
