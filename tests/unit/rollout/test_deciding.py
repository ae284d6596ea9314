"""What happens next, phase by phase, in virtual time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contracts.canonical import digest_of
from contracts.decision import DecisionRecord
from contracts.judgement import GateResult, GateStatus
from contracts.offset_metadata import OffsetMetadata
from contracts.phases import Phase
from contracts.policy import BakePolicy, CanaryPolicy
from rollout.controller.protection import OF_TIME
from rollout.stages import SERVED
from tests.properties.rollouts import CANDIDATE, PARTITIONS, POLICY, STABLE, Plane, with_approval

JUDGED = (Phase.SHADOWING, Phase.AWAITING_APPROVAL, Phase.STAGING, *SERVED)


def at(phase: str) -> Plane:
    plane = Plane(keyring={"alice": bytes(32)})
    plane.reach(phase, with_approval() if phase == Phase.AWAITING_APPROVAL else POLICY)
    return plane


# --- warming --------------------------------------------------------------------------------------


def test_warming_waits_for_every_partition_by_name() -> None:
    plane = at("WARMING")
    plane.warm(0, 2)
    plane.decide()

    assert (plane.phase, plane.rollout.waiting_for) == ("WARMING", (1,))
    plane.warm(1)
    plane.decide()
    assert (plane.phase, plane.rollout.waiting_for) == ("SHADOWING", ())


def test_without_any_shadow_worker_it_is_inconclusive_for_that_reason() -> None:
    plane = at("WARMING")
    plane.wait(minutes=31)
    plane.decide()

    assert (plane.phase, plane.rollout.code) == ("INCONCLUSIVE", "no_shadow_workers")


def test_a_shadow_worker_of_an_earlier_rollout_is_not_warm_for_this_one() -> None:
    plane = at("WARMING")
    plane.warm()
    plane.shadow = {p: one.__class__(one.serving_epoch + 5) for p, one in plane.shadow.items()}
    plane.decide()

    assert plane.phase == "WARMING"


@pytest.mark.parametrize(("phase", "notes"), [("WARMING", "shadow"), ("STAGING", "stable")])
def test_a_refused_candidate_is_recorded_held_then_aborted_with_serving_untouched(
    phase: str, notes: str
) -> None:
    plane = at(phase)
    plane.refuse(notes, 1)
    plane.decide()
    assert plane.phase == phase
    assert [(one.partition, one.code) for one in plane.rollout.refusals] == [(1, "out_of_memory")]
    assert [one.message for one in plane.audit if one.kind == "alert"] == [
        "workers cannot hold the candidate on partitions 1 (out_of_memory)"
    ]

    plane.wait(minutes=1)
    plane.decide()
    assert plane.phase == phase
    plane.wait(minutes=1.1)
    plane.decide()

    assert (plane.phase, plane.rollout.code) == ("ABORTED", "candidate_refused")
    serving = plane.state.serving
    assert (serving.stable, serving.candidate, serving.share) == (STABLE, None, 0.0)


def test_a_partition_served_without_the_candidate_under_its_epoch_has_not_adopted() -> None:
    """Its new owner cannot hold the candidate and keeps the traffic going all the same."""
    plane = at("STAGING")
    plane.adopt()
    epoch = plane.state.serving.serving_epoch
    plane.stable[1] = OffsetMetadata(epoch, refused_epoch=epoch, refusal="model_too_large")
    plane.decide()

    assert plane.phase == "STAGING"
    assert plane.rollout.waiting_for == (1,)
    assert [(one.partition, one.code) for one in plane.rollout.refusals] == [(1, "model_too_large")]


def test_another_worker_that_takes_the_partition_over_ends_the_refusal() -> None:
    plane = at("STAGING")
    plane.refuse("stable", 1)
    plane.decide()
    plane.wait(minutes=1.9)
    plane.adopt()
    plane.decide()

    assert plane.phase == "CANARY"


# --- shadowing ------------------------------------------------------------------------------------


def test_the_decision_is_frozen_where_it_passes() -> None:
    plane = at("SHADOWING")
    plane.cut()
    plane.decide()
    plane.wait(minutes=2)
    plane.cut("pass", "all_gates_passed")
    plane.decide()

    (record,) = [one.decision for one in plane.audit if one.decision is not None]
    decision = DecisionRecord.model_validate(record)
    (state,) = [one for one in plane.states if one.phase == "PASSED"]
    assert state.rollout is not None
    assert state.rollout.decision is not None
    assert state.rollout.decision.digest == digest_of(decision)
    assert (decision.phase, decision.cuts, decision.outcomes) == ("PASSED", 2, 2)
    assert decision.final_cut == state.rollout.cut
    assert decision.judgement == state.rollout.judgement


@pytest.mark.parametrize(
    ("verdict", "code"), [("no_data", "no_traffic"), ("stale", "stale_evidence")]
)
def test_no_data_holds_and_never_passes(verdict: str, code: str) -> None:
    plane = at("SHADOWING")
    for _ in range(5):
        plane.wait(minutes=11)
        plane.cut(verdict, code)
        plane.decide()
        assert plane.phase == "SHADOWING"
    plane.wait(minutes=11)
    plane.cut(verdict, code)
    plane.decide()

    assert (plane.phase, plane.rollout.code) == ("INCONCLUSIVE", code)


def test_a_silent_judge_is_not_waited_for_for_ever() -> None:
    plane = at("SHADOWING")
    plane.wait(minutes=62)
    plane.decide()

    assert (plane.phase, plane.rollout.code) == ("INCONCLUSIVE", "max_duration")


@pytest.mark.parametrize("code", ["runtime_changed", "evidence_expired", "noisy_instrument"])
@pytest.mark.parametrize("phase", JUDGED)
def test_evidence_that_cannot_be_trusted_ends_every_phase(phase: Phase, code: str) -> None:
    plane = at(phase)
    plane.cut("inconclusive", code)
    plane.decide()

    wanted = "ROLLING_BACK" if phase in SERVED else "INCONCLUSIVE"
    assert (plane.phase, plane.rollout.code) == (wanted, code)
    plane.adopt()
    plane.decide()
    assert (plane.phase, plane.rollout.code) == ("INCONCLUSIVE", code)
    assert plane.state.serving.stable == STABLE


@pytest.mark.parametrize("phase", JUDGED)
def test_harm_ends_every_phase_also_while_paused(phase: Phase) -> None:
    for paused in (False, True):
        plane = at(phase)
        if paused:
            assert plane.verb("pause") == (True, "")
        plane.cut("fail", "gate_failed", harmed=("harm_exact_match",))
        plane.decide()

        assert plane.phase == ("ROLLING_BACK" if phase in SERVED else "ABORTED")
        assert not plane.state.paused
        assert (plane.state.serving.stable, plane.state.serving.candidate) == (STABLE, None)
        plane.adopt()
        plane.decide()
        assert plane.phase == "ABORTED"


def test_when_the_clock_goes_back_old_evidence_is_not_fresh() -> None:
    plane = at("CANARY")
    plane.adopt()
    plane.wait(minutes=11)
    plane.cut("continue", served=(200, 0), newest=plane.now + timedelta(hours=10))
    plane.decide()
    assert plane.rollout.step == 0

    plane.cut("continue", served=(200, 0))
    plane.decide()
    assert plane.rollout.step == 1


@pytest.mark.parametrize("code", sorted(OF_TIME))
@pytest.mark.parametrize("phase", [one for one in JUDGED if one is not Phase.SHADOWING])
def test_what_only_time_says_ends_no_phase_after_the_gates_have_passed(
    phase: Phase, code: str
) -> None:
    """A bake outlasts ``max_duration``: one address of a new province is no reason to roll back."""
    plane = at(phase)
    plane.cut("inconclusive", code)
    plane.decide()

    assert plane.phase == phase


def test_an_instrument_that_time_has_not_proven_is_not_one_that_is_noisy() -> None:
    plane = at("CANARY")
    plane.cut("inconclusive", "noisy_instrument", gates=(instrument("undecided"),))
    plane.decide()
    assert plane.phase == "CANARY"

    plane.cut("inconclusive", "noisy_instrument", gates=(instrument("failed"),))
    plane.decide()
    assert plane.phase == "ROLLING_BACK"


def instrument(status: GateStatus) -> GateResult:
    return GateResult(name="aa", kind="instrument", status=status)


# --- pausing --------------------------------------------------------------------------------------


def test_a_pause_stops_forward_moves_and_timers_and_gives_the_time_back() -> None:
    plane = at("CANARY")
    plane.adopt()
    plane.wait(minutes=6)
    plane.verb("pause")
    plane.wait(hours=30)
    plane.cut("pass", "all_gates_passed", served=(2000, 0))
    plane.decide()
    assert (plane.phase, plane.rollout.step) == ("CANARY", 0), "neither on nor given up"

    plane.verb("resume")
    plane.cut("pass", "all_gates_passed", served=(2000, 0))
    plane.decide()
    assert plane.rollout.step == 0, "six minutes of ten have passed"
    plane.wait(minutes=4)
    plane.cut("pass", "all_gates_passed", served=(2000, 0))
    plane.decide()
    assert plane.rollout.step == 1


def test_after_a_pause_nothing_passes_on_what_was_judged_before_it() -> None:
    """While nothing newer can be read, a pass of hours ago says nothing of now."""
    plane = at("SHADOWING")
    plane.verb("pause")
    plane.cut("pass", "all_gates_passed")
    plane.decide()
    plane.wait(hours=10)
    plane.verb("resume")
    plane.decide()
    assert plane.phase == "SHADOWING"

    plane.cut("pass", "all_gates_passed")
    plane.decide()
    assert "PASSED" in [state.phase for state in plane.states]


def test_a_pause_does_not_count_as_elapsed_evidence() -> None:
    plane = at("SHADOWING")
    plane.wait(minutes=10)
    plane.verb("pause")
    plane.wait(hours=5)
    plane.verb("resume")
    plane.wait(minutes=10)
    plane.cut()
    plane.decide()

    assert plane.rollout.cut is not None
    assert plane.rollout.cut.elapsed_ms == 20 * 60 * 1000
    assert plane.phase == "SHADOWING"


# --- serving --------------------------------------------------------------------------------------


def test_a_step_ends_only_with_time_results_fresh_evidence_and_adoption() -> None:
    lacks: dict[str, dict[str, Any]] = {
        "time": {"minutes": 9},
        "results": {"served": (99, 0)},
        "freshness": {"old": True},
        "adoption": {"adopted": (0, 1)},
    }
    for what, one in lacks.items():
        plane = at("CANARY")
        plane.adopt(*one.get("adopted", PARTITIONS))
        plane.wait(minutes=float(one.get("minutes", 10)))
        newest = plane.now - timedelta(minutes=6) if one.get("old") else None
        plane.cut("pass", "all_gates_passed", served=one.get("served", (100, 0)), newest=newest)
        plane.decide()
        assert (plane.phase, plane.rollout.step) == ("CANARY", 0), f"it went on without {what}"
    plane = at("CANARY")
    plane.adopt()
    plane.wait(minutes=10)
    plane.cut("pass", "all_gates_passed", served=(100, 0))
    plane.decide()
    assert (plane.phase, plane.rollout.step) == ("CANARY", 1)
    assert plane.state.serving.share == 0.5


@pytest.mark.parametrize("phase", ["CANARY", "BAKING"])
@pytest.mark.parametrize(
    ("served", "old", "code"),
    [((3, 0), False, "too_few_results"), ((5000, 0), True, "stale_evidence")],
)
def test_what_does_not_become_enough_is_inconclusive_with_a_share_of_nought(
    phase: str, served: tuple[int, int], old: bool, code: str
) -> None:
    plane = at(phase)
    plane.adopt()
    hours = 2 if phase == "CANARY" else 6  # twelve times the duration
    plane.wait(hours=hours, minutes=-1)
    newest = plane.now - timedelta(hours=1) if old else None
    plane.cut("continue", "still_collecting", served=served, newest=newest)
    plane.decide()
    assert plane.phase == phase

    plane.wait(minutes=2)
    plane.decide()
    assert (plane.phase, plane.rollout.code) == ("ROLLING_BACK", code)
    assert plane.state.serving.share == 0.0
    plane.adopt()
    plane.decide()
    assert (plane.phase, plane.state.serving.stable) == ("INCONCLUSIVE", STABLE)


def test_without_steps_it_cuts_over_from_staging() -> None:
    plane = Plane()
    plane.reach("STAGING", POLICY.model_copy(update={"canary": CanaryPolicy(steps=())}))
    plane.adopt()
    plane.decide()

    assert plane.phase == "CUTTING_OVER"
    assert plane.rollout.share_written
    assert (plane.state.serving.stable, plane.state.previous) == (CANDIDATE, STABLE)


def test_results_of_an_earlier_epoch_do_not_count_for_a_step() -> None:
    plane = at("CANARY")
    plane.adopt()
    plane.wait(minutes=11)
    plane.cut("pass", "all_gates_passed", served=(5000, 0))
    assert plane.evidence is not None
    plane.evidence = plane.evidence.__class__(
        plane.evidence.entry, (5000, 0), plane.evidence.served_epoch - 1, None
    )
    plane.decide()

    assert (plane.phase, plane.rollout.served) == ("CANARY", 0)


def test_the_bakes_alarm_rolls_back_without_asking() -> None:
    plane = at("BAKING")
    plane.cut("pass", "all_gates_passed", served=(5000, 0), alarm=True)
    plane.decide()

    assert (plane.phase, plane.rollout.code) == ("ROLLING_BACK", "bake_alarm")
    plane.adopt(0, 1)
    plane.decide()
    assert (plane.phase, plane.rollout.waiting_for) == ("ROLLING_BACK", (2,))
    plane.adopt()
    plane.decide()
    assert (plane.phase, plane.state.previous) == ("ROLLED_BACK", None)


def test_where_the_policy_rolls_nothing_back_an_alarm_keeps_it_from_promotion() -> None:
    policy = POLICY.model_copy(update={"bake": BakePolicy(min_results=1000, auto_rollback=False)})
    plane = Plane()
    plane.reach("BAKING", policy)
    plane.wait(hours=1)
    plane.cut("pass", "all_gates_passed", served=(5000, 0), alarm=True)
    plane.decide()
    assert plane.phase == "BAKING"
    plane.wait(hours=6)
    plane.cut("pass", "all_gates_passed", served=(9000, 0), alarm=True)
    plane.decide()

    assert (plane.phase, plane.rollout.code) == ("ROLLING_BACK", "held_too_long")


@pytest.mark.parametrize("rolls_back", [True, False])
def test_a_successor_promotes_nothing_before_it_has_judged_by_itself(rolls_back: bool) -> None:
    """Whether the bake's alarm rings is in no record: it has to be found anew."""
    bake = BakePolicy(min_results=1000, auto_rollback=rolls_back)
    plane = Plane()
    plane.reach("BAKING", POLICY.model_copy(update={"bake": bake}))
    plane.now += bake.duration - timedelta(seconds=1)
    plane.cut("pass", "all_gates_passed", served=(5000, 0))
    plane.decide()
    plane.evidence = None  # of the new term
    plane.wait(seconds=2)
    plane.decide()
    assert plane.phase == "BAKING"
    plane.cut("pass", "all_gates_passed", served=(5000, 0))
    plane.decide()
    assert plane.phase == "PROMOTED"


