"""The table of moves: what is in it, what is not, and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import IllegalTransition
from contracts.phases import ENDED, SHADOWED, Phase
from rollout import stages
from rollout.stages import FORWARD, MEANING, SERVED, TABLE, UNSERVED, Cause

PAGE = Path(__file__).parents[3] / "docs" / "architecture" / "rollout.md"

EXPECTED = {
    Cause.START: {
        (None, "REGISTERED"),
        ("PROMOTED", "REGISTERED"),
        ("INCONCLUSIVE", "REGISTERED"),
        ("ABORTED", "REGISTERED"),
        ("ROLLED_BACK", "REGISTERED"),
    },
    Cause.CALLED: {("REGISTERED", "WARMING")},
    Cause.WARM: {("WARMING", "SHADOWING")},
    Cause.PASSED: {("SHADOWING", "PASSED")},
    Cause.UNSIGNED: {("PASSED", "AWAITING_APPROVAL")},
    Cause.CLEARED: {("PASSED", "STAGING")},
    Cause.APPROVED: {("AWAITING_APPROVAL", "STAGING")},
    Cause.ADOPTED: {
        ("STAGING", "CANARY"),
        ("STAGING", "CUTTING_OVER"),
        ("CUTTING_OVER", "BAKING"),
    },
    Cause.STEP_DONE: {("CANARY", "CANARY"), ("CANARY", "CUTTING_OVER")},
    Cause.BAKED: {("BAKING", "PROMOTED")},
    Cause.FAILED: {
        ("SHADOWING", "ABORTED"),
        ("PASSED", "ABORTED"),
        ("AWAITING_APPROVAL", "ABORTED"),
        ("STAGING", "ABORTED"),
        ("CANARY", "ROLLING_BACK"),
        ("CUTTING_OVER", "ROLLING_BACK"),
        ("BAKING", "ROLLING_BACK"),
    },
    Cause.ALARMED: {
        ("CANARY", "ROLLING_BACK"),
        ("CUTTING_OVER", "ROLLING_BACK"),
        ("BAKING", "ROLLING_BACK"),
    },
    Cause.REFUSED: {("WARMING", "ABORTED"), ("STAGING", "ABORTED")},
    Cause.UNDECIDED: {
        ("WARMING", "INCONCLUSIVE"),
        ("SHADOWING", "INCONCLUSIVE"),
        ("PASSED", "INCONCLUSIVE"),
        ("AWAITING_APPROVAL", "INCONCLUSIVE"),
        ("STAGING", "INCONCLUSIVE"),
        ("CANARY", "ROLLING_BACK"),
        ("CUTTING_OVER", "ROLLING_BACK"),
        ("BAKING", "ROLLING_BACK"),
    },
    Cause.ABORT: {
        ("REGISTERED", "ABORTED"),
        ("WARMING", "ABORTED"),
        ("SHADOWING", "ABORTED"),
        ("PASSED", "ABORTED"),
        ("AWAITING_APPROVAL", "ABORTED"),
        ("STAGING", "ABORTED"),
        ("CANARY", "ROLLING_BACK"),
        ("CUTTING_OVER", "ROLLING_BACK"),
        ("BAKING", "ROLLING_BACK"),
    },
    Cause.ROLLBACK: {
        ("CANARY", "ROLLING_BACK"),
        ("CUTTING_OVER", "ROLLING_BACK"),
        ("BAKING", "ROLLING_BACK"),
        ("PROMOTED", "ROLLING_BACK"),
    },
    Cause.RETURNED: {
        ("ROLLING_BACK", "INCONCLUSIVE"),
        ("ROLLING_BACK", "ABORTED"),
        ("ROLLING_BACK", "ROLLED_BACK"),
    },
}
"""Written by hand beside the table: a move that is added or lost must be meant."""


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("source", [None, *Phase], ids=str)
def test_every_move_of_every_phase_for_every_cause_is_as_written_here(
    source: Phase | None, cause: Cause
) -> None:
    for target in Phase:
        wanted = (source, target.value) in EXPECTED[cause]
        assert stages.legal(source, target, cause) is wanted
        if wanted:
            stages.check(source, target, cause)
        else:
            with pytest.raises(IllegalTransition) as refused:
                stages.check(source, target, cause)
            assert refused.value.code == "illegal_transition"
            assert refused.value.hint


def test_an_illegal_move_says_whose_mistake_it_was() -> None:
    with pytest.raises(IllegalTransition, match="whoever asked"):
        stages.check(Phase.SHADOWING, Phase.ROLLING_BACK, Cause.ROLLBACK)
    with pytest.raises(IllegalTransition, match="the controller decided it"):
        stages.check(Phase.SHADOWING, Phase.PROMOTED, Cause.BAKED)


def test_no_move_stands_twice_and_no_cause_is_without_words() -> None:
    assert len(set(TABLE)) == len(TABLE)
    assert set(MEANING) == set(Cause) == {move.cause for move in TABLE}


def test_a_candidate_that_serves_leaves_only_forward_or_by_rolling_back() -> None:
    for move in TABLE:
        if move.source in SERVED and move.cause not in FORWARD:
            assert move.target is Phase.ROLLING_BACK
        if move.source in UNSERVED:
            assert move.target is not Phase.ROLLING_BACK


def test_promotion_is_reached_through_every_protection() -> None:
    """Every path from a start to PROMOTED passes through all phases that protect."""
    forward: dict[Phase | None, set[Phase]] = {}
    for move in TABLE:
        if move.cause in FORWARD:
            forward.setdefault(move.source, set()).add(move.target)
    must = {Phase.WARMING, Phase.SHADOWING, Phase.PASSED, Phase.STAGING, Phase.BAKING}

    def paths(at: Phase, seen: tuple[Phase, ...]) -> list[tuple[Phase, ...]]:
        if at is Phase.PROMOTED:
            return [seen]
        return [
            path
            for target in forward.get(at, set()) - set(seen)
            for path in paths(target, (*seen, target))
        ]

    found = paths(Phase.REGISTERED, (Phase.REGISTERED,))
    assert found
    assert all(must <= set(path) for path in found)


def test_every_phase_is_reachable_and_every_running_one_has_a_way_out() -> None:
    assert {move.target for move in TABLE} == set(Phase)
    for phase in set(Phase) - ENDED:
        assert any(move.source is phase for move in TABLE)
    # A person can stop whatever is not already on its way back.
    for phase in set(Phase) - ENDED - {Phase.ROLLING_BACK}:
        assert any(move.source is phase and move.cause is Cause.ABORT for move in TABLE)


def test_running_phases_are_those_that_have_not_ended() -> None:
    assert not stages.running(None)
    for phase in Phase:
        assert stages.running(phase) is (phase not in ENDED)
    assert {*SHADOWED, Phase.REGISTERED, Phase.ROLLING_BACK} == set(Phase) - ENDED


def test_the_page_shows_the_table() -> None:
    page = PAGE.read_text("utf-8")

    assert f"```mermaid\n{stages.diagram()}```" in page, (
        "docs/architecture/rollout.md is behind rollout/stages.py: paste stages.diagram() there"
    )
    assert stages.causes_table() in page
