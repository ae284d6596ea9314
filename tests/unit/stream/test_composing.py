"""What a finished record becomes: a result that fits its topic, or a dead letter."""

from __future__ import annotations

import pytest

from consumer.stream.compose import ParsedComposer
from consumer.stream.in_flight import InFlight
from consumer.stream.records import Record
from consumer.stream.sides import Route, Side
from contracts.decode import decode_batch
from contracts.events import AddressResult, Origin, ParsedBatch
from contracts.examples import STABLE
from contracts.headers import header_bytes
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
