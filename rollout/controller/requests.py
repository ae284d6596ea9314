"""What becomes of a request: judged once, when it is consumed. Pure.

The answer is always a plan: even a refusal moves ``next_request_offset`` on and stands in the
audit, so that nothing is judged twice and nobody waits for an answer that never comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from contracts.audit import RequestEntry
from contracts.control import RolloutState
from contracts.phases import ENDED, Phase
from contracts.requests import RequestKind, RolloutRequest, StartRequest
from contracts.rollout import Rollout
from contracts.spec import ModelSpec
from rollout.approvals import Keyring, objection
from rollout.asking import is_same_start
from rollout.controller.plan import Draft, History, Plan, harmed, phase_of, serve
from rollout.controller.protection import leave
from rollout.controller.registering import StartFacts, new_rollout
from rollout.controller.timing import moment
from rollout.stages import SERVED, Cause, running
from rollout.standing import way_back


@dataclass(frozen=True, slots=True)
class Asked:
    """One request on the topic.

    Attributes:
        offset: where it stands.
        request: what it says; None when it cannot be read.
    """

    offset: int
    request: RolloutRequest | None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What is said about a request."""

    accepted: bool
    code: str = ""
    message: str = ""
    rollout_id: str = ""


_SO: Final = "already_so"


@dataclass(frozen=True, slots=True)
class _Case:
    """One request before its judge."""

    state: RolloutState
    request: RolloutRequest
    history: History
    now: datetime
    keyring: Keyring
    facts: StartFacts | None
    draft: Draft = field(compare=False)

    @property
    def rollout(self) -> Rollout | None:
        return self.state.rollout

    @property
    def phase(self) -> Phase | None:
        return phase_of(self.state)

    @property
    def outdated(self) -> _Outcome | None:
        """The refusal of a request whose asker had not seen the present phase."""
        entry = None if self.rollout is None else self.rollout.phase_entry
        if self.request.expected_entry == entry:
            return None
        return _no(
            "request_outdated",
            f"it refers to entry {self.request.expected_entry}; the present phase was entered "
            f"with {entry}",
        )


def judge_request(
    state: RolloutState,
    asked: Asked,
    history: History,
    now: datetime,
    *,
    keyring: Keyring | None = None,
    facts: StartFacts | None = None,
) -> Plan:
    """Judge one request and say what is to be written.

    Args:
        state: the state that stands.
        asked: the request.
        history: the recorded cuts of its rollout.
        now: the moment of consumption, with its zone.
        keyring: the keys whose approvals count; None when none are configured.
        facts: needed for a start request whose asking makes sense (``needs_facts``).
    """
    draft = Draft(state, now)
    request = asked.request
    if request is None:
        message = "it is no request of a version that is known here"
        return _answered(draft, asked, _no("request_unreadable", message))
    case = _Case(state, request, history, now, keyring or {}, facts, draft)
    judge = _start if request.kind == "start" else _verb
    return _answered(draft, asked, _expired(case) or judge(case))


def refuse_unjudged(state: RolloutState, asked: Asked, now: datetime, why: str) -> Plan:
    """Refuse a request that could not be judged for an error of ours: the next one waits.

    Args:
        state: the state that stands.
        asked: the request.
        now: the moment of consumption, with its zone.
        why: the kind of error, without anything of the request.
    """
    return _answered(
        Draft(state, now), asked, _no("request_not_judged", f"judging it failed: {why}")
    )


def _answered(draft: Draft, asked: Asked, outcome: _Outcome) -> Plan:
    request = asked.request
    entry = RequestEntry(
        request_id="" if request is None else request.request_id,
        kind="unreadable" if request is None else request.kind,
        offset=asked.offset,
        accepted=outcome.accepted,
        code=outcome.code,
        message=outcome.message,
        requested_by="" if request is None else request.requested_by,
    )
    about = outcome.rollout_id or ("" if request is None else request.rollout_id)
    draft.request(entry, rollout_id=about)
    return _planned(draft)


