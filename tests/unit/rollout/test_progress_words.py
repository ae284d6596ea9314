"""What a person who waits is told: how far a rollout is, and what has to happen next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.control import RolloutState, ServingSet
from contracts.judgement import Accounting, GateResult, Judgement
from contracts.phases import ENDED, Phase
from contracts.policy import Policy
from contracts.rollout import Approval, WorkerRefusal
from rollout.progress import FORWARD, about, has_reached, in_phase_for, waits_for
from rollout.standing import Standing, standing_from_audit, standing_of
from tests.models import instant
from tests.streams.stand_in_controller import rollout

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def standing(phase: Phase, *, paused: bool = False, judgement: Any = None, **more: Any) -> Standing:
    since = {"phase_since": (NOW - timedelta(minutes=5)).isoformat(), **more}
    return Standing(
        rollout=rollout(**since),
        phase=phase,
        paused=paused,
        serving=ServingSet(stable=instant.spec(), serving_epoch=7),
        revision=9,
        current=True,
        judgement=judgement,
    )


@pytest.mark.parametrize("phase", sorted(set(Phase) - ENDED))
@pytest.mark.parametrize("paused", [True, False])
def test_every_phase_has_a_sentence_and_a_pause_is_said_first(phase: Phase, paused: bool) -> None:
    words = waits_for(standing(phase, paused=paused), NOW)
    assert words
    assert words.startswith("paused") is paused


@pytest.mark.parametrize("phase", sorted(ENDED))
def test_an_ended_rollout_says_why(phase: Phase) -> None:
    assert waits_for(standing(phase, reason="because"), NOW) == "because"


def test_partitions_that_hold_it_up_are_named() -> None:
    assert "partitions 1, 3" in waits_for(standing(Phase.STAGING, waiting_for=(1, 3)), NOW)
    many = waits_for(standing(Phase.CUTTING_OVER, waiting_for=tuple(range(40))), NOW)
    assert "7 and 32 more" in many


def test_a_worker_that_cannot_hold_the_candidate_is_named_with_its_reason() -> None:
    refusal = WorkerRefusal(partition=2, code="model_too_large", role="shadow")
    assert "partition 2 (model_too_large)" in waits_for(
        standing(Phase.WARMING, refusals=(refusal,)), NOW
    )


def test_the_approver_gets_the_command_until_it_was_used() -> None:
    words = waits_for(standing(Phase.AWAITING_APPROVAL), NOW)
    assert "mgeo rollout approve r-20260101-aaaaaa --key FILE" in words
    assert "inconclusive in 23h 55m" in words
    approval = Approval(
        key_id="alice", cluster="c", rollout_id="r", decision="sha256:" + "0" * 64,
        expires_at="2026", signature="s",
    )  # fmt: skip
    assert "alice" in waits_for(standing(Phase.AWAITING_APPROVAL, approval=approval), NOW)


def test_shadowing_says_what_is_missing() -> None:
    gates = (
        GateResult(name="exact_match", kind="proof", status="passed"),
        GateResult(name="span_f1", kind="proof", status="undecided"),
        GateResult(name="latency_p99", kind="guard", status="undecided"),
        GateResult(name="slice:prov=北京市", kind="guard", status="undecided"),
    )
    said = Judgement(verdict="continue", gates=gates, accounting=Accounting(distinct=500))
    words = waits_for(standing(Phase.SHADOWING, judgement=said), NOW)
    assert words == (
        "500 of 2,000 distinct addresses; 55m more of 1h; proof of span_f1; enough for latency_p99"
    )
    stale = Judgement(verdict="stale", code="stale_evidence", reason="the newest is 9 min old")
    assert "fresh pairs: the newest is 9 min old" in waits_for(
        standing(Phase.SHADOWING, judgement=stale), NOW
    )


def test_a_canary_says_its_step_its_results_and_its_time() -> None:
    words = waits_for(standing(Phase.CANARY, step=1, served=1200), NOW)
    assert words == (
        "step 2 of 2 at 50%: 1,200 of 5,000 addresses served by the candidate; 5m more of 10m"
    )


def test_a_pause_stops_the_clock_of_the_phase() -> None:
    paused = standing(
        Phase.CANARY,
        paused_ms=60_000,
        paused_since=(NOW - timedelta(minutes=2)).isoformat(),
    )
    assert in_phase_for(paused.rollout, NOW) == timedelta(minutes=2)
    assert in_phase_for(paused.rollout, NOW + timedelta(hours=1)) == timedelta(minutes=2)


@pytest.mark.parametrize("wanted", FORWARD)
def test_a_phase_is_reached_by_it_and_by_all_that_come_after(wanted: Phase) -> None:
    reached = [phase for phase in FORWARD if has_reached(phase, wanted)]
    assert reached == list(FORWARD[FORWARD.index(wanted) :])


@pytest.mark.parametrize("phase", sorted(set(Phase) - set(FORWARD)))
def test_the_way_back_reaches_nothing_but_itself(phase: Phase) -> None:
    assert [wanted for wanted in Phase if has_reached(phase, wanted)] == [phase]


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)))
def test_a_duration_for_people_has_two_units_at_most(duration: timedelta) -> None:
    words = about(duration).split()
    assert 1 <= len(words) <= 2
    size = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
    seconds = sum(int(word[:-1]) * size[word[-1]] for word in words)
    off = abs(seconds - duration.total_seconds())
    assert off < max(1, size[words[-1][-1]])


def test_nothing_stands_where_nothing_ran() -> None:
    assert standing_of(None) is None
    assert standing_of(instant.state()) is None
    assert standing_from_audit([]) is None
    state = RolloutState(
        incarnation="i", revision=2, serving=ServingSet(stable=instant.spec(), serving_epoch=1),
        phase="CANARY", paused=True, rollout=rollout(policy=Policy()),
    )  # fmt: skip
    found = standing_of(state)
    assert found is not None
    assert (found.phase, found.paused, found.current, found.ended) == (
        Phase.CANARY,
        True,
        True,
        False,
    )
