"""Bounds of the engine: what is in flight, what is remembered, how often it may rejoin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.parser.seams import Interpretation
from consumer.service.preflight import FoundTopic, check_topics
from consumer.service.rejoin import RejoinBudget
from consumer.service.worker import producer_options
from consumer.stream.cache import InterpretationCache
from consumer.stream.in_flight import InFlight, Ticket, likely_addresses, message_bytes
from consumer.stream.roles import stable_role
from consumer.stream.shadow import shadow_role
from contracts.errors import FatalError
from contracts.events import Component
from contracts.limits import DEAD_LETTER_HEADROOM_BYTES, Limits
from contracts.settings import KafkaSettings
from contracts.topics import standard_topics
from tests.streams.load import record_of

steps = st.lists(
    st.tuples(
        st.sampled_from(["enter", "count", "finish", "leave"]),
        st.integers(0, 9),
        st.integers(0, 60),
    ),
    max_size=60,
)


@given(steps)
def test_what_is_in_flight_is_exactly_what_has_not_left(
    steps: list[tuple[str, int, int]],
) -> None:
    """Also when a record is counted after it left, or leaves twice."""
    in_flight = InFlight(max_addresses=50, max_bytes=100)
    tickets: list[Ticket] = []
    for action, which, amount in steps:
        if action == "enter" or not tickets:
            tickets.append(in_flight.enter(amount))
        elif action == "count":
            ticket = tickets[which % len(tickets)]
            if in_flight.may_start(amount):
                ticket.count(min(amount, 50))
        elif action == "finish":
            tickets[which % len(tickets)].finish()
        else:
            tickets[which % len(tickets)].leave()
        held = [ticket for ticket in tickets if ticket.held]
        assert in_flight.addresses == sum(ticket.addresses for ticket in held)
        assert in_flight.bytes == sum(ticket.size for ticket in held)
        waiting = sum(ticket.addresses for ticket in held if ticket.finished)
        assert in_flight.crowded() == (waiting >= 25)
        if in_flight.bytes >= 100:
            assert in_flight.overloaded()
    for ticket in tickets:
        ticket.leave()
    assert (in_flight.addresses, in_flight.bytes) == (0, 0)
    assert not in_flight.overloaded()
    assert not in_flight.crowded()
    assert in_flight.may_start(1_000_000), "alone, even the largest record starts"


@given(st.integers(1, 40), st.integers(1, 50))
def test_a_record_is_weighed_before_it_is_decoded(addresses: int, most: int) -> None:
    value = record_of(1, [(str(n), "地址") for n in range(addresses)])
    assert likely_addresses(value, most) == min(addresses, most)
    assert likely_addresses(None, most) == likely_addresses(b"{", most) == 1


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=30)), max_size=60))
def test_the_cache_stays_within_its_bound_and_never_mixes_models(
    texts: list[tuple[str, str]],
) -> None:
    cache = InterpretationCache(max_chars=60)
    kept: dict[tuple[str, str], tuple[Interpretation, ...]] = {}
    for model, text in texts:
        parts = [
            Component(type="poi", text=text[1:], start=1, end=len(text), confidence=0.5)
            for _ in text[1:2]
        ]
        found = (
            Interpretation(
                tuple(parts),
                {"model": model, "text": text, "poi": text[1:]},
                ("model",),
                None,
                (),
                1.0,
            ),
        )
        known = cache.get(model, text)
        if known is not None:
            assert known == kept[model, text]
            continue
        cache.put(model, text, found)
        kept[model, text] = found
        alive = [key for key in kept if cache.get(*key) is not None]
        assert sum(len(text) for _, text in alive) <= 60


@given(st.lists(st.floats(0, 1000), max_size=30).map(sorted), st.integers(1, 5))
def test_rejoining_is_allowed_so_often_in_a_window_and_slower_each_time(
    moments: list[float], most: int
) -> None:
    budget = RejoinBudget(most, window_s=100.0)
    spent: list[float] = []
    for moment in moments:
        spent = [earlier for earlier in spent if moment - earlier <= 100.0] + [moment]
        if len(spent) > most:
            with pytest.raises(FatalError) as caught:
                budget.spend(moment)
            assert caught.value.code == "too_many_rejoins"
            return
        assert 0 < budget.spend(moment) <= 10.0


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 2000), st.booleans())
def test_topics_that_could_lose_something_are_refused_by_name(
    partitions: int, results: int, size: int, missing: bool
) -> None:
    found = {"in": FoundTopic(partitions, None), "out": FoundTopic(results, size)}
    if missing:
        del found["out"]
    bad = missing or results < partitions or size < 1000
    if not bad:
        check_topics(found, inputs=["in"], least_bytes={"out": 1000}, replies={})
        return
    with pytest.raises(FatalError) as caught:
        check_topics(found, inputs=["in"], least_bytes={"out": 1000}, replies={})
    assert "out" in str(caught.value)
    assert caught.value.code in ("topic_missing", "too_few_partitions", "topic_too_small")


@given(
    st.none() | st.binary(max_size=9),
    st.none() | st.binary(max_size=9),
    st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9)), max_size=5),
)
def test_a_record_counts_with_everything_that_its_publisher_put_into_it(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    held = sum(len(part) for part in (key, value) if part)
    held += sum(len(name.encode()) + len(content or b"") for name, content in headers)
    assert held <= message_bytes(key, value, headers) <= held + 10 * len(headers)


@given(st.integers(1, 4_000_000), st.integers(1, 4_000_000))
def test_an_input_whose_records_do_not_fit_the_dead_letters_is_refused(
    most: int, room: int
) -> None:
    found = {"in": FoundTopic(1, 1), "urgent": FoundTopic(1, most), "dlq": FoundTopic(1, room)}
    sizes = {"inputs": ["in", "urgent"], "least_bytes": {"dlq": 1}, "replies": {}}
    check_topics(found, **sizes)  # type: ignore[arg-type]  # by name
    if max(1, most) + DEAD_LETTER_HEADROOM_BYTES <= room:
        check_topics(found, **sizes, dead_letters="dlq")  # type: ignore[arg-type]
        return
    with pytest.raises(FatalError) as caught:
        check_topics(found, **sizes, dead_letters="dlq")  # type: ignore[arg-type]
    assert caught.value.code == "topic_too_large"
    assert "dlq" in str(caught.value)


@given(st.integers(1024, 4 << 20), st.integers(1, 1000))
def test_topics_as_they_are_made_pass_and_take_every_batch_of_a_worker(
    record_bytes: int, addresses: int
) -> None:
    limits = Limits(
        max_record_bytes=record_bytes, max_addresses=addresses, max_result_bytes=8 << 20
    )
    smallest = limits.model_copy(update={"max_result_bytes": limits.smallest_result_bytes})
    for one in (limits, smallest):
        kafka = KafkaSettings()
        made = {
            topic.name: int(topic.config.get("max.message.bytes", "1048588"))
            for topic in standard_topics(kafka.names, limits=one)
        }
        found = {name: FoundTopic(6, most) for name, most in made.items()}
        for role in (stable_role(kafka.names, one), shadow_role(kafka.names, one)):
            check_topics(
                found,
                inputs=tuple(role.inputs),
                least_bytes=role.largest,
                replies=role.replies,
                dead_letters=role.dead_letters,
            )
            options = producer_options(role, {}, request_timeout_ms=1)
            for name in (*role.largest, *role.replies):
                assert options["max_batch_size"] <= made[name]


@pytest.mark.parametrize("gone", ["in", "urgent", "out", "back"])
def test_a_cluster_of_an_earlier_release_is_told_which_topic_it_lacks_and_what_makes_it(
    gone: str,
) -> None:
    found = {name: FoundTopic(2, 1000) for name in ("in", "urgent", "out", "back")}
    # Whoever reads replies chooses the partition: fewer of them lose nothing.
    found["back"] = FoundTopic(1, 1000)
    sizes = {"inputs": ["in", "urgent"], "least_bytes": {"out": 1000}, "replies": {"back": 1000}}
    check_topics(found, **sizes)  # type: ignore[arg-type]  # by name
    del found[gone]
    with pytest.raises(FatalError) as caught:
        check_topics(found, **sizes)  # type: ignore[arg-type]  # by name
    assert caught.value.code == "topic_missing"
    assert f"topic {gone} does not exist" in str(caught.value)
    assert "mgeo topics create" in caught.value.hint