def needs_facts(state: RolloutState, request: RolloutRequest, now: datetime) -> bool:
    """Whether facts have to be looked up before this request can be judged."""
    if request.start is None:
        return False
    probe = _Case(state, request, History(), now, {}, None, Draft(state, now))
    return _expired(probe) is None and _cannot_start(probe, request.start) is None


def _planned(draft: Draft) -> Plan:
    plan = draft.plan()
    assert plan is not None  # noqa: S101  (it records the request at least)
    return plan


def _yes(message: str = "", *, code: str = "", rollout_id: str = "") -> _Outcome:
    return _Outcome(True, code, message, rollout_id)


def _no(code: str, message: str) -> _Outcome:
    return _Outcome(False, code, message)


def _expired(case: _Case) -> _Outcome | None:
    expires = moment(case.request.expires_at)
    if expires is not None and case.now < expires:
        return None
    return _no("request_expired", f"it was good until {case.request.expires_at}")


# --- start ----------------------------------------------------------------------------------------


def _start(case: _Case) -> _Outcome:
    start, facts = case.request.start, case.facts
    assert start is not None  # noqa: S101  (the request's own check)
    if (early := _cannot_start(case, start)) is not None:
        return early
    assert facts is not None  # noqa: S101  (needs_facts)
    if case.request.rollout_id in facts.known_ids:
        return _no("rollout_id_taken", "another rollout had this id")
    if facts.guardrail is not None:
        name, sentence = facts.guardrail
        return _no(
            "looser_than_guardrails", sentence if name in sentence else f"{name}: {sentence}"
        )
    if start.policy.approval.required and not case.keyring:
        return _no(
            "no_keyring", "the policy requires an approval, and the controller has no keyring"
        )
    if facts.retention is not None:
        return _no(*facts.retention)
    if start.renewed is not None:
        case.draft.set_state(serving=serve(case.state.serving, stable=start.renewed))
    case.draft.register(
        new_rollout(case.request, start, facts, case.draft),
        reason=case.request.reason or f"{start.candidate.name} against {_stable(case).name}",
    )
    return _yes()


def _cannot_start(case: _Case, start: StartRequest) -> _Outcome | None:
    rollout = case.rollout
    same = rollout is not None and is_same_start(rollout, start)
    if rollout is not None and running(case.state.phase):
        if same:
            return _yes("it is running", code=_SO, rollout_id=rollout.rollout_id)
        return _no("rollout_running", f"{rollout.rollout_id} is in {case.state.phase}")
    if rollout is not None and same and case.phase is Phase.PROMOTED:
        return _yes("it was promoted", code=_SO, rollout_id=rollout.rollout_id)
    if start.renewed is not None and start.renewed.weights != _stable(case).weights:
        return _no(
            "other_weights",
            f"{_stable(case).name} serves, and the request renews {start.renewed.name} with other "
            "weights: only a fingerprint can be renewed",
        )
    if start.candidate.key == start.reference(_stable(case)).key:
        return _no("already_stable", f"{start.candidate.name} is the stable model already")
    golden = start.policy.golden
    wanted = golden.required is True or (golden.required == "auto" and golden.path is not None)
    if wanted and start.golden is None:
        return _no(
            "golden_not_run", "the policy has a golden set, and the request no outcome of it"
        )
    return case.outdated


def _stable(case: _Case) -> ModelSpec:
    return case.state.serving.stable


# --- the other verbs ------------------------------------------------------------------------------


def _verb(case: _Case) -> _Outcome:
    rollout = case.rollout
    if rollout is None or rollout.rollout_id != case.request.rollout_id:
        promoted = case.state.promoted
        named = promoted is not None and promoted.rollout_id == case.request.rollout_id
        if promoted is not None and named and case.request.kind == "rollback":
            return _take_back(case, promoted)
        newest = "there has been none" if rollout is None else f"it is {rollout.rollout_id}"
        return _no(
            "unknown_rollout", f"{case.request.rollout_id} is not the newest rollout: {newest}"
        )
    return _VERBS[case.request.kind](case)


