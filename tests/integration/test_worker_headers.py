"""Header names that are not UTF-8, on a real broker: they cost one record and nothing else."""

from __future__ import annotations

import pytest

from consumer.stream.shadow import shadow_role
from contracts.headers import ERROR_CODE, header
from contracts.phases import Phase
from contracts.settings import KafkaSettings
from tests.brokers.admin import TopicFactory
from tests.integration.test_worker import publish
from tests.models import instant
from tests.oracles.stream import dead_letter_of, look, violations
from tests.streams.eventually import eventually
from tests.streams.header_names import ESCAPED, Raw, publish_raw
from tests.streams.load import record_of
from tests.streams.rollouts import memory_of, pairs_of, rollout_of, state_of
from tests.streams.topic import everything
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(2)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await write_state(stream, instant.state())
    return stream


def _batch(first: int, *bad: int) -> list[Raw]:
    """Ten records, of which some have a bad name among their headers."""
    return [
        Raw(record_of(first + n, [(f"{first + n}", "和平路1号")]), f"k{n}".encode(), n in bad)
        for n in range(10)
    ]


async def _poison(stream: KafkaSettings) -> int:
    """Good and bad ones in one batch, bad ones alone, in both partitions and both inputs."""
    for partition in range(2):
        await publish_raw(stream, stream.names.events, partition, _batch(0, 4, 5))
        await publish_raw(stream, stream.names.events, partition, [_batch(0, 0)[0]])
    await publish_raw(stream, stream.names.interactive, 1, _batch(0, 0, 9))
    return 2 * 3 + 2


async def test_every_other_record_is_parsed_once_and_in_order(stream: KafkaSettings) -> None:
    await publish(stream, 20, each=1)
    bad = await _poison(stream)
    await publish(stream, 20, each=1)
    async with running_worker(stream) as worker:
        await until_done(stream)
        bad += await _poison(stream)  # while it serves
        await publish(stream, 20, each=1)
        await until_done(stream)
        assert not worker.task.done()
    async with running_worker(stream):  # one that begins behind them, and goes on
        await publish(stream, 5, each=1)
        bad += await _poison(stream)
        await until_done(stream)
    seen = await look(stream)
    assert violations(seen) == []
    assert len(seen.dead_letters) == bad
    assert len(seen.results) == 65 + 3 * (2 * 8 + 8)
    inputs = {
        (one.topic, one.partition, one.offset): one
        for topic in stream.names.inputs
        for one in await everything(stream, topic)
    }
    letters = await everything(stream, stream.names.dead_letters)
    for letter in letters:
        original = inputs[dead_letter_of(letter).place]
        assert (letter.key, letter.value) == (original.key, original.value)
        assert header(letter.headers, ERROR_CODE) == b"bad_headers"
        assert header(letter.headers, ESCAPED) == b"v"
        assert header(letter.headers, "app") == b"x"


async def test_a_worker_that_starts_at_a_bad_record_goes_on(stream: KafkaSettings) -> None:
    await publish_raw(stream, stream.names.events, 0, [_batch(0, 0)[0]])
    await publish_raw(stream, stream.names.events, 0, [_batch(1)[0]])
    async with running_worker(stream):
        await until_done(stream)
    seen = await look(stream)
    assert violations(seen) == []
    assert [out.place.offset for out in seen.dead_letters] == [0]
    assert [out.place.offset for out in seen.results] == [1]


async def test_a_shadow_worker_goes_on_too(stream: KafkaSettings) -> None:
    rollout = rollout_of(share=1.0)
    await write_state(stream, state_of(rollout, Phase.WARMING, revision=2))
    for partition in range(2):
        await publish_raw(stream, stream.names.events, partition, _batch(0, 0, 4))
    group = stream.names.shadow_group(rollout.rollout_id)

    async def passed() -> bool:
        memory = await memory_of(stream, group)
        return all(memory.get(partition, (0, None))[0] == 10 for partition in range(2))

    async with running_worker(stream, role=shadow_role):
        await eventually(passed, "the shadow has seen everything")
    pairs = await pairs_of(stream)
    assert len(pairs) == 20
    assert {(one.origin.offset, one.candidate.error) for one in pairs} == {
        (offset, "bad_headers" if offset in (0, 4) else None) for offset in range(10)
    }
