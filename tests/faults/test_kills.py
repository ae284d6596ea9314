"""Workers killed without a last word, at any moment."""

from __future__ import annotations

import asyncio
import random

import pytest

from contracts.settings import KafkaSettings
from tests.faults.conftest import PARTITIONS, Spawn
from tests.streams.concurrent_reader import ConcurrentReader
from tests.streams.judgement import complaints
from tests.streams.load import Load
from tests.streams.worker import until_done

pytestmark = pytest.mark.broker


async def _kill_at_random(stream: KafkaSettings, spawn: Spawn, *, kills: int, seed: int) -> int:
    """Two workers under load on both inputs, one of them killed again and again; how much was
    published."""
    moments = random.Random(seed)
    slow = ("--seconds-per-token", "0.0001")
    async with ConcurrentReader(stream, partitions=PARTITIONS) as watcher:
        async with Load(stream, partitions=PARTITIONS, per_second=80, interactive_every=3) as load:
            workers = [spawn(stream, *slow, name="a"), spawn(stream, *slow, name="b")]
            await asyncio.gather(*(worker.ready() for worker in workers))
            for _ in range(kills):
                await asyncio.sleep(moments.uniform(0.0, 2.5))
                victim = moments.randrange(len(workers))
                workers[victim].kill()
                workers[victim] = spawn(stream, *slow, name="ab"[victim])
        await until_done(stream, timeout_s=120)
        assert await complaints(stream, watcher) == []
    for worker in workers:
        assert worker.terminate() == 0, worker.tail()
    return load.published


async def test_nothing_is_lost_or_doubled_when_workers_are_killed(
    stream: KafkaSettings, spawn: Spawn
) -> None:
    assert await _kill_at_random(stream, spawn, kills=3, seed=7) > 100


@pytest.mark.fault
@pytest.mark.timeout(600)
async def test_twenty_kills_at_random_moments(stream: KafkaSettings, spawn: Spawn) -> None:
    assert await _kill_at_random(stream, spawn, kills=20, seed=20) > 1000
