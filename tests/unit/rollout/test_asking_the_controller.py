"""What becomes of each request, judged once, when it is consumed."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from contracts.requests import ReplayFrom
from contracts.rollout import Approval
from rollout.approvals import new_key, sign
from rollout.controller.timing import stamp
from rollout.stages import SERVED, UNSERVED
from tests.properties.rollouts import CANDIDATE, OTHER, POLICY, STABLE, Plane, with_approval

PEM, PUBLIC = new_key()
KEYRING = {"alice": base64.b64decode(PUBLIC)}


def at(phase: str) -> Plane:
    plane = Plane(keyring=KEYRING)
    plane.reach(phase, with_approval() if phase == "AWAITING_APPROVAL" else POLICY)
    return plane


# --- start ----------------------------------------------------------------------------------------


def test_a_start_registers_the_pair_as_it_stands() -> None:
    plane = Plane()

    assert plane.start() == (True, "")
    rollout = plane.rollout
    assert (plane.phase, rollout.reference, rollout.candidate) == ("REGISTERED", STABLE, CANDIDATE)
    assert (rollout.started_revision, rollout.phase_entry) == (2, 2)
    assert plane.state.serving == plane.states[0].serving, "nothing of what serves has changed"


def test_a_second_start_of_the_same_attaches_and_of_another_is_refused() -> None:
    plane = at("SHADOWING")

    assert plane.start("r-2", expected_entry=None) == (True, "already_so")
    assert plane.audit[-1].rollout_id == "r-1", "the answer names the one that runs"
    assert plane.start("r-3", candidate=OTHER) == (False, "rollout_running")
    assert plane.start("r-4", with_approval()) == (False, "rollout_running")
    replay = ReplayFrom(asked="24h", since_ms=1)
    assert plane.start("r-5", replay_from=replay) == (False, "rollout_running")
    assert plane.rollout.rollout_id == "r-1"


def test_a_repeat_after_the_promotion_attaches_to_it() -> None:
    plane = at("PROMOTED")

    assert plane.start("r-2", expected_entry=None) == (True, "already_so")
    assert plane.audit[-1].rollout_id == "r-1"
    assert plane.start("r-3", with_approval()) == (False, "already_stable")


def test_what_is_stable_already_is_no_candidate() -> None:
    assert Plane().start(candidate=STABLE) == (False, "already_stable")


def test_a_start_that_saw_another_ending_is_refused() -> None:
    plane = at("STAGING")
    entry = plane.rollout.phase_entry
    plane.verb("abort")

    assert plane.start("r-2", expected_entry=None) == (False, "request_outdated")
    assert plane.start("r-3", expected_entry=entry) == (False, "request_outdated")
    assert plane.start("r-4") == (True, "")


def test_only_tries_whose_evidence_was_looked_at_spend_alpha() -> None:
    plane = Plane()
    plane.start("r-1")
    plane.decide()
    plane.verb("abort")
    plane.start("r-2")
    assert plane.rollout.attempt == 1, "nobody had looked at any evidence"
    plane.decide()
    plane.warm()
    plane.decide()
    plane.verb("abort")
    plane.start("r-3")
    assert plane.rollout.attempt == 2
    plane.verb("abort")
    plane.start("r-4", candidate=OTHER)
    assert plane.rollout.attempt == 1, "another pair"


def test_a_start_after_an_upgrade_names_what_serves_by_its_new_fingerprint() -> None:
    plane = Plane()
    renewed = STABLE.model_copy(update={"fingerprint": "f" * 16})

    assert plane.start(renewed=renewed) == (True, "")
    serving, before = plane.state.serving, plane.states[0].serving
    assert (serving.stable, serving.candidate) == (renewed, None)
    assert serving.serving_epoch == before.serving_epoch + 1
    assert plane.rollout.reference == renewed
    transition = plane.audit[-2].transition or plane.audit[-1].transition
    assert transition is not None
    assert transition.serving == serving, "whoever reads the audit knows which set that epoch is"

    plane.verb("abort")
    assert plane.state.serving == serving, "the name stays, whatever becomes of the candidate"
    assert plane.start("r-2", renewed=renewed) == (True, "")
    assert plane.state.serving == serving, "nothing is left to renew"


@pytest.mark.parametrize(
    "other",
    [{"digest": "sha256:" + "9" * 64}, {"precision": "bf16"}, {"version": "mgeo-x-v9-20260909"}],
)
def test_nothing_but_a_fingerprint_is_renewed(other: dict[str, str]) -> None:
    plane = Plane()
    renewed = STABLE.model_copy(update={"fingerprint": "f" * 16, **other})

    assert plane.start(renewed=renewed) == (False, "other_weights")
    assert plane.state.serving == plane.states[0].serving


def test_the_renewed_stable_model_is_no_candidate() -> None:
    renewed = STABLE.model_copy(update={"fingerprint": "f" * 16})
    assert Plane().start(candidate=renewed, renewed=renewed) == (False, "already_stable")


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"guardrail": ("alpha.promote", "0.2 is more than 0.05")}, "looser_than_guardrails"),
        ({"retention": ("retention_too_short", "too short")}, "retention_too_short"),
        ({"retention": ("replay_expired", "gone")}, "replay_expired"),
    ],
)
def test_a_start_that_the_facts_speak_against_is_refused(facts: dict[str, Any], code: str) -> None:
    plane = Plane()

    assert plane.start(facts=facts) == (False, code)
    assert plane.state.rollout is None
    message = plane.audit[-1].request.message  # type: ignore[union-attr]  # a request's record
    assert "guardrail" not in facts or "alpha.promote" in message


def test_an_approval_that_nobody_could_give_is_refused_at_the_start() -> None:
    assert Plane().start(policy=with_approval()) == (False, "no_keyring")
    assert Plane(keyring=KEYRING).start(policy=with_approval()) == (True, "")


def test_a_golden_set_that_was_not_looked_at_is_refused() -> None:
    golden = POLICY.golden.model_copy(update={"path": "golden.jsonl"})
    policy = POLICY.model_copy(update={"golden": golden})

    assert Plane().start(policy=policy) == (False, "golden_not_run")


def test_an_id_is_given_once() -> None:
    plane = Plane()
    plane.start("r-1")
    plane.verb("abort")

    assert plane.start("r-1") == (False, "rollout_id_taken")


# --- every request --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["abort", "rollback", "pause", "resume"])
def test_a_request_that_came_too_late_changes_nothing(kind: str) -> None:
    plane = at("CANARY")
    late = stamp(plane.now - timedelta(seconds=1))

    assert plane.verb(kind, expires_at=late) == (False, "request_expired")
    assert plane.verb(kind, expires_at="some day") == (False, "request_expired")
    assert plane.phase == "CANARY"
    assert not plane.state.paused


@pytest.mark.parametrize("kind", ["abort", "rollback", "pause", "resume"])
def test_a_request_about_another_rollout_is_refused(kind: str) -> None:
    plane = at("CANARY")

    assert plane.verb(kind, rollout_id="r-0") == (False, "unknown_rollout")


def test_an_unreadable_request_is_recorded_and_passed_over() -> None:
    plane = Plane()

    assert plane.ask(None) == (False, "request_unreadable")
    assert plane.state.next_request_offset == 1


def test_every_request_moves_the_offset_on_by_one_whatever_becomes_of_it() -> None:
    plane = at("CANARY")
    begin = plane.state.next_request_offset
    for number, kind in enumerate(["pause", "pause", "resume", "rollback", "abort"], begin + 1):
        plane.verb(kind)
        assert plane.state.next_request_offset == number


# --- abort, rollback, pause, resume ---------------------------------------------------------------


def test_abort_before_serving_ends_at_once_and_then_is_already_so() -> None:
    for phase in UNSERVED:
        if phase in ("REGISTERED", "PASSED"):
            continue  # passed through in one go; the table's tests have them
        plane = at(phase)
        assert plane.verb("abort") == (True, "")
        assert plane.phase == "ABORTED"
        assert plane.state.serving.candidate is None
        assert plane.verb("abort") == (True, "already_so")


@pytest.mark.parametrize(("kind", "ending"), [("abort", "ABORTED"), ("rollback", "ROLLED_BACK")])
@pytest.mark.parametrize("phase", SERVED)
def test_while_serving_both_lead_through_rolling_back(phase: str, kind: str, ending: str) -> None:
    plane = at(phase)

    assert plane.verb(kind) == (True, "")
    assert plane.phase == "ROLLING_BACK"
    assert plane.verb(kind) == (True, "already_so")
    plane.adopt()
    plane.decide()
    assert plane.phase == ending
    assert plane.verb(kind) == (True, "already_so")


def test_what_makes_no_sense_is_refused_with_its_own_code() -> None:
    assert at("SHADOWING").verb("rollback") == (False, "nothing_served")
    promoted = at("PROMOTED")
    assert promoted.verb("abort") == (False, "rollout_ended")
    assert promoted.verb("pause") == (False, "rollout_ended")
    promoted.verb("rollback")
    assert promoted.verb("pause") == (False, "rolling_back")


def test_pause_and_resume_are_idempotent_and_resume_compares() -> None:
    plane = at("CANARY")

    assert plane.verb("resume") == (True, "already_so")
    assert plane.verb("pause") == (True, "")
    assert plane.verb("pause") == (True, "already_so")
    assert plane.verb("resume", expected_entry=1) == (False, "request_outdated")
    assert plane.verb("resume", expected_entry=None) == (False, "request_outdated")
    assert plane.state.paused
    assert plane.verb("resume") == (True, "")
    assert not plane.state.paused


# --- approvals ------------------------------------------------------------------------------------


def signed(plane: Plane, **changes: str) -> Approval:
    decision = plane.rollout.decision
    assert decision is not None
    given = {
        "key_id": "alice",
        "cluster": plane.state.incarnation,
        "rollout_id": plane.rollout.rollout_id,
        "decision": decision.digest,
        "expires_at": stamp(plane.now + timedelta(hours=1)),
    }
    return sign(PEM, **{**given, **changes})


def test_a_good_approval_stages_the_candidate() -> None:
    plane = at("AWAITING_APPROVAL")

    assert plane.approve(signed(plane)) == (True, "")
    plane.decide()
    assert (plane.phase, plane.rollout.code) == ("STAGING", "approved")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cluster": "i-2"}, "approval_other_cluster"),
        ({"rollout_id": "r-0"}, "approval_other_rollout"),
        ({"decision": "sha256:" + "0" * 64}, "approval_other_decision"),
        ({"key_id": "mallory"}, "approval_unknown_key"),
        ({"expires_at": "2026-01-01T00:00:00Z"}, "approval_expired"),
        ({"expires_at": "tomorrow"}, "approval_expired"),
    ],
)
def test_an_approval_of_something_else_is_refused(changes: dict[str, str], code: str) -> None:
    plane = at("AWAITING_APPROVAL")

    assert plane.approve(signed(plane, **changes)) == (False, code)
    plane.decide()
    assert plane.phase == "AWAITING_APPROVAL"


@pytest.mark.parametrize("field", ["signature", "expires_at"])
def test_an_approval_that_was_changed_or_signed_by_another_is_refused(field: str) -> None:
    plane = at("AWAITING_APPROVAL")
    good = signed(plane)
    foreign = sign(
        new_key()[0],
        key_id="alice",
        cluster=good.cluster,
        rollout_id=good.rollout_id,
        decision=good.decision,
        expires_at=good.expires_at,
    )
    changed = {"signature": "no base64 at all", "expires_at": stamp(plane.now + timedelta(days=9))}

    for bad in (foreign, good.model_copy(update={field: changed[field]})):
        assert plane.approve(bad) == (False, "approval_bad_signature")


def test_an_approval_is_used_once() -> None:
    plane = at("AWAITING_APPROVAL")
    approval = signed(plane)
    plane.approve(approval)

    assert plane.approve(approval) == (False, "approval_replayed")
    plane.decide()
    assert plane.approve(approval) == (False, "approval_replayed")


def test_an_approval_of_an_earlier_rollout_opens_nothing() -> None:
    plane = at("AWAITING_APPROVAL")
    approval = signed(plane)
    plane.verb("abort")
    plane.start("r-2", with_approval())
    for _ in range(3):
        plane._one_step()
    assert plane.phase == "PASSED"
    plane.decide()

    assert plane.phase == "AWAITING_APPROVAL"
    assert plane.approve(approval) == (False, "approval_other_rollout")


def test_no_approval_counts_once_a_guard_has_fired() -> None:
    plane = at("AWAITING_APPROVAL")
    approval = signed(plane)
    judgement = plane.rollout.judgement
    assert judgement is not None
    fired = judgement.model_copy(update={"harmed": ("error_rate",)})
    plane.state = plane.state.model_copy(
        update={"rollout": plane.rollout.model_copy(update={"judgement": fired})}
    )

    assert plane.approve(approval) == (False, "guard_fired")


def test_nothing_can_be_approved_before_or_without_a_decision() -> None:
    plane = at("AWAITING_APPROVAL")
    approval = signed(plane)
    early = at("SHADOWING")

    assert early.approve(approval) == (False, "not_awaiting_approval")
    plane.keyring = {}
    assert plane.approve(approval) == (False, "no_keyring")


def test_an_approval_while_paused_counts_when_it_goes_on() -> None:
    plane = at("AWAITING_APPROVAL")
    plane.verb("pause")
    assert plane.approve(signed(plane)) == (True, "")
    plane.decide()
    assert plane.phase == "AWAITING_APPROVAL"
    plane.verb("resume")
    plane.decide()

    assert plane.phase == "STAGING"


def test_an_approval_that_never_comes_is_inconclusive() -> None:
    plane = at("AWAITING_APPROVAL")
    plane.wait(hours=2, minutes=1)
    plane.decide()

    assert (plane.phase, plane.rollout.code) == ("INCONCLUSIVE", "approval_timeout")
