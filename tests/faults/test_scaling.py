"""One worker becomes four and one again, under load that waits for none of them.

That the judge can say no is shown elsewhere: with the fence taken away in `test_zombies.py`, and
damage by damage in `tests/unit/test_stream_oracle.py`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from contracts.settings import KafkaSettings
from tests.brokers.admin import TopicFactory
from tests.faults.conftest import Spawn
from tests.models import instant
from tests.oracles.stream import Lane, result_of
from tests.streams.concurrent_reader import ConcurrentReader
from tests.streams.eventually import eventually
from tests.streams.judgement import complaints
from tests.streams.load import Load
from tests.streams.topic import everything
from tests.streams.worker import until_done, write_state
from tests.streams.worker_process import WorkerProcess

pytestmark = [pytest.mark.broker, pytest.mark.fault, pytest.mark.timeout(600)]

PARTITIONS = 4
MOST = 4
PER_SECOND = 70.0
HOLD_S = 8.0
"""How long a number of workers stays, so that its rate can be told."""

# A device that takes 20 ms for a record of three addresses and burns no processor meanwhile: one
# worker does some 50 records a second, less than come in, and four do four times that even on two
# cores. Little in hand, so that a worker that ends can finish it.
SLOW = ("--seconds-per-token", "0.0005", "--setting", "max_in_flight_records=8")


@dataclass
class Stage:
    """A number of workers: from the moment it was changed to the next change."""

    workers: int
    began: float
    settled: float = 0.0
    ended: float = 0.0
    parsed_by_each: list[float] = field(default_factory=list)


async def owned(worker: WorkerProcess) -> frozenset[tuple[str, str]]:
    """(topic, partition) of the lanes that this worker has open, by its own account."""
    _, text = await asyncio.to_thread(worker.get, "/metrics")
    found = re.findall(r"^mgeo_lag_records\{(.*)\}", text, re.MULTILINE)
    labels = [dict(re.findall(r'(\w+)="([^"]*)"', one)) for one in found]
    return frozenset((one["topic"], one["partition"]) for one in labels)


async def parsed(worker: WorkerProcess) -> float:
    """Records that this worker has committed."""
    _, text = await asyncio.to_thread(worker.get, "/metrics")
    found = re.search(r'^mgeo_records_total\{outcome="parsed"\} (\S+)', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def until_shared(workers: Sequence[WorkerProcess], lanes: int) -> None:
    """Wait until every lane has one owner among these, and each of these has lanes."""

    async def so() -> bool:
        shares = [await owned(worker) for worker in workers]
        return all(shares) and sum(map(len, shares)) == len(frozenset().union(*shares)) == lanes

    await eventually(so, f"{lanes} lanes shared out among {len(workers)} workers", timeout_s=90)


async def hold(stage: Stage, workers: Sequence[WorkerProcess]) -> None:
    """Let them work for a while; each must have done some of it."""
    stage.settled = time.time()
    before = [await parsed(worker) for worker in workers]
    await asyncio.sleep(HOLD_S)

    async def each_did_some() -> bool:
        now = [await parsed(worker) for worker in workers]
        stage.parsed_by_each = [b - a for a, b in zip(before, now, strict=True)]
        return all(stage.parsed_by_each)

    await eventually(each_did_some, f"each of {len(workers)} workers has parsed something")
    stage.ended = time.time()


async def test_four_workers_share_the_load_of_one_and_hand_it_back_without_a_loss(
    kafka: KafkaSettings, topics: TopicFactory, spawn: Spawn
) -> None:
    stream = kafka.model_copy(update={"topic_prefix": topics.create_standard(PARTITIONS).prefix})
    await write_state(stream, instant.state())
    lanes = PARTITIONS * len(stream.names.inputs)
    stages: list[Stage] = []
    async with ConcurrentReader(stream, partitions=PARTITIONS) as watcher:
        load = Load(stream, partitions=PARTITIONS, per_second=PER_SECOND, interactive_every=3)
        async with load:
            workers: list[WorkerProcess] = []
            for number in range(MOST):
                stages.append(Stage(number + 1, time.time()))
                workers.append(spawn(stream, *SLOW, name=f"w{number}"))
                await workers[-1].ready()
                await until_shared(workers, lanes)
                await hold(stages[-1], workers)
            while len(workers) > 1:
                stages.append(Stage(len(workers) - 1, time.time()))
                oldest = workers.pop(0)  # so that no one is there all the time
                assert await asyncio.to_thread(oldest.terminate) == 0, oldest.tail()
                await until_shared(workers, lanes)
                await hold(stages[-1], workers)
        await until_done(stream, timeout_s=120)
        assert await complaints(stream, watcher) == []
    assert workers[0].terminate() == 0, workers[0].tail()
    print(f"\n{load.published} records published\n" + await figures(stream, stages))


async def figures(stream: KafkaSettings, stages: Sequence[Stage]) -> str:
    """What readers saw at each number of workers, as a table; times are those of the records."""
    seen: list[tuple[float, Lane]] = sorted(
        (record.timestamp / 1e3, result_of(record).place.lane)
        for record in await everything(stream, stream.names.parsed)
    )
    lines = ["workers  records/s  by each        settled after  longest gap: all, one partition"]
    for stage in stages:
        rate = sum(stage.settled <= at < stage.ended for at, _ in seen)
        window = (stage.began - 1, stage.settled + 2)
        every = _longest_gap([at for at, _ in seen], *window)
        by_lane = max(
            _longest_gap([at for at, one in seen if one == lane], *window)
            for lane in {lane for _, lane in seen}
        )
        lines.append(
            f"{stage.workers:7}  {rate / (stage.ended - stage.settled):9.0f}  "
            f"{' '.join(f'{each:.0f}' for each in stage.parsed_by_each):13}  "
            f"{stage.settled - stage.began:11.1f} s  {every:.1f} s, {by_lane:.1f} s"
        )
    return "\n".join(lines)


def _longest_gap(times: Sequence[float], begin: float, end: float) -> float:
    """The longest time without a record that begins in this window."""
    return max((b - a for a, b in pairwise(times) if begin <= a < end), default=0.0)