@pytest.mark.parametrize("phase", SERVED)
def test_the_ceiling_on_served_errors_is_a_rate_and_not_one_error(phase: Phase) -> None:
    plane = at(phase)
    plane.cut(served=(3, 3))
    plane.decide()
    assert plane.phase == phase, "three errors of three are no error rate"
    plane.cut(served=(300, 15))
    plane.decide()
    assert plane.phase == phase, "five percent exactly"
    plane.cut(served=(320, 17))
    plane.decide()

    assert (plane.phase, plane.rollout.code) == ("ROLLING_BACK", "served_errors")


def test_a_partition_that_does_not_adopt_holds_the_cut_over_and_then_ends_it() -> None:
    plane = at("CUTTING_OVER")
    plane.adopt(0, 1)
    plane.wait(minutes=29)
    plane.decide()
    assert (plane.phase, plane.rollout.waiting_for) == ("CUTTING_OVER", (2,))
    plane.wait(minutes=2)
    plane.decide()

    assert (plane.phase, plane.rollout.code) == ("ROLLING_BACK", "not_adopted")
    assert "partitions 2, interactive 2 have" in plane.rollout.reason


@pytest.mark.parametrize("phase", ["STAGING", "CUTTING_OVER"])
def test_an_interactive_partition_that_does_not_adopt_holds_it_though_all_others_have(
    phase: str,
) -> None:
    plane = at(phase)
    plane.adopt()
    held = plane.interactive.pop(1)
    plane.decide()

    assert (plane.phase, plane.rollout.waiting_for) == (phase, ())
    assert plane.rollout.waiting_interactive == (1,)
    plane.interactive[1] = held
    plane.decide()
    assert plane.phase != phase


