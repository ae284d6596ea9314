"""What the doctor says of controllers, running rollouts and the keeping of evidence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.control import RolloutState, ServingSet
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.rollout import Cut
from deploy.doctor.finding import Status
from deploy.doctor.rollouts import judge_controller, judge_retention, judge_rollout
from tests.models import instant
from tests.streams.stand_in_controller import rollout

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ENDS = {name: {0: 1} for name in ("shadow", "parsed", "shadow_committed", "events")}
CUT = Cut.model_validate({"number": 1, "at": "2026", "elapsed_ms": 1, **ENDS})


def state(phase: Phase | None, *, minutes_ago: float = 0.0, **more: object) -> RolloutState:
    return RolloutState(
        incarnation="i",
        revision=3,
        serving=ServingSet(stable=instant.spec(), serving_epoch=1),
        phase=None if phase is None else str(phase),
        rollout=None if phase is None else rollout(cut=CUT),
        updated_at=(NOW - timedelta(minutes=minutes_ago)).isoformat(),
        **more,  # type: ignore[arg-type]  # by name
    )


@pytest.mark.parametrize(
    ("phase", "controllers", "status"),
    [
        (None, 0, Status.ABSENT),
        (None, 2, Status.OK),
        (Phase.CANARY, 1, Status.OK),
        (Phase.CANARY, 0, Status.BROKEN),
        (Phase.PROMOTED, 0, Status.ABSENT),
    ],
)
def test_a_controller_is_needed_while_a_rollout_runs(
    phase: Phase | None, controllers: int, status: Status
) -> None:
    assert judge_controller(state(phase), controllers).status is status


@pytest.mark.parametrize(
    ("minutes_ago", "paused", "status"),
    [(0.5, False, Status.OK), (10, False, Status.BROKEN), (10, True, Status.OK)],
)
def test_a_controller_that_fell_silent_is_noticed(
    minutes_ago: float, paused: bool, status: Status
) -> None:
    found = judge_rollout(state(Phase.SHADOWING, minutes_ago=minutes_ago, paused=paused), NOW)
    assert found.status is status
    assert "r-20260101-aaaaaa in SHADOWING" in found.found


@pytest.mark.parametrize(
    ("kept", "status"),
    [
        (timedelta(days=7), Status.OK),
        (timedelta(milliseconds=-1), Status.OK),
        (timedelta(days=1), Status.BROKEN),
    ],
)
def test_evidence_is_kept_for_the_longest_rollout_and_a_day(
    kept: timedelta, status: Status
) -> None:
    kept_ms = round(kept.total_seconds() * 1000)
    found = judge_retention("address.shadow", kept_ms, Policy(), step_times=2.0)
    assert found.status is status
    if status is Status.BROKEN:
        assert "retention.ms=" in found.hint
