"""Workers that come and go while partitions move between them."""

from __future__ import annotations

import asyncio
import signal

import pytest

from consumer.settings import WorkerSettings
from contracts.settings import KafkaSettings
from tests.brokers.admin import TopicFactory
from tests.faults.conftest import PARTITIONS, Spawn
from tests.models import instant
from tests.streams.concurrent_reader import ConcurrentReader
from tests.streams.eventually import eventually
from tests.streams.judgement import complaints
from tests.streams.load import Load
from tests.streams.worker import until_done, write_state
from tests.streams.worker_process import WorkerProcess

pytestmark = pytest.mark.broker

DRAIN_BUDGET_S = WorkerSettings().drain_budget_ms / 1e3


async def lanes_of(worker: WorkerProcess) -> float:
    _, text = await asyncio.to_thread(worker.get, "/metrics")
    for line in text.splitlines():
        if line.startswith('mgeo_lanes{state="open"}'):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


async def until_lanes(workers: list[WorkerProcess], wanted: list[int]) -> None:
    async def so() -> bool:
        return sorted([await lanes_of(worker) for worker in workers]) == wanted

    await eventually(so, f"{wanted} lanes")


async def test_partitions_move_between_workers_that_join_and_leave(
    kafka: KafkaSettings, topics: TopicFactory, spawn: Spawn
) -> None:
    """More workers than partitions; the idle one takes over when others leave."""
    stream = kafka.model_copy(update={"topic_prefix": topics.create_standard(1).prefix})
    await write_state(stream, instant.state())
    lanes = len(stream.names.inputs)  # one partition each
    async with ConcurrentReader(stream, partitions=1) as watcher:
        async with Load(stream, partitions=1, per_second=60):
            workers = [spawn(stream, name=f"w{n}") for n in range(lanes + 1)]
            await asyncio.gather(*(worker.ready() for worker in workers))
            await until_lanes(workers, [0, *[1] * lanes])
            (idle,) = [worker for worker in workers if await lanes_of(worker) == 0]
            for worker in [worker for worker in workers if worker is not idle]:
                assert await asyncio.to_thread(worker.terminate) == 0, worker.tail()
            await until_lanes([idle], [lanes])
        await until_done(stream)
        assert await complaints(stream, watcher) == []
    assert idle.terminate() == 0, idle.tail()


async def test_a_drained_worker_loses_nothing_and_leaves_nothing_to_do_again(
    stream: KafkaSettings, spawn: Spawn
) -> None:
    slow = ("--seconds-per-token", "0.0005")
    async with ConcurrentReader(stream, partitions=PARTITIONS) as watcher:
        async with Load(stream, partitions=PARTITIONS, per_second=50):
            for turn in range(2):
                worker = spawn(stream, *slow, name=f"w{turn}")
                await worker.ready()
                await asyncio.sleep(1.0)
                before = asyncio.get_running_loop().time()
                assert await asyncio.to_thread(worker.terminate) == 0, worker.tail()
                # It ended because the work was done, not because the time for it was over.
                assert asyncio.get_running_loop().time() - before < DRAIN_BUDGET_S
                assert '"left_to_the_next_owner": 0' in worker.tail()
        last = spawn(stream)
        await until_done(stream)
        assert await complaints(stream, watcher) == []
    assert last.terminate() == 0
    assert '"earlier_starts": 1' not in last.log.read_text(), "a drain accuses nobody"


async def test_a_worker_stopped_before_it_ever_had_a_model_leaves_with_0(
    kafka: KafkaSettings, topics: TopicFactory, spawn: Spawn
) -> None:
    names = topics.create_standard(1)
    empty = kafka.model_copy(update={"topic_prefix": names.prefix})
    worker = spawn(empty)

    async def waits_for_control() -> bool:
        status, why = await asyncio.to_thread(worker.get, "/readyz")
        return status == 503 and "a control record" in why

    await eventually(waits_for_control, "not ready, for want of a control record")
    assert (await asyncio.to_thread(worker.get, "/livez"))[0] == 200
    assert worker.terminate() == 0, worker.tail()


async def test_a_second_signal_does_not_cut_the_drain_short(
    stream: KafkaSettings, spawn: Spawn
) -> None:
    worker = spawn(stream)
    await worker.ready()
    worker.signal(signal.SIGTERM)
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == 0, worker.tail()
