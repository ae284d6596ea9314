"""What happens to a rollout next: a pure function of its state, what was observed, and now.

Every phase has one rule here, and every move it can decide is in ``rollout.stages``. Protective
moves come first and know no pause. Whoever calls it carries the plan out, and asks again: one
call decides at most one move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from contracts.audit import CutEntry
from contracts.control import RolloutState
from contracts.judgement import GateResult, Judgement
from contracts.offset_metadata import OffsetMetadata
from contracts.phases import Phase
from contracts.policy import CanaryStep
from contracts.rollout import Rollout, WorkerRefusal
from rollout.controller.plan import Change, Draft, History, Plan, harmed, phase_of, serve
from rollout.controller.timing import gathering_ms, in_phase, milliseconds, since
from rollout.stages import SERVED, Cause, running

OF_TIME: Final = frozenset(
    {
        "max_duration",
        "no_traffic",
        "stale_evidence",
        "too_few_pairs",
        "shadow_too_slow",
        "thin_slice",
        "undecided_at_max",
    }
)
"""Inconclusive for want of time or traffic: after the gates have passed they only hold. A step or
a bake outlasts ``max_duration``, and a gate that has wavered since is harm only when it fires."""

CEILING_FROM: Final = 100
"""The ceiling on served errors is held against at least so many addresses: one error among the
first three is no error rate."""

_GRACE: Final = timedelta(seconds=30)
"""After ``max_duration`` the judge's own last word is waited for so long."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a rollout is held before it is given up.

    Attributes:
        refusal: workers have said that they cannot hold the candidate.
        warming: shadow workers are not warm in every partition.
        adoption: stable workers have not adopted a serving set.
        step_times: a canary step or bake lasts at most so many times its own duration.
    """

    refusal: timedelta = timedelta(minutes=2)
    warming: timedelta = timedelta(minutes=30)
    adoption: timedelta = timedelta(minutes=30)
    step_times: float = 12.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """The newest cut that was judged.

    Attributes:
        entry: the cut, what was said at it, and the chain there.
        served: addresses and errors of the candidate's results under ``served_epoch``.
        served_epoch: the serving epoch that they were counted for.
        alarm: the bake's alarm, when it rings.
    """

    entry: CutEntry
    served: tuple[int, int] = (0, 0)
    served_epoch: int = 0
    alarm: GateResult | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What the controller sees, beside its own state.

    Attributes:
        partitions: of the input topic; empty while they are not known.
        stable: what the stable group has noted beside its offsets, by partition.
        shadow: the same of the rollout's shadow group.
        evidence: the newest judged cut; None until there is one.
    """

    partitions: tuple[int, ...] = ()
    stable: Mapping[int, OffsetMetadata] = field(default_factory=dict)
    shadow: Mapping[int, OffsetMetadata] = field(default_factory=dict)
    evidence: Evidence | None = None


def decide(
    state: RolloutState,
    history: History,
    observation: Observation,
    now: datetime,
    bounds: Bounds,
) -> Plan | None:
    """The next transaction, or None when all stays as it is.

    Args:
        state: the state that stands.
        history: the cuts that are recorded.
        observation: what is seen.
        now: the present moment, with its zone.
        bounds: how long it is held before it is given up.
    """
    if state.rollout is None or not running(state.phase):
        return None
    draft = Draft(state, now)
    history = _take_in(draft, history, observation)
    phase = phase_of(state)
    assert phase is not None  # noqa: S101  (running)
    view = _View(draft.state, draft.rollout, phase, history, observation, now, bounds)
    change = _protect(view) or (None if state.paused else _RULES[phase](view))
    if change is not None:
        draft.change(change, history)
    else:
        _note_waiting(draft, view)
    return draft.plan()


