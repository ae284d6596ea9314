"""Lowered limits and records that are larger than ours: no lane ever stops."""

from __future__ import annotations

from hashlib import sha256

import pytest
from aiokafka import AIOKafkaProducer

from consumer.stream.shadow import shadow_role
from contracts.headers import ERROR_CODE, KEY_DROPPED, VALUE_DROPPED, header
from contracts.limits import KIB, Limits
from contracts.phases import Phase
from contracts.settings import KafkaSettings, client_options
from tests.brokers.admin import TopicFactory
from tests.integration.test_worker_refuses import alter
from tests.models import instant
from tests.oracles.stream import look, violations
from tests.streams.eventually import eventually
from tests.streams.load import record_of
from tests.streams.rollouts import memory_of, pairs_of, rollout_of, state_of
from tests.streams.topic import everything
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker

SMALL = Limits(max_record_bytes=64 * KIB, max_addresses=100, max_result_bytes=256 * KIB)


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(1, limits=SMALL)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await write_state(stream, instant.state())
    return stream


async def test_what_is_committed_together_fits_topics_of_lowered_limits(
    stream: KafkaSettings,
) -> None:
    texts = [(str(index), "长" * 150) for index in range(40)]
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        for number in range(60):
            result = record_of(number, texts)
            letter = b"{" + b"x" * (60 * KIB)
            for value in (result, letter):
                await producer.send(stream.names.events, value)
    async with running_worker(stream, limits=SMALL, commit_interval_ms=500) as worker:
        await until_done(stream)
        assert await worker.metric("mgeo_rebalances_total") == 1, "it had to join again"
    seen = await look(stream)
    assert violations(seen) == []
    assert (len(seen.results), len(seen.dead_letters)) == (60, 60)


async def test_what_unpacks_to_more_than_a_dead_letter_holds_stops_nothing(
    stream: KafkaSettings,
) -> None:
    rollout = rollout_of(share=1.0)
    await write_state(stream, state_of(rollout, Phase.WARMING, revision=2))
    # As topics are that somebody else made: a few kilobytes unpack to megabytes.
    await alter(
        stream,
        stream.names.events,
        {"compression.type": "producer", "max.message.bytes": str(80 * KIB)},
    )
    large = b'{"text":"' + b"x" * (3 << 20)
    digest = f"{len(large)} sha256:{sha256(large).hexdigest()}".encode()
    good = record_of(1, [("1", "和平路1号")])
    async with AIOKafkaProducer(
        compression_type="gzip", max_request_size=16 << 20, **client_options(stream)
    ) as producer:
        for key, value in ((b"k", good), (b"k", large), (large, good), (b"k", good)):
            await producer.send_and_wait(stream.names.events, value, key=key)
    async with running_worker(stream, limits=SMALL):
        await until_done(stream)
    seen = await look(stream)
    assert violations(seen) == []
    assert [out.place.offset for out in seen.results] == [0, 3]
    value, key = await everything(stream, stream.names.dead_letters)
    assert (value.key, value.value, header(value.headers, VALUE_DROPPED)) == (b"k", b"", digest)
    assert header(value.headers, ERROR_CODE) == b"record_too_large"
    assert (key.key, key.value, header(key.headers, KEY_DROPPED)) == (None, b"", digest)
    assert header(key.headers, ERROR_CODE) == b"result_too_large"

    async def passed() -> bool:
        memory = await memory_of(stream, stream.names.shadow_group(rollout.rollout_id))
        return memory.get(0, (0, None))[0] == 4

    async with running_worker(stream, role=shadow_role, limits=SMALL):
        await eventually(passed, "the shadow has seen everything")
    pairs = await pairs_of(stream)
    assert [one.origin.offset for one in pairs] == [0, 1, 2, 3]
    assert [one.candidate.error for one in pairs] == [None, "record_too_large", None, None]
