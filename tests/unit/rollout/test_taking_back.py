"""A promotion is taken back although a later candidate was tried and thrown out since."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from contracts.audit import AuditRecord
from contracts.errors import UsageError
from contracts.phases import Phase
from deploy.cli.rollout_view import facts, status_document
from deploy.rollouts import no_way_back, the_current
from rollout.approvals import Keyring, new_key, sign
from rollout.chronicle import Chronicle
from rollout.controller.memory import AuditMemory
from rollout.controller.timing import stamp
from rollout.history import Rollouts
from rollout.recomputing import check_approval
from rollout.standing import standing_from_audit, standing_of, way_back
from tests.oracles.rollout_history import violations
from tests.properties.rollouts import CANDIDATE, OTHER, STABLE, Plane, with_approval


def promoted_and_another(phase: str) -> Plane:
    """r-1 is promoted; r-2, a later candidate, has come as far as told."""
    plane = Plane()
    plane.reach("PROMOTED")
    assert plane.start("r-2", candidate=OTHER) == (True, "")
    plane.reach(phase)
    return plane


def thrown_out() -> Plane:
    plane = promoted_and_another("SHADOWING")
    plane.cut("fail", "gate_failed")
    plane.decide()
    assert (plane.phase, plane.rollout.rollout_id) == ("ABORTED", "r-2")
    return plane


def of(plane: Plane, rollout_id: str) -> Chronicle:
    chronicle = Chronicle(rollout_id)
    for record in plane.audit:
        chronicle.take(record)
    return chronicle


def test_a_promotion_is_taken_back_though_its_model_got_another_fingerprint_since() -> None:
    plane = Plane()
    plane.reach("PROMOTED")
    renewed = plane.state.serving.stable.model_copy(update={"fingerprint": "f" * 16})
    assert plane.start("r-2", candidate=OTHER, renewed=renewed) == (True, "")
    plane.verb("abort")
    assert plane.state.serving.stable == renewed

    assert plane.verb("rollback", rollout_id="r-1") == (True, "")
    assert plane.state.serving.stable == STABLE


def test_the_promotion_before_an_aborted_candidate_is_taken_back() -> None:
    plane = thrown_out()
    epoch = plane.state.serving.serving_epoch
    assert plane.state.previous == STABLE

    assert plane.verb("rollback", rollout_id="r-1") == (True, "")

    state = plane.state
    assert (plane.phase, plane.rollout.rollout_id) == ("ROLLING_BACK", "r-1")
    assert plane.rollout.ending is Phase.ROLLED_BACK
    assert (state.serving.stable, state.serving.candidate) == (STABLE, None)
    assert state.serving.serving_epoch == epoch + 1
    assert (state.previous, state.promoted) == (None, None)
    plane.decide()
    assert plane.phase == "ROLLING_BACK", "no partition has adopted the return"
    plane.adopt()
    plane.decide()
    assert plane.phase == "ROLLED_BACK"
    assert violations(plane.audit, plane.states) == []


def test_in_the_audit_it_is_a_move_of_the_promoted_rollout_out_of_its_promotion() -> None:
    plane = thrown_out()
    plane.verb("rollback", rollout_id="r-1", reason="a customer complains")

    (moved,) = [one for one in plane.audit[-2:] if one.transition is not None]
    assert moved.rollout_id == "r-1"
    assert moved.transition is not None
    assert (moved.transition.previous, moved.transition.phase) == ("PROMOTED", "ROLLING_BACK")
    assert moved.rollout is not None
    assert moved.rollout.reason == "a customer complains"


def test_a_repeat_changes_nothing_more() -> None:
    plane = thrown_out()
    plane.verb("rollback", rollout_id="r-1")
    serving = plane.state.serving
    assert plane.verb("rollback", rollout_id="r-1") == (True, "already_so")
    plane.adopt()
    plane.decide()
    assert plane.verb("rollback", rollout_id="r-1") == (True, "already_so")
    assert plane.state.serving == serving


def test_while_the_later_one_runs_unserved_it_is_to_be_aborted_first() -> None:
    plane = promoted_and_another("SHADOWING")

    assert plane.verb("rollback", rollout_id="r-1") == (False, "rollout_running")
    request = plane.audit[-1].request
    assert request is not None
    assert "abort it first" in request.message
    assert plane.rollout.rollout_id == "r-2"
    plane.verb("abort")
    assert plane.verb("rollback", rollout_id="r-1") == (True, "")


@pytest.mark.parametrize("kind", ["abort", "pause", "resume"])
def test_nothing_but_a_rollback_reaches_the_promoted_one(kind: str) -> None:
    assert thrown_out().verb(kind, rollout_id="r-1") == (False, "unknown_rollout")


def test_the_way_back_ends_when_a_later_candidate_is_staged() -> None:
    plane = promoted_and_another("STAGING")
    assert (plane.state.promoted, plane.state.previous) == (None, None)
    plane.verb("abort")

    assert way_back(plane.state) is None
    assert plane.verb("rollback", rollout_id="r-1") == (False, "unknown_rollout")


def test_without_the_model_before_it_there_is_no_way_back() -> None:
    plane = thrown_out()
    plane.state = plane.state.model_copy(update={"previous": None})

    assert plane.verb("rollback", rollout_id="r-1") == (False, "no_way_back")
    assert plane.rollout.rollout_id == "r-2"


def test_its_last_decision_is_taken_from_its_own_cuts() -> None:
    plane = thrown_out()
    before = of(plane, "r-1")
    plane.verb("rollback", rollout_id="r-1")
    plane.adopt()
    plane.decide()

    first, second = of(plane, "r-1"), of(plane, "r-2")
    assert first.cuts == before.cuts
    last = first.decisions[-1]
    assert last.document["phase"] == "ROLLED_BACK"
    assert last.cuts == len(first.cuts) > len(second.cuts)
    assert last.document["outcomes"] == first.cuts[-1].outcomes
    assert last.document["chain"] == first.cuts[-1].chain
    assert plane.rollout.decision is not None
    assert plane.rollout.decision.digest == last.digest
    assert (first.phase, second.phase) == ("ROLLED_BACK", "ABORTED")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_successor_remembers_what_its_predecessor_did(moment: str) -> None:
    plane = thrown_out()
    if moment == "after":
        plane.verb("rollback", rollout_id="r-1")
    named = {one.rollout_id for one in (plane.state.rollout, plane.state.promoted) if one}
    successor = AuditMemory()
    successor.take(one for one in plane.audit if _is_read(one, named))

    assert successor.current == plane.memory.current
    assert successor.promoted == plane.memory.promoted
    assert successor.history.cuts, "the state's rollout was judged"


def _is_read(record: AuditRecord, named: set[str]) -> bool:
    return record.cut is None or record.rollout_id in named


def test_lists_say_how_each_of_both_ended_and_what_served_when() -> None:
    plane = thrown_out()
    plane.verb("rollback", rollout_id="r-1")
    plane.adopt()
    plane.decide()
    history = Rollouts()
    for record in plane.audit:
        history.take(record)

    ends = {one.rollout_id: (one.phase, one.attempt) for one in history.summaries()}
    assert ends == {"r-1": (Phase.ROLLED_BACK, 1), "r-2": (Phase.ABORTED, 1)}
    (again,) = [one for one in history.periods(STABLE) if not one.until]
    assert (again.track, again.share, again.rollout_id) == ("stable", 1.0, "r-1")
    assert history.periods(OTHER) == ()


def test_a_later_try_of_the_pair_counts_the_one_that_was_taken_back() -> None:
    plane = thrown_out()
    plane.verb("rollback", rollout_id="r-1")
    plane.adopt()
    plane.decide()

    assert plane.start("r-3", candidate=CANDIDATE) == (True, "")
    assert plane.rollout.attempt == 2
    plane.reach("PROMOTED")
    assert way_back(plane.state) == plane.rollout


def test_a_start_that_saw_the_aborted_one_is_refused_after_the_taking_back() -> None:
    plane = thrown_out()
    entry = plane.rollout.phase_entry
    plane.verb("rollback", rollout_id="r-1")
    plane.adopt()
    plane.decide()

    assert plane.start("r-3", candidate=OTHER, expected_entry=entry) == (False, "request_outdated")


def test_a_rollback_without_an_id_means_what_serves() -> None:
    plane = thrown_out()
    assert the_current(plane.state, None, verb="rollback").rollout_id == "r-1"
    assert the_current(plane.state, "r-1", verb="rollback").phase is Phase.PROMOTED
    assert the_current(plane.state, "r-2", verb="rollback").rollout_id == "r-2"
    serving = promoted_and_another("CANARY")
    assert the_current(serving.state, None, verb="rollback").rollout_id == "r-2"
    newest = Plane()
    newest.reach("PROMOTED")
    assert the_current(newest.state, None, verb="rollback").rollout_id == "r-1"


def test_asked_back_too_late_a_promotion_is_told_why() -> None:
    plane = promoted_and_another("STAGING")
    plane.verb("abort")

    with pytest.raises(UsageError, match="r-2") as caught:
        the_current(plane.state, "r-1", verb="rollback")
    assert caught.value.code == "rollout_ended"
    found = standing_from_audit(one for one in plane.audit if one.rollout_id == "r-1")
    assert found is not None
    late = no_way_back(found)
    assert late is not None
    assert late.code == "no_way_back"
    assert STABLE.name in str(late)
    assert f"--candidate {STABLE.version}" in late.hint
    aborted = standing_from_audit(one for one in plane.audit if one.rollout_id == "r-2")
    assert aborted is not None
    assert no_way_back(aborted) is None, "it never served"


def test_where_it_stands_tells_of_the_way_back() -> None:
    standing = standing_of(thrown_out().state)
    assert standing is not None
    assert standing.way_back is not None
    assert (standing.way_back.rollout_id, standing.way_back.reference) == ("r-1", STABLE)
    early = Plane()
    early.reach("SHADOWING")
    assert way_back(early.state) is None


def test_the_approval_of_what_was_taken_back_is_still_the_one_of_its_passing() -> None:
    pem, public = new_key()
    plane = Plane(keyring={"alice": base64.b64decode(public)})
    plane.reach("AWAITING_APPROVAL", with_approval())
    decision = plane.rollout.decision
    assert decision is not None
    approval = sign(
        pem, key_id="alice", cluster=plane.state.incarnation, rollout_id="r-1",
        decision=decision.digest, expires_at="2027-01-01T00:00:00Z",
    )  # fmt: skip
    plane.approve(approval)
    plane.reach("PROMOTED")
    plane.verb("rollback")
    plane.adopt()
    plane.decide()
    whole, archived = of(plane, "r-1"), of(plane, "r-1")
    archived.decisions[:] = archived.decisions[-1:]  # what a report of its end leaves
    other = {"alice": base64.b64decode(new_key()[1])}

    def differing(chronicle: Chronicle, keyring: Keyring, **archive: bool) -> list[str]:
        found, _ = check_approval(chronicle, plane.rollout, keyring, **archive)
        return [one.field for one in found]

    assert differing(whole, plane.keyring) == []
    assert differing(archived, plane.keyring, last_decision_only=True) == []
    assert differing(archived, other, last_decision_only=True) == ["approval.signature"]
    assert differing(archived, plane.keyring) == ["approval.decision"], "the audit has to have it"


def test_an_approval_has_to_be_good_when_it_is_judged_and_not_when_a_pause_ends() -> None:
    pem, public = new_key()
    plane = Plane(keyring={"alice": base64.b64decode(public)})
    plane.reach("AWAITING_APPROVAL", with_approval())
    decision = plane.rollout.decision
    assert decision is not None
    plane.verb("pause")
    approval = sign(
        pem, key_id="alice", cluster=plane.state.incarnation, rollout_id="r-1",
        decision=decision.digest, expires_at=stamp(plane.now + timedelta(minutes=10)),
    )  # fmt: skip
    plane.approve(approval)
    plane.wait(hours=1)
    plane.verb("resume")
    plane.decide()
    assert plane.phase == "STAGING"
    chronicle = of(plane, "r-1")
    assert check_approval(chronicle, plane.rollout, plane.keyring)[0] == []

    chronicle.requests.clear()  # as if nobody had been asked before it went on
    [wrong], _ = check_approval(chronicle, plane.rollout, plane.keyring)
    assert wrong.field == "approval.signature"


def _told(plane: Plane) -> str | None:
    standing = standing_of(plane.state)
    assert standing is not None
    return dict(facts(status_document(standing, now=plane.now))).get("way back")


def test_status_says_how_the_way_back_is_taken_and_what_comes_first() -> None:
    command = f"to {STABLE.name}: mgeo rollout rollback r-1"

    assert _told(thrown_out()) == command
    running = promoted_and_another("SHADOWING")
    assert _told(running) == f"{command}, after mgeo rollout abort r-2"
    staged = promoted_and_another("STAGING")
    assert _told(staged) is None
    newest = Plane()
    newest.reach("PROMOTED")
    assert _told(newest) == command
    newest.verb("rollback")
    assert _told(newest) is None