@dataclass(frozen=True, slots=True)
class _View:
    """Everything that a rule looks at."""

    state: RolloutState
    rollout: Rollout
    phase: Phase
    history: History
    observation: Observation
    now: datetime
    bounds: Bounds

    @property
    def elapsed(self) -> timedelta:
        return in_phase(self.rollout, self.now)

    @property
    def missing(self) -> tuple[int, ...]:
        """Partitions that the phase waits for."""
        if self.phase is Phase.WARMING:
            return self._not_at(self.observation.shadow, self.rollout.started_revision)
        return self._not_at(self.observation.stable, self.state.serving.serving_epoch)

    @property
    def complete(self) -> bool:
        return bool(self.observation.partitions) and not self.missing

    @property
    def refusals(self) -> tuple[WorkerRefusal, ...]:
        if self.phase is Phase.WARMING:
            notes, epoch = self.observation.shadow, self.rollout.started_revision
        else:
            notes, epoch = self.observation.stable, self.state.serving.serving_epoch
        role = "shadow" if self.phase is Phase.WARMING else "stable"
        return tuple(
            WorkerRefusal(partition=partition, code=notes[partition].refusal, role=role)
            for partition in self.observation.partitions
            if partition in notes
            and notes[partition].refusal
            and notes[partition].refused_epoch == epoch
        )

    def _not_at(self, notes: Mapping[int, OffsetMetadata], epoch: int) -> tuple[int, ...]:
        if self.phase is Phase.WARMING:  # a revision of another rollout is none of this one
            return tuple(
                p
                for p in self.observation.partitions
                if p not in notes
                or notes[p].serving_epoch != epoch
                or notes[p].refused_epoch == epoch
            )
        return tuple(
            p
            for p in self.observation.partitions
            # A lane that serves under the epoch and says no has not adopted it: its worker
            # keeps the traffic going without the candidate.
            if p not in notes or notes[p].serving_epoch < epoch or notes[p].refused_epoch == epoch
        )

    @property
    def fresh(self) -> bool:
        """Whether the newest evidence is young enough to act on."""
        judgement = self.rollout.judgement
        if judgement is None or judgement.verdict in ("no_data", "stale"):
            return False
        newest = judgement.accounting.newest_input_ms
        limit = milliseconds(self.rollout.policy.shadow.stale_after)
        return newest is not None and self.now.timestamp() * 1000 - newest <= limit


# --- what is taken in -----------------------------------------------------------------------------


def _take_in(draft: Draft, history: History, observation: Observation) -> History:
    """Record a new cut, and what was served by then."""
    evidence = observation.evidence
    if evidence is None:
        return history
    rollout, entry = draft.rollout, evidence.entry
    if rollout.cut is None or entry.cut.number > rollout.cut.number:
        draft.cut(entry)
        history = history.and_then(entry)
        served, errors = (
            evidence.served
            if evidence.served_epoch == draft.state.serving.serving_epoch
            and draft.state.phase in SERVED
            else (0, 0)
        )
        draft.set_rollout(
            served=max(served, draft.rollout.served),
            served_errors=max(errors, draft.rollout.served_errors),
        )
    return history


def _note_waiting(draft: Draft, view: _View) -> None:
    waits = view.phase in (Phase.WARMING, Phase.STAGING, Phase.ROLLING_BACK, *SERVED)
    if not waits or not view.observation.partitions:
        return
    refusals = view.refusals
    if refusals and refusals != view.rollout.refusals:
        named = ", ".join(f"{one.partition} ({one.code})" for one in refusals)
        draft.alert(f"workers cannot hold the candidate on partitions {named}")
    draft.set_rollout(
        waiting_for=view.missing,
        refusals=refusals,
        refused_since=(view.rollout.refused_since or draft.at) if refusals else None,
    )


# --- protective moves: no pause stops them --------------------------------------------------------


