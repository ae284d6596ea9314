"""Three times what workers can do: what is taken in is answered in time, and nobody idles."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from producer.gateway import admission
from producer.gateway.admission import Bounds, Load, Pace, refusal
from producer.gateway.waiting import Register, Waiting

BOUNDS = Bounds(max_pending_addresses=4000, max_wait_s=1.0, max_backlog_records=20_000)


@dataclass
class Outcome:
    answered: int = 0
    refused: int = 0
    late: int = 0
    waits: list[float] = field(default_factory=list)
    most_pending: int = 0


def simulate(
    *, capacity: float, asked: float, seconds: float, batch: int, patience_s: float = 5.0
) -> Outcome:
    """Poisson arrivals at one worker that answers batches, first come first served.

    A batch takes 0.7 to 1.3 times what its rows take on average, and is answered as one; what
    comes after the deadline is no answer, and the gateway does not hear of it.
    """
    rng = random.Random(1)
    outcome, pace, register = Outcome(), Pace(), Register()
    queue: deque[Waiting] = deque()
    in_work: list[Waiting] = []
    done_at = float("inf")
    now = arrival = 0.0
    while now < seconds:
        if arrival <= done_at:
            now = arrival
            arrival += rng.expovariate(asked)
            register.expire(now)
            waiting, oldest = register.addresses, register.oldest_since
            load = Load(waiting, now - (now if oldest is None else oldest), pace.per_s(now), 0)
            if refusal(load, BOUNDS, 1, patience_s) is not None:
                outcome.refused += 1
            else:
                if not waiting:
                    pace.busy(now)
                queue.append(Waiting(str(now), {}, 1, now))
                register.enter(queue[-1], now + patience_s)
            outcome.most_pending = max(outcome.most_pending, waiting)
        else:
            now = done_at
            register.expire(now)
            for one in in_work:
                if register.answered(one.record) is None:
                    outcome.late += 1
                    continue
                pace.answered(1, now)
                outcome.answered += 1
                outcome.waits.append(now - one.since)
            in_work, done_at = [], float("inf")
        if not in_work and queue:
            in_work = [queue.popleft() for _ in range(min(batch, len(queue)))]
            done_at = now + len(in_work) / capacity * rng.uniform(0.7, 1.3)
    return outcome


@pytest.mark.parametrize(
    ("capacity", "batch"),
    # A worker's batch of what somebody waits for is some twenty addresses at most.
    [(capacity, batch) for capacity in (4.0, 8.0, 11.0, 20.0) for batch in (1, 8, 20)]
    + [(capacity, batch) for capacity in (30.0, 500.0, 5000.0) for batch in (1, 64)],
)
def test_under_three_times_the_load_workers_stay_busy_and_waits_stay_bounded(
    capacity: float, batch: int
) -> None:
    seconds = max(20.0, 240 / capacity)
    outcome = simulate(capacity=capacity, asked=3 * capacity, seconds=seconds, batch=batch)

    assert outcome.answered >= 0.9 * capacity * seconds
    assert outcome.late == 0
    waits = sorted(outcome.waits)
    # What fits into one record may take as long as its callers wait.
    bound = max(1.5, 64 / capacity * 1.5)
    assert waits[int(len(waits) * 0.99)] <= min(bound, 5.0)
    assert outcome.most_pending <= max(64, 2 * capacity)


@pytest.mark.parametrize("batch", [1, 8, 20])
def test_an_answer_expected_at_the_deadline_is_too_late_where_workers_are_slow(
    monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """The negative control of the share: what is parsed too late is parsed for nobody."""
    monkeypatch.setattr(admission, "_PATIENCE_SHARE", 1.0)
    outcome = simulate(capacity=8.0, asked=24.0, seconds=30.0, batch=batch)

    assert outcome.answered < 0.85 * 8.0 * 30.0
    assert outcome.late > 20


@pytest.mark.parametrize("capacity", [8.0, 30.0, 500.0])
def test_under_half_the_load_nobody_is_refused(capacity: float) -> None:
    outcome = simulate(capacity=capacity, asked=capacity / 2, seconds=60.0, batch=20)

    assert (outcome.refused, outcome.late) == (0, 0)


def test_without_admission_the_same_load_would_wait_without_end() -> None:
    """The negative control: what the bounds keep away."""
    open_door = Bounds(10**9, 10**9, 10**9, few_addresses=10**9)
    taken = refusal(Load(10**6, 4.0, 500.0, 10**6), open_door, 1, 10**9)

    assert taken is None
    assert refusal(Load(10**6, 4.0, 500.0, 0), BOUNDS, 1, 5.0) is not None
