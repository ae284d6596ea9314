"""What one transaction writes: the next state and the audit records that explain it. Pure.

A state is only ever made here, so that revisions rise by one, the serving epoch rises exactly
when what serves changes, and every move is one of the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from contracts.audit import AuditRecord, CutEntry, RequestEntry, TransitionEntry
from contracts.canonical import digest_of
from contracts.control import RolloutState, ServingSet
from contracts.judgement import Judgement
from contracts.phases import ENDED, Phase
from contracts.rollout import Cut, DecisionRef, Rollout
from contracts.spec import ModelSpec
from rollout.controller.timing import milliseconds, since, stamp
from rollout.decision import decision_record
from rollout.stages import Cause, check

NO_OUTCOMES: Final = digest_of({})
"""The chain of a rollout that ended before any evidence was judged."""


@dataclass(frozen=True, slots=True)
class History:
    """What the audit topic holds of this rollout: everything that was judged so far.

    Attributes:
        cuts: every recorded cut, in order.
        outcomes: pairs folded in at the last one.
        chain: the hash chain over them; empty when there was no cut.
    """

    cuts: Sequence[Cut] = ()
    outcomes: int = 0
    chain: str = ""

    def and_then(self, entry: CutEntry) -> History:
        """The same with one more cut."""
        return History((*self.cuts, entry.cut), entry.outcomes, entry.chain)


@dataclass(frozen=True, slots=True)
class Plan:
    """One transaction.

    Attributes:
        state: the state to write.
        audit: the records to write with it, in order.
        moves: the phases that are entered with it, each with its cause, in order.
    """

    state: RolloutState
    audit: tuple[AuditRecord, ...] = ()
    moves: tuple[tuple[Phase, Cause], ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A move that was decided.

    Attributes:
        target: the phase to enter.
        cause: why, as the table knows it.
        code: why, as people look it up.
        reason: the same as a sentence.
        serving: what serves from now on; None leaves it.
        rollout: further fields of the rollout that change.
        state: further fields of the state that change.
    """

    target: Phase
    cause: Cause
    code: str
    reason: str
    serving: ServingSet | None = None
    rollout: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)


def serve(
    serving: ServingSet,
    *,
    stable: ModelSpec | None = None,
    candidate: ModelSpec | None = None,
    share: float = 0.0,
    rollout_id: str = "",
) -> ServingSet:
    """The serving set with these models: its epoch is one more exactly when something changes.

    Args:
        serving: what serves now.
        stable: the stable model; None keeps it.
        candidate: the candidate, or None for none.
        share: the candidate's share.
        rollout_id: the rollout that the candidate belongs to.
    """
    stable = stable or serving.stable
    same = (stable, candidate, share) == (serving.stable, serving.candidate, serving.share)
    return ServingSet(
        stable=stable,
        candidate=candidate,
        share=share,
        serving_epoch=serving.serving_epoch + (not same),
        rollout_id=rollout_id if candidate is not None else "",
    )