def _protect(view: _View) -> Change | None:
    judged = (
        Phase.SHADOWING,
        Phase.PASSED,
        Phase.AWAITING_APPROVAL,
        Phase.STAGING,
        *SERVED,
    )
    if view.phase not in judged:
        return None
    held = view.phase is Phase.BAKING and not view.rollout.policy.bake.auto_rollback
    judgement = view.rollout.judgement
    if harmed(judgement) and not held:
        assert judgement is not None  # noqa: S101  (harmed)
        code = judgement.code if judgement.verdict == "fail" else "gate_failed"
        return leave(view.state, Phase.ABORTED, Cause.FAILED, code, _why(judgement))
    if not held and (alarm := _alarm(view)) is not None:
        return leave(view.state, Phase.ROLLED_BACK, Cause.ALARMED, *alarm)
    if (
        judgement is not None
        and judgement.verdict == "inconclusive"
        # A pause stops timers, the judge's among them.
        and (not _of_time(judgement) or (view.phase is Phase.SHADOWING and not view.state.paused))
    ):
        return leave(
            view.state, Phase.INCONCLUSIVE, Cause.UNDECIDED, judgement.code, _why(judgement)
        )
    return None


def _of_time(judgement: Judgement) -> bool:
    """Whether more time might have told otherwise: what is proven noisy stays noisy."""
    if judgement.code == "noisy_instrument":
        instrument = judgement.gate("aa")
        return instrument is not None and instrument.status != "failed"
    return judgement.code in OF_TIME


def _alarm(view: _View) -> tuple[str, str] | None:
    if view.phase not in SERVED:
        return None
    evidence = view.observation.evidence
    if view.phase is Phase.BAKING and evidence is not None and evidence.alarm is not None:
        return "bake_alarm", evidence.alarm.reason or "the bake's detector rang"
    served, errors = view.rollout.served, view.rollout.served_errors
    ceiling = view.rollout.policy.bake.max_error_rate
    if errors > ceiling * max(served, CEILING_FROM):
        found = f"{errors} of {served} addresses that the candidate served are errors"
        return "served_errors", f"{found}: more than {ceiling:.2%}"
    return None


def leave(state: RolloutState, ending: Phase, cause: Cause, code: str, reason: str) -> Change:
    """The way out of the present phase: at once before a share was written, else through
    ROLLING_BACK, which ends in ``ending`` when all partitions have adopted the return.

    Args:
        state: where it stands.
        ending: the phase that it ends in.
        cause: why.
        code: likewise, for looking up.
        reason: likewise, as a sentence.
    """
    rollout = state.rollout
    assert rollout is not None  # noqa: S101  (callers have looked)
    if not rollout.share_written:
        return Change(ending, cause, code, reason, serve(state.serving))
    changes: dict[str, Any] = {}
    if state.serving.stable.key != rollout.reference.key:
        # The withdrawn candidate is nobody's way back.
        changes["previous"] = None
    return Change(
        Phase.ROLLING_BACK,
        cause,
        code,
        reason,
        serve(state.serving, stable=rollout.reference),
        rollout={"ending": ending},
        state=changes,
    )


# --- one rule for each phase ----------------------------------------------------------------------


def _registered(view: _View) -> Change | None:
    candidate = view.rollout.candidate.name
    return Change(
        Phase.WARMING, Cause.CALLED, "called", f"shadow workers are called for {candidate}"
    )


def _warming(view: _View) -> Change | None:
    if view.complete:
        return Change(
            Phase.SHADOWING,
            Cause.WARM,
            "warm",
            f"shadow workers are warm on all {len(view.observation.partitions)} partitions",
            rollout={"shadowing_since": view.state.updated_at, "shadowing_paused_ms": 0},
        )
    if (refused := _refused(view)) is not None:
        return refused
    if view.elapsed > view.bounds.warming:
        if view.observation.partitions and len(view.missing) < len(view.observation.partitions):
            code, who = "shadow_incomplete", f"partitions {_list(view.missing)} have"
        else:
            code, who = "no_shadow_workers", "there is"
        return leave(
            view.state,
            Phase.INCONCLUSIVE,
            Cause.UNDECIDED,
            code,
            f"{who} no warm shadow worker after {_text(view.bounds.warming)}",
        )
    return None


