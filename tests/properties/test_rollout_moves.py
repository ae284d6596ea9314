"""Whatever is observed and asked, in whatever order: only legal moves, and safe ones."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.control import RolloutState, ServingSet
from contracts.errors import IllegalTransition
from contracts.phases import ENDED, Phase
from contracts.spec import ModelSpec
from rollout.approvals import new_key, sign
from rollout.controller.plan import Change, Draft, History, serve
from rollout.controller.protection import leave
from rollout.stages import FORWARD, SERVED, TABLE, Cause
from tests.properties.rollouts import CANDIDATE, OTHER, POLICY, Plane, spec, with_approval

PAIRS = {(move.source, move.target) for move in TABLE}
FORWARD_PAIRS = {(move.source, move.target) for move in TABLE if move.cause in FORWARD}

PEM, PUBLIC = new_key()

STRAIGHT = (
    Phase.WARMING,
    Phase.SHADOWING,
    Phase.AWAITING_APPROVAL,
    Phase.STAGING,
    Phase.CANARY,
    Phase.CUTTING_OVER,
    Phase.BAKING,
    Phase.PROMOTED,
)

verdicts = st.sampled_from(
    [
        ("continue", "still_collecting"),
        ("pass", "all_gates_passed"),
        ("pass", "all_gates_passed"),
        ("fail", "gate_failed"),
        ("inconclusive", "noisy_instrument"),
        ("inconclusive", "max_duration"),
        ("no_data", "no_traffic"),
        ("stale", "stale_evidence"),
    ]
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("straight")),
        st.tuples(st.just("straight")),
        st.tuples(st.just("straight")),
        st.tuples(st.just("wait"), st.floats(0, 90)),
        st.tuples(st.just("cut"), verdicts, st.integers(0, 5000), st.integers(0, 400)),
        st.tuples(st.just("alarm")),
        st.tuples(st.just("adopt"), st.integers(0, 2)),
        st.tuples(st.just("warm"), st.integers(0, 2)),
        st.tuples(st.just("refuse"), st.sampled_from(["stable", "shadow"]), st.integers(0, 2)),
        st.tuples(st.just("start"), st.sampled_from([CANDIDATE, OTHER, spec(1)]), st.booleans()),
        st.tuples(st.just("renewing start"), st.sampled_from("ab")),
        st.tuples(
            st.just("verb"),
            st.sampled_from(["abort", "rollback", "pause", "resume", "resume"]),
            st.booleans(),
        ),
        st.tuples(st.just("take back")),
        st.tuples(st.just("approve")),
        st.tuples(st.just("unreadable")),
    ),
    max_size=45,
)


def do(plane: Plane, step: tuple[Any, ...]) -> None:
    match step:
        case ("straight",) if plane.state.rollout is not None:
            plane._one_step()
        case ("wait", minutes):
            plane.wait(minutes=minutes)
        case ("cut", (verdict, code), served, errors) if plane.state.rollout is not None:
            plane.cut(verdict, code, served=(served, min(errors, served)))
        case ("alarm",) if plane.state.rollout is not None:
            plane.cut("pass", "all_gates_passed", served=(5000, 0), alarm=True)
        case ("adopt", partition):
            plane.adopt(partition)
        case ("warm", partition) if plane.state.rollout is not None:
            plane.warm(partition)
        case ("refuse", notes, partition) if plane.state.rollout is not None:
            plane.refuse(notes, partition)
        case ("start", candidate, required):
            plane.start(f"r-at-{plane.offset}", with_approval() if required else POLICY, candidate)
        case ("renewing start", digit):
            renewed = plane.state.serving.stable.model_copy(update={"fingerprint": digit * 16})
            plane.start(f"r-at-{plane.offset}", candidate=OTHER, renewed=renewed)
        case ("verb", kind, seen):
            plane.verb(kind, **({} if seen else {"expected_entry": 1}))
        case ("take back",) if plane.state.promoted is not None:
            plane.verb("rollback", rollout_id=plane.state.promoted.rollout_id)
        case ("approve",) if plane.state.rollout is not None:
            decision = plane.rollout.decision
            approval = sign(
                PEM,
                key_id="alice",
                cluster="i-1",
                rollout_id=plane.rollout.rollout_id,
                decision=decision.digest if decision else "sha256:" + "0" * 64,
                expires_at="2027-01-01T00:00:00Z",
            )
            plane.approve(approval)
        case ("unreadable",):
            plane.ask(None)
        case _:
            pass
    plane.decide()


def test_a_promotion_is_taken_back_in_some_history_of_the_property() -> None:
    plane = Plane()
    plane.reach("PROMOTED")
    for step in (
        ("start", OTHER, False),
        ("verb", "abort", True),
        ("take back",),
        ("straight",),
    ):
        do(plane, step)
    assert (plane.phase, plane.rollout.candidate) == ("ROLLED_BACK", CANDIDATE)
    assert_safe(plane)


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([None, *STRAIGHT]), steps)
def test_from_any_phase_any_sights_and_requests_give_one_legal_and_safe_history(
    begin: Phase | None, taken: list[tuple[Any, ...]]
) -> None:
    plane = Plane(keyring={"alice": base64.b64decode(PUBLIC)})
    if begin is not None:
        plane.reach(begin, with_approval() if begin is Phase.AWAITING_APPROVAL else POLICY)
    for step in taken:
        do(plane, step)
    assert_safe(plane)


def assert_safe(plane: Plane) -> None:
    """No move that the table lacks, and none that the evidence or a person did not allow."""
    assert_audit_is_legal(plane)
    for before, after in itertools.pairwise(plane.states):
        assert_step_is_safe(before, after)


def assert_audit_is_legal(plane: Plane) -> None:
    last: dict[str, Phase] = {}
    passed: set[str] = set()
    approved: set[str] = set()
    for record in plane.audit:
        request, entry = record.request, record.transition
        if request is not None and request.kind == "approve" and request.accepted:
            approved.add(record.rollout_id)
        if entry is None:
            continue
        assert (entry.previous, entry.phase) in PAIRS
        if entry.phase is not Phase.REGISTERED:
            assert entry.previous is last[record.rollout_id], "each rollout has its own history"
        last[record.rollout_id] = entry.phase
        assert record.rollout is not None
        if entry.phase is Phase.PASSED:
            passed.add(record.rollout_id)
        if entry.phase is Phase.STAGING:
            assert record.rollout_id in passed
            if record.rollout.policy.approval.required:
                assert record.rollout_id in approved


def assert_step_is_safe(before: RolloutState, after: RolloutState) -> None:
    assert after.revision == before.revision + 1
    assert after.next_request_offset >= before.next_request_offset
    old, new = before.serving, after.serving
    changed = (old.stable, old.candidate, old.share) != (new.stable, new.candidate, new.share)
    assert new.serving_epoch == old.serving_epoch + changed
    rollout = after.rollout
    if rollout is None:
        assert not changed
        return
    stepped = before.rollout is not None and rollout.step == before.rollout.step + 1
    moved = before.phase != after.phase or stepped
    forward = moved and (before.phase, after.phase) in FORWARD_PAIRS
    if portion(new, rollout.candidate) > portion(old, rollout.candidate):
        assert forward, "only a forward move gives the candidate more"
        assert after.phase in (Phase.CANARY, Phase.CUTTING_OVER)
    if before.paused:
        assert not forward, "a pause stops forward moves"
    if after.phase in ENDED:
        wanted = rollout.candidate if after.phase == Phase.PROMOTED else rollout.reference
        assert (new.stable, new.candidate) == (wanted, None)
        assert not after.paused
    if after.phase == Phase.ROLLING_BACK:
        assert (new.stable, new.candidate) == (rollout.reference, None)
        assert rollout.ending is not None
    if after.promoted is not None:
        assert after.promoted != rollout
        assert after.previous is not None
        assert (new.stable.weights, after.previous) == (
            after.promoted.candidate.weights,
            after.promoted.reference,
        ), "what can be taken back serves, and what served before it is kept"
    assert (new.share > 0) == (after.phase == Phase.CANARY)
    if after.phase in (*SERVED, Phase.PROMOTED):
        assert rollout.share_written


def portion(serving: ServingSet, candidate: ModelSpec) -> float:
    """The part of the traffic that the candidate gets."""
    return 1.0 if serving.stable.key == candidate.key else serving.share


def test_a_history_with_a_forbidden_move_would_be_noticed() -> None:
    plane = Plane()
    plane.reach("CANARY")
    bad = plane.state.model_copy(
        update={
            "revision": plane.state.revision + 1,
            "serving": serve(plane.state.serving, candidate=CANDIDATE, share=0.9, rollout_id="r-1"),
            "paused": False,
        }
    )
    plane.states.append(bad)

    with pytest.raises(AssertionError, match="only a forward move"):
        assert_safe(plane)


@pytest.mark.parametrize("phase", [*SERVED, Phase.PROMOTED])
def test_leaving_a_serving_phase_gives_nothing_but_the_reference(phase: Phase) -> None:
    plane = Plane()
    plane.reach(phase)

    change = leave(plane.state, Phase.ROLLED_BACK, Cause.ROLLBACK, "rolled_back", "")

    assert change.target is Phase.ROLLING_BACK
    assert change.serving is not None
    assert (change.serving.stable, change.serving.candidate) == (plane.rollout.reference, None)


def test_a_draft_lets_no_move_through_that_the_table_lacks() -> None:
    plane = Plane()
    plane.reach("SHADOWING")
    draft = Draft(plane.state, plane.now)

    with pytest.raises(IllegalTransition):
        draft.change(Change(Phase.PROMOTED, Cause.BAKED, "baked", ""), History())
