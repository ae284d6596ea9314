"""Three times what workers can do: what is taken in is answered in time, and nobody idles."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from producer.gateway.admission import Bounds, Load, Pace, refusal

BOUNDS = Bounds(max_pending_addresses=4000, max_wait_s=1.0, max_backlog_records=20_000)


@dataclass
class Outcome:
    answered: int = 0
    refused: int = 0
    waits: list[float] = field(default_factory=list)
    most_pending: int = 0


def simulate(
    *, capacity: float, asked: float, seconds: float, batch: int, patience_s: float = 5.0
) -> Outcome:
    """Poisson arrivals at one worker that answers batches, first come first served."""
    rng = random.Random(1)
    outcome, pace = Outcome(), Pace()
    queue: deque[float] = deque()
    in_work: list[float] = []
    done_at = float("inf")
    now = arrival = 0.0
    while now < seconds:
        if arrival <= done_at:
            now = arrival
            arrival += rng.expovariate(asked)
            waiting = len(queue) + len(in_work)
            oldest = in_work[0] if in_work else queue[0] if queue else now
            load = Load(waiting, now - oldest, pace.per_s(now), 0)
            if refusal(load, BOUNDS, 1, patience_s) is not None:
                outcome.refused += 1
            else:
                if not waiting:
                    pace.busy(now)
                queue.append(now)
            outcome.most_pending = max(outcome.most_pending, waiting)
        else:
            now = done_at
            pace.answered(len(in_work), now)
            outcome.answered += len(in_work)
            outcome.waits += [now - since for since in in_work]
            in_work, done_at = [], float("inf")
        if not in_work and queue:
            in_work = [queue.popleft() for _ in range(min(batch, len(queue)))]
            done_at = now + len(in_work) / capacity
    return outcome


@pytest.mark.parametrize("capacity", [30.0, 500.0, 5000.0])
@pytest.mark.parametrize("batch", [1, 64])
def test_under_three_times_the_load_workers_stay_busy_and_waits_stay_bounded(
    capacity: float, batch: int
) -> None:
    seconds = 20.0
    outcome = simulate(capacity=capacity, asked=3 * capacity, seconds=seconds, batch=batch)

    assert outcome.answered >= 0.9 * capacity * seconds
    waits = sorted(outcome.waits)
    # What fits into one record may take as long as its callers wait.
    bound = max(1.5, 64 / capacity * 1.5)
    assert waits[int(len(waits) * 0.99)] <= min(bound, 5.0)
    assert outcome.most_pending <= max(64, 2 * capacity)


@pytest.mark.parametrize("capacity", [30.0, 500.0])
def test_under_half_the_load_nobody_is_refused(capacity: float) -> None:
    outcome = simulate(capacity=capacity, asked=capacity / 2, seconds=60.0, batch=64)

    assert outcome.refused == 0


def test_without_admission_the_same_load_would_wait_without_end() -> None:
    """The negative control: what the bounds keep away."""
    open_door = Bounds(10**9, 10**9, 10**9, few_addresses=10**9)
    taken = refusal(Load(10**6, 4.0, 500.0, 10**6), open_door, 1, 10**9)

    assert taken is None
    assert refusal(Load(10**6, 4.0, 500.0, 0), BOUNDS, 1, 5.0) is not None
