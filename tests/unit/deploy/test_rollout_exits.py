"""What a waiting command leaves with: the table that pipelines rely on."""

from __future__ import annotations

import pytest

from contracts.judgement import Verdict
from contracts.phases import ENDED, Phase
from deploy.cli import exit_codes
from deploy.cli.rollout_exits import exit_of
from deploy.rollouts import RequestRefusedError

WAITS = None


@pytest.mark.parametrize(
    ("phase", "until", "code"),
    [
        # Waiting for the end.
        (Phase.REGISTERED, Phase.PROMOTED, WAITS),
        (Phase.WARMING, Phase.PROMOTED, WAITS),
        (Phase.SHADOWING, Phase.PROMOTED, WAITS),
        (Phase.PASSED, Phase.PROMOTED, WAITS),
        (Phase.AWAITING_APPROVAL, Phase.PROMOTED, 5),
        (Phase.STAGING, Phase.PROMOTED, WAITS),
        (Phase.CANARY, Phase.PROMOTED, WAITS),
        (Phase.CUTTING_OVER, Phase.PROMOTED, WAITS),
        (Phase.BAKING, Phase.PROMOTED, WAITS),
        (Phase.PROMOTED, Phase.PROMOTED, 0),
        (Phase.ABORTED, Phase.PROMOTED, 1),
        (Phase.ROLLING_BACK, Phase.PROMOTED, WAITS),
        (Phase.ROLLED_BACK, Phase.PROMOTED, 1),
        (Phase.INCONCLUSIVE, Phase.PROMOTED, 3),
        # Waiting for a phase on the way: it, or anything beyond, is enough.
        (Phase.SHADOWING, Phase.PASSED, WAITS),
        (Phase.PASSED, Phase.PASSED, 0),
        (Phase.AWAITING_APPROVAL, Phase.PASSED, 0),
        (Phase.STAGING, Phase.PASSED, 0),
        (Phase.PROMOTED, Phase.PASSED, 0),
        (Phase.WARMING, Phase.SHADOWING, WAITS),
        (Phase.SHADOWING, Phase.SHADOWING, 0),
        (Phase.AWAITING_APPROVAL, Phase.AWAITING_APPROVAL, 0),
        (Phase.AWAITING_APPROVAL, Phase.STAGING, 5),
        # The way back is never on the way to promotion.
        (Phase.ROLLING_BACK, Phase.PASSED, WAITS),
        (Phase.ROLLED_BACK, Phase.PASSED, 1),
        (Phase.ABORTED, Phase.SHADOWING, 1),
        (Phase.INCONCLUSIVE, Phase.PASSED, 3),
        # Waiting for a way back.
        (Phase.PROMOTED, Phase.ROLLED_BACK, WAITS),
        (Phase.ROLLING_BACK, Phase.ROLLED_BACK, WAITS),
        (Phase.ROLLED_BACK, Phase.ROLLED_BACK, 0),
        (Phase.ABORTED, Phase.ABORTED, 0),
        (Phase.PROMOTED, Phase.ABORTED, 1),
        (Phase.INCONCLUSIVE, Phase.INCONCLUSIVE, 0),
    ],
)
def test_the_phase_gives_the_code(phase: Phase, until: Phase, code: int | None) -> None:
    assert exit_of(phase, until=until) == code


@pytest.mark.parametrize(
    ("code", "verdict", "verdict_code", "expected"),
    [
        ("no_traffic", "no_data", "no_traffic", 4),
        ("stale_evidence", "stale", "stale_evidence", 4),
        ("no_shadow_workers", None, "", 4),
        ("max_duration", "no_data", "no_traffic", 4),
        ("max_duration", "continue", "still_collecting", 3),
        ("too_few_pairs", "continue", "too_few_pairs", 3),
        ("noisy_instrument", "inconclusive", "noisy_instrument", 3),
        ("shadow_too_slow", "inconclusive", "shadow_too_slow", 3),
        # Data was short when it ended, but it ended for another reason.
        ("approval_expired", "stale", "stale_evidence", 3),
        ("runtime_changed", "no_data", "no_traffic", 3),
    ],
)
def test_inconclusive_for_want_of_data_is_told_apart(
    code: str, verdict: Verdict | None, verdict_code: str, expected: int
) -> None:
    found = exit_of(Phase.INCONCLUSIVE, code=code, verdict=verdict, verdict_code=verdict_code)
    assert found == expected


def test_an_approval_that_was_given_is_not_asked_for_again() -> None:
    assert exit_of(Phase.AWAITING_APPROVAL, approved=True) is None


@pytest.mark.parametrize("phase", sorted(ENDED))
def test_an_ended_rollout_never_keeps_a_pipeline_waiting(phase: Phase) -> None:
    assert exit_of(phase) is not None
    assert exit_of(phase, until=Phase.PASSED) is not None


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.PROMOTED}))
def test_only_a_promotion_is_success_by_default(phase: Phase) -> None:
    assert exit_of(phase) != exit_codes.OK


def test_every_code_that_waiting_can_give_has_a_meaning() -> None:
    given = {exit_of(phase, code=code) for phase in Phase for code in ("", "no_traffic")}
    assert given - {None} <= set(exit_codes.MEANINGS)


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        ("already_stable", exit_codes.USAGE),
        ("other_weights", exit_codes.USAGE),
        ("request_expired", exit_codes.USAGE),
        ("request_outdated", exit_codes.BUSY),
        ("rollout_running", exit_codes.BUSY),
        ("request_not_judged", exit_codes.UNEXPECTED),
        ("request_unreadable", exit_codes.UNEXPECTED),
    ],
)
def test_a_start_that_was_refused_is_no_candidate_that_failed(refusal: str, code: int) -> None:
    assert exit_codes.of(RequestRefusedError("no", code=refusal)) == code
