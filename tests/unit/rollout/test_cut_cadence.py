"""When the evidence is cut: often at first, never for nothing, never too late."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from contracts.judgement import Accounting, Judgement
from contracts.rollout import Cut
from rollout.controller.cadence import pause_s, worth_judging
from rollout.controller.timing import stamp
from tests.properties.rollouts import BEGIN, POLICY


def cut(seconds: float, *, end: int = 1, elapsed_ms: int | None = None) -> Cut:
    return Cut(
        number=1,
        at=stamp(BEGIN + timedelta(seconds=seconds)),
        elapsed_ms=round(seconds * 1000) if elapsed_ms is None else elapsed_ms,
        shadow={0: end},
        parsed={0: 1},
        shadow_committed={0: 1},
        events={0: 1},
    )


def said(newest_s: float | None = None) -> Judgement:
    newest = None if newest_s is None else round((BEGIN.timestamp() + newest_s) * 1000)
    return Judgement(verdict="continue", accounting=Accounting(newest_input_ms=newest))


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_pause_grows_with_age_between_its_bounds(one: int, other: int) -> None:
    young, old = sorted((one, other))

    pauses = [pause_s(age, shortest_s=1.0, longest_s=5.0) for age in (young, old)]
    assert 1.0 <= pauses[0] <= pauses[1] <= 5.0


def test_a_first_cut_and_every_movement_are_worth_judging() -> None:
    assert worth_judging(None, None, cut(1), POLICY)
    assert worth_judging(cut(1), said(), cut(2, end=2), POLICY)


def test_where_nothing_moves_nothing_is_recorded_but_once_a_minute() -> None:
    assert not worth_judging(cut(1), said(), cut(30), POLICY)
    assert worth_judging(cut(1), said(), cut(61), POLICY)


def test_time_alone_is_worth_judging_where_it_can_change_the_verdict() -> None:
    minute, hour = 60_000, 3_600_000  # min_duration and max_duration
    for turn in (minute, hour):
        before, after = cut(1, elapsed_ms=turn - 1), cut(2, elapsed_ms=turn)
        assert worth_judging(before, said(), after, POLICY)
        assert not worth_judging(after, said(), cut(3, elapsed_ms=turn + 1), POLICY)
    stale_after = 300.0
    assert worth_judging(cut(290), said(0.0), cut(stale_after + 1), POLICY)
    assert not worth_judging(cut(280), said(0.0), cut(299), POLICY)
