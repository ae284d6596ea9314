"""Frontier, commit schedule, adoption and first position: whatever happens, in any order."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from consumer.stream.adoption import Adoption, adopt, hasten, opening_epoch
from consumer.stream.commit_schedule import CommitLater, CommitNow, CommitSchedule, NothingToCommit
from consumer.stream.frontier import Frontier
from consumer.stream.membership import first_position
from consumer.stream.roles import serving_plan
from contracts.control import RolloutState, ServingSet
from contracts.errors import FatalError
from tests.models import instant

offsets = st.lists(st.integers(0, 10_000), unique=True, min_size=1, max_size=40).map(sorted)


@given(offsets, st.randoms(use_true_random=False), st.integers(1, 5), st.integers(0, 50))
def test_the_frontier_takes_each_record_once_in_order_and_never_past_an_unfinished_one(
    admitted: list[int], rng: object, most: int, max_bytes: int
) -> None:
    frontier = Frontier(admitted[0])
    for offset in admitted:
        frontier.admit(offset)
    finishing = list(admitted)
    rng.shuffle(finishing)  # type: ignore[attr-defined]  # hypothesis's Random
    finished: set[int] = set()
    taken: list[int] = []
    for offset in finishing:
        frontier.finish(offset, size=10)
        finished.add(offset)
        ready, size = frontier.ready()
        assert size == 10 * ready
        while batch := frontier.take(most, max_bytes):
            assert len(batch) <= most
            assert len(batch) == 1 or 10 * len(batch) <= max_bytes
            taken += batch
            assert frontier.position == taken[-1] + 1
        assert set(taken) <= finished
        waiting = [o for o in admitted if o not in finished]
        assert taken == [o for o in admitted if not waiting or o < waiting[0]]
    assert taken == admitted
    assert frontier.in_flight == 0


@given(offsets, st.integers(0, 10_000))
def test_the_frontier_refuses_what_it_has_seen(admitted: list[int], again: int) -> None:
    frontier = Frontier(0)
    for offset in admitted:
        frontier.admit(offset)
    if again <= admitted[-1]:
        with pytest.raises(ValueError, match="below"):
            frontier.admit(again)
    else:
        frontier.admit(again)


@given(
    interval=st.floats(0, 10),
    since=st.floats(0, 20),
    ready=st.integers(0, 600),
    size=st.integers(0, 10_000),
    running=st.integers(0, 200),
    closing=st.booleans(),
    eager=st.booleans(),
    crowded=st.booleans(),
)
def test_a_lane_commits_never_early_and_is_never_stuck(
    interval: float,
    since: float,
    ready: int,
    size: int,
    running: int,
    closing: bool,
    eager: bool,
    crowded: bool,
) -> None:
    schedule = CommitSchedule(interval, max_records=500, max_bytes=9_000, eager=eager)
    now = 100.0 + since
    decision = schedule.decide(
        now,
        last_commit_at=100.0,
        ready_records=ready,
        ready_bytes=size,
        in_flight_records=ready + running,
        closing=closing,
        crowded=crowded,
    )
    if ready == 0:
        assert decision == NothingToCommit()
        return
    must = closing or crowded or (eager and running == 0) or ready >= 500 or size >= 9_000
    if must:
        assert decision == CommitNow()
    if isinstance(decision, CommitLater):
        assert now < decision.at <= now + interval
        later = schedule.decide(
            decision.at,
            last_commit_at=100.0,
            ready_records=ready,
            ready_bytes=size,
            in_flight_records=ready + running,
            closing=closing,
        )
        assert later == CommitNow()
    elif not must:
        assert now >= 100.0 + interval


def _state(epoch: int, phase: str | None) -> RolloutState:
    return RolloutState(
        incarnation="i",
        revision=epoch,
        serving=ServingSet(stable=instant.spec(), serving_epoch=epoch),
        phase=phase,
    )


@given(
    st.integers(1, 9),
    st.integers(0, 9),
    st.sampled_from([None, "CANARY", "CUTTING_OVER", "ROLLING_BACK"]),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_a_lane_adopts_forward_behind_its_work_and_back_over_it(
    epoch: int, current: int, phase: str | None, frontier: int, admitted: int
) -> None:
    decision = adopt(
        serving_plan(_state(epoch, phase), "g"),
        current_epoch=current,
        frontier=frontier,
        next_admissible=frontier + admitted,
    )
    if epoch <= current:
        assert decision is None
        return
    assert decision is not None
    assert decision.discard == (phase == "ROLLING_BACK")
    assert decision.from_offset == (frontier if decision.discard else frontier + admitted)
    assert opening_epoch(serving_plan(_state(epoch, phase), "g"), current) == current


@given(st.integers(0, 100), st.integers(0, 100))
def test_patience_ends_at_the_frontier_and_never_beyond_it(frontier: int, behind: int) -> None:
    """What is committed stays; what is not is done again under the new serving set."""
    hastened = hasten(frontier=frontier, pending_from=frontier + behind)
    assert hastened == (Adoption(frontier, discard=True) if behind else None)


@given(
    st.none() | st.integers(0, 100),
    st.none() | st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_a_lane_starts_at_the_commit_or_says_what_is_lost(
    committed: int | None, first: int | None, beginning: int, length: int
) -> None:
    """Without a commit it starts where the plan says, under the same rule."""
    end = beginning + length
    partition = TopicPartition("t", 3)
    wanted = first if committed is None else committed
    if wanted is not None and not beginning <= wanted <= end:
        with pytest.raises(FatalError) as caught:
            first_position(partition, committed, beginning, end, first)
        lost = wanted < beginning
        assert caught.value.code == ("records_lost" if lost else "log_shrank")
        assert f"{wanted} to {beginning - 1}" in str(caught.value) or not lost
        assert "t/3" in str(caught.value)
    else:
        expected = beginning if wanted is None else wanted
        assert first_position(partition, committed, beginning, end, first) == expected