def _shadowing(view: _View) -> Change | None:
    judgement = view.rollout.judgement
    if judgement is not None and judgement.verdict == "pass" and _settled(view):
        return Change(Phase.PASSED, Cause.PASSED, judgement.code, _why(judgement))
    policy = view.rollout.policy.shadow
    over = timedelta(milliseconds=gathering_ms(view.rollout, view.now)) - policy.max_duration
    if over <= timedelta(0):
        return None
    if judgement is not None and judgement.verdict in ("no_data", "stale"):
        code, reason = judgement.code, _why(judgement)
    elif over > _GRACE:
        code, reason = "max_duration", f"no verdict after {_text(policy.max_duration)}"
    else:
        return None
    return leave(view.state, Phase.INCONCLUSIVE, Cause.UNDECIDED, code, reason)


def _settled(view: _View) -> bool:
    """Whether a decision can be frozen: the chain of the very cut that passed is at hand, and
    the cut is of now. After a pause it may be of long ago, and nothing newer have been read.
    """
    cut = view.rollout.cut
    if cut is None or len(view.history.cuts) != cut.number:
        return False
    return since(cut.at, view.now) <= view.rollout.policy.shadow.stale_after


def _passed(view: _View) -> Change | None:
    if view.rollout.policy.approval.required:
        return Change(
            Phase.AWAITING_APPROVAL, Cause.UNSIGNED, "approval_required", "a person has to approve"
        )
    return _stage(view, Cause.CLEARED, "no_approval_needed", "the policy requires no approval")


def _awaiting(view: _View) -> Change | None:
    approval = view.rollout.approval
    if approval is not None:
        return _stage(view, Cause.APPROVED, "approved", f"approved with the key {approval.key_id}")
    valid_for = view.rollout.policy.approval.valid_for
    if view.elapsed > valid_for:
        return leave(
            view.state,
            Phase.INCONCLUSIVE,
            Cause.UNDECIDED,
            "approval_timeout",
            f"nobody approved within {_text(valid_for)}",
        )
    return None


def _stage(view: _View, cause: Cause, code: str, reason: str) -> Change:
    rollout = view.rollout
    serving = serve(view.state.serving, candidate=rollout.candidate, rollout_id=rollout.rollout_id)
    # Three models need not be resident: the way back from the last rollout ends here.
    return Change(Phase.STAGING, cause, code, reason, serving, state={"previous": None})


def _staging(view: _View) -> Change | None:
    if view.complete:
        reason = f"all {len(view.observation.partitions)} partitions hold the candidate"
        steps = view.rollout.policy.canary.steps
        if not steps:
            return _cut_over(view, Cause.ADOPTED, "adopted", reason)
        return _canary_step(view, 0, Cause.ADOPTED, "adopted", reason)
    return _refused(view) or _not_adopted(view, Phase.ABORTED, Cause.REFUSED)


def _canary_step(view: _View, number: int, cause: Cause, code: str, reason: str) -> Change:
    rollout = view.rollout
    share = rollout.policy.canary.steps[number].share
    return Change(
        Phase.CANARY,
        cause,
        code,
        reason,
        serve(
            view.state.serving,
            candidate=rollout.candidate,
            share=share,
            rollout_id=rollout.rollout_id,
        ),
        rollout={"step": number, "share_written": True},
    )


def _canary(view: _View) -> Change | None:
    steps = view.rollout.policy.canary.steps
    number = view.rollout.step
    step = steps[number]
    if _held_long_enough(view, step.duration, step.min_results):
        reason = _step_reason(view, step)
        if number + 1 < len(steps):
            return _canary_step(view, number + 1, Cause.STEP_DONE, "step_done", reason)
        return _cut_over(view, Cause.STEP_DONE, "step_done", reason)
    return _held_too_long(view, step.duration, step.min_results)


def _cut_over(view: _View, cause: Cause, code: str, reason: str) -> Change:
    rollout = view.rollout
    return Change(
        Phase.CUTTING_OVER,
        cause,
        code,
        reason,
        serve(view.state.serving, stable=rollout.candidate),
        rollout={"share_written": True},
        state={"previous": rollout.reference},
    )


