"""Workers that sleep past their session and wake with work in hand."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from contracts.settings import KafkaSettings
from tests.faults.conftest import PARTITIONS, Spawn
from tests.streams.concurrent_reader import ConcurrentReader
from tests.streams.judgement import complaints
from tests.streams.load import Load
from tests.streams.worker import until_done
from tests.streams.worker_process import WorkerProcess

# Each waits for a moment that a machine at its own pace may not offer (work in hand when it is
# looked for): `make faults` runs them.
pytestmark = [pytest.mark.broker, pytest.mark.fault]

# So slow that there is always work in hand, so fast that it ends within the revoke budget.
SLOW = ("--seconds-per-token", "0.0006", "--setting", "token_budget=512")


async def _until_owning(worker: WorkerProcess, *, timeout_s: float = 60.0) -> None:
    """Wait until the worker has open lanes and work in hand."""
    deadline = time.monotonic() + timeout_s
    while True:
        _, text = await asyncio.to_thread(worker.get, "/metrics")
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] == "m")
        lanes = float(values.get('mgeo_lanes{state="open"}', 0))
        if lanes and float(values.get("mgeo_inflight_addresses", 0)) > 0:
            return
        assert time.monotonic() < deadline, worker.tail()
        await asyncio.sleep(0.02)


async def _zombie_rounds(
    stream: KafkaSettings, spawn: Spawn, *arguments: str, rounds: int, patience_s: float = 60.0
) -> list[str]:
    """Put the worker that owns partitions to sleep past its session, again and again."""
    async with ConcurrentReader(stream, partitions=PARTITIONS) as watcher:
        async with Load(stream, partitions=PARTITIONS, per_second=25):
            workers = [spawn(stream, *SLOW, *arguments, name=name) for name in "ab"]
            await asyncio.gather(*(worker.ready() for worker in workers))
            for turn in range(rounds):
                sleeper = workers[turn % 2]
                await _until_owning(sleeper)
                sleeper.pause()
                await asyncio.sleep(8.0)  # a session of 6 s, and the other takes over
                sleeper.resume()
                await asyncio.sleep(2.0)
        with contextlib.suppress(AssertionError):  # the books name what is not done
            await until_done(stream, timeout_s=patience_s)
        found = await complaints(stream, watcher)
    for worker in workers:
        assert worker.terminate() == 0, worker.tail()
    return found


async def test_a_zombie_cannot_commit_after_fencing(stream: KafkaSettings, spawn: Spawn) -> None:
    assert await _zombie_rounds(stream, spawn, rounds=1) == []


async def test_without_shared_transactional_ids_the_oracle_sees_doubles(
    stream: KafkaSettings, spawn: Spawn
) -> None:
    found = await _zombie_rounds(stream, spawn, "--unfenced", rounds=1, patience_s=5.0)
    assert any("doubled" in line for line in found), found


@pytest.mark.timeout(900)
async def test_zombies_again_and_again(stream: KafkaSettings, spawn: Spawn) -> None:
    # What a sleeper had in hand is suspect to the next owner, and runs alone: after six of them
    # that is hundreds of records, each with a commit of its own.
    assert await _zombie_rounds(stream, spawn, rounds=6, patience_s=400.0) == []
