"""The gateway's rules: nobody gets another's answer, nothing is asked that nobody waits for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.control import RolloutState, ServingSet
from contracts.events import AddressResult, Component, ServedModel
from contracts.examples import CANDIDATE, STABLE
from contracts.http import CONFIDENCE_DECIMALS, BatchAnswer, ParsedAddress
from producer.gateway.admission import Bounds, Load, Pace, refusal
from producer.gateway.coalescer import Coalescer, Group
from producer.gateway.problem import ProblemError
from producer.gateway.versions import ANY, wanted
from producer.gateway.views import batch_body, parsed_body
from producer.gateway.waiting import Register, Waiting

TRACKS = st.sampled_from([None, "stable", "canary"])
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


def size_of(text: str) -> int:
    return len(text.encode()) + 3


@given(
    arrivals=st.lists(st.tuples(TRACKS, TEXTS, st.booleans(), st.floats(0, 0.003)), max_size=60),
    window_s=st.sampled_from([0.0, 0.002]),
    most=st.integers(1, 8),
    most_bytes=st.integers(1, 40),
)
def test_each_request_is_published_once_under_its_own_text_unless_it_left_before(
    arrivals: list[tuple[Any, str, bool, float]], window_s: float, most: int, most_bytes: int
) -> None:
    coalescer = Coalescer(
        window_s=window_s, max_addresses=most, max_bytes=most_bytes, size_of=size_of
    )
    now = 0.0
    groups: list[Group] = []
    asked: dict[int, tuple[Any, str]] = {}
    withdrawn: set[int] = set()
    for ticket, (track, text, leaves, pause) in enumerate(arrivals):
        now += pause
        groups += coalescer.due(now)
        asked[ticket] = (track, text)
        groups += coalescer.add(track, ticket, text, now)
        if leaves and coalescer.withdraw(ticket):
            withdrawn.add(ticket)
        due = coalescer.next_due
        assert due is None or due <= now + window_s
    groups += coalescer.flush()

    got: dict[int, tuple[Any, str]] = {}
    for group in groups:
        assert 1 <= len(group.texts) <= most
        assert len(set(group.texts)) == len(group.texts)
        assert set(group.places.values()) == set(range(len(group.texts))), "nobody waits for it"
        if len(group.texts) > 1:
            assert sum(size_of(text) for text in group.texts) <= most_bytes
        for ticket, place in group.places.items():
            assert ticket not in got, "published twice"
            got[ticket] = (group.track, group.texts[place])
    assert got == {ticket: one for ticket, one in asked.items() if ticket not in withdrawn}
    assert coalescer.addresses == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["enter", "reply", "expire"]), st.integers(0, 9), st.floats(0, 9))
    )
)
def test_a_record_is_answered_once_or_expires_and_what_waits_is_counted(
    moves: list[tuple[str, int, float]],
) -> None:
    register = Register()
    waiting: dict[str, tuple[float, int]] = {}
    entered = 0
    for move, number, at in moves:
        name = str(number)
        if move == "enter":
            entered += 1
            name = f"r{entered}"
            register.enter(Waiting(name, {entered: (0,)}, number + 1, since=0.0), deadline=at)
            waiting[name] = (at, number + 1)
        elif move == "reply":
            name = f"r{number}"
            found = register.answered(name)
            assert (found is not None) == (name in waiting)
            waiting.pop(name, None)
        else:
            gone = {one.record for one in register.expire(at)}
            assert gone == {one for one, (deadline, _) in waiting.items() if deadline <= at}
            for one in gone:
                del waiting[one]
        assert register.addresses == sum(count for _, count in waiting.values())
        assert (register.oldest_since is None) == (not waiting)


BOUNDS = Bounds(max_pending_addresses=100, max_wait_s=1.0, max_backlog_records=50, few_addresses=10)


@given(
    pending=st.integers(0, 300),
    oldest=st.floats(0, 10),
    rate=st.floats(0, 1e4),
    backlog=st.integers(0, 100),
    more=st.integers(1, 100),
    patience=st.floats(0.001, 60),
)
def test_what_is_taken_in_is_within_every_bound(
    pending: int, oldest: float, rate: float, backlog: int, more: int, patience: float
) -> None:
    load = Load(pending, oldest, rate, backlog)

    refused = refusal(load, BOUNDS, more, patience)

    if refused is not None:
        assert 1 <= refused.retry_after_s <= 30
        return
    assert pending == 0 or pending + more <= 100
    assert backlog <= 50
    longest = patience / 2 if pending + more <= 10 else min(1.0, patience / 2)
    queueing = oldest > longest / 4
    assert not queueing or (rate > 0 and (pending + more) / rate <= longest) or oldest <= longest


def test_without_a_queue_a_slow_trickle_is_not_taken_for_slow_workers() -> None:
    assert refusal(Load(60, 0.1, 2.0, 0), BOUNDS, 1, 5.0) is None
    assert refusal(Load(60, 0.6, 2.0, 0), BOUNDS, 1, 5.0) is not None


def test_a_few_callers_are_served_by_slow_workers_too() -> None:
    assert refusal(Load(9, 2.0, 4.5, 0), BOUNDS, 1, 5.0) is None
    assert refusal(Load(9, 2.0, 3.5, 0), BOUNDS, 1, 5.0) is not None


def test_the_pace_is_that_of_the_time_in_which_something_waited() -> None:
    pace = Pace(window_s=2.0)
    pace.busy(100.0)
    for step in range(10):
        pace.answered(5, 100.0 + step / 10)

    assert pace.per_s(101.0) == pytest.approx(50.0)
    assert pace.per_s(200.0) == 0.0


def state(candidate: bool) -> RolloutState:
    serving = ServingSet(stable=STABLE, candidate=CANDIDATE if candidate else None, serving_epoch=3)
    return RolloutState(
        incarnation="i", revision=3, serving=serving, phase="STAGING" if candidate else "SHADOWING"
    )


def served(spec: Any, track: Any) -> ServedModel:
    return ServedModel(**spec.model_dump(), track=track, serving_epoch=3)


@given(
    asked=st.sampled_from(
        [None, "stable", "canary", STABLE.version, STABLE.name, CANDIDATE.version, CANDIDATE.name]
    ),
    candidate=st.booleans(),
    answered_by=st.sampled_from([(STABLE, "stable"), (CANDIDATE, "canary")]),
)
def test_no_other_model_than_the_one_asked_for_is_ever_an_answer(
    asked: str | None, candidate: bool, answered_by: tuple[Any, Any]
) -> None:
    if not candidate and asked in ("canary", CANDIDATE.version, CANDIDATE.name):
        with pytest.raises(ProblemError, match="SHADOWING") as caught:
            wanted(asked, state(candidate))
        assert caught.value.status == 409
        return
    want = wanted(asked, state(candidate))
    ok = want.accepts(served(*answered_by))
    right = {None: True, "stable": answered_by[1] == "stable", "canary": answered_by[1] == "canary"}
    assert ok == right.get(asked, asked is not None and answered_by[0].version in asked)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("latest", "bad_request_header"),
        ("mgeo-base-v9-20260101", "version_not_resident"),
        (f"{STABLE.version}@fp32", "version_not_resident"),
        (f"{STABLE.version}@int4", "bad_request_header"),
        ("上海", "bad_request_header"),
        ("", "bad_request_header"),
    ],
)
def test_a_version_that_cannot_answer_is_told_and_not_guessed(asked: str, code: str) -> None:
    with pytest.raises(ProblemError) as caught:
        wanted(asked, state(candidate=True))

    assert caught.value.code == code


def test_without_the_header_any_serving_model_may_answer() -> None:
    assert wanted(None, state(candidate=True)) is ANY


COMPONENTS = st.builds(
    lambda start, length, confidence: Component(
        type="poi", text="x" * length, start=start, end=start + length, confidence=confidence
    ),
    st.integers(0, 50),
    st.integers(1, 5),
    st.floats(0, 1),
)
RESULTS = st.builds(
    AddressResult,
    id=st.text(min_size=1, max_size=5),
    text=st.none(),
    status=st.just("ok"),
    components=st.lists(COMPONENTS, max_size=4).map(tuple),
    address=st.dictionaries(
        st.sampled_from(["prov", "road", "confidence", "status", "id", "newtype"]),
        st.text(max_size=5),
    ),
    confidence=st.none() | st.floats(0, 1),
)


@given(RESULTS)
def test_a_body_is_of_the_documented_shape_and_says_nothing_of_who_asked(
    result: AddressResult,
) -> None:
    body = parsed_body(result)
    read = ParsedAddress.model_validate_json(body)
    other = result.model_copy(update={"id": "another"})

    assert parsed_body(other) == body
    assert len(read.components) == len(result.components)
    assert read.confidence == (
        None if result.confidence is None else round(result.confidence, CONFIDENCE_DECIMALS)
    )
    levels = {k: v for k, v in result.address.items() if k not in ("confidence", "status", "id")}
    assert read.levels == levels
    batch = BatchAnswer.model_validate_json(batch_body([("a", result), ("b", "empty_text")]))
    assert [one.id for one in batch.results] == ["a", "b"]
    assert batch.results[1].error == "empty_text"