def test_the_end_of_waiting_names_the_interactive_partition() -> None:
    plane = at("CUTTING_OVER")
    plane.adopt()
    del plane.interactive[2]
    plane.wait(minutes=31)
    plane.decide()

    assert (plane.phase, plane.rollout.code) == ("ROLLING_BACK", "not_adopted")
    assert "partitions interactive 2 " in plane.rollout.reason


def test_a_refusal_on_an_interactive_partition_is_one_of_the_candidate() -> None:
    plane = at("STAGING")
    plane.adopt()
    plane.refuse("interactive", 1)
    plane.decide()
    (refusal,) = plane.rollout.refusals
    assert (refusal.interactive, refusal.partition, refusal.code) == (True, 1, "out_of_memory")
    plane.wait(minutes=2.1)
    plane.decide()

    assert (plane.phase, plane.rollout.code) == ("ABORTED", "candidate_refused")
    assert "interactive 1: out_of_memory" in plane.rollout.reason


def test_shadow_workers_need_no_interactive_input_and_a_cluster_may_lack_it() -> None:
    plane = at("WARMING")
    plane.warm()
    plane.decide()
    assert plane.phase == "SHADOWING", "no shadow reads the interactive input"
    plane = at("STAGING")
    plane.interactive_partitions = ()
    plane.interactive.clear()
    for partition in range(3):
        plane.stable[partition] = OffsetMetadata(plane.state.serving.serving_epoch)
    plane.decide()
    assert plane.phase != "STAGING"


