"""What happens to a rollout next: a pure function of its state, what was observed, and now.

Every phase has one rule here, and every move it can decide is in ``rollout.stages``. Protective
moves come first and know no pause. Whoever calls it carries the plan out, and asks again: one
call decides at most one move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from contracts.control import RolloutState
from contracts.phases import Phase
from contracts.policy import CanaryStep
from contracts.rollout import WorkerRefusal
from rollout.controller.plan import Change, Draft, History, Plan, harmed, phase_of, serve
from rollout.controller.protection import alarm_of, leave, protect, why
from rollout.controller.timing import gathering_ms, since
from rollout.controller.view import Bounds, Observation, View
from rollout.partitions import InputPartition
from rollout.stages import SERVED, Cause, running

_GRACE: Final = timedelta(seconds=30)
"""After ``max_duration`` the judge's own last word is waited for so long."""


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
    view = View(draft.state, draft.rollout, phase, history, observation, now, bounds)
    change = protect(view) or (None if state.paused else _RULES[phase](view))
    if change is not None:
        draft.change(change, history)
    else:
        _note_waiting(draft, view)
    return draft.plan()


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


def _note_waiting(draft: Draft, view: View) -> None:
    waits = view.phase in (Phase.WARMING, Phase.STAGING, Phase.ROLLING_BACK, *SERVED)
    if not waits or not view.observation.partitions:
        return
    refusals = view.refusals
    if refusals and refusals != view.rollout.refusals:
        named = ", ".join(f"{_of(one)} ({one.code})" for one in refusals)
        draft.alert(f"workers cannot hold the candidate on partitions {named}")
    draft.set_rollout(
        waiting_for=view.missing,
        waiting_interactive=view.missing_interactive,
        refusals=refusals,
        refused_since=(view.rollout.refused_since or draft.at) if refusals else None,
    )


# --- one rule for each phase ----------------------------------------------------------------------


def _registered(view: View) -> Change | None:
    candidate = view.rollout.candidate.name
    return Change(
        Phase.WARMING, Cause.CALLED, "called", f"shadow workers are called for {candidate}"
    )


def _warming(view: View) -> Change | None:
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


def _shadowing(view: View) -> Change | None:
    judgement = view.rollout.judgement
    if judgement is not None and judgement.verdict == "pass" and _settled(view):
        return Change(Phase.PASSED, Cause.PASSED, judgement.code, why(judgement))
    policy = view.rollout.policy.shadow
    over = timedelta(milliseconds=gathering_ms(view.rollout, view.now)) - policy.max_duration
    if over <= timedelta(0):
        return None
    if judgement is not None and judgement.verdict in ("no_data", "stale"):
        code, reason = judgement.code, why(judgement)
    elif over > _GRACE:
        code, reason = "max_duration", f"no verdict after {_text(policy.max_duration)}"
    else:
        return None
    return leave(view.state, Phase.INCONCLUSIVE, Cause.UNDECIDED, code, reason)


def _settled(view: View) -> bool:
    """Whether a decision can be frozen: the chain of the very cut that passed is at hand, and
    the cut is of now. After a pause it may be of long ago, and nothing newer have been read.
    """
    cut = view.rollout.cut
    if cut is None or len(view.history.cuts) != cut.number:
        return False
    return since(cut.at, view.now) <= view.rollout.policy.shadow.stale_after


def _passed(view: View) -> Change | None:
    if view.rollout.policy.approval.required:
        return Change(
            Phase.AWAITING_APPROVAL, Cause.UNSIGNED, "approval_required", "a person has to approve"
        )
    return _stage(view, Cause.CLEARED, "no_approval_needed", "the policy requires no approval")


def _awaiting(view: View) -> Change | None:
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


def _stage(view: View, cause: Cause, code: str, reason: str) -> Change:
    rollout = view.rollout
    serving = serve(view.state.serving, candidate=rollout.candidate, rollout_id=rollout.rollout_id)
    # Three models need not be resident: the way back from the last rollout ends here.
    return Change(
        Phase.STAGING, cause, code, reason, serving, state={"previous": None, "promoted": None}
    )


