"""What a finished record becomes: a result that fits its topic, or a dead letter."""

from __future__ import annotations

from hashlib import sha256

import pytest

from consumer.stream.compose import ParsedComposer
from consumer.stream.in_flight import InFlight
from consumer.stream.records import DeadLetter, Record
from consumer.stream.shadow import PairComposer
from consumer.stream.sides import Route, Side
from contracts.decode import decode_batch
from contracts.events import AddressResult, Origin, ParsedBatch
from contracts.examples import STABLE
from contracts.headers import ERROR_CODE, KEY_DROPPED, VALUE_DROPPED, Header, header, header_bytes
from contracts.limits import KIB, MIB, Limits
from contracts.topics import RECORD_FRAME_BYTES, TopicNames, standard_topics
from tests.models.instant import InstantModel
from tests.unit.clock import NOON

LIMITS = Limits()


@pytest.mark.parametrize("key_bytes", [0, 10, 15 * KIB, 900 * KIB])
def test_a_result_fits_its_topic_however_long_the_publishers_key_is(key_bytes: int) -> None:
    ids = [str(number) for number in range(1000)]
    raw = (
        '{"batch_id":"b","addresses":['
        + ",".join(f'{{"id":"{one}","text":"x"}}' for one in ids)
        + "]}"
    ).encode()
    record = Record(
        origin=Origin(topic="address.events", partition=2, offset=7),
        key=b"k" * key_bytes or None,
        value=raw,
        headers=(),
        route=Route((Side(STABLE, "stable"),), 1),
        models=(InstantModel(STABLE),),
        ticket=InFlight(max_addresses=1000, max_bytes=len(raw)).enter(len(raw)),
        received_at=0.0,
        done=lambda _: None,
        batch=decode_batch(raw, LIMITS),
        # Each result a little larger than its part of what fits.
        results=[
            [
                AddressResult(id=one, text="x", status="ok", address={"poi": "长" * 1400})
                for one in ids
            ]
        ],
    )

    made = ParsedComposer(TopicNames(), LIMITS).compose(record, finished_at=1.0, wall=NOON)

    assert (made.topic, made.partition, made.key) == ("address.parsed", 2, record.key)
    topics = {topic.name: topic for topic in standard_topics(TopicNames(), limits=LIMITS)}
    largest = int(topics[made.topic].config["max.message.bytes"])
    headers = sum(header_bytes(*one) for one in made.headers)
    assert len(made.value) + key_bytes + headers + RECORD_FRAME_BYTES <= largest
    errors = [one.error for one in ParsedBatch.model_validate_json(made.value).results]
    assert len(errors) == 1000
    assert set(errors) == {None, "result_too_large"}
    assert len(made.value) > largest - key_bytes - 32 * KIB, "more gave way than had to"
    assert largest > 4 * MIB


def _unreadable(
    key: bytes | None, value: bytes, headers: tuple[Header, ...] = (), *, sides: int = 1
) -> Record:
    return Record(
        origin=Origin(topic="address.events", partition=2, offset=7),
        key=key,
        value=value,
        headers=headers,
        route=Route((Side(STABLE, "stable"),) * sides, 1, "r-1"),
        models=(InstantModel(STABLE),) * sides,
        ticket=InFlight(max_addresses=1000, max_bytes=1).enter(1),
        received_at=0.0,
        done=lambda _: None,
        dead_letter=DeadLetter("record_too_large", "VALUE_CONVERTER", "PermanentError"),
    )


def _room(topic: str, limits: Limits) -> int:
    topics = {one.name: one for one in standard_topics(TopicNames(), limits=limits)}
    return int(topics[topic].config["max.message.bytes"])


SMALL = Limits(max_record_bytes=64 * KIB, max_addresses=100, max_result_bytes=256 * KIB)


@pytest.mark.parametrize("limits", [LIMITS, SMALL])
@pytest.mark.parametrize("long", ["value", "key", "headers"])
def test_a_dead_letter_keeps_whatever_the_input_topic_takes(limits: Limits, long: str) -> None:
    most = _room("address.events", limits) - RECORD_FRAME_BYTES
    sizes = {"value": 10, "key": 10, "headers": 10} | {long: most - 40}
    record = _unreadable(
        b"k" * sizes["key"], b"v" * sizes["value"], (("app", b"h" * sizes["headers"]),)
    )
    made = ParsedComposer(TopicNames(), limits).compose(record, finished_at=1.0, wall=NOON)
    assert (made.key, made.value) == (record.key, record.value)
    assert header(made.headers, VALUE_DROPPED) is None


@pytest.mark.parametrize("limits", [LIMITS, SMALL])
def test_a_dead_letter_that_would_not_fit_says_what_is_missing(limits: Limits) -> None:
    composer = ParsedComposer(TopicNames(), limits)
    value = b"v" * (9 * MIB)
    digest = f"{9 * MIB} sha256:{sha256(value).hexdigest()}".encode()

    made = composer.compose(_unreadable(b"k", value), finished_at=1.0, wall=NOON)
    assert (made.key, made.value, made.partition) == (b"k", b"", 2)
    assert header(made.headers, VALUE_DROPPED) == digest
    assert header(made.headers, KEY_DROPPED) is None
    assert header(made.headers, ERROR_CODE) == b"record_too_large"

    made = composer.compose(_unreadable(value, b"v", (("a", b"h"),)), finished_at=1.0, wall=NOON)
    assert (made.key, made.value, made.partition) == (None, b"", 2)
    assert header(made.headers, KEY_DROPPED) == digest
    assert header(made.headers, "a") == b"h"


@pytest.mark.parametrize("limits", [LIMITS, SMALL])
@pytest.mark.parametrize("over", [0, 1])
def test_evidence_fits_whatever_key_came(limits: Limits, over: int) -> None:
    longest = limits.max_record_bytes + 16 * KIB
    record = _unreadable(b"k" * (longest + over), b"v" * (9 * MIB), sides=2)
    made = PairComposer(TopicNames(), limits).compose(record, finished_at=1.0, wall=NOON)
    assert made.key == (None if over else record.key)
    size = len(made.value) + len(made.key or b"") + sum(header_bytes(*one) for one in made.headers)
    assert size + RECORD_FRAME_BYTES <= _room("address.shadow", limits)
