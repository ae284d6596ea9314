"""The broker dies, comes back, or falls silent, while transactions are open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from contracts.settings import KafkaSettings
from deploy.local import LocalBroker
from tests.brokers.admin import TopicFactory
from tests.faults.conftest import PARTITIONS, Spawn
from tests.models import instant
from tests.streams.concurrent_reader import ConcurrentReader
from tests.streams.judgement import complaints
from tests.streams.load import Load
from tests.streams.worker import until_done, write_state
from tests.streams.worker_process import WorkerProcess

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

OwnBroker = Callable[..., LocalBroker]
OwnTopics = Callable[[LocalBroker], TopicFactory]


async def _stream_on(one: LocalBroker, own_topics: OwnTopics) -> KafkaSettings:
    names = await asyncio.to_thread(lambda: own_topics(one).create_standard(PARTITIONS))
    stream = KafkaSettings(kafka_bootstrap_servers=one.bootstrap_servers, topic_prefix=names.prefix)
    await write_state(stream, instant.state())
    return stream


async def _hurt(
    stream: KafkaSettings, workers: list[WorkerProcess], hurt: Callable[[], None], times: int
) -> None:
    """Hurt the broker under load, and judge."""
    async with ConcurrentReader(stream, partitions=PARTITIONS) as watcher:
        async with Load(stream, partitions=PARTITIONS, per_second=60):
            await asyncio.gather(*(worker.ready() for worker in workers))
            for _ in range(times):
                await asyncio.sleep(1.5)
                await asyncio.to_thread(hurt)
            await asyncio.sleep(1.0)
        await until_done(stream, timeout_s=120)
        assert await complaints(stream, watcher) == []
    assert all(worker.alive for worker in workers), "they recover by themselves"


async def test_the_stream_survives_a_broker_that_is_killed(
    own_broker: OwnBroker, own_topics: OwnTopics, spawn: Spawn
) -> None:
    one = await asyncio.to_thread(own_broker)
    stream = await _stream_on(one, own_topics)

    def kill_and_restart() -> None:
        one.kill()
        one.start()

    await _hurt(stream, [spawn(stream)], kill_and_restart, times=1)


@pytest.mark.fault
async def test_the_stream_survives_kills_and_silences_of_the_broker(
    own_broker: OwnBroker, own_topics: OwnTopics, spawn: Spawn
) -> None:
    one = await asyncio.to_thread(own_broker)
    stream = await _stream_on(one, own_topics)

    def kill_and_restart() -> None:
        one.kill()
        one.start()

    def fall_silent() -> None:
        one.pause()
        time.sleep(12)  # longer than the session and than the shortest transaction time-out
        one.resume()

    short = (
        *("--setting", "transaction_timeout_ms=10000"),
        *("--setting", "request_timeout_ms=5000"),
    )
    workers = [spawn(stream, *short, name=name) for name in "ab"]
    await _hurt(stream, workers, kill_and_restart, times=3)
    await _hurt(stream, workers, fall_silent, times=2)


@pytest.mark.fault
async def test_a_worker_stops_in_bounded_time_while_the_broker_is_away(
    own_broker: OwnBroker, own_topics: OwnTopics, spawn: Spawn
) -> None:
    one = await asyncio.to_thread(own_broker)
    stream = await _stream_on(one, own_topics)
    worker = spawn(stream, "--seconds-per-token", "0.0005")
    async with Load(stream, partitions=PARTITIONS, per_second=60) as load:
        await worker.ready()
        await asyncio.sleep(1.0)
        await asyncio.to_thread(one.kill)
        await asyncio.sleep(1.0)
        began = time.monotonic()
        # Budget 5 s, and the graces for commit, producers and leaving the group.
        code = await asyncio.to_thread(worker.terminate, 45.0)
        assert code == 0, worker.tail()
        assert time.monotonic() - began < 40
        await asyncio.to_thread(one.start)
        await load.stop()
    async with ConcurrentReader(stream, partitions=PARTITIONS) as watcher:
        spawn(stream, name="next")
        await until_done(stream)
        assert await complaints(stream, watcher) == []