def test_where_no_partition_is_seen_nothing_counts_as_adopted() -> None:
    from rollout.controller.decide import decide
    from rollout.controller.view import Observation

    plane = at("STAGING")
    plane.adopt()

    assert (
        decide(
            plane.state,
            plane.memory.history,
            Observation((), plane.stable),
            plane.now,
            plane.bounds,
        )
        is None
    )


# --- after the end --------------------------------------------------------------------------------


def test_a_promotion_can_be_taken_back_and_ends_when_all_have_adopted() -> None:
    plane = at("PROMOTED")
    epoch = plane.state.serving.serving_epoch
    assert plane.verb("rollback") == (True, "")
    assert plane.state.serving.serving_epoch == epoch + 1
    plane.decide()
    assert plane.phase == "ROLLING_BACK"
    plane.adopt()
    plane.decide()

    assert plane.phase == "ROLLED_BACK"
    assert plane.state.serving.serving_epoch == epoch + 1
    assert (plane.state.serving.stable, plane.state.previous) == (STABLE, None)


def test_every_ending_but_promotion_has_a_decision_record() -> None:
    for phase in JUDGED:
        plane = at(phase)
        plane.verb("abort")
        plane.adopt()
        plane.decide()
        assert plane.phase == "ABORTED"
        records = [one.decision for one in plane.audit if one.decision is not None]
        assert records[-1]["phase"] == "ABORTED"
        assert plane.rollout.decision is not None
        assert plane.rollout.decision.digest == digest_of(records[-1])


def test_nothing_is_decided_about_a_rollout_that_has_ended() -> None:
    plane = at("PROMOTED")
    plane.wait(days=30)
    written = len(plane.states)
    plane.decide()

    assert len(plane.states) == written