class Draft:
    """A state in the making; ``plan`` ends it.

    Args:
        state: the state that stands.
        now: the moment of the decision, with its zone.
    """

    def __init__(self, state: RolloutState, now: datetime) -> None:
        self._before = state
        self._now = now
        self._at = stamp(now)
        self._revision = state.revision + 1
        self._state = state.model_copy(update={"revision": self._revision, "updated_at": self._at})
        self._audit: list[AuditRecord] = []
        self._moves: list[tuple[Phase, Cause]] = []
        self._touched = False

    @property
    def state(self) -> RolloutState:
        """The state as it would be written now."""
        return self._state

    @property
    def rollout(self) -> Rollout:
        """Its rollout."""
        assert self._state.rollout is not None  # noqa: S101  (callers have looked)
        return self._state.rollout

    @property
    def at(self) -> str:
        """The moment, as it is written."""
        return self._at

    @property
    def revision(self) -> int:
        """Revision of the state in the making."""
        return self._revision

    def plan(self) -> Plan | None:
        """What is to be written; None when nothing has changed."""
        if not self._touched:
            return None
        return Plan(self._state, tuple(self._audit), tuple(self._moves))

    def set_state(self, **fields: Any) -> None:
        """Change fields of the state."""
        if any(getattr(self._state, name) != value for name, value in fields.items()):
            self._touched = True
            self._state = self._state.model_copy(update=fields)

    def set_rollout(self, **fields: Any) -> None:
        """Change fields of its rollout."""
        if any(getattr(self.rollout, name) != value for name, value in fields.items()):
            self.set_state(rollout=self.rollout.model_copy(update=fields))

    def record(self, record: AuditRecord) -> None:
        """Write this audit record too."""
        self._touched = True
        self._audit.append(record)

    def alert(self, message: str) -> None:
        """Say in the audit what a person should look at."""
        self.record(self._entry("alert", message=message))

    def request(self, entry: RequestEntry, *, rollout_id: str) -> None:
        """Record the outcome of a request, and that it is judged."""
        self.record(self._entry("request", rollout_id=rollout_id, request=entry))
        self.set_state(next_request_offset=entry.offset + 1)

    def cut(self, entry: CutEntry) -> None:
        """Record that the evidence was judged at a cut."""
        self.record(self._entry("cut", cut=entry))
        self.set_rollout(cut=entry.cut, judgement=entry.judgement)

    def register(self, rollout: Rollout, *, reason: str) -> None:
        """Begin a rollout; what the last one left behind is in the audit."""
        check(phase_of(self._before), Phase.REGISTERED, Cause.START)
        before = self._before
        promoted = before.rollout if before.phase == Phase.PROMOTED else before.promoted
        self.set_state(rollout=rollout, phase=Phase.REGISTERED, paused=False, promoted=promoted)
        self._moves.append((Phase.REGISTERED, Cause.START))
        self._transition(Phase.REGISTERED, code=Cause.START, reason=reason)

    def return_to(self, promoted: Rollout) -> None:
        """Go on with the rollout that was promoted before this one: what happens next is a move
        out of its own last phase, and stands in the audit as that."""
        taken_up = {"rollout": promoted, "phase": Phase.PROMOTED, "promoted": None}
        self._before = self._before.model_copy(update=taken_up)
        self.set_state(**taken_up)

    def change(self, change: Change, history: History) -> None:
        """Carry out a move.

        Args:
            change: the move.
            history: the cuts so far, that of this very draft included: a decision is taken
                where the rollout passes, and where it ends otherwise.

        Raises:
            IllegalTransition: the table does not have it.
        """
        check(phase_of(self._before), change.target, change.cause)
        fields: dict[str, Any] = {
            "phase_entry": self._revision,
            "phase_since": self._at,
            "paused_ms": 0,
            "paused_since": self._at if self._state.paused else None,
            "served": 0,
            "served_errors": 0,
            "waiting_for": (),
            "waiting_interactive": (),
            "refusals": (),
            "refused_since": None,
            "code": change.code,
            "reason": change.reason,
            **change.rollout,
        }
        if change.target in ENDED or change.target is Phase.ROLLING_BACK:
            fields |= self._unpaused()
            self.set_state(paused=False)
        self.set_rollout(**fields)
        self.set_state(phase=change.target, **change.state)
        if change.serving is not None:
            self.set_state(serving=change.serving)
        decided = change.target is Phase.PASSED or (
            change.target in ENDED and change.target is not Phase.PROMOTED
        )
        if decided:
            self._decide(change.target, history)
        self._moves.append((change.target, change.cause))
        self._transition(change.target, code=change.code, reason=change.reason)

    def pause(self) -> None:
        """Stop forward moves and timers."""
        self.set_rollout(paused_since=self._at)
        self.set_state(paused=True)

    def resume(self) -> None:
        """Let them go on; the time of the pause does not count."""
        self.set_rollout(**self._unpaused())
        self.set_state(paused=False)

    def _unpaused(self) -> dict[str, Any]:
        rollout = self.rollout
        paused = milliseconds(since(rollout.paused_since, self._now))
        counted = rollout.shadowing_since is not None
        return {
            "paused_since": None,
            "paused_ms": rollout.paused_ms + paused,
            "shadowing_paused_ms": rollout.shadowing_paused_ms + (paused if counted else 0),
        }

    def _decide(self, phase: Phase, history: History) -> None:
        rollout = self.rollout
        record = decision_record(
            cluster=self._state.incarnation,
            rollout=rollout,
            phase=phase,
            cuts=history.cuts,
            judgement=rollout.judgement,
            outcomes=history.outcomes,
            chain=history.chain or NO_OUTCOMES,
        )
        digest = digest_of(record)
        self.record(self._entry("decision", decision=record.model_dump(mode="json")))
        self.set_rollout(decision=DecisionRef(digest=digest, cut=len(history.cuts)))

    def _transition(self, phase: Phase, *, code: str, reason: str) -> None:
        entry = TransitionEntry(
            previous=phase_of(self._before),
            phase=phase,
            code=code,
            reason=reason,
            step=self.rollout.step,
            serving=self._state.serving,
        )
        self.record(self._entry("transition", transition=entry, rollout=self.rollout))

    def _entry(self, kind: str, **fields: Any) -> AuditRecord:
        rollout = self._state.rollout
        return AuditRecord.model_validate(
            {
                "kind": kind,
                "incarnation": self._state.incarnation,
                "revision": self._revision,
                "at": self._at,
                "rollout_id": "" if rollout is None else rollout.rollout_id,
                **fields,
            }
        )


def alerted(state: RolloutState, now: datetime, message: str, **fields: Any) -> Plan:
    """The same state written again, with an alert that says why.

    Args:
        state: the state that stands.
        now: the present moment.
        message: what a person should look at.
        fields: of the state, where they change.
    """
    draft = Draft(state, now)
    draft.set_state(**fields)
    draft.alert(message)
    plan = draft.plan()
    assert plan is not None  # noqa: S101  (it holds the alert)
    return plan


def phase_of(state: RolloutState) -> Phase | None:
    """The phase that the state says it is in."""
    return None if state.phase is None else Phase(state.phase)


def harmed(judgement: Judgement | None) -> bool:
    """Whether harm was proven at this judgement or before."""
    return judgement is not None and (judgement.verdict == "fail" or bool(judgement.harmed))
