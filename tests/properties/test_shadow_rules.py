"""The pure parts of the shadow: order of the sides, plans, the sample, pairs that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.stream.adoption import opening_epoch, same_plan
from consumer.stream.commit_schedule import CommitLater, CommitNow, CommitSchedule
from consumer.stream.frontier import Frontier
from consumer.stream.roles import serving_plan
from consumer.stream.shadow import route_by_sample, shadow_plan
from consumer.stream.sides import run_order
from contracts.errors import PermanentError
from contracts.events import AddressResult, ShadowPair, ShadowSide
from contracts.fitting import encode_message, fit_pair, too_large
from contracts.headers import header_bytes, shadow_headers
from contracts.limits import Limits
from contracts.phases import SHADOWED, Phase
from contracts.routing import in_shadow
from contracts.topics import RECORD_FRAME_BYTES, TopicNames, pair_value_bytes, standard_topics
from tests.models import instant
from tests.properties.addresses import MODEL, ORIGIN, results
from tests.streams.lanes import message
from tests.streams.rollouts import CANDIDATE, rollout_of, state_of
from tests.unit.clock import NOON

NAMES = TopicNames("p.")
phases = st.none() | st.sampled_from(Phase)


@given(st.text(max_size=40), st.integers(1, 5))
def test_every_side_runs_once_in_an_order_that_the_id_alone_decides(name: str, sides: int) -> None:
    order = run_order(name, sides)
    assert sorted(order) == list(range(sides))
    assert order == run_order(name, sides)


def test_each_side_is_first_about_as_often_as_the_other() -> None:
    firsts = [run_order(f"{process:x}-{n}", 2)[0] for process in range(20) for n in range(100)]
    assert 900 < sum(firsts) < 1100


@given(phases, st.booleans(), st.integers(1, 9), st.integers(2, 9))
def test_a_shadow_has_a_plan_exactly_while_its_rollout_is_shadowed(
    phase: Phase | None, rollout: bool, epoch: int, started: int
) -> None:
    one = rollout_of(started_revision=started, from_offsets={1: 5}) if rollout else None
    plan = shadow_plan(state_of(one, phase, revision=9, epoch=epoch), NAMES)
    if one is None or phase not in SHADOWED:
        assert plan is None
        return
    assert plan is not None
    assert plan.group == "p.mgeo.shadow.r-1"
    assert plan.epoch == plan.least_epoch == opening_epoch(plan, 0) == started
    assert set(plan.specs) == {CANDIDATE, instant.spec()}
    assert plan.first_offsets == {1: 5}
    assert plan.joins_gated
    assert plan.stands_at_losses
    assert plan.fallback is None


@given(phases, st.integers(1, 9), st.booleans(), st.booleans(), st.floats(0, 1))
def test_production_always_has_a_plan_and_one_without_its_candidate_to_fall_back_on(
    phase: Phase | None, epoch: int, staged: bool, before: bool, share: float
) -> None:
    candidate = CANDIDATE if staged else None
    previous = instant.spec("mgeo-instant-v0-20250101") if before else None
    state = state_of(
        rollout_of(),
        phase,
        revision=9,
        epoch=epoch,
        candidate=candidate,
        share=share if staged else 0.0,
        previous=previous,
    )
    plan = serving_plan(state, "g")
    assert plan.epoch == epoch
    assert plan.specs == state.serving.specs
    assert plan.keeps == ((previous,) if previous else ())
    assert not plan.joins_gated
    if not staged:
        assert plan.fallback is None
        return
    assert plan.fallback is not None
    assert plan.fallback.specs == (instant.spec(),)
    assert same_plan(plan, plan.fallback), "lanes move between the two without a word"


@given(st.floats(0.01, 1.0), st.integers(0, 10_000))
def test_the_sample_is_the_contracts_and_both_models_run_it(share: float, offset: int) -> None:
    rollout = rollout_of(share=share)
    route = route_by_sample(
        state_of(rollout, Phase.SHADOWING, revision=2, epoch=4), message(offset)
    )
    if not in_shadow(rollout.rollout_id, 0, offset, share):
        assert route is None
        return
    assert route is not None
    assert [(side.spec, side.track) for side in route.sides] == [
        (CANDIDATE, "canary"),
        (instant.spec(), "stable"),
    ]
    assert (route.serving_epoch, route.rollout_id) == (4, rollout.rollout_id)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_records_that_are_passed_over_move_the_frontier_and_take_no_room(
    sampled: list[bool], rng: object
) -> None:
    frontier = Frontier(0)
    inside = []
    for offset, wanted in enumerate(sampled):
        if wanted:
            frontier.admit(offset)
            inside.append(offset)
        else:
            frontier.pass_over(offset)
        assert frontier.in_flight <= 2 * len(inside) + 1
        with pytest.raises(ValueError, match="below"):
            frontier.pass_over(offset)
    rng.shuffle(inside)  # type: ignore[attr-defined]  # hypothesis's Random
    finished: set[int] = set()
    ends: list[int | None] = [*inside, None]
    for end in ends:
        unfinished = [one for one, wanted in enumerate(sampled) if wanted and one not in finished]
        frontier.take(1000, 1 << 30)
        assert frontier.position == (unfinished[0] if unfinished else len(sampled))
        if end is not None:
            frontier.finish(end)
            finished.add(end)


@given(st.integers(1, 100), st.floats(0, 10))
def test_nobody_waits_for_a_commit_that_publishes_nothing(ready: int, now: float) -> None:
    schedule = CommitSchedule(interval_s=1.0, max_records=1000, max_bytes=1000)

    def decide(*, nothing: bool) -> object:
        return schedule.decide(
            now,
            last_commit_at=0.0,
            ready_records=ready,
            ready_bytes=0,
            in_flight_records=ready,
            closing=False,
            nothing_to_publish=nothing,
        )

    assert decide(nothing=False) == CommitNow()
    assert decide(nothing=True) == (CommitNow() if now >= 1.0 else CommitLater(1.0))


def pair_of(candidate: list[AddressResult], reference: list[AddressResult]) -> ShadowPair:
    return ShadowPair(
        batch_id="b-1",
        origin=ORIGIN,
        batch=None,
        candidate=ShadowSide(model=MODEL, device_ms=1.0, results=tuple(candidate)),
        reference=ShadowSide(model=MODEL, device_ms=1.0, results=tuple(reference)),
        rollout_id="r-1",
    )


@given(
    st.lists(st.tuples(results(), results()), min_size=1, max_size=6),
    st.floats(0, 1),
)
def test_a_pair_fits_and_an_address_gives_way_on_both_sides_or_on_neither(
    rows: list[tuple[AddressResult, AddressResult]], share: float
) -> None:
    pair = pair_of([one for one, _ in rows], [other for _, other in rows])
    floor = len(
        encode_message(
            pair_of([too_large(one) for one, _ in rows], [too_large(other) for _, other in rows])
        )
    )
    room = floor + int(share * max(0, len(encode_message(pair)) - floor))

    fitted, encoded = fit_pair(pair, room)

    assert len(encoded) <= room
    assert encoded == encode_message(fitted)
    for (one, other), candidate, reference in zip(
        rows, fitted.candidate.results, fitted.reference.results, strict=True
    ):
        assert (candidate, reference) in (
            (one, other),
            (too_large(one), too_large(other)),
        )
    if len(encode_message(pair)) <= room:
        assert fitted == pair


def test_a_pair_that_cannot_fit_even_as_errors_is_refused() -> None:
    rows = [AddressResult(id=str(n), text="x", status="error", error="bad_id") for n in range(9)]
    with pytest.raises(PermanentError) as refused:
        fit_pair(pair_of(rows, rows), 500)
    assert refused.value.code == "result_too_large"


@given(st.integers(0, 1024 * 1024 + 16 * 1024 - RECORD_FRAME_BYTES), st.text(max_size=64))
def test_a_pair_beside_any_admissible_key_fits_its_topic_and_the_errors_fit_it(
    key: int, rollout_id: str
) -> None:
    limits = Limits()
    topics = {topic.name: topic for topic in standard_topics(TopicNames(), limits=limits)}
    room = int(topics["address.shadow"].config["max.message.bytes"])
    headers = sum(
        header_bytes(*one)
        for one in shadow_headers(ORIGIN, rollout_id=rollout_id, at=NOON, traceparent=b"0" * 55)
    )

    value = pair_value_bytes(limits, key_bytes=key, header_bytes=headers)

    assert value + key + headers + RECORD_FRAME_BYTES <= room
    # The key took its part of the input record, so less of it can come back as ids, twice.
    input_left = int(topics["address.events"].config["max.message.bytes"]) - key
    needed = input_left + limits.smallest_result_bytes - limits.max_record_bytes
    assert value >= 2 * min(needed, limits.smallest_result_bytes)
