"""A worker that sleeps through a promotion serves nothing of the old epoch when it wakes."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest

from contracts.events import ParsedBatch
from contracts.phases import Phase
from contracts.settings import KafkaSettings
from tests.faults.conftest import PARTITIONS, Spawn
from tests.oracles.stream import look, violations
from tests.streams.eventually import eventually
from tests.streams.load import Load
from tests.streams.rollouts import CANDIDATE, memory_of, rollout_of, state_of
from tests.streams.topic import everything
from tests.streams.worker import until_done, write_state

pytestmark = pytest.mark.broker


async def until_adopted(stream: KafkaSettings, epoch: int) -> None:
    async def by_all() -> bool:
        memory = await memory_of(stream, stream.names.stable_group)
        return [said.serving_epoch for _, said in memory.values()] == [epoch] * PARTITIONS

    await eventually(by_all, f"all partitions at epoch {epoch}", timeout_s=90)


async def test_a_worker_that_slept_through_an_epoch_serves_nothing_of_the_old_one(
    stream: KafkaSettings, spawn: Spawn
) -> None:
    # Few in flight: what the sleeper had in hand runs one by one at its successor.
    slow = ("--seconds-per-token", "0.0002", "--setting", "max_in_flight_records=6")
    sleeper = spawn(stream, *slow, name="sleeper")
    async with Load(stream, partitions=PARTITIONS, per_second=40.0) as load:
        await sleeper.ready()
        await until_adopted(stream, 1)
        await asyncio.sleep(1.0)
        sleeper.pause()  # with work in hand
        other = spawn(stream, *slow, name="other")
        await other.ready()
        await write_state(
            stream,
            state_of(rollout_of(), Phase.BAKING, revision=5, epoch=5, stable=CANDIDATE),
        )
        await until_adopted(stream, 5)
        sleeper.resume()
        await asyncio.sleep(3.0)
        await load.stop()
    await until_done(stream)
    assert sleeper.alive
    assert violations(await look(stream)) == []
    found = defaultdict(list)
    for record in await everything(stream, stream.names.parsed):
        one = ParsedBatch.model_validate_json(record.value)
        found[one.origin.partition].append((one.origin.offset, one.model.serving_epoch))
        assert (one.model.version == CANDIDATE.version) == (one.model.serving_epoch == 5)
    for served in found.values():
        epochs = [epoch for _, epoch in served]
        assert epochs == sorted(epochs), "in the order in which they were written"
        assert set(epochs) == {1, 5}