def _staging(view: View) -> Change | None:
    if view.complete:
        reason = f"all {len(view.observation.partitions)} partitions hold the candidate"
        steps = view.rollout.policy.canary.steps
        if not steps:
            return _cut_over(view, Cause.ADOPTED, "adopted", reason)
        return _canary_step(view, 0, Cause.ADOPTED, "adopted", reason)
    return _refused(view) or _not_adopted(view, Phase.ABORTED, Cause.REFUSED)


def _canary_step(view: View, number: int, cause: Cause, code: str, reason: str) -> Change:
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


def _canary(view: View) -> Change | None:
    steps = view.rollout.policy.canary.steps
    number = view.rollout.step
    step = steps[number]
    if _held_long_enough(view, step.duration, step.min_results):
        reason = _step_reason(view, step)
        if number + 1 < len(steps):
            return _canary_step(view, number + 1, Cause.STEP_DONE, "step_done", reason)
        return _cut_over(view, Cause.STEP_DONE, "step_done", reason)
    return _held_too_long(view, step.duration, step.min_results)


def _cut_over(view: View, cause: Cause, code: str, reason: str) -> Change:
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


def _cutting_over(view: View) -> Change | None:
    if view.complete:
        return Change(
            Phase.BAKING,
            Cause.ADOPTED,
            "adopted",
            f"all {len(view.observation.partitions)} partitions serve the candidate",
        )
    return _not_adopted(view, Phase.INCONCLUSIVE, Cause.UNDECIDED)


def _baking(view: View) -> Change | None:
    bake = view.rollout.policy.bake
    # The alarm is written nowhere: whether it rings, a term knows once it has folded and judged.
    heard = view.observation.evidence is not None
    unharmed = not harmed(view.rollout.judgement) and alarm_of(view) is None
    if heard and unharmed and _held_long_enough(view, bake.duration, bake.min_results):
        return Change(
            Phase.PROMOTED,
            Cause.BAKED,
            "baked",
            f"{view.rollout.served} addresses served in {_text(view.elapsed)}, "
            f"{view.rollout.served_errors} of them errors",
        )
    return _held_too_long(view, bake.duration, bake.min_results)


def _rolling_back(view: View) -> Change | None:
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


_RULES: Final[Mapping[Phase, Callable[[View], Change | None]]] = {
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


def _refused(view: View) -> Change | None:
    refusals = view.refusals
    if not refusals or since(view.rollout.refused_since, view.now) <= view.bounds.refusal:
        return None
    named = ", ".join(f"{_of(one)}: {one.code}" for one in refusals)
    return leave(
        view.state,
        Phase.ABORTED,
        Cause.REFUSED,
        "candidate_refused",
        f"workers cannot hold the candidate (by partition: {named})",
    )


def _not_adopted(view: View, ending: Phase, cause: Cause) -> Change | None:
    if view.elapsed <= view.bounds.adoption:
        return None
    return leave(
        view.state,
        ending,
        cause,
        "not_adopted",
        f"partitions {_list(view.all_missing)} have not adopted serving epoch "
        f"{view.state.serving.serving_epoch} after {_text(view.bounds.adoption)}",
    )


def _held_long_enough(view: View, duration: timedelta, min_results: int) -> bool:
    return (
        view.elapsed >= duration
        and view.rollout.served >= min_results
        and view.fresh
        and view.complete
    )


def _held_too_long(view: View, duration: timedelta, min_results: int) -> Change | None:
    bound = duration * view.bounds.step_times
    if view.elapsed <= bound:
        return None
    if view.all_missing:
        code, why = "not_adopted", f"partitions {_list(view.all_missing)} have not adopted"
    elif view.rollout.served < min_results:
        code = "too_few_results"
        why = f"{view.rollout.served} of {min_results} addresses were served"
    elif not view.fresh or view.observation.evidence is None:
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


def _step_reason(view: View, step: CanaryStep) -> str:
    return (
        f"{view.rollout.served} addresses served at a share of {step.share:g} in "
        f"{_text(view.elapsed)}"
    )


def _of(refusal: WorkerRefusal) -> str:
    return str(InputPartition(refusal.interactive, refusal.partition))


def _list(partitions: Sequence[object]) -> str:
    return ", ".join(str(one) for one in partitions) or "none"


def _text(duration: timedelta) -> str:
    return str(timedelta(seconds=round(duration.total_seconds())))