def _cutting_over(view: _View) -> Change | None:
    if view.complete:
        return Change(
            Phase.BAKING,
            Cause.ADOPTED,
            "adopted",
            f"all {len(view.observation.partitions)} partitions serve the candidate",
        )
    return _not_adopted(view, Phase.INCONCLUSIVE, Cause.UNDECIDED)


def _baking(view: _View) -> Change | None:
    bake = view.rollout.policy.bake
    unharmed = not harmed(view.rollout.judgement) and _alarm(view) is None
    if unharmed and _held_long_enough(view, bake.duration, bake.min_results):
        return Change(
            Phase.PROMOTED,
            Cause.BAKED,
            "baked",
            f"{view.rollout.served} addresses served in {_text(view.elapsed)}, "
            f"{view.rollout.served_errors} of them errors",
        )
    return _held_too_long(view, bake.duration, bake.min_results)


def _rolling_back(view: _View) -> Change | None:
    if not view.complete:
        return None
    ending = view.rollout.ending or Phase.ROLLED_BACK
    return Change(
        ending,
        Cause.RETURNED,
        view.rollout.code,
        view.rollout.reason,
        rollout={"ending": None},
    )


_RULES: Final[Mapping[Phase, Callable[[_View], Change | None]]] = {
    Phase.REGISTERED: _registered,
    Phase.WARMING: _warming,
    Phase.SHADOWING: _shadowing,
    Phase.PASSED: _passed,
    Phase.AWAITING_APPROVAL: _awaiting,
    Phase.STAGING: _staging,
    Phase.CANARY: _canary,
    Phase.CUTTING_OVER: _cutting_over,
    Phase.BAKING: _baking,
    Phase.ROLLING_BACK: _rolling_back,
}


# --- what several rules share ---------------------------------------------------------------------


def _refused(view: _View) -> Change | None:
    refusals = view.refusals
    if not refusals or since(view.rollout.refused_since, view.now) <= view.bounds.refusal:
        return None
    named = ", ".join(f"{one.partition}: {one.code}" for one in refusals)
    return leave(
        view.state,
        Phase.ABORTED,
        Cause.REFUSED,
        "candidate_refused",
        f"workers cannot hold the candidate (by partition: {named})",
    )


def _not_adopted(view: _View, ending: Phase, cause: Cause) -> Change | None:
    if view.elapsed <= view.bounds.adoption:
        return None
    return leave(
        view.state,
        ending,
        cause,
        "not_adopted",
        f"partitions {_list(view.missing)} have not adopted serving epoch "
        f"{view.state.serving.serving_epoch} after {_text(view.bounds.adoption)}",
    )


def _held_long_enough(view: _View, duration: timedelta, min_results: int) -> bool:
    return (
        view.elapsed >= duration
        and view.rollout.served >= min_results
        and view.fresh
        and view.complete
    )


def _held_too_long(view: _View, duration: timedelta, min_results: int) -> Change | None:
    bound = duration * view.bounds.step_times
    if view.elapsed <= bound:
        return None
    if view.missing:
        code, why = "not_adopted", f"partitions {_list(view.missing)} have not adopted"
    elif view.rollout.served < min_results:
        code = "too_few_results"
        why = f"{view.rollout.served} of {min_results} addresses were served"
    elif not view.fresh:
        code, why = "stale_evidence", "the evidence is not fresh"
    else:
        code, why = "held_too_long", "harm was seen, and the policy rolls nothing back by itself"
    return leave(
        view.state,
        Phase.INCONCLUSIVE,
        Cause.UNDECIDED,
        code,
        f"{why} after {_text(view.elapsed)}, {view.bounds.step_times:g} times the duration",
    )


def _step_reason(view: _View, step: CanaryStep) -> str:
    return (
        f"{view.rollout.served} addresses served at a share of {step.share:g} in "
        f"{_text(view.elapsed)}"
    )


def _why(judgement: Judgement) -> str:
    return judgement.reason or judgement.code


def _list(partitions: tuple[int, ...]) -> str:
    return ", ".join(str(one) for one in partitions) or "none"


def _text(duration: timedelta) -> str:
    return str(timedelta(seconds=round(duration.total_seconds())))
