"""Who gets the device: whoever waits goes first, and bulk never starves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.stream.traffic import BulkBatches, Traffic
from consumer.stream.turns import Turns

TOKENS = st.integers(1, 2048)
SHARE = st.floats(0.0, 0.9)
_LARGEST = 2048

Batch = tuple[Traffic, int]


def filled(share: float, batches: list[Batch]) -> Turns[Batch]:
    turns: Turns[Batch] = Turns(bulk_share=share)
    for traffic, tokens in batches:
        turns.add((traffic, tokens), traffic, tokens)
    return turns


@given(SHARE, st.lists(TOKENS, min_size=1, max_size=60), st.lists(TOKENS, min_size=1, max_size=60))
def test_while_both_wait_bulk_gets_its_share_and_no_more(
    share: float, interactive: list[int], bulk: list[int]
) -> None:
    turns = filled(
        share,
        [(Traffic.INTERACTIVE, one) for one in interactive] + [(Traffic.BULK, one) for one in bulk],
    )
    left = {Traffic.INTERACTIVE: len(interactive), Traffic.BULK: len(bulk)}
    done = {Traffic.INTERACTIVE: 0, Traffic.BULK: 0}
    while all(left.values()):
        batch = turns.next()
        assert batch is not None
        traffic, tokens = batch
        left[traffic] -= 1
        done[traffic] += tokens
        total = sum(done.values())
        assert done[Traffic.BULK] <= share * total + 1e-6, "whoever waits pays only what is owed"
        assert done[Traffic.BULK] >= share * total - _LARGEST, "bulk is at most one batch behind"


@given(SHARE, st.lists(st.tuples(st.sampled_from(Traffic), TOKENS), max_size=80))
def test_every_batch_runs_once_and_those_of_a_class_in_their_order(
    share: float, batches: list[Batch]
) -> None:
    turns = filled(share, batches)
    ran: list[Batch] = []
    while len(turns):
        batch = turns.next()
        assert batch is not None, "what waits is never refused"
        ran.append(batch)
    assert turns.next() is None
    for traffic in Traffic:
        assert [one for one in ran if one[0] is traffic] == [
            one for one in batches if one[0] is traffic
        ]


@given(st.floats(0.01, 0.9), TOKENS, TOKENS)
def test_bulk_runs_within_a_bounded_flood(share: float, flood: int, bulk: int) -> None:
    turns = filled(share, [(Traffic.BULK, bulk)])
    most = bulk * (1 - share) / share + flood
    passed = 0
    while True:
        turns.add((Traffic.INTERACTIVE, flood), Traffic.INTERACTIVE, flood)
        batch = turns.next()
        assert batch is not None
        if batch[0] is Traffic.BULK:
            break
        passed += flood
        assert passed <= most + 1e-6


@given(SHARE, st.lists(TOKENS, min_size=1, max_size=20))
def test_what_ran_while_no_bulk_waited_is_not_owed(share: float, flood: list[int]) -> None:
    turns = filled(share, [(Traffic.INTERACTIVE, one) for one in flood])
    for _ in flood:
        turns.next()
    turns.add((Traffic.BULK, 1), Traffic.BULK, 1)
    turns.add((Traffic.INTERACTIVE, 1), Traffic.INTERACTIVE, 1)
    batch = turns.next()
    assert batch is not None
    assert batch[0] is Traffic.INTERACTIVE


@given(st.integers(16, 4096), st.integers(16, 4096), st.floats(0, 1e6), st.floats(0, 100))
def test_batches_of_bulk_are_small_while_somebody_waits_and_for_a_while_after(
    alone: int, beside: int, seen_at: float, later: float
) -> None:
    batches = BulkBatches(alone=alone, beside=beside, linger_s=2.0)
    assert batches.tokens(seen_at) == alone
    batches.seen(Traffic.BULK, seen_at)
    assert batches.tokens(seen_at) == alone
    batches.seen(Traffic.INTERACTIVE, seen_at)
    small = min(alone, beside)
    assert batches.tokens(seen_at) == small
    now = seen_at + later
    assert batches.tokens(now) == (small if now - seen_at < 2.0 else alone)