def _abort(case: _Case) -> _Outcome:
    if case.phase is Phase.PROMOTED:
        return _no("rollout_ended", "it is promoted: roll it back instead")
    if case.phase is Phase.ROLLING_BACK or case.phase in ENDED:
        return _yes(f"it is in {case.phase}", code=_SO)
    reason = case.request.reason or "somebody asked for it"
    change = leave(case.state, Phase.ABORTED, Cause.ABORT, "aborted", reason)
    case.draft.change(change, case.history)
    return _yes()


def _rollback(case: _Case) -> _Outcome:
    if case.phase is Phase.ROLLING_BACK or (
        case.phase in ENDED and case.phase is not Phase.PROMOTED
    ):
        return _yes(f"it is in {case.phase}", code=_SO)
    if case.phase not in (*SERVED, Phase.PROMOTED):
        return _no(
            "nothing_served", f"in {case.phase} the candidate has served nothing: abort it instead"
        )
    return _roll_back(case)


def _take_back(case: _Case, promoted: Rollout) -> _Outcome:
    """Roll back the promoted rollout although another was registered after it."""
    if running(case.state.phase):
        newest = case.state.rollout
        assert newest is not None  # noqa: S101  (it is running)
        return _no(
            "rollout_running",
            f"{newest.rollout_id} is in {case.state.phase}: abort it first, then "
            f"{promoted.rollout_id} can be rolled back",
        )
    if way_back(case.state) != promoted:
        return _no(
            "no_way_back", f"{promoted.reference.name}, which served before, is no longer kept"
        )
    case.draft.return_to(promoted)
    return _roll_back(case)


def _roll_back(case: _Case) -> _Outcome:
    reason = case.request.reason or "somebody asked for it"
    change = leave(case.draft.state, Phase.ROLLED_BACK, Cause.ROLLBACK, "rolled_back", reason)
    case.draft.change(change, case.history)
    return _yes()


def _pause(case: _Case) -> _Outcome:
    if (over := _no_timers(case)) is not None:
        return over
    if case.state.paused:
        return _yes("it is paused", code=_SO)
    case.draft.pause()
    return _yes()


def _resume(case: _Case) -> _Outcome:
    if (over := _no_timers(case)) is not None:
        return over
    if not case.state.paused:
        return _yes("it is not paused", code=_SO)
    if (outdated := case.outdated) is not None:
        return outdated
    case.draft.resume()
    return _yes()


def _no_timers(case: _Case) -> _Outcome | None:
    if case.phase in ENDED:
        return _no("rollout_ended", f"it has ended as {case.phase}")
    if case.phase is Phase.ROLLING_BACK:
        return _no("rolling_back", "the way back cannot be paused")
    return None


def _approve(case: _Case) -> _Outcome:
    rollout, approval = case.rollout, case.request.approval
    assert rollout is not None  # noqa: S101  (_verb)
    assert approval is not None  # noqa: S101  (the request's own check)
    decision = rollout.decision
    used = rollout.approval
    if used is not None and used.decision == approval.decision:
        return _no("approval_replayed", "this decision has its approval already")
    if case.phase is not Phase.AWAITING_APPROVAL or decision is None:
        return _no("not_awaiting_approval", f"in {case.phase} nothing awaits an approval")
    if harmed(rollout.judgement):
        return _no("guard_fired", "a guard has fired since the decision was frozen")
    if not case.keyring:
        return _no("no_keyring", "the controller has no keyring")
    refused = objection(
        approval,
        case.keyring,
        cluster=case.state.incarnation,
        rollout_id=rollout.rollout_id,
        decision=decision.digest,
        now=case.now,
    )
    if refused is not None:
        return _no(*refused)
    if (outdated := case.outdated) is not None:
        return outdated
    case.draft.set_rollout(approval=approval)
    return _yes()


_VERBS: Final[Mapping[RequestKind, Callable[[_Case], _Outcome]]] = {
    "approve": _approve,
    "abort": _abort,
    "rollback": _rollback,
    "pause": _pause,
    "resume": _resume,
}
